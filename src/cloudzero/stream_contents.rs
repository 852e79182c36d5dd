//! What CloudZero says that a stream's month holds, added up by hour.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, NaiveDateTime};
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use crate::cloudzero::read_back::LineItemTotals;
use crate::decimal;
use crate::error::{Error, Result};

/// CostTotals by hour, in microseconds since 1970.
pub type Hours = BTreeMap<i64, LineItemTotals>;

const HOUR: i64 = 3_600_000_000;

/// The start of the hour of a time.
pub fn hour_of(micros: i64) -> i64 {
    micros.div_euclid(HOUR) * HOUR
}

/// Adds up the answer of `GET …/billing_drops/{month}`, which has every row of the month.
///
/// # Errors
/// Kind data, for an answer that does not hold rows with times and costs.
pub fn read(answer: &[u8]) -> Result<Hours> {
    let mut hours = Hours::new();
    let mut json = serde_json::Deserializer::from_slice(answer);
    let read = Envelope(&mut hours).deserialize(&mut json);
    // serde's own text could quote the bill.
    read.and_then(|()| json.end()).map_err(|e| {
        Error::data(format!(
            "CloudZero's answer is not the content of a month (line {}, column {})",
            e.line(),
            e.column()
        ))
    })?;
    Ok(hours)
}

/// Whether CloudZero holds exactly these hours. Hours that are not expected may hold rows that cost
/// nothing: with them hours are emptied.
pub fn equal(expected: &Hours, held: &Hours) -> bool {
    differences(expected, held).next().is_none()
}

/// The hours in which the two differ, with what each has.
pub fn differences<'a>(
    expected: &'a Hours,
    held: &'a Hours,
) -> impl Iterator<Item = (i64, LineItemTotals, LineItemTotals)> + 'a {
    let hours: std::collections::BTreeSet<i64> =
        expected.keys().chain(held.keys()).copied().collect();
    let of = |sums: &Hours, hour| sums.get(&hour).copied().unwrap_or_default();
    hours.into_iter().filter_map(move |hour| {
        let (wanted, mut got) = (of(expected, hour), of(held, hour));
        if wanted.rows == 0 && got.costs_nothing() {
            got.rows = 0;
        }
        (wanted != got).then_some((hour, wanted, got))
    })
}

struct Envelope<'h>(&'h mut Hours);

impl<'de> DeserializeSeed<'de> for Envelope<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Envelope<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a billing drop")
    }
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<(), M::Error> {
        let mut seen = false;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "billing_drop" {
                seen = true;
                map.next_value_seed(Rows(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if seen {
            Ok(())
        } else {
            Err(M::Error::custom("no billing_drop"))
        }
    }
}

struct Rows<'h>(&'h mut Hours);

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(rename = "time/usage_start", borrow)]
    start: Cow<'a, str>,
    #[serde(rename = "cost/cost", borrow)]
    cost: &'a RawValue,
    #[serde(rename = "cost/discounted_cost", borrow)]
    discounted: Option<&'a RawValue>,
    #[serde(rename = "cost/on_demand_cost", borrow)]
    on_demand: Option<&'a RawValue>,
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows")
    }
    fn visit_seq<S: SeqAccess<'de>>(self, mut rows: S) -> std::result::Result<(), S::Error> {
        while let Some(row) = rows.next_element::<Row<'de>>()? {
            let bad = || S::Error::custom("a row");
            let cost = amount(row.cost).ok_or_else(bad)?;
            // Blank falls back to the cost (source: CloudZero, CBF).
            let or_cost = |raw: Option<&RawValue>| match raw {
                None => Some(cost),
                Some(raw) if raw.get() == r#""""# => Some(cost),
                Some(raw) => amount(raw),
            };
            let sums = LineItemTotals {
                rows: 1,
                cost,
                discounted: or_cost(row.discounted).ok_or_else(bad)?,
                on_demand: or_cost(row.on_demand).ok_or_else(bad)?,
            };
            let hour = hour_of(micros(&row.start).ok_or_else(bad)?);
            self.0.entry(hour).or_default().add(&sums).ok_or_else(bad)?;
        }
        Ok(())
    }
}

/// A number, as text or plainly.
fn amount(raw: &RawValue) -> Option<i128> {
    let text = raw.get().trim_matches('"');
    decimal::parse(text).ok().map(|parsed| parsed.units)
}

/// A time with its zone, or in UTC without one.
fn micros(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.timestamp_micros())
        .or_else(|_| {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                .map(|time| time.and_utc().timestamp_micros())
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * HOUR;

    #[test]
    fn rows_are_added_up_by_hour_with_the_fallback_of_blank_costs() {
        let answer = br#"{"drop_id":"x","billing_drop":[
            {"time/usage_start":"1970-01-02T00:00:00Z","cost/cost":"1.50","cost/discounted_cost":"1","resource/id":"a/b"},
            {"time/usage_start":"1970-01-02T00:30:00+00:00","cost/cost":"-0.5","cost/discounted_cost":"","cost/on_demand_cost":"0"},
            {"time/usage_start":"1970-01-02T01:00:00","cost/cost":2}]}"#;
        let hours = read(answer).unwrap();
        let unit = 10i128.pow(24);
        assert_eq!(
            hours[&DAY],
            LineItemTotals {
                rows: 2,
                cost: unit,
                discounted: unit / 2,
                on_demand: unit * 3 / 2
            }
        );
        assert_eq!(hours[&(DAY + HOUR)].cost, 2 * unit);
    }

    #[test]
    fn what_is_no_month_is_an_error_that_quotes_nothing() {
        for answer in [
            &b""[..],
            b"[]",
            b"{}",
            br#"{"billing_drop":[{"cost/cost":"secret"}]}"#,
            br#"{"billing_drop":[{"time/usage_start":"2026-10-01T00:00:00Z","cost/cost":"secret"}]}"#,
        ] {
            let error = read(answer).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn hours_emptied_with_zero_costs_do_not_differ() {
        let sums = |rows, cost| LineItemTotals {
            rows,
            cost,
            discounted: cost,
            on_demand: cost,
        };
        let expected = Hours::from([(0, sums(2, 5))]);
        assert!(equal(
            &expected,
            &Hours::from([(0, sums(2, 5)), (HOUR, sums(1, 0))])
        ));
        assert!(!equal(&expected, &Hours::from([(0, sums(3, 5))])));
        assert!(!equal(
            &expected,
            &Hours::from([(0, sums(2, 5)), (HOUR, sums(1, 1))])
        ));
        assert!(!equal(&expected, &Hours::new()));
    }
}
