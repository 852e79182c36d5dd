//! Months whose files or state were lost: by another tool, a full disk or a power cut.

use super::*;
use crate::error::ErrorKind;
use crate::pipeline::damage::listed_months;
use crate::pipeline::deliver::source::PublishedLineItems;
use crate::pipeline::deliver::{self, DeliverOptions};
use crate::pipeline::publish::restore::restore;
use crate::pipeline::verify::verify;
use crate::store::TableName;
use crate::store::runs::{self, MonthState};
use crate::store::tables::Table;

const CONNECTION: &str = "acme";
/// A settled month at [`NOW`].
const SETTLED: &str = "2026-08";

/// A sandbox with few costs.
fn small() -> sandbox::Options {
    sandbox::Options {
        costs_per_day: 56,
        ..sandbox_on("2026-11-23")
    }
}

/// Imports the month without a delivery.
async fn import_undelivered(scenario: &Scenario, sandbox: &Sandbox) -> Summary {
    let import = ImportOptions {
        no_deliver: true,
        ..options(named(&[MONTH]))
    };
    let run = run_import(scenario.at(NOW), sandbox, import).await;
    assert!(run.errors.is_empty(), "{:?}", run.errors);
    run
}

async fn files(store: &Store, table: TableName, month: &str) -> Vec<String> {
    let opened = Table::open(store, table).await.unwrap().unwrap();
    let (files, _) = opened.month(CONNECTION, period(month)).await.unwrap();
    let names = files.iter().map(|file| format!("{table}/{}", file.path));
    names.collect()
}

/// Months that a listing shows as damaged.
async fn damaged(store: &Store) -> Vec<BillingPeriod> {
    let listed = listed_months(store, CONNECTION).await.unwrap();
    listed.damaged.into_keys().collect()
}

async fn state(store: &Store, month: &str) -> MonthState {
    runs::month_state(store, CONNECTION, period(month))
        .await
        .unwrap()
}

/// The two newest settled months, imported.
async fn imported() -> (Scenario, Sandbox) {
    let scenario = Scenario::new();
    let sandbox = Sandbox::start(small()).await;
    let months = named(&["2026-07", SETTLED, "2026-09", MONTH, "2026-11"]);
    let summary = run_import(scenario.at(NOW), &sandbox, options(months)).await;
    assert!(summary.errors.is_empty(), "{:?}", summary.errors);
    assert!(state(&scenario.store, SETTLED).await.settled);
    // The months before are asked for once, and have costs too.
    let rest = run_import(scenario.at(NOW), &sandbox, options(Selection::Pending)).await;
    assert!(rest.errors.is_empty(), "{:?}", rest.errors);
    (scenario, sandbox)
}

#[track_caller]
fn month<'s>(summary: &'s Summary, month: &str) -> &'s PeriodSummary {
    assert!(summary.errors.is_empty(), "{:?}", summary.errors);
    let mut periods = summary.periods.iter();
    let found = periods.find(|found| found.billing_period == period(month));
    found.unwrap_or_else(|| panic!("{month} was not due"))
}

fn has(summary: &Summary, month: &str) -> bool {
    let mut periods = summary.periods.iter();
    periods.any(|found| found.billing_period == period(month))
}

#[tokio::test]
async fn a_settled_month_with_a_lost_or_cut_file_is_due_and_written_again() {
    let (scenario, sandbox) = imported().await;
    let store = &scenario.store;
    for (table, cut) in [
        (TableName::Costs, false),
        (TableName::Costs, true),
        (TableName::LineItems, false),
        (TableName::LineItems, true),
    ] {
        let pending = || run_import(scenario.at(NOW), &sandbox, options(Selection::Pending));
        assert!(!has(&pending().await, SETTLED), "it is settled");
        let name = files(store, table, SETTLED).await.remove(0);
        let whole = store.get(&name).await.unwrap().unwrap();
        if cut {
            store.put(&name, whole.slice(..9)).await.unwrap();
        } else {
            store.delete(&name).await.unwrap();
        }

        assert_eq!(damaged(store).await, [period(SETTLED)]);

        let context = scenario.at(NOW);
        let tables = Tables::open(&context).await.unwrap();
        let delivered = deliver::deliver(
            &context,
            &tables,
            period(SETTLED),
            DeliverOptions::default(),
        );
        let delivered = delivered.await;
        if table == TableName::LineItems {
            let error = &delivered.errors[0];
            assert_eq!(error.kind(), ErrorKind::Data);
            assert!(error.to_string().contains(&name), "{error}");
            assert!(
                error
                    .hint()
                    .unwrap()
                    .contains(&format!("billstream import --month {SETTLED}"))
            );
        } else {
            let failed = transform(scenario.at(NOW), named(&[SETTLED])).await;
            let (_, error) = &failed.errors[0];
            assert!(error.to_string().contains(&name), "{error}");
            assert_eq!(error.kind(), ErrorKind::Data);
        }

        let summary = pending().await;
        let written = month(&summary, SETTLED);
        assert_eq!(written.status, PeriodStatus::Published, "{table} {cut}");
        sandbox.assert_totals(written).await;
        assert_eq!(damaged(store).await, []);
        assert!(!has(&pending().await, SETTLED), "it is whole again");
    }
}

/// Changes a byte in the middle of the first file of a month; its size and footer stay. Returns its name.
async fn flip_a_byte(store: &Store, table: TableName, month: &str) -> String {
    let name = files(store, table, month).await.remove(0);
    let mut bytes = store.get(&name).await.unwrap().unwrap().to_vec();
    bytes[200] ^= 1;
    store.put(&name, bytes).await.unwrap();
    name
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settled_month_with_a_changed_byte_is_found_by_verify_and_then_due() {
    let (scenario, sandbox) = imported().await;
    let store = &scenario.store;
    for table in [TableName::Costs, TableName::LineItems] {
        let name = flip_a_byte(store, table, SETTLED).await;
        let pending = || run_import(scenario.at(NOW), &sandbox, options(Selection::Pending));
        assert_eq!(damaged(store).await, []);
        assert!(!has(&pending().await, SETTLED), "no listing shows it");

        let context = Arc::new(scenario.at(NOW));
        let report = verify(&context, None, &named(&[SETTLED])).await.unwrap();
        assert_eq!(report.kind(), Some(ErrorKind::Reconcile));
        let note = &report.periods[0].notes[0];
        assert!(
            note.starts_with("store: ") && note.contains(&name),
            "{note}"
        );
        assert!(note.contains("other bytes than were written"), "{note}");
        assert!(note.contains("billstream import --month 2026-08"), "{note}");
        assert_eq!(report.periods[0].notes.len(), 1, "nobody else is blamed");
        assert_eq!(damaged(store).await, [period(SETTLED)]);

        let summary = pending().await;
        let written = month(&summary, SETTLED);
        assert_eq!(written.status, PeriodStatus::Published, "{table}");
        sandbox.assert_totals(written).await;
        assert_eq!(damaged(store).await, []);
        let report = verify(&context, None, &named(&[SETTLED])).await.unwrap();
        assert_eq!(report.kind(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_bytes_are_neither_delivered_nor_transformed() {
    let sandbox = Sandbox::start(small()).await;
    let scenario = Scenario::new();
    let run = import_undelivered(&scenario, &sandbox).await;
    let store = &scenario.store;
    let costs = flip_a_byte(store, TableName::Costs, MONTH).await;
    let line_items = flip_a_byte(store, TableName::LineItems, MONTH).await;

    let context = scenario.at(NOW);
    let tables = Tables::open(&context).await.unwrap();
    let options = DeliverOptions::default();
    let delivered = deliver::deliver(&context, &tables, period(MONTH), options).await;
    let transformed = transform(scenario.at(NOW), named(&[MONTH])).await;
    let version = run.periods[0].version.unwrap();
    let restored = restore(&context, period(MONTH), version).await;
    let refused = restored.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Data);
    assert!(refused.to_string().contains(&costs), "{refused}");
    for (error, name) in [
        (&delivered.errors[0], line_items),
        (&transformed.errors[0].1, costs),
    ] {
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(error.to_string().contains(&name), "{error}");
        let hint = error.hint().unwrap();
        assert!(hint.contains("billstream import --month 2026-10"), "{hint}");
    }
    assert_eq!(store.list("cloudzero").await.unwrap(), [""; 0]);
}

/// Files of older versions have no hash.
#[tokio::test]
async fn months_without_hashes_stay_readable() {
    let sandbox = Sandbox::start(small()).await;
    let scenario = Scenario::new();
    let first = run_import(scenario.at(NOW), &sandbox, options(named(&[MONTH]))).await;
    assert_eq!(statuses(&first), [PeriodStatus::Published]);
    let store = &scenario.store;
    let mut removed = 0;
    for table in [TableName::Costs, TableName::LineItems] {
        for name in store.list(&format!("{table}/_delta_log")).await.unwrap() {
            let log = store.get(&name).await.unwrap().unwrap();
            let log = String::from_utf8(log.to_vec()).unwrap();
            let old = without_hashes(&log);
            removed += usize::from(log.contains("billstream.xxh3"));
            store.put(&name, old).await.unwrap();
        }
    }
    assert_eq!(removed, 2);
    let context = Arc::new(scenario.at(NOW));
    let report = verify(&context, None, &Selection::Pending).await.unwrap();
    assert_eq!(report.kind(), None);
    let again = run_import(scenario.at(NOW), &sandbox, options(named(&[MONTH]))).await;
    assert_eq!(statuses(&again), [PeriodStatus::Unchanged]);
}

fn without_hashes(log: &str) -> String {
    let actions = log.lines().map(|line| {
        let mut action: Value = serde_json::from_str(line).unwrap();
        if let Some(tags) = action.pointer_mut("/add/tags") {
            tags.as_object_mut().unwrap().remove("billstream.xxh3");
        }
        format!("{action}\n")
    });
    actions.collect()
}

#[tokio::test]
async fn a_transform_repairs_lost_line_items() {
    let (scenario, sandbox) = imported().await;
    let store = &scenario.store;
    for name in files(store, TableName::LineItems, SETTLED).await {
        store.delete(&name).await.unwrap();
    }
    let summary = transform(scenario.at(NOW), Selection::Pending).await;
    let written = month(&summary, SETTLED);
    assert_eq!(written.status, PeriodStatus::Published);
    sandbox.assert_totals(written).await;
    assert_eq!(damaged(store).await, []);
}

/// A power cut took the last commits; the states, written later, survived.
#[tokio::test]
async fn a_settled_month_whose_table_went_back_is_pulled_again() {
    let (scenario, _) = imported().await;
    let store = &scenario.store;
    let restated = Sandbox::start(sandbox::Options {
        revision: 1,
        ..small()
    })
    .await;
    let log = |table: TableName| async move {
        let names = store.list(&format!("{table}/_delta_log")).await.unwrap();
        names.into_iter().filter(|name| name.ends_with(".json"))
    };
    let mut before = Vec::new();
    for table in [TableName::Costs, TableName::LineItems] {
        before.extend(log(table).await);
    }
    let named = named(&[SETTLED]);
    let summary = run_import(scenario.at(NOW), &restated, options(named)).await;
    let published = month(&summary, SETTLED);
    assert_eq!(published.status, PeriodStatus::Published);
    let digest = state(store, SETTLED).await.costs;
    assert!(digest.is_some());
    let mut lost = 0;
    for table in [TableName::Costs, TableName::LineItems] {
        for name in log(table).await {
            if !before.contains(&name) {
                store.delete(&name).await.unwrap();
                lost += 1;
            }
        }
    }
    assert_eq!(lost, 2);

    let summary = run_import(scenario.at(NOW), &restated, options(Selection::Pending)).await;
    let again = month(&summary, SETTLED);
    assert_eq!(again.status, PeriodStatus::Published);
    restated.assert_totals(again).await;
    let now = state(store, SETTLED).await;
    assert!(now.settled && now.costs == digest);
}

#[tokio::test]
async fn an_empty_state_counts_as_none() {
    let (scenario, sandbox) = imported().await;
    let store = &scenario.store;
    let states = store.list("runs/months").await.unwrap();
    for name in &states {
        store.put(name, "").await.unwrap();
    }
    assert!(!state(store, SETTLED).await.settled);
    let summary = run_import(scenario.at(NOW), &sandbox, options(Selection::Pending)).await;
    let again = month(&summary, SETTLED);
    assert_eq!(again.status, PeriodStatus::Unchanged);
    assert!(state(store, SETTLED).await.settled);
}

#[tokio::test]
async fn windows_of_another_endpoint_are_not_resumed() {
    let scenario = Scenario::new();
    let context = Arc::new(scenario.at(NOW));
    let [first, second] = [1, 2].map(|seed| Sandbox::start(sandbox::Options { seed, ..small() }));
    let (first, second) = (first.await, second.await);
    let pull = |sandbox: &Sandbox| {
        let (context, client) = (context.clone(), sandbox.client.clone());
        async move {
            let pulled = crate::pipeline::pull::pull(&context, &client, period(MONTH), &[]);
            pulled.await.unwrap()
        }
    };
    // Pulled and never published, as by a run that was killed.
    let interrupted = pull(&first).await;
    assert_eq!(interrupted.resumed, 0);
    assert!(pull(&first).await.resumed > 0, "its own windows are");
    let other = pull(&second).await;
    assert_eq!(other.resumed, 0);
    assert_ne!(other.digest.to_string(), interrupted.digest.to_string());
    let named = named(&[MONTH]);
    let summary = run_import(scenario.at(NOW), &second, options(named)).await;
    second.assert_totals(month(&summary, MONTH)).await;
}

/// A file of the same size with other rows: only the sums tell.
#[tokio::test(flavor = "multi_thread")]
async fn line_items_with_other_sums_than_published_are_not_delivered() {
    let sandbox = Sandbox::start(small()).await;
    let scenario = Scenario::new();
    import_undelivered(&scenario, &sandbox).await;
    let run = scenario.at(NOW);
    let tables = Tables::open(&run).await.unwrap();
    let month = tables.month(&run, period(MONTH)).await.unwrap();
    let mut published = PublishedLineItems {
        run: &run,
        period: period(MONTH),
        columns: tables.line_item_columns().unwrap(),
        files: month.line_items,
        record: month.line_items_record,
    };
    published.checked_totals().await.unwrap();
    published.record.as_mut().unwrap().net_amount = "1".into();
    let refused = published.checked_totals().await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Reconcile);
    let hint = refused.hint().unwrap();
    assert!(
        hint.contains(".parquet`, then run `billstream import --month 2026-10`"),
        "{hint}"
    );
}
