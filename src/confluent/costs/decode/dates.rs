//! Dates of records.

use chrono::NaiveDate;

use crate::confluent::costs::decode::builder::FieldError;

/// Parses a date, which may have a time part in UTC: `2026-10-01`, `2026-10-01 00:00:00`, RFC 3339.
pub(super) fn parse_date(
    field: &'static str,
    text: Option<&str>,
) -> std::result::Result<NaiveDate, FieldError> {
    let Some(text) = text else {
        return Err(FieldError::new(field, "is missing"));
    };
    let day = text.get(..10).filter(|_| {
        let rest = &text[10..];
        let rest = rest
            .strip_suffix('Z')
            .or_else(|| rest.strip_suffix("+00:00"))
            .unwrap_or(rest);
        rest.is_empty()
            || rest.strip_prefix([' ', 'T']).is_some_and(|time| {
                chrono::NaiveTime::parse_from_str(time, "%H:%M:%S%.f").is_ok()
                    || chrono::NaiveTime::parse_from_str(time, "%H:%M").is_ok()
            })
    });
    day.and_then(calendar_day)
        .ok_or_else(|| FieldError::new(field, "is not a UTC date such as 2026-10-01"))
}

/// Parses exactly `2026-10-01`. Faster than chrono, as every record has two dates.
fn calendar_day(text: &str) -> Option<NaiveDate> {
    let digits = |from: usize, to: usize| {
        text.as_bytes()[from..to].iter().try_fold(0u32, |sum, c| {
            c.is_ascii_digit().then(|| sum * 10 + u32::from(c - b'0'))
        })
    };
    let [_, _, _, _, b'-', _, _, b'-', _, _] = text.as_bytes() else {
        return None;
    };
    NaiveDate::from_ymd_opt(digits(0, 4)? as i32, digits(5, 7)?, digits(8, 10)?)
}
