//! Request bodies of the Stream API: each hour in exactly one body, each body below CloudZero's 5 MB.
//!
//! `replace_hourly` replaces the hours that a body contains. With every hour in one body, any body may be sent
//! again, in any order, without changing the result.

use crate::billing_period::BillingPeriod;
use crate::cloudzero::columns::format_timestamp;
use crate::cloudzero::month_form::MonthForm;
use crate::error::{Error, Result};

/// Largest uncompressed body in bytes (source: CloudZero, API v2, createOneAnyCostStream…).
pub const MAX_BODY_BYTES: usize = 5_000_000 - 1;
/// Most rows of a stream's month (source: CloudZero, AnyCost Stream limits).
pub(crate) const MAX_MONTH_ROWS: u64 = 1_000_000;
/// Most bytes of a stream's month.
pub(crate) const MAX_MONTH_BYTES: u64 = 70_000_000;

/// Effect of a request on the stream's month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamOperation {
    /// Replaces the whole month.
    ReplaceDrop,
    /// Replaces the hours that the body contains.
    ReplaceHourly,
}

impl StreamOperation {
    fn name(self) -> &'static str {
        match self {
            StreamOperation::ReplaceDrop => "replace_drop",
            StreamOperation::ReplaceHourly => "replace_hourly",
        }
    }
}

/// Rows of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestBody {
    /// Number of rows.
    pub(crate) rows: u64,
    /// JSON rows, separated by commas.
    pub(crate) data: Vec<u8>,
}

impl RequestBody {
    /// Returns the complete JSON of the request.
    pub(crate) fn to_json(
        &self,
        period: BillingPeriod,
        operation: StreamOperation,
        form: MonthForm,
    ) -> Vec<u8> {
        let mut text = envelope_start(period, operation, form).into_bytes();
        text.reserve_exact(self.data.len() + ENVELOPE_END.len());
        text.extend_from_slice(&self.data);
        text.extend_from_slice(ENVELOPE_END.as_bytes());
        text
    }

    /// Returns the body with all amounts positive; `None` if they are.
    pub(crate) fn without_signs(&self) -> Option<RequestBody> {
        let mut data = Vec::with_capacity(self.data.len());
        let mut rest = self.data.as_slice();
        while let Some(at) = find(rest, NEGATIVE) {
            let sign = at + NEGATIVE.len() - 1;
            let name = rest[..at].rsplit(|byte| *byte == b'"').next();
            let is_amount =
                name.is_some_and(|name| name.starts_with(b"cost/") || name == b"usage/amount");
            data.extend_from_slice(&rest[..sign]);
            if !is_amount {
                data.push(b'-');
            }
            rest = &rest[sign + 1..];
        }
        data.extend_from_slice(rest);
        (data.len() < self.data.len()).then_some(RequestBody {
            rows: self.rows,
            data,
        })
    }

    fn append(&mut self, rows: u64, data: &[u8]) {
        if !self.data.is_empty() {
            self.data.push(b',');
        }
        self.data.extend_from_slice(data);
        self.rows += rows;
    }
}

const ENVELOPE_END: &str = "]}";
/// End of a name and begin of a negative value. Quotes inside of texts are escaped, so it occurs nowhere else.
const NEGATIVE: &[u8] = br#"":"-"#;

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn envelope_start(period: BillingPeriod, operation: StreamOperation, form: MonthForm) -> String {
    let (month, operation) = (form.format(period), operation.name());
    format!(r#"{{"month":"{month}","operation":"{operation}","data":["#)
}

/// Returns the bytes of a request besides its rows, with the month in its longer form.
pub(crate) fn envelope_len(period: BillingPeriod, operation: StreamOperation) -> usize {
    envelope_start(period, operation, MonthForm::Datetime).len() + ENVELOPE_END.len()
}

/// Batches rows, which come in the order of their hours, into request bodies.
pub struct RequestBatcher {
    period: BillingPeriod,
    /// Most bytes of rows in a body.
    max_data: usize,
    /// Rows of complete hours.
    complete_hours: RequestBody,
    /// Rows of the current hour.
    current_hour: RequestBody,
    hour: Option<i64>,
}

impl RequestBatcher {
    /// Creates a batcher for bodies of at most `max_body` bytes.
    pub fn new(period: BillingPeriod, max_body: usize) -> RequestBatcher {
        let envelope = envelope_len(period, StreamOperation::ReplaceHourly);
        RequestBatcher {
            period,
            max_data: max_body.saturating_sub(envelope),
            complete_hours: RequestBody::default(),
            current_hour: RequestBody::default(),
            hour: None,
        }
    }

    /// Adds a row of an hour. Returns a body when one is full.
    ///
    /// # Errors
    /// Kind `Data` if the hour alone does not fit into a body.
    pub fn push(&mut self, hour: i64, row: &[u8]) -> Result<Option<RequestBody>> {
        if self.hour.is_some_and(|current| hour < current) {
            return Err(Error::bug("line items of a stream are not sorted by hour"));
        }
        if self.hour != Some(hour) {
            self.complete_hour();
            self.hour = Some(hour);
        }
        self.current_hour.append(1, row);
        if self.current_hour.data.len() > self.max_data {
            return Err(Error::data(format!(
                "the line items of {} exceed the {} bytes that CloudZero's stream accepts for an hour of {}",
                format_timestamp(hour),
                self.max_data,
                self.period
            ))
            .with_hint("deliver this connection through a bucket, which has no such limit"));
        }
        let together = self.complete_hours.data.len() + 1 + self.current_hour.data.len();
        let is_full = self.complete_hours.rows > 0 && together > self.max_data;
        Ok(is_full.then(|| std::mem::take(&mut self.complete_hours)))
    }

    /// Returns true if no row was ever added.
    pub(crate) fn is_empty(&self) -> bool {
        self.hour.is_none()
    }

    /// Returns the last body; `None` if it would be empty.
    pub(crate) fn finish(mut self) -> Option<RequestBody> {
        self.complete_hour();
        (self.complete_hours.rows > 0).then_some(self.complete_hours)
    }

    fn complete_hour(&mut self) {
        let hour = std::mem::take(&mut self.current_hour);
        if hour.rows > 0 {
            self.complete_hours.append(hour.rows, &hour.data);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn october() -> BillingPeriod {
        "2026-10".parse().unwrap()
    }

    #[test]
    fn encodes_a_body_as_documented() {
        let mut batcher = RequestBatcher::new(october(), MAX_BODY_BYTES);
        assert_eq!(batcher.push(0, br#"{"a":"1"}"#).unwrap(), None);
        assert_eq!(batcher.push(0, br#"{"a":"2"}"#).unwrap(), None);
        let text = batcher.finish().unwrap().to_json(
            october(),
            StreamOperation::ReplaceDrop,
            MonthForm::Datetime,
        );
        assert_eq!(
            String::from_utf8(text).unwrap(),
            r#"{"month":"2026-10-01T00:00:00Z","operation":"replace_drop","data":[{"a":"1"},{"a":"2"}]}"#
        );
    }

    #[test]
    fn encodes_the_month_in_the_form_of_the_guide() {
        let body = RequestBody {
            rows: 1,
            data: b"{}".to_vec(),
        };
        let form = MonthForm::YearMonth;
        let text = body.to_json(october(), StreamOperation::ReplaceHourly, form);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            r#"{"month":"2026-10","operation":"replace_hourly","data":[{}]}"#
        );
    }

    #[test]
    fn removes_the_signs_of_amounts_only() {
        let unsigned = |data: &str| {
            let body = RequestBody {
                rows: 2,
                data: data.as_bytes().to_vec(),
            };
            body.without_signs()
                .map(|body| (body.rows, String::from_utf8(body.data).unwrap()))
        };
        let signed = r#"{"resource/id":"-1","lineitem/description":"a \"cost/cost\":\"-2","cost/cost":"-1.5","cost/on_demand_cost":"-0"},{"cost/cost":"3","usage/amount":"-4"}"#;
        let expected = r#"{"resource/id":"-1","lineitem/description":"a \"cost/cost\":\"-2","cost/cost":"1.5","cost/on_demand_cost":"0"},{"cost/cost":"3","usage/amount":"4"}"#;
        assert_eq!(unsigned(signed), Some((2, expected.to_string())));
        assert_eq!(unsigned(expected), None);
    }

    #[test]
    fn refuses_an_hour_larger_than_a_body_and_suggests_the_bucket() {
        let mut batcher = RequestBatcher::new(october(), 120);
        assert_eq!(batcher.push(0, &[b'x'; 30]).unwrap(), None);
        let error = batcher.push(0, &[b'x'; 30]).unwrap_err();
        assert!(
            error.to_string().contains("1970-01-01T00:00:00Z"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("bucket"));
    }

    proptest! {
        #[test]
        fn keeps_each_hour_in_one_body_and_every_row_once(
            counts in proptest::collection::vec((0usize..6, 1usize..40), 0..40),
            max in 400usize..900,
        ) {
            let mut batcher = RequestBatcher::new(october(), max);
            let (mut bodies, mut rows) = (Vec::new(), Vec::new());
            for (hour, (count, length)) in counts.iter().enumerate() {
                for row in 0..*count {
                    let row = format!("{hour}:{row}:{}", "x".repeat(*length));
                    bodies.extend(batcher.push(hour as i64, row.as_bytes()).unwrap());
                    rows.push(row);
                }
            }
            bodies.extend(batcher.finish());
            let mut seen = Vec::new();
            let mut hours = std::collections::BTreeSet::new();
            for body in &bodies {
                let whole = body.to_json(october(), StreamOperation::ReplaceHourly, MonthForm::Datetime);
                prop_assert!(whole.len() <= max);
                let envelope = envelope_len(october(), StreamOperation::ReplaceHourly);
                prop_assert_eq!(whole.len(), body.data.len() + envelope);
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
