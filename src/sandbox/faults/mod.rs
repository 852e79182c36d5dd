//! Faults: kinds, their text form, and how often each may still fire.

pub(crate) mod injection;

use crate::error::{Error, Result};
use crate::sandbox::cloudzero::faults::CloudZeroFault;
use crate::sandbox::confluent::iam::faults::IamFault;
use crate::sandbox::confluent::inventory::faults::InventoryFault;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Way in which a response goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// 429 with Retry-After in seconds.
    Limited,
    /// 429 with Retry-After as an HTTP date.
    LimitedDate,
    /// 429 with nothing but X-RateLimit-Reset.
    LimitedReset,
    /// 500 in the common format.
    Internal,
    /// 502 with an HTML body, as from a proxy.
    BadGateway,
    /// 503 with Retry-After.
    Unavailable,
    /// 200 with an HTML body, as from a captive portal.
    Html,
    /// 404 in the common format.
    NotFound,
    /// 401 in the common format.
    Unauthorized,
    /// 403 in the common format.
    Forbidden,
    /// The connection is reset before the first byte of a response.
    Reset,
    /// The connection ends in the middle of the announced body.
    Cut,
    /// Complete response whose JSON ends in the middle.
    TruncatedJson,
    /// The body pauses in the middle.
    Slow,
    /// `metadata.next` repeats the token of the request. Waits for a request with a token.
    RepeatToken,
    /// 400 for an expired page token. Waits for a request with a token.
    ExpiredToken,
    /// The `original_amount` of one cost is a word. Waits for a page with costs, like the next two.
    BadRecord,
    /// One cost has no `original_amount`.
    MissingAmount,
    /// One cost is dated after the window.
    OutsideWindow,
    /// 302 to another host.
    Redirect,
    /// The Date header is a day ahead, in any response.
    WrongClock,
    /// The Date header is 400 days in the past, in any response.
    PastClock,
    /// Fault of a request that changes something below `/iam/`.
    Iam(IamFault),
    /// Fault of a list of resources.
    Inventory(InventoryFault),
    /// Fault of CloudZero's API. All other faults are in Confluent's.
    CloudZero(CloudZeroFault),
}

const FAULT_NAMES: [(&str, FaultKind); 44] = [
    ("429", FaultKind::Limited),
    ("429-date", FaultKind::LimitedDate),
    ("429-reset", FaultKind::LimitedReset),
    ("500", FaultKind::Internal),
    ("502-html", FaultKind::BadGateway),
    ("503", FaultKind::Unavailable),
    ("html-200", FaultKind::Html),
    ("404", FaultKind::NotFound),
    ("401", FaultKind::Unauthorized),
    ("403", FaultKind::Forbidden),
    ("reset", FaultKind::Reset),
    ("cut", FaultKind::Cut),
    ("truncated-json", FaultKind::TruncatedJson),
    ("slow", FaultKind::Slow),
    ("repeat-token", FaultKind::RepeatToken),
    ("expired-token", FaultKind::ExpiredToken),
    ("bad-record", FaultKind::BadRecord),
    ("missing-amount", FaultKind::MissingAmount),
    ("outside-window", FaultKind::OutsideWindow),
    ("redirect", FaultKind::Redirect),
    ("wrong-clock", FaultKind::WrongClock),
    ("past-clock", FaultKind::PastClock),
    ("iam-402", FaultKind::Iam(IamFault::Quota)),
    ("iam-403", FaultKind::Iam(IamFault::Forbidden)),
    ("iam-409", FaultKind::Iam(IamFault::Conflict)),
    ("iam-500", FaultKind::Iam(IamFault::Internal)),
    ("iam-lost-reply", FaultKind::Iam(IamFault::LostReply)),
    (
        "inventory-403",
        FaultKind::Inventory(InventoryFault::Forbidden),
    ),
    (
        "inventory-404",
        FaultKind::Inventory(InventoryFault::NotFound),
    ),
    (
        "inventory-500",
        FaultKind::Inventory(InventoryFault::Internal),
    ),
    (
        "inventory-empty",
        FaultKind::Inventory(InventoryFault::Empty),
    ),
    ("cz-429", FaultKind::CloudZero(CloudZeroFault::Limited)),
    ("cz-500", FaultKind::CloudZero(CloudZeroFault::Internal)),
    ("cz-503", FaultKind::CloudZero(CloudZeroFault::Unavailable)),
    ("cz-400", FaultKind::CloudZero(CloudZeroFault::BadRequest)),
    ("cz-403", FaultKind::CloudZero(CloudZeroFault::Forbidden)),
    ("cz-404", FaultKind::CloudZero(CloudZeroFault::NotFound)),
    ("cz-413", FaultKind::CloudZero(CloudZeroFault::TooLarge)),
    ("cz-409", FaultKind::CloudZero(CloudZeroFault::Conflict)),
    ("cz-reset", FaultKind::CloudZero(CloudZeroFault::Reset)),
    (
        "cz-lost-reply",
        FaultKind::CloudZero(CloudZeroFault::LostReply),
    ),
    ("cz-late", FaultKind::CloudZero(CloudZeroFault::Delayed)),
    ("cz-invalid", FaultKind::CloudZero(CloudZeroFault::Invalid)),
    ("cz-corrupt", FaultKind::CloudZero(CloudZeroFault::Corrupt)),
];

/// Fault that fires a number of times.
///
/// Written `kind[:times][:option=value]…`, such as `429:2:retry_after=3` or `cut:1:after=4`. Kinds:
/// `429`, `429-date`, `429-reset`, `500`, `502-html`, `503`, `html-200`, `404`, `401`, `403`,
/// `reset`, `cut`, `truncated-json`, `slow`, `repeat-token`, `expired-token`, `bad-record`,
/// `missing-amount`, `outside-window`, `redirect`, `wrong-clock`, `past-clock`; in changes below
/// `/iam/` `iam-402`, `iam-403`, `iam-409`, `iam-500`, `iam-lost-reply`; in lists of resources
/// `inventory-403`, `inventory-404`, `inventory-500`, `inventory-empty`; in CloudZero's API `cz-429`,
/// `cz-500`, `cz-503`, `cz-400`, `cz-403`, `cz-404`, `cz-413`, `cz-409`, `cz-reset`, `cz-lost-reply`,
/// `cz-late`, `cz-invalid`, `cz-corrupt`. Options: `retry_after` (seconds, default 1), `secs` (pause
/// of `slow`, default 5), `after` (number of requests to the same API to skip first).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    kind: FaultKind,
    name: &'static str,
    times: u32,
    after: u64,
    retry_after_secs: u64,
    pause_secs: u64,
}

impl Fault {
    pub(super) fn kind(&self) -> FaultKind {
        self.kind
    }

    /// Seconds in the Retry-After header.
    pub(super) fn retry_after_secs(&self) -> u64 {
        self.retry_after_secs
    }

    /// Pause of a slow body.
    pub(super) fn pause(&self) -> Duration {
        Duration::from_secs(self.pause_secs)
    }
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split(':');
        let given = parts.next().unwrap_or_default();
        let Some(&(name, kind)) = FAULT_NAMES.iter().find(|(name, _)| *name == given) else {
            let names: Vec<&str> = FAULT_NAMES.iter().map(|(name, _)| *name).collect();
            let message = format!("unknown fault `{given}`: use one of {}", names.join(", "));
            return Err(Error::usage(message));
        };
        let mut fault = Fault {
            kind,
            name,
            times: 1,
            after: 0,
            retry_after_secs: 1,
            pause_secs: 5,
        };
        for part in parts {
            let (option, value) = part.split_once('=').unwrap_or(("times", part));
            let invalid = || {
                Error::usage(format!(
                    "could not read fault `{text}`: invalid option `{part}`"
                ))
            };
            let number: u32 = value.parse().map_err(|_| invalid())?;
            match option {
                "times" if number > 0 => fault.times = number,
                "after" => fault.after = number.into(),
                "retry_after" => fault.retry_after_secs = number.into(),
                "secs" => fault.pause_secs = number.into(),
                _ => return Err(invalid()),
            }
        }
        Ok(fault)
    }
}

/// Faults of a sandbox, each with the number of times that it may still fire.
pub(crate) struct FaultBudgets(Vec<(Fault, AtomicU32)>);

impl FaultBudgets {
    pub(crate) fn new(faults: &[Fault]) -> Self {
        FaultBudgets(
            faults
                .iter()
                .map(|fault| (fault.clone(), fault.times.into()))
                .collect(),
        )
    }

    /// Takes one use of the first fault with budget left that `applies` to request `number` (from 1).
    pub(crate) fn take(&self, number: u64, applies: impl Fn(FaultKind) -> bool) -> Option<&Fault> {
        let one_less = |left: u32| left.checked_sub(1);
        self.0
            .iter()
            .filter(|(fault, _)| number > fault.after && applies(fault.kind))
            .find(|(_, left)| {
                left.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less)
                    .is_ok()
            })
            .map(|(fault, _)| fault)
    }

    /// Number of times that each fault fired, by name.
    pub(crate) fn fired(&self) -> BTreeMap<&'static str, u32> {
        let mut fired = BTreeMap::new();
        for (fault, left) in &self.0 {
            *fired.entry(fault.name).or_default() += fault.times - left.load(Ordering::Acquire);
        }
        fired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_fault_text() {
        let fault: Fault = "429:2:retry_after=7:after=3".parse().unwrap();
        assert_eq!(
            (fault.kind, fault.times, fault.retry_after_secs, fault.after),
            (FaultKind::Limited, 2, 7, 3)
        );
        let fault: Fault = "slow".parse().unwrap();
        assert_eq!(
            (fault.kind, fault.times, fault.pause()),
            (FaultKind::Slow, 1, Duration::from_secs(5))
        );
        for wrong in [
            "",
            "teapot",
            "429:0",
            "429:x",
            "429:1:wait=2",
            "slow:secs=-1",
        ] {
            assert!(wrong.parse::<Fault>().is_err(), "{wrong}");
        }
        assert!(
            "teapot"
                .parse::<Fault>()
                .unwrap_err()
                .to_string()
                .contains("truncated-json")
        );
    }

    #[test]
    fn parses_every_fault_name() {
        for (name, kind) in FAULT_NAMES {
            assert_eq!(name.parse::<Fault>().unwrap().kind, kind);
        }
    }

    #[test]
    fn concurrent_requests_use_budgets_exactly() {
        let faults = FaultBudgets::new(&[
            "500:50".parse().unwrap(),
            "reset:3:after=1000".parse().unwrap(),
        ]);
        let fired = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for request in 1..=100 {
                        if faults.take(request, |_| true).is_some() {
                            fired.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(fired.into_inner(), 50);
        assert_eq!(faults.fired(), BTreeMap::from([("500", 50), ("reset", 0)]));
        assert_eq!(
            faults.take(1001, |_| true).map(Fault::kind),
            Some(FaultKind::Reset)
        );
        assert!(faults.take(1001, |kind| kind == FaultKind::Slow).is_none());
    }
}
