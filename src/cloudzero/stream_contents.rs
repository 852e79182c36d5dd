//! Parser of a stream's month as CloudZero returns it, summed by hour.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, NaiveDateTime};
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use crate::cloudzero::totals::{HourlyTotals, LineItemTotals};
use crate::decimal::{self, QuantitySum};
use crate::error::{Error, Result};

/// Sums the response of `GET …/billing_drops/{month}`, which contains every row of the month.
///
/// CloudZero's schema lists `usage/amount` as an optional column of these rows. A response that has it in no row
/// is taken for one without usage amounts, which are then not compared.
///
/// # Errors
/// Kind `Data` for a response without rows, or with a row without time and cost.
pub(crate) fn parse(response: &[u8]) -> Result<HourlyTotals> {
    let mut contents = StreamContents::default();
    let mut json = serde_json::Deserializer::from_slice(response);
    let parsed = BillingDropSeed(&mut contents).deserialize(&mut json);
    // serde's own text could quote the bill.
    parsed.and_then(|()| json.end()).map_err(|e| {
        Error::data(format!(
            "CloudZero's response is not a billing drop (line {}, column {})",
            e.line(),
            e.column()
        ))
    })?;
    Ok(if contents.has_usage {
        contents.hours
    } else {
        contents.hours.without_usage()
    })
}

/// Rows read so far.
#[derive(Default)]
struct StreamContents {
    hours: HourlyTotals,
    /// True if a row has a usage amount.
    has_usage: bool,
}

struct BillingDropSeed<'h>(&'h mut StreamContents);

impl<'de> DeserializeSeed<'de> for BillingDropSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for BillingDropSeed<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a billing drop")
    }
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<(), M::Error> {
        let mut has_rows = false;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "billing_drop" {
                has_rows = true;
                map.next_value_seed(RowsSeed(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if has_rows {
            Ok(())
        } else {
            Err(M::Error::custom("no billing_drop"))
        }
    }
}

struct RowsSeed<'h>(&'h mut StreamContents);

impl<'de> DeserializeSeed<'de> for RowsSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

#[derive(Deserialize)]
struct StreamRow<'a> {
    #[serde(rename = "time/usage_start", borrow)]
    start: Cow<'a, str>,
    #[serde(rename = "cost/cost", borrow)]
    cost: &'a RawValue,
    #[serde(rename = "cost/discounted_cost", borrow)]
    discounted: Option<&'a RawValue>,
    #[serde(rename = "cost/on_demand_cost", borrow)]
    on_demand: Option<&'a RawValue>,
    #[serde(rename = "cost/amortized_cost", borrow)]
    amortized: Option<&'a RawValue>,
    #[serde(rename = "cost/discounted_amortized_cost", borrow)]
    discounted_amortized: Option<&'a RawValue>,
    #[serde(rename = "usage/amount", borrow)]
    usage: Option<&'a RawValue>,
}

impl<'de> Visitor<'de> for RowsSeed<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows")
    }
    fn visit_seq<S: SeqAccess<'de>>(self, mut rows: S) -> std::result::Result<(), S::Error> {
        while let Some(row) = rows.next_element::<StreamRow<'de>>()? {
            let invalid = || S::Error::custom("a row");
            let cost = parse_amount(row.cost).ok_or_else(invalid)?;
            let usage = row.usage.filter(|raw| raw.get() != r#""""#);
            self.0.has_usage |= usage.is_some();
            let usage = usage.map_or(Some(0), parse_amount).ok_or_else(invalid)?;
            // A blank amount falls back to another cost (source: CloudZero, CBF).
            let amount_or = |raw: Option<&RawValue>, other: i128| match raw {
                None => Ok(other),
                Some(raw) if raw.get() == r#""""# => Ok(other),
                Some(raw) => parse_amount(raw).ok_or_else(invalid),
            };
            let is_written = |raw: Option<&RawValue>| raw.is_some_and(|raw| raw.get() != r#""""#);
            let discounted = amount_or(row.discounted, cost)?;
            let amortized = amount_or(row.amortized, cost)?;
            let fallback = if is_written(row.amortized) {
                amortized
            } else {
                discounted
            };
            let totals = LineItemTotals {
                rows: 1,
                cost,
                discounted,
                on_demand: amount_or(row.on_demand, cost)?,
                amortized,
                discounted_amortized: amount_or(row.discounted_amortized, fallback)?,
                usage: QuantitySum::of(usage),
            };
            let start = parse_timestamp(&row.start).ok_or_else(invalid)?;
            self.0.hours.add(start, &totals).map_err(S::Error::custom)?;
        }
        Ok(())
    }
}

/// Parses a number, quoted or not.
fn parse_amount(raw: &RawValue) -> Option<i128> {
    let text = raw.get().trim_matches('"');
    decimal::parse(text).ok().map(|parsed| parsed.units)
}

/// Parses a timestamp with a zone, or in UTC without one, as microseconds since 1970.
fn parse_timestamp(text: &str) -> Option<i64> {
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
    use crate::cloudzero::columns::HOUR_MICROS;

    const DAY: i64 = 24 * HOUR_MICROS;

    #[test]
    fn sums_rows_by_hour_with_the_fallback_of_blank_costs() {
        let response = br#"{"drop_id":"x","billing_drop":[
            {"time/usage_start":"1970-01-02T00:00:00Z","cost/cost":"1.50","cost/discounted_cost":"1","resource/id":"a/b","usage/amount":"2.5"},
            {"time/usage_start":"1970-01-02T00:30:00+00:00","cost/cost":"-0.5","cost/discounted_cost":"","cost/on_demand_cost":"0","usage/amount":""},
            {"time/usage_start":"1970-01-02T01:00:00","cost/cost":2,"cost/discounted_cost":1,"cost/amortized_cost":"3"}]}"#;
        let hours = parse(response).unwrap();
        let hours: Vec<(i64, LineItemTotals)> = hours.iter().map(|(h, t)| (h, *t)).collect();
        let unit = 10i128.pow(24);
        assert_eq!(
            hours[0],
            (
                DAY,
                LineItemTotals {
                    rows: 2,
                    cost: unit,
                    discounted: unit / 2,
                    on_demand: unit * 3 / 2,
                    amortized: unit,
                    discounted_amortized: unit / 2,
                    usage: QuantitySum::of(unit * 5 / 2),
                }
            )
        );
        let (hour, totals) = hours[1];
        assert_eq!((hour, totals.cost), (DAY + HOUR_MICROS, 2 * unit));
        // The discounted amortized cost falls back to the amortized one first.
        let amortized = (totals.amortized, totals.discounted_amortized);
        assert_eq!(amortized, (3 * unit, 3 * unit));
    }

    #[test]
    fn a_response_without_usage_amounts_matches_any() {
        let row = |usage: &str| {
            format!(
                r#"{{"billing_drop":[{{"time/usage_start":"1970-01-01T00:00:00Z","cost/cost":"1"{usage}}}]}}"#
            )
        };
        let totals = |usage: &str| parse(row(usage).as_bytes()).unwrap();
        let sent = totals(r#","usage/amount":"7""#);
        assert!(sent.matches(&totals("")));
        assert!(sent.matches(&totals(r#","usage/amount":7"#)));
        assert!(!sent.matches(&totals(r#","usage/amount":"7000""#)));
        assert!(parse(row(r#","usage/amount":"many""#).as_bytes()).is_err());
    }

    #[test]
    fn rejects_other_responses_without_quoting_them() {
        for response in [
            &b""[..],
            b"[]",
            b"{}",
            br#"{"billing_drop":[{"cost/cost":"secret"}]}"#,
            br#"{"billing_drop":[{"time/usage_start":"2026-10-01T00:00:00Z","cost/cost":"secret"}]}"#,
        ] {
            let error = parse(response).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
