//! System tables `periods`, `versions`, `runs` and `resources`: metadata of the store as rows.

mod columns;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use datafusion::datasource::MemTable;
use serde_json::Value;

use crate::billing_period::BillingPeriod;
use crate::error::Result;
use crate::query::system_tables::columns::{
    amounts, booleans, dates, integers, memory_table, table, texts, timestamps,
};
use crate::query::tables::PUBLISHED;
use crate::store::runs::{self, MonthState};
use crate::store::tables::{PeriodRecord, Table};
use crate::store::{Store, TableName, resources};

/// `periods`: one row per month that a connection pulled or published.
///
/// Text `connection`, `billing_period`, `state` (`open`, `settling`, `settled`); date `complete_through`;
/// timestamp `pulled_at`; bigint `costs`, `line_items`; decimal `original_amount`, `discount_amount`,
/// `net_amount`; bigint `costs_version`, `line_items_version`; text `mapping`; timestamps
/// `bucket_delivered_at`, `stream_delivered_at`.
pub(super) async fn periods(store: &Store, now: DateTime<Utc>) -> Result<MemTable> {
    let months = months(store).await?;
    let rows = || months.iter();
    let amount = |field: fn(&PeriodRecord) -> &str| {
        amounts(rows().map(|(_, month)| month.either().map(field)))
    };
    table([
        (
            "connection",
            texts(rows().map(|((connection, _), _)| Some(connection.clone()))),
        ),
        (
            "billing_period",
            texts(rows().map(|((_, period), _)| Some(period.to_string()))),
        ),
        (
            "state",
            texts(rows().map(|((_, period), month)| {
                Some(month.state.name(*period, now.date_naive()).to_string())
            })),
        ),
        (
            "complete_through",
            dates(rows().map(|(_, month)| month.state.complete_through)),
        ),
        (
            "pulled_at",
            timestamps(rows().map(|(_, month)| month.state.pulled_at)),
        ),
        (
            "costs",
            integers(rows().map(|(_, month)| Some(month.either()?.costs))),
        ),
        (
            "line_items",
            integers(rows().map(|(_, month)| Some(month.line_items.as_ref()?.line_items))),
        ),
        ("original_amount", amount(|record| &record.original_amount)),
        ("discount_amount", amount(|record| &record.discount_amount)),
        ("net_amount", amount(|record| &record.net_amount)),
        (
            "costs_version",
            integers(rows().map(|(_, month)| Some(month.costs.as_ref()?.version))),
        ),
        (
            "line_items_version",
            integers(rows().map(|(_, month)| Some(month.line_items.as_ref()?.version))),
        ),
        (
            "mapping",
            texts(rows().map(|(_, month)| Some(month.line_items.as_ref()?.mapping.clone()))),
        ),
        (
            "bucket_delivered_at",
            timestamps(rows().map(|(_, month)| Some(month.state.bucket.as_ref()?.delivered_at))),
        ),
        (
            "stream_delivered_at",
            timestamps(rows().map(|(_, month)| month.state.stream.as_ref()?.closed_at)),
        ),
    ])
}

#[derive(Default)]
struct Month {
    costs: Option<PeriodRecord>,
    line_items: Option<PeriodRecord>,
    state: MonthState,
}

impl Month {
    /// Record of the costs, else of the line items.
    fn either(&self) -> Option<&PeriodRecord> {
        self.costs.as_ref().or(self.line_items.as_ref())
    }
}

async fn months(store: &Store) -> Result<BTreeMap<(String, BillingPeriod), Month>> {
    let mut months: BTreeMap<(String, BillingPeriod), Month> = BTreeMap::new();
    for name in PUBLISHED {
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
    Ok(months)
}

/// `versions`: one row per commit that published a month, newest first.
///
/// Text `table_name`, bigint `version`, timestamp `published_at`, text `connection`, `billing_period`,
/// `run`, bigint `costs`, `line_items`, decimal `net_amount`, text `digest`, `mapping`.
pub(super) async fn versions(store: &Store) -> Result<MemTable> {
    let mut commits = Vec::new();
    for name in PUBLISHED {
        if let Some(table) = Table::open(store, name).await? {
            let history = table.history().await?;
            commits.extend(history.into_iter().map(|commit| (name, commit)));
        }
    }
    let records = || commits.iter().map(|(_, commit)| &commit.record);
    table([
        (
            "table_name",
            texts(commits.iter().map(|(name, _)| Some(name.to_string()))),
        ),
        (
            "version",
            integers(records().map(|record| Some(record.version))),
        ),
        (
            "published_at",
            timestamps(commits.iter().map(|(_, commit)| commit.at)),
        ),
        (
            "connection",
            texts(
                commits
                    .iter()
                    .map(|(_, commit)| Some(commit.connection.clone())),
            ),
        ),
        (
            "billing_period",
            texts(
                commits
                    .iter()
                    .map(|(_, commit)| Some(commit.period.to_string())),
            ),
        ),
        (
            "run",
            texts(records().map(|record| Some(record.run.clone()))),
        ),
        (
            "costs",
            integers(records().map(|record| Some(record.costs))),
        ),
        (
            "line_items",
            integers(records().map(|record| Some(record.line_items))),
        ),
        (
            "net_amount",
            amounts(records().map(|record| Some(record.net_amount.as_str()))),
        ),
        (
            "digest",
            texts(records().map(|record| Some(record.digest.clone()))),
        ),
        (
            "mapping",
            texts(records().map(|record| Some(record.mapping.clone()))),
        ),
    ])
}

/// `runs`: one row per run that held a connection's lease, oldest first.
///
/// Text `run`, `command`, `connection`, `billstream` (the version); timestamps `started_at`, `ended_at`;
/// bigint `exit_code`, `months`; boolean `ok`; text `errors`, one per line. A run that was killed has neither end nor exit
/// code.
pub(super) async fn runs(store: &Store) -> Result<MemTable> {
    let mut records = Vec::new();
    for bytes in runs::records(store).await? {
        // An unreadable record was written by another release: skip it.
        if let Ok(record) = serde_json::from_slice::<Value>(&bytes) {
            records.push(record);
        }
    }
    let rows = || records.iter();
    let text =
        |name: &'static str| texts(rows().map(move |run| Some(run[name].as_str()?.to_string())));
    let time =
        |name: &'static str| timestamps(rows().map(move |run| run[name].as_str()?.parse().ok()));
    let months = |run: &Value| run["periods"].as_array().map_or(0, Vec::len) as u64;
    let errors = |run: &Value| {
        let errors = run["errors"].as_array()?.iter().filter_map(Value::as_str);
        Some(errors.collect::<Vec<_>>().join("\n")).filter(|text| !text.is_empty())
    };
    table([
        ("run", text("run")),
        ("command", text("command")),
        ("connection", text("connection")),
        ("billstream", text("billstream")),
        ("started_at", time("started_at")),
        ("ended_at", time("ended_at")),
        (
            "exit_code",
            integers(rows().map(|run| run["exit_code"].as_u64())),
        ),
        (
            "ok",
            booleans(rows().map(|run| Some(run["exit_code"].as_u64() == Some(0)))),
        ),
        ("months", integers(rows().map(|run| Some(months(run))))),
        ("errors", texts(rows().map(errors))),
    ])
}

/// `resources`: one row per resource and period in which its attributes were the same, with the columns of
/// [`resources::schema`].
pub(super) async fn resources(store: &Store) -> Result<MemTable> {
    memory_table(resources::read(store, None).await?)
}
