//! Faults: what is to go wrong, how often, and how often it did.

pub(crate) mod injection;

use crate::error::{Error, Result};
use crate::sandbox::cloudzero::faults::Trouble;
use crate::sandbox::confluent::iam::faults::Trouble as IamTrouble;
use crate::sandbox::confluent::inventory::faults::Trouble as InventoryTrouble;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A way for an answer to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 429 with Retry-After in seconds.
    Limited,
    /// 429 with Retry-After as an HTTP date.
    LimitedDate,
    /// 429 with nothing but X-RateLimit-Reset.
    LimitedReset,
    /// 500 in the usual shape.
    Internal,
    /// 502 with an HTML body, as from a proxy.
    BadGateway,
    /// 503 with Retry-After.
    Unavailable,
    /// 200 with an HTML body, as from a captive portal.
    Html,
    /// 404 in the usual shape.
    NotFound,
    /// 401 in the usual shape.
    Unauthorized,
    /// 403 in the usual shape.
    Forbidden,
    /// The connection is reset before any byte of an answer.
    Reset,
    /// The connection ends in the middle of the announced body.
    Cut,
    /// A complete answer whose JSON stops in the middle.
    TruncatedJson,
    /// The body pauses in the middle.
    Slow,
    /// `metadata.next` repeats the token just used. Waits for a request with a token.
    RepeatToken,
    /// 400 for the token of a page, which is too old. Waits for a request with a token.
    ExpiredToken,
    /// One cost's `original_amount` is a word. Waits for a page with costs, as the next two do.
    BadRecord,
    /// One cost has no `original_amount`.
    MissingAmount,
    /// One cost is dated after the window.
    OutsideWindow,
    /// 302 to another host.
    Redirect,
    /// The Date header is a day ahead, whatever the answer is.
    WrongClock,
    /// Something with a request that changes something below `/iam/`.
    Iam(IamTrouble),
    /// Something with a list of resources.
    Inventory(InventoryTrouble),
    /// Something in CloudZero's API. All others are in Confluent's.
    CloudZero(Trouble),
}

const KINDS: [(&str, Kind); 43] = [
    ("429", Kind::Limited),
    ("429-date", Kind::LimitedDate),
    ("429-reset", Kind::LimitedReset),
    ("500", Kind::Internal),
    ("502-html", Kind::BadGateway),
    ("503", Kind::Unavailable),
    ("html-200", Kind::Html),
    ("404", Kind::NotFound),
    ("401", Kind::Unauthorized),
    ("403", Kind::Forbidden),
    ("reset", Kind::Reset),
    ("cut", Kind::Cut),
    ("truncated-json", Kind::TruncatedJson),
    ("slow", Kind::Slow),
    ("repeat-token", Kind::RepeatToken),
    ("expired-token", Kind::ExpiredToken),
    ("bad-record", Kind::BadRecord),
    ("missing-amount", Kind::MissingAmount),
    ("outside-window", Kind::OutsideWindow),
    ("redirect", Kind::Redirect),
    ("wrong-clock", Kind::WrongClock),
    ("iam-402", Kind::Iam(IamTrouble::Quota)),
    ("iam-403", Kind::Iam(IamTrouble::Forbidden)),
    ("iam-409", Kind::Iam(IamTrouble::Conflict)),
    ("iam-500", Kind::Iam(IamTrouble::Internal)),
    ("iam-lost-reply", Kind::Iam(IamTrouble::LostReply)),
    (
        "inventory-403",
        Kind::Inventory(InventoryTrouble::Forbidden),
    ),
    ("inventory-404", Kind::Inventory(InventoryTrouble::NotFound)),
    ("inventory-500", Kind::Inventory(InventoryTrouble::Internal)),
    ("inventory-empty", Kind::Inventory(InventoryTrouble::Empty)),
    ("cz-429", Kind::CloudZero(Trouble::Limited)),
    ("cz-500", Kind::CloudZero(Trouble::Internal)),
    ("cz-503", Kind::CloudZero(Trouble::Unavailable)),
    ("cz-400", Kind::CloudZero(Trouble::Refused)),
    ("cz-403", Kind::CloudZero(Trouble::Forbidden)),
    ("cz-404", Kind::CloudZero(Trouble::NotFound)),
    ("cz-413", Kind::CloudZero(Trouble::TooLarge)),
    ("cz-409", Kind::CloudZero(Trouble::Conflict)),
    ("cz-reset", Kind::CloudZero(Trouble::Reset)),
    ("cz-lost-reply", Kind::CloudZero(Trouble::LostReply)),
    ("cz-late", Kind::CloudZero(Trouble::Late)),
    ("cz-invalid", Kind::CloudZero(Trouble::Invalid)),
    ("cz-corrupt", Kind::CloudZero(Trouble::Corrupt)),
];

/// Something that is to go wrong a number of times.
///
/// Written `kind[:times][:option=value]…`, such as `429:2:retry_after=3` or `cut:1:after=4`. Kinds:
/// `429`, `429-date`, `429-reset`, `500`, `502-html`, `503`, `html-200`, `404`, `401`, `403`,
/// `reset`, `cut`, `truncated-json`, `slow`, `repeat-token`, `expired-token`, `bad-record`,
/// `missing-amount`, `outside-window`, `redirect`, `wrong-clock`; when something is changed below
/// `/iam/` `iam-402`, `iam-403`, `iam-409`, `iam-500`, `iam-lost-reply`; in lists of resources
/// `inventory-403`, `inventory-404`, `inventory-500`, `inventory-empty`; in CloudZero's API `cz-429`,
/// `cz-500`, `cz-503`, `cz-400`, `cz-403`, `cz-404`, `cz-413`, `cz-409`, `cz-reset`, `cz-lost-reply`,
/// `cz-late`, `cz-invalid`, `cz-corrupt`. Options: `retry_after` (seconds, default 1), `secs` (pause
/// of `slow`, default 5), `after` (requests to the same API to leave alone first).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    kind: Kind,
    name: &'static str,
    times: u32,
    after: u64,
    retry_after: u64,
    secs: u64,
}

impl Fault {
    /// What goes wrong.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// How long a client is told to wait.
    pub(super) fn retry_after(&self) -> u64 {
        self.retry_after
    }

    /// How long a slow body pauses.
    pub(super) fn pause(&self) -> Duration {
        Duration::from_secs(self.secs)
    }
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split(':');
        let wanted = parts.next().unwrap_or_default();
        let Some(&(name, kind)) = KINDS.iter().find(|(name, _)| *name == wanted) else {
            let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
            let message = format!(
                "no fault is called `{wanted}`; there are {}",
                names.join(", ")
            );
            return Err(Error::usage(message));
        };
        let mut fault = Fault {
            kind,
            name,
            times: 1,
            after: 0,
            retry_after: 1,
            secs: 5,
        };
        for part in parts {
            let (option, value) = part.split_once('=').unwrap_or(("times", part));
            let unreadable = || Error::usage(format!("fault `{text}`: cannot read `{part}`"));
            let number: u32 = value.parse().map_err(|_| unreadable())?;
            match option {
                "times" if number > 0 => fault.times = number,
                "after" => fault.after = number.into(),
                "retry_after" => fault.retry_after = number.into(),
                "secs" => fault.secs = number.into(),
                _ => return Err(unreadable()),
            }
        }
        Ok(fault)
    }
}

/// All faults of a server with what is left of their budgets.
pub struct Faults(Vec<(Fault, AtomicU32)>);

impl Faults {
    /// Fills every budget.
    pub fn new(faults: &[Fault]) -> Self {
        Faults(
            faults
                .iter()
                .map(|fault| (fault.clone(), fault.times.into()))
                .collect(),
        )
    }

    /// Takes one from the first budget that is `wanted` on request number `request` (from 1).
    pub fn take(&self, request: u64, wanted: impl Fn(Kind) -> bool) -> Option<&Fault> {
        let one_less = |left: u32| left.checked_sub(1);
        self.0
            .iter()
            .filter(|(fault, _)| request > fault.after && wanted(fault.kind))
            .find(|(_, left)| {
                left.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less)
                    .is_ok()
            })
            .map(|(fault, _)| fault)
    }

    /// How often each kind fired.
    pub fn fired(&self) -> BTreeMap<&'static str, u32> {
        let mut fired = BTreeMap::new();
        for (fault, left) in &self.0 {
            *fired.entry(fault.name).or_default() += fault.times - left.load(Ordering::Acquire);
        }
        fired
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_from_text() {
        let fault: Fault = "429:2:retry_after=7:after=3".parse().unwrap();
        assert_eq!(
            (fault.kind, fault.times, fault.retry_after, fault.after),
            (Kind::Limited, 2, 7, 3)
        );
        let fault: Fault = "slow".parse().unwrap();
        assert_eq!(
            (fault.kind, fault.times, fault.pause()),
            (Kind::Slow, 1, Duration::from_secs(5))
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
    fn every_kind_has_one_name() {
        for (name, kind) in KINDS {
            assert_eq!(name.parse::<Fault>().unwrap().kind, kind);
        }
    }

    #[test]
    fn budgets_are_used_up_exactly_by_many_threads() {
        let faults = Faults::new(&[
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
            Some(Kind::Reset)
        );
        assert!(faults.take(1001, |kind| kind == Kind::Slow).is_none());
    }
}
