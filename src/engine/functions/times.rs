//! `utc_time`: times in the forms that exports have.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use chrono::{NaiveDate, NaiveTime, TimeDelta};
use datafusion::logical_expr::ScalarUDF;

use crate::engine::functions::column_function::column_function;

/// Type of the result: microseconds in UTC.
pub(crate) const UTC_TIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// `utc_time(x)`: a text, date or timestamp as a timestamp in UTC. A text may leave out the time, its seconds and its
/// zone, which is UTC then; '', `NULL` and `N/A` are NULL.
pub(super) fn utc_time() -> ScalarUDF {
    column_function("utc_time", 1, UTC_TIME, |columns| {
        Ok(to_utc_times(&columns[0])?)
    })
}

/// Texts, dates and timestamps as [`UTC_TIME`].
pub(crate) fn to_utc_times(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let zone = match array.data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        DataType::Date32 | DataType::Date64 | DataType::Null => None,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let texts = cast(array, &DataType::Utf8View)?;
            let texts = texts.as_string_view().iter();
            let times = texts.map(|text| match text {
                None => Ok(None),
                Some(text) => parse(text),
            });
            let times: TimestampMicrosecondArray = times.collect::<Result<_, _>>()?;
            return Ok(Arc::new(times));
        }
        other => {
            let message = format!("a value of type {other} is not a date or time");
            return Err(ArrowError::CastError(message));
        }
    };
    // The zone says how a time is written; its value is in UTC.
    let times = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, zone))?;
    if times.null_count() > array.null_count() {
        return Err(ArrowError::CastError("a time is out of range".into()));
    }
    let times = times.as_primitive::<TimestampMicrosecondType>().clone();
    Ok(Arc::new(times.with_timezone_opt(None::<Arc<str>>)))
}

/// Microseconds since 1970 of a text.
fn parse(text: &str) -> Result<Option<i64>, ArrowError> {
    let trimmed = text.trim();
    if trimmed.is_empty()
        || trimmed.eq_ignore_ascii_case("null")
        || trimmed.eq_ignore_ascii_case("n/a")
    {
        return Ok(None);
    }
    parse_time(trimmed).map(Some).ok_or_else(|| {
        let start: String = trimmed.chars().take(40).collect();
        ArrowError::ParseError(format!(
            "`{start}` is not a date or time such as 2026-10-31T23:00:00Z"
        ))
    })
}

fn parse_time(text: &str) -> Option<i64> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    let (time, offset) = if rest.is_empty() {
        (NaiveTime::MIN, TimeDelta::zero())
    } else {
        let rest = rest.strip_prefix(['T', 't', ' '])?;
        let (time, zone) = match rest.find(['+', '-', 'Z', 'z', 'U', ' ']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let time = ["%H:%M:%S%.f", "%H:%M"]
            .iter()
            .find_map(|format| NaiveTime::parse_from_str(time, format).ok())?;
        (time, offset_of(zone.trim())?)
    };
    let time = date.and_time(time).checked_sub_signed(offset)?;
    Some(time.and_utc().timestamp_micros())
}

/// Offset of a zone: `Z`, `UTC`, `+02:00`, `+0200` or `+02`.
fn offset_of(zone: &str) -> Option<TimeDelta> {
    if matches!(zone, "" | "Z" | "z" | "UTC") {
        return Some(TimeDelta::zero());
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = zone[1..].replace(':', "");
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i64 = digits[..2].parse().ok()?;
    let minutes: i64 = digits[2..].parse().unwrap_or(0);
    (hours < 24 && minutes < 60).then(|| TimeDelta::minutes(sign * (hours * 60 + minutes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_every_form_are_the_same_instant() {
        let expected = parse("2026-10-01T07:00:00Z").unwrap();
        assert_eq!(expected, Some(1_790_838_000_000_000));
        for text in [
            "2026-10-01 07:00:00",
            "2026-10-01T07:00",
            "2026-10-01T07:00Z",
            " 2026-10-01 07:00:00.000 UTC ",
            "2026-10-01T09:00:00+02:00",
            "2026-10-01T09:00+0200",
            "2026-10-01 02:00-05",
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
        assert_eq!(
            parse("2026-10-01").unwrap(),
            parse("2026-10-01T00:00:00Z").unwrap()
        );
        assert_eq!(parse("N/A").unwrap(), None);
        for wrong in [
            "2026-13-01",
            "10/01/2026",
            "2026-10-01X",
            "2026-10-01T25:00",
            "2026-10-01T07:00+2",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
