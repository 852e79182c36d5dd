//! Statistics of files in the Delta log, by which readers skip files: rows, and when the rows begin.
//!
//! Never of decimals: readers take them for floats, and lose rows.

use chrono::{DateTime, NaiveDate, TimeDelta};
use serde_json::{Value, json};

use crate::store::TableName;
use crate::store::writer::DataFile;

/// Statistics of a file as JSON in Delta's form.
pub(super) fn to_json(table: TableName, file: &DataFile) -> String {
    let mut stats = json!({ "numRecords": file.rows });
    let range = table.start_column().zip(file.start_range);
    let texts = range.and_then(|(column, (first, last))| {
        Some((column, to_text(table, first)?, to_text(table, last)?))
    });
    if let Some((column, first, last)) = texts {
        stats["minValues"] = json!({ column: first });
        stats["maxValues"] = json!({ column: last });
    }
    stats.to_string()
}

/// Least and greatest start in the statistics of a file.
pub(super) fn start_range(table: TableName, stats: &str) -> Option<(i64, i64)> {
    let stats: Value = serde_json::from_str(stats).ok()?;
    let column = table.start_column()?;
    let value = |bound: &str| from_text(table, stats[bound][column].as_str()?);
    value("minValues").zip(value("maxValues"))
}

fn to_text(table: TableName, value: i64) -> Option<String> {
    if table == TableName::Costs {
        let day = NaiveDate::default().checked_add_signed(TimeDelta::try_days(value)?)?;
        return Some(day.to_string());
    }
    // Delta's statistics have milliseconds: a finer time would be truncated.
    let time = DateTime::from_timestamp_micros(value).filter(|_| value % 1000 == 0)?;
    Some(time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

fn from_text(table: TableName, text: &str) -> Option<i64> {
    if table == TableName::Costs {
        let day: NaiveDate = text.parse().ok()?;
        return Some((day - NaiveDate::default()).num_days());
    }
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(time.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(start_range: Option<(i64, i64)>) -> DataFile {
        DataFile {
            path: String::new(),
            hash: None,
            size: 1,
            rows: 3,
            start_range,
        }
    }

    #[test]
    fn reads_back_what_it_writes() {
        for (table, range) in [
            (TableName::Costs, (20_727, 20_757)),
            (
                TableName::LineItems,
                (1_790_812_800_000_000, 1_793_404_800_000_000),
            ),
        ] {
            let text = to_json(table, &file(Some(range)));
            assert_eq!(start_range(table, &text), Some(range), "{text}");
        }
        assert_eq!(
            to_json(TableName::Costs, &file(None)),
            r#"{"numRecords":3}"#
        );
        assert_eq!(
            to_json(TableName::Costs, &file(Some((0, 31)))),
            r#"{"maxValues":{"start_date":"1970-02-01"},"minValues":{"start_date":"1970-01-01"},"numRecords":3}"#
        );
    }

    #[test]
    fn leaves_out_times_finer_than_a_millisecond() {
        assert_eq!(
            to_json(TableName::LineItems, &file(Some((1, 2)))),
            r#"{"numRecords":3}"#
        );
    }
}
