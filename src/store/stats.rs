//! What the Delta log says of a file, so that readers skip it: rows, and when its rows begin.
//!
//! Never of decimals: readers take them for floats, and lose rows.

use chrono::{DateTime, NaiveDate, TimeDelta};
use serde_json::{Value, json};

use crate::store::writer::{DataFile, start_column};

/// The statistics of a file, as JSON in Delta's form.
pub fn of(table: &str, file: &DataFile) -> String {
    let mut stats = json!({ "numRecords": file.rows });
    let texts = file
        .span
        .and_then(|(first, last)| Some((text(table, first)?, text(table, last)?)));
    if let Some((first, last)) = texts {
        let column = start_column(table);
        stats["minValues"] = json!({ column: first });
        stats["maxValues"] = json!({ column: last });
    }
    stats.to_string()
}

/// The least and the greatest start that the statistics name.
pub fn span(table: &str, stats: &str) -> Option<(i64, i64)> {
    let stats: Value = serde_json::from_str(stats).ok()?;
    let value = |kind: &str| number(table, stats[kind][start_column(table)].as_str()?);
    value("minValues").zip(value("maxValues"))
}

fn text(table: &str, value: i64) -> Option<String> {
    if table == "costs" {
        let day = NaiveDate::default().checked_add_signed(TimeDelta::try_days(value)?)?;
        return Some(day.to_string());
    }
    // Delta's statistics have milliseconds: a finer time would be cut.
    let time = DateTime::from_timestamp_micros(value).filter(|_| value % 1000 == 0)?;
    Some(time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

fn number(table: &str, text: &str) -> Option<i64> {
    if table == "costs" {
        let day: NaiveDate = text.parse().ok()?;
        return Some((day - NaiveDate::default()).num_days());
    }
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(time.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(span: Option<(i64, i64)>) -> DataFile {
        DataFile {
            path: String::new(),
            size: 1,
            rows: 3,
            span,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for (table, span) in [
            ("costs", (20_727, 20_757)),
            ("line_items", (1_790_812_800_000_000, 1_793_404_800_000_000)),
        ] {
            let text = of(table, &file(Some(span)));
            assert_eq!(
                crate::store::stats::span(table, &text),
                Some(span),
                "{text}"
            );
        }
        assert_eq!(of("costs", &file(None)), r#"{"numRecords":3}"#);
        assert_eq!(
            of("costs", &file(Some((0, 31)))),
            r#"{"maxValues":{"start_date":"1970-02-01"},"minValues":{"start_date":"1970-01-01"},"numRecords":3}"#
        );
    }

    #[test]
    fn times_finer_than_a_millisecond_are_left_out() {
        assert_eq!(of("line_items", &file(Some((1, 2)))), r#"{"numRecords":3}"#);
    }
}
