//! Rows to request bodies: each hour in exactly one, each below CloudZero's 5 MB.
//!
//! `replace_hourly` replaces the hours that a body has. With every hour in one body, any of them may
//! be sent again, in any order, and nothing changes.

use crate::billing_period::BillingPeriod;
use crate::cloudzero::columns::iso;
use crate::error::{Error, Result};

/// The most bytes of an uncompressed body (source: CloudZero, API v2, createOneAnyCostStream…).
pub const MAX_BODY_BYTES: usize = 5_000_000 - 1;
/// The most rows of a stream's month (source: CloudZero, AnyCost Stream limits).
pub const MAX_MONTH_ROWS: u64 = 1_000_000;
/// The most bytes of a stream's month.
pub const MAX_MONTH_BYTES: u64 = 70_000_000;

/// What CloudZero is to do with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The month becomes what the body has.
    ReplaceDrop,
    /// The hours of the body become what it has.
    ReplaceHourly,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::ReplaceDrop => "replace_drop",
            Operation::ReplaceHourly => "replace_hourly",
        }
    }
}

/// The rows of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Number of rows.
    pub rows: u64,
    /// JSON rows with commas between them.
    pub data: Vec<u8>,
}

impl Body {
    /// The whole text of the request.
    pub fn text(&self, period: BillingPeriod, operation: Operation) -> Vec<u8> {
        let mut text = head(period, operation).into_bytes();
        text.reserve_exact(self.data.len() + TAIL.len());
        text.extend_from_slice(&self.data);
        text.extend_from_slice(TAIL.as_bytes());
        text
    }
}

const TAIL: &str = "]}";

/// The published schema wants a full datetime, which the guide's `2026-10` is a prefix of.
fn head(period: BillingPeriod, operation: Operation) -> String {
    let (month, operation) = (period.first_day(), operation.name());
    format!(r#"{{"month":"{month}T00:00:00Z","operation":"{operation}","data":["#)
}

/// Bytes of a request besides its rows.
pub fn around(period: BillingPeriod, operation: Operation) -> usize {
    head(period, operation).len() + TAIL.len()
}

/// Packs rows that come in the order of their hours.
pub struct RequestBatcher {
    period: BillingPeriod,
    /// The most bytes of `data`.
    room: usize,
    /// Rows of hours that are complete.
    whole: Body,
    /// Rows of the hour that is open.
    open: Body,
    hour: Option<i64>,
}

impl RequestBatcher {
    /// A packer of bodies of at most `max` bytes.
    pub fn new(period: BillingPeriod, max: usize) -> RequestBatcher {
        let empty = Body {
            rows: 0,
            data: Vec::new(),
        };
        RequestBatcher {
            period,
            room: max.saturating_sub(around(period, Operation::ReplaceHourly)),
            whole: empty.clone(),
            open: empty,
            hour: None,
        }
    }

    /// Adds a row of an hour; gives a body when one is full.
    ///
    /// # Errors
    /// Kind data, when the hour alone does not fit into a body.
    pub fn push(&mut self, hour: i64, row: &[u8]) -> Result<Option<Body>> {
        if self.hour.is_some_and(|open| hour < open) {
            return Err(Error::bug("the rows of a stream came out of order"));
        }
        if self.hour != Some(hour) {
            self.close_hour();
            self.hour = Some(hour);
        }
        append(&mut self.open, row);
        self.open.rows += 1;
        if self.open.data.len() > self.room {
            return Err(Error::data(format!(
                "{} of {}: its line items make more than the {} bytes that CloudZero's Stream takes \
                 for an hour",
                iso(hour),
                self.period,
                self.room
            ))
            .with_hint("deliver this connection through a bucket, which has no such limit"));
        }
        let full =
            self.whole.rows > 0 && self.whole.data.len() + 1 + self.open.data.len() > self.room;
        Ok(full.then(|| take(&mut self.whole)))
    }

    /// Whether no row is waiting for a body, and none ever was.
    pub fn is_empty(&self) -> bool {
        self.hour.is_none()
    }

    /// The last body, if there is one.
    pub fn finish(mut self) -> Option<Body> {
        self.close_hour();
        (self.whole.rows > 0).then_some(self.whole)
    }

    fn close_hour(&mut self) {
        let open = take(&mut self.open);
        if open.rows > 0 {
            append(&mut self.whole, &open.data);
            self.whole.rows += open.rows;
        }
    }
}

fn append(body: &mut Body, rows: &[u8]) {
    if !body.data.is_empty() {
        body.data.push(b',');
    }
    body.data.extend_from_slice(rows);
}

fn take(body: &mut Body) -> Body {
    let empty = Body {
        rows: 0,
        data: Vec::new(),
    };
    std::mem::replace(body, empty)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn october() -> BillingPeriod {
        "2026-10".parse().unwrap()
    }

    #[test]
    fn a_body_is_what_cloudzero_documents() {
        let mut packer = RequestBatcher::new(october(), MAX_BODY_BYTES);
        assert_eq!(packer.push(0, br#"{"a":"1"}"#).unwrap(), None);
        assert_eq!(packer.push(0, br#"{"a":"2"}"#).unwrap(), None);
        let text = packer
            .finish()
            .unwrap()
            .text(october(), Operation::ReplaceDrop);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            r#"{"month":"2026-10-01T00:00:00Z","operation":"replace_drop","data":[{"a":"1"},{"a":"2"}]}"#
        );
    }

    #[test]
    fn an_hour_that_fits_no_body_is_refused_with_the_bucket_as_advice() {
        let mut packer = RequestBatcher::new(october(), 120);
        assert_eq!(packer.push(0, &[b'x'; 30]).unwrap(), None);
        let error = packer.push(0, &[b'x'; 30]).unwrap_err();
        assert!(
            error.to_string().contains("1970-01-01T00:00:00Z"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("bucket"));
    }

    proptest! {
        #[test]
        fn every_hour_is_in_one_body_and_every_row_in_one_place(
            counts in proptest::collection::vec((0usize..6, 1usize..40), 0..40),
            max in 400usize..900,
        ) {
            let mut packer = RequestBatcher::new(october(), max);
            let (mut bodies, mut rows) = (Vec::new(), Vec::new());
            for (hour, (count, length)) in counts.iter().enumerate() {
                for row in 0..*count {
                    let row = format!("{hour}:{row}:{}", "x".repeat(*length));
                    bodies.extend(packer.push(hour as i64, row.as_bytes()).unwrap());
                    rows.push(row);
                }
            }
            bodies.extend(packer.finish());
            let mut seen = Vec::new();
            let mut hours = std::collections::BTreeSet::new();
            for body in &bodies {
                let whole = body.text(october(), Operation::ReplaceHourly);
                prop_assert!(whole.len() <= max);
                let around = around(october(), Operation::ReplaceHourly);
                prop_assert_eq!(whole.len(), body.data.len() + around);
                let text = String::from_utf8(body.data.clone()).unwrap();
                let found: Vec<String> = text.split(',').map(str::to_string).collect();
                prop_assert_eq!(found.len() as u64, body.rows);
                let of_body: std::collections::BTreeSet<String> =
                    found.iter().map(|row| row.split(':').next().unwrap().to_string()).collect();
                for hour in of_body {
                    prop_assert!(hours.insert(hour.clone()), "hour {} is in two bodies", hour);
                }
                seen.extend(found);
            }
            prop_assert_eq!(seen, rows);
        }
    }
}
