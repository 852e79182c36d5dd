//! Stages in this process, over a store in memory and the sandbox's Confluent.

mod attributes;
mod daily_imports;
mod damage;
mod leases;
mod own;
mod scripted_source;
mod seeds;
mod selection;
mod simulation;
mod stream;
mod unfinished;
mod verify;

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::memory::InMemory;
use serde_json::Value;

use crate::billing_period::BillingPeriod;
use crate::confluent::client::{Client, Settings};
use crate::pipeline::import::{ImportOptions, import};
use crate::pipeline::publish::Tables;
use crate::pipeline::select::Selection;
use crate::pipeline::summary::{PeriodStatus, PeriodSummary, Summary};
use crate::pipeline::transform::retransform::retransform;
use crate::pipeline::{RunContext, enrich, testing};
use crate::sandbox;
use crate::store::Store;

/// Time of runs, unless a test sets another.
const NOW: &str = "2026-11-23T06:00:00Z";
/// A complete month that is settling at [`NOW`].
const MONTH: &str = "2026-10";

fn period(text: &str) -> BillingPeriod {
    text.parse().unwrap()
}

fn named(months: &[&str]) -> Selection {
    Selection::Named(months.iter().map(|month| period(month)).collect())
}

/// Options of a sandbox whose last day is `today`.
fn sandbox_on(today: &str) -> sandbox::Options {
    sandbox::Options {
        today: today.parse().unwrap(),
        ..sandbox::Options::default()
    }
}

/// A sandbox in this process.
struct Sandbox {
    url: String,
    client: Arc<Client>,
}

impl Sandbox {
    async fn start(options: sandbox::Options) -> Sandbox {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        let url = sandbox::base_url(&listener.local_addr().unwrap());
        let endpoint = url.parse().unwrap();
        let mut settings = Settings::new(endpoint, options.key.clone(), options.secret.clone());
        settings.requests_per_second = 1000;
        tokio::spawn(sandbox::serve(listener, options));
        Sandbox {
            url,
            client: Arc::new(Client::new(settings).unwrap()),
        }
    }

    /// Asserts that a month has the sandbox's own totals.
    async fn assert_totals(&self, month: &PeriodSummary) {
        let url = format!("{}/sandbox/totals?month={}", self.url, month.billing_period);
        let totals = reqwest::get(url).await.unwrap().text().await.unwrap();
        let totals: Value = serde_json::from_str(&totals).unwrap();
        assert_eq!(totals["costs"], month.costs);
        assert_eq!(totals["original_amount"], month.original_amount);
        assert_eq!(totals["discount_amount"], month.discount_amount);
        assert_eq!(totals["net_amount"], month.net_amount);
    }
}

/// A store in memory.
struct Scenario {
    store: Store,
}

impl Scenario {
    fn new() -> Scenario {
        Scenario {
            store: Store::over(Arc::new(InMemory::new())),
        }
    }

    /// Context of a run at a time.
    fn at(&self, now: &str) -> RunContext {
        testing::context(&self.store, now)
    }
}

/// Rows of the files in the drop that the manifest of a month references, by column.
async fn drop_rows(scenario: &Scenario, month: BillingPeriod) -> Vec<BTreeMap<String, String>> {
    drop_rows_of(&scenario.store, "acme", month).await
}

/// As [`drop_rows`], of a connection.
async fn drop_rows_of(
    store: &Store,
    connection: &str,
    month: BillingPeriod,
) -> Vec<BTreeMap<String, String>> {
    let (first, next) = (month.first_day(), month.next().first_day());
    let folder = format!(
        "cloudzero/{connection}/{}-{}",
        first.format("%Y%m%d"),
        next.format("%Y%m%d")
    );
    let manifest = store.get(&format!("{folder}/manifest.json")).await;
    let manifest: Value = serde_json::from_slice(&manifest.unwrap().unwrap()).unwrap();
    let drop_id = manifest["current_drop_id"].as_str().unwrap();
    let files = store.list(&format!("{folder}/{drop_id}")).await;
    let mut rows = Vec::new();
    for file in files.unwrap() {
        let bytes = store.get(&file).await.unwrap().unwrap();
        let mut reader = csv::Reader::from_reader(flate2::read::GzDecoder::new(&bytes[..]));
        rows.extend(
            reader
                .deserialize()
                .map(|row| row.unwrap())
                .collect::<Vec<_>>(),
        );
    }
    rows
}

fn options(months: Selection) -> ImportOptions {
    ImportOptions {
        months,
        dry_run: false,
        allow_missing_data: false,
        pull_only: false,
        no_deliver: false,
        unvalidated: false,
        allow_same_organization: false,
    }
}

async fn run_import(context: RunContext, sandbox: &Sandbox, options: ImportOptions) -> Summary {
    let context = Arc::new(context);
    import(&context, &sandbox.client, &options).await.unwrap()
}

/// Pulls months and returns the summary.
async fn pull(context: RunContext, sandbox: &Sandbox, months: Selection) -> Summary {
    let options = ImportOptions {
        pull_only: true,
        ..options(months)
    };
    run_import(context, sandbox, options).await
}

/// Updates names and regions, then imports months.
async fn enrich_and_import(context: RunContext, sandbox: &Sandbox, months: Selection) -> Summary {
    enrich::enrich(&context, &sandbox.client).await;
    run_import(context, sandbox, options(months)).await
}

async fn transform(context: RunContext, months: Selection) -> Summary {
    retransform(&context, &months, false).await.unwrap()
}

/// Months of a summary.
fn months(summary: &Summary) -> Vec<String> {
    let periods = summary.periods.iter();
    periods.map(|p| p.billing_period.to_string()).collect()
}

/// Statuses of a summary, which has no errors.
#[track_caller]
fn statuses(summary: &Summary) -> Vec<PeriodStatus> {
    assert!(summary.errors.is_empty(), "{:?}", summary.errors);
    summary.periods.iter().map(|p| p.status).collect()
}
