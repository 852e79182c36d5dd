//! What is known beside the rows, as tables: `periods`, `resources`, `versions` and `runs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use chrono::{DateTime, NaiveDate, Utc};
use datafusion::datasource::MemTable;
use serde_json::Value;

use crate::billing_period::BillingPeriod;
use crate::decimal;
use crate::error::{Error, Result};
use crate::store::runs::{self, MonthState};
use crate::store::tables::{PeriodRecord, Table};
use crate::store::{Store, TableName, resources};

/// `periods`: a row for each connection's month that was pulled or published.
///
/// Text `connection`, `billing_period`, `state` (`open`, `settling`, `settled`); date `covered_until`;
/// timestamp `pulled_at`; bigint `costs`, `line_items`; decimal `original_amount`, `discount_amount`,
/// `net_amount`; bigint `costs_version`, `line_items_version`; text `mapping`; timestamps
/// `bucket_delivered_at`, `stream_delivered_at`.
pub async fn periods(store: &Store, now: DateTime<Utc>) -> Result<MemTable> {
    let mut months: BTreeMap<(String, BillingPeriod), Month> = BTreeMap::new();
    for name in crate::query::tables::PUBLISHED {
        let Some(table) = Table::open(store, name).await? else {
            continue;
        };
        for file in table.files().await? {
            let month = months.entry((file.connection, file.period)).or_default();
            match name {
                TableName::Costs => month.costs = file.record,
                _ => month.line_items = file.record,
            }
        }
    }
    for (connection, period) in runs::months(store).await? {
        months.entry((connection, period)).or_default();
    }
    for ((connection, period), month) in &mut months {
        month.state = runs::month_state(store, connection, *period).await?;
    }
    let rows: Vec<_> = months.iter().collect();
    let record = |month: &Month| month.costs.clone().or_else(|| month.line_items.clone());
    let amount =
        |field: fn(&PeriodRecord) -> &str| {
            decimals(rows.iter().map(|(_, month)| {
                record(month).and_then(|record| decimal::parse(field(&record)).ok())
            }))
        };
    table([
        (
            "connection",
            texts(rows.iter().map(|((c, _), _)| Some(c.clone()))),
        ),
        (
            "billing_period",
            texts(rows.iter().map(|((_, p), _)| Some(p.to_string()))),
        ),
        (
            "state",
            texts(
                rows.iter()
                    .map(|((_, p), m)| Some(m.state.name(*p, now.date_naive()).to_string())),
            ),
        ),
        (
            "covered_until",
            days(rows.iter().map(|(_, m)| m.state.covered_until)),
        ),
        (
            "pulled_at",
            times(rows.iter().map(|(_, m)| m.state.pulled_at)),
        ),
        (
            "costs",
            counts(rows.iter().map(|(_, m)| record(m).map(|r| r.costs))),
        ),
        (
            "line_items",
            counts(
                rows.iter()
                    .map(|(_, m)| m.line_items.as_ref().map(|r| r.line_items)),
            ),
        ),
        ("original_amount", amount(|r| &r.original_amount)),
        ("discount_amount", amount(|r| &r.discount_amount)),
        ("net_amount", amount(|r| &r.net_amount)),
        (
            "costs_version",
            counts(
                rows.iter()
                    .map(|(_, m)| m.costs.as_ref().map(|r| r.version)),
            ),
        ),
        (
            "line_items_version",
            counts(
                rows.iter()
                    .map(|(_, m)| m.line_items.as_ref().map(|r| r.version)),
            ),
        ),
        (
            "mapping",
            texts(
                rows.iter()
                    .map(|(_, m)| m.line_items.as_ref().map(|r| r.mapping.clone())),
            ),
        ),
        (
            "bucket_delivered_at",
            times(
                rows.iter()
                    .map(|(_, m)| m.state.bucket.as_ref().map(|b| b.delivered_at)),
            ),
        ),
        (
            "stream_delivered_at",
            times(
                rows.iter()
                    .map(|(_, m)| m.state.stream.as_ref().and_then(|s| s.closed_at)),
            ),
        ),
    ])
}

#[derive(Default)]
struct Month {
    costs: Option<PeriodRecord>,
    line_items: Option<PeriodRecord>,
    state: MonthState,
}

/// `versions`: a row for each commit that published a month, newest first.
///
/// Text `table_name`, bigint `version`, timestamp `published_at`, text `connection`, `billing_period`,
/// `run`, bigint `costs`, `line_items`, decimal `net_amount`, text `digest`, `mapping`.
pub async fn versions(store: &Store) -> Result<MemTable> {
    let mut rows = Vec::new();
    for name in crate::query::tables::PUBLISHED {
        if let Some(table) = Table::open(store, name).await? {
            let commits = table.history().await?;
            rows.extend(commits.into_iter().map(|commit| (name, commit)));
        }
    }
    let net = |record: &PeriodRecord| decimal::parse(&record.net_amount).ok();
    table([
        (
            "table_name",
            texts(rows.iter().map(|(name, _)| Some(name.to_string()))),
        ),
        (
            "version",
            counts(rows.iter().map(|(_, c)| Some(c.record.version))),
        ),
        ("published_at", times(rows.iter().map(|(_, c)| c.at))),
        (
            "connection",
            texts(rows.iter().map(|(_, c)| Some(c.connection.clone()))),
        ),
        (
            "billing_period",
            texts(rows.iter().map(|(_, c)| Some(c.period.to_string()))),
        ),
        (
            "run",
            texts(rows.iter().map(|(_, c)| Some(c.record.run.clone()))),
        ),
        (
            "costs",
            counts(rows.iter().map(|(_, c)| Some(c.record.costs))),
        ),
        (
            "line_items",
            counts(rows.iter().map(|(_, c)| Some(c.record.line_items))),
        ),
        (
            "net_amount",
            decimals(rows.iter().map(|(_, c)| net(&c.record))),
        ),
        (
            "digest",
            texts(rows.iter().map(|(_, c)| Some(c.record.digest.clone()))),
        ),
        (
            "mapping",
            texts(rows.iter().map(|(_, c)| Some(c.record.mapping.clone()))),
        ),
    ])
}

/// `runs`: a row for each run that took a connection's lease, oldest first.
///
/// Text `run`, `command`, `connection`, `billstream` (the version); timestamps `started_at`, `ended_at`;
/// bigint `exit_code`, `months`; boolean `ok`; text `errors`, one a line.
pub async fn runs(store: &Store) -> Result<MemTable> {
    let mut records = Vec::new();
    for bytes in runs::records(store).await? {
        // A record that cannot be read is an older or newer release's: it is no reason to fail.
        if let Ok(record) = serde_json::from_slice::<Value>(&bytes) {
            records.push(record);
        }
    }
    let text = |name: &'static str| {
        texts(
            records
                .iter()
                .map(move |r| r[name].as_str().map(str::to_string)),
        )
    };
    let time = |name: &'static str| {
        times(
            records
                .iter()
                .map(move |r| r[name].as_str().and_then(|t| t.parse().ok())),
        )
    };
    let listed = |record: &Value, name: &str| record[name].as_array().map_or(0, Vec::len) as u64;
    let errors = |record: &Value| {
        let errors = record["errors"]
            .as_array()?
            .iter()
            .filter_map(Value::as_str);
        Some(errors.collect::<Vec<_>>().join("\n")).filter(|text| !text.is_empty())
    };
    let ok = |record: &Value| record["exit_code"].as_u64().map(|code| code == 0);
    table([
        ("run", text("run")),
        ("command", text("command")),
        ("connection", text("connection")),
        ("billstream", text("billstream")),
        ("started_at", time("started_at")),
        ("ended_at", time("ended_at")),
        (
            "exit_code",
            counts(records.iter().map(|r| r["exit_code"].as_u64())),
        ),
        (
            "ok",
            Arc::new(records.iter().map(ok).collect::<BooleanArray>()),
        ),
        (
            "months",
            counts(records.iter().map(|r| Some(listed(r, "periods")))),
        ),
        ("errors", texts(records.iter().map(errors))),
    ])
}

/// `resources`: a row for each resource of the inventories and each time for which its facts were the same; the
/// columns are those of [`resources::schema`].
pub async fn resources(store: &Store) -> Result<MemTable> {
    memory(resources::read(store, None).await?)
}

fn table<const N: usize>(columns: [(&'static str, ArrayRef); N]) -> Result<MemTable> {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    memory(RecordBatch::try_from_iter_with_nullable(columns).map_err(|e| failed(&e))?)
}

fn memory(batch: RecordBatch) -> Result<MemTable> {
    MemTable::try_new(batch.schema(), vec![vec![batch]]).map_err(|e| failed(&e))
}

fn failed(e: &dyn std::fmt::Display) -> Error {
    Error::bug(format!("table of what is known: {e}"))
}

fn texts(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn counts(values: impl Iterator<Item = Option<u64>>) -> ArrayRef {
    Arc::new(
        values
            .map(|v| v.and_then(|v| i64::try_from(v).ok()))
            .collect::<Int64Array>(),
    )
}

fn decimals(values: impl Iterator<Item = Option<decimal::Parsed>>) -> ArrayRef {
    let units = values.map(|parsed| parsed.map(|parsed| parsed.units));
    Arc::new(
        units
            .collect::<Decimal128Array>()
            .with_data_type(decimal::TYPE),
    )
}

fn days(values: impl Iterator<Item = Option<NaiveDate>>) -> ArrayRef {
    let days = values
        .map(|day| day.and_then(|day| i32::try_from((day - NaiveDate::default()).num_days()).ok()));
    Arc::new(days.collect::<Date32Array>())
}

fn times(values: impl Iterator<Item = Option<DateTime<Utc>>>) -> ArrayRef {
    let micros = values.map(|time| time.map(|time| time.timestamp_micros()));
    Arc::new(
        micros
            .collect::<TimestampMicrosecondArray>()
            .with_timezone("UTC"),
    )
}
