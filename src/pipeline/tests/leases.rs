//! Runs that lose their lease, or stop between a commit and what follows it.

use chrono::TimeDelta;

use super::*;
use crate::error::ErrorKind;
use crate::pipeline::publish::restore::restore;
use crate::store::TableName;
use crate::store::lease::{Fence, Lease, LeaseError};
use crate::store::runs;
use crate::store::tables::Table;
use crate::store::testing::{PutFault, ScriptedStore};
use crate::store::writer::DataFile;

/// A store with a separate clock.
fn scripted() -> (ScriptedStore, Scenario) {
    let script = ScriptedStore::new(NOW);
    let store = Store::over(Arc::new(script.clone()));
    (script, Scenario { store })
}

/// A sandbox with a restatement of the month.
async fn restated(revision: u32) -> Sandbox {
    Sandbox::start(sandbox::Options {
        revision,
        ..sandbox_on("2026-11-23")
    })
    .await
}

/// Imports the month and returns its status.
async fn import_month(scenario: &Scenario, sandbox: &Sandbox, now: &str) -> PeriodStatus {
    let summary = run_import(scenario.at(now), sandbox, options(named(&[MONTH]))).await;
    let statuses = statuses(&summary);
    sandbox.assert_totals(&summary.periods[0]).await;
    statuses[0]
}

/// Files of every version of the month, with the table's name.
async fn files_of_all_versions(store: &Store) -> Vec<(TableName, u64, DataFile)> {
    let mut all = Vec::new();
    for name in [TableName::Costs, TableName::LineItems] {
        let table = Table::open(store, name).await.unwrap().unwrap();
        for commit in table.history().await.unwrap() {
            let version = commit.record.version;
            let table = Table::open_at(store, name, version).await.unwrap().unwrap();
            let (files, _) = table.month("acme", period(MONTH)).await.unwrap();
            assert!(!files.is_empty(), "{name} at {version}");
            all.extend(files.into_iter().map(|file| (name, version, file)));
        }
    }
    all
}

/// Asserts that the files of every version exist, and returns the number of versions of line items.
async fn assert_all_versions_are_readable(store: &Store) -> usize {
    let files = files_of_all_versions(store).await;
    for (table, version, file) in &files {
        let found = store.head(&format!("{table}/{}", file.path)).await.unwrap();
        let size = found.map(|meta| meta.size);
        assert_eq!(size, Some(file.size), "{table} at {version}: {}", file.path);
    }
    let mut versions: Vec<u64> = files
        .iter()
        .filter(|(table, ..)| *table == TableName::LineItems)
        .map(|(_, version, _)| *version)
        .collect();
    versions.dedup();
    versions.len()
}

/// Names of the data files.
async fn data_files(store: &Store) -> Vec<String> {
    let mut names = store.list("").await.unwrap();
    names.retain(|name| name.ends_with(".parquet") && !name.starts_with("runs/"));
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_lost_its_lease_publishes_and_deletes_nothing() {
    let (script, scenario) = scripted();
    let store = &scenario.store;
    let (first, second) = (restated(0).await, restated(1).await);
    assert_eq!(
        import_month(&scenario, &first, NOW).await,
        PeriodStatus::Published
    );
    let mut published = data_files(store).await;

    // The run is suspended before it publishes, until another run has its lease.
    let mut context = scenario.at("2026-11-23T07:00:00Z");
    let slept = Lease::claim(store, "acme", &context.run).await.unwrap();
    context.set_fence(Some(slept.fence()));
    let (runtime, overtaken) = (tokio::runtime::Handle::current(), store.clone());
    context.progress = Arc::new(move |message| {
        if message.ends_with("publishing") {
            script.advance(TimeDelta::minutes(6));
            let next = Lease::claim(&overtaken, "acme", "next");
            let next = tokio::task::block_in_place(|| runtime.block_on(next));
            drop(next.unwrap());
        }
    });
    let run = context.run.clone();
    let summary = run_import(context, &second, options(named(&[MONTH]))).await;
    let [(_, error)] = summary.errors.as_slice() else {
        panic!("{:?}", summary.errors);
    };
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(matches!(error.source_as(), Some(LeaseError::Lost { .. })));
    assert_eq!(assert_all_versions_are_readable(store).await, 1);
    let state = runs::month_state(store, "acme", period(MONTH)).await;
    assert_eq!(
        state.unwrap().pulled_at.unwrap().to_rfc3339(),
        "2026-11-23T06:00:00+00:00"
    );
    slept.release().await.unwrap();
    assert!(
        store.get("runs/leases/acme.json").await.unwrap().is_some(),
        "the lease of the other run"
    );
    // What it staged stays, and is marked.
    let mut staged = data_files(store).await;
    staged.retain(|name| !published.contains(name));
    assert!(!staged.is_empty());
    assert!(staged.iter().all(|name| name.contains(&*run)), "{staged:?}");
    published.extend(staged);

    // The other run resumes the windows, and deletes no file that the first one could still commit.
    assert_eq!(
        import_month(&scenario, &second, "2026-11-23T07:10:00Z").await,
        PeriodStatus::Published
    );
    let left = data_files(store).await;
    published.retain(|name| !left.contains(name));
    assert_eq!(published, [""; 0], "deleted");
    assert_eq!(assert_all_versions_are_readable(store).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_outlives_runs_that_stopped_before_their_clean_up() {
    let (script, scenario) = scripted();
    let store = &scenario.store;
    for revision in 0..4 {
        let sandbox = restated(revision).await;
        let now = format!("2026-11-23T0{revision}:00:00Z");
        // The run commits and then stops: it removes neither mark nor file.
        script.refuse_deletes(Some("runs/staging"));
        let refused = script.refused_deletes();
        let stopped = run_import(scenario.at(&now), &sandbox, options(named(&[MONTH]))).await;
        if revision == 0 {
            assert_eq!(stopped.errors.len(), 1, "{:?}", stopped.errors);
        }
        assert!(script.refused_deletes() > refused);
        script.refuse_deletes(None);
        // The next one completes the month.
        run_import(scenario.at(&now), &sandbox, options(named(&[MONTH]))).await;
        let versions = assert_all_versions_are_readable(store).await;
        assert_eq!(versions, revision as usize + 1);
    }
    script.advance(TimeDelta::hours(25));
    let sandbox = restated(3).await;
    assert_eq!(
        import_month(&scenario, &sandbox, "2026-11-24T05:00:00Z").await,
        PeriodStatus::Unchanged
    );
    assert_eq!(store.list("runs/staging").await.unwrap(), [""; 0]);
    assert_eq!(assert_all_versions_are_readable(store).await, 4);
    let table = Table::open(store, TableName::LineItems)
        .await
        .unwrap()
        .unwrap();
    let versions = table.history().await.unwrap();
    let oldest = versions.last().unwrap().record.version;
    let context = scenario.at("2026-11-24T06:00:00Z");
    let restored = restore(&context, period(MONTH), oldest).await.unwrap();
    assert!(restored.version.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_whose_replies_were_lost_complete_the_month() {
    let (script, scenario) = scripted();
    let entry = |table: TableName, version: u64| format!("{table}/_delta_log/{version:020}.json");
    for version in [0, 1] {
        for table in [TableName::Costs, TableName::LineItems] {
            script.fail_put(&entry(table, version), PutFault::LostReply);
        }
    }
    let sandbox = restated(0).await;
    assert_eq!(
        import_month(&scenario, &sandbox, NOW).await,
        PeriodStatus::Published
    );
    assert_eq!(script.faults_left(), 0);
    assert_eq!(assert_all_versions_are_readable(&scenario.store).await, 1);
    assert_eq!(scenario.store.list("runs/staging").await.unwrap(), [""; 0]);
    assert_eq!(
        import_month(&scenario, &sandbox, NOW).await,
        PeriodStatus::Unchanged
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_of_two_interrupted_runs_are_resumed_once() {
    let (script, scenario) = scripted();
    let store = &scenario.store;
    let sandbox = restated(0).await;
    // Two runs end before they commit: the first line items cannot be written.
    for run in ["2026-11-23T05:00:00Z", "2026-11-23T05:10:00Z"] {
        script.fail_put("line_items/connection=acme", PutFault::Refused);
        let failed = run_import(scenario.at(run), &sandbox, options(named(&[MONTH]))).await;
        assert_eq!(failed.errors.len(), 1, "{:?}", failed.errors);
        assert_eq!(script.faults_left(), 0);
    }
    // A copy of each mark, as a run leaves it that went on without its lease.
    for name in store.list("runs/staging/costs").await.unwrap() {
        let file = name.rsplit('/').next().unwrap();
        let folder = name.rsplitn(3, '/').last().unwrap();
        store
            .put(&format!("{folder}/other/{file}"), Vec::new())
            .await
            .unwrap();
    }
    assert_eq!(
        import_month(&scenario, &sandbox, NOW).await,
        PeriodStatus::Published
    );
    assert_eq!(
        import_month(&scenario, &sandbox, NOW).await,
        PeriodStatus::Unchanged
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn staged_files_of_months_that_are_not_imported_again_are_deleted_a_day_later() {
    let (script, scenario) = scripted();
    let store = &scenario.store;
    let sandbox = restated(0).await;
    script.fail_put("line_items/connection=acme", PutFault::Refused);
    let failed = run_import(scenario.at(NOW), &sandbox, options(named(&["2026-08"]))).await;
    assert_eq!(failed.errors.len(), 1, "{:?}", failed.errors);
    assert_eq!(script.faults_left(), 0);
    let marks = async || store.list("runs/staging").await.unwrap();
    let left = marks().await;
    assert!(!left.is_empty());
    import_month(&scenario, &sandbox, NOW).await;
    assert_eq!(marks().await, left);
    script.advance(TimeDelta::hours(25));
    import_month(&scenario, &sandbox, "2026-11-24T07:00:00Z").await;
    assert_eq!(marks().await, [""; 0]);
    let mut files = data_files(store).await;
    files.retain(|name| name.contains("2026-08"));
    assert_eq!(files, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_connections_with_a_new_tag_both_publish() {
    let (_, scenario) = scripted();
    let store = &scenario.store;
    let tags = tempfile::NamedTempFile::with_suffix(".csv").unwrap();
    let first = [restated(0).await, restated(1).await];
    // A settled month takes new tags with a restatement only.
    let second = [restated(2).await, restated(3).await];
    let context = |connection: &str, now: &str| {
        let mut context = scenario.at(now);
        context.connection = connection.into();
        context.options.tags = Some(tags.path().display().to_string());
        context.set_fence(Some(&Fence::unchecked(store, connection, &context.run)));
        context
    };
    let import = async |connection: &str, sandbox: &Sandbox, now: &str| {
        let mut options = options(named(&[MONTH]));
        options.no_deliver = true;
        options.allow_same_organization = true;
        let summary = run_import(context(connection, now), sandbox, options).await;
        statuses(&summary)
    };
    let both = async |[one, other]: &[Sandbox; 2], now: &str| {
        tokio::join!(import("acme", one, now), import("other", other, now))
    };
    let published = vec![PeriodStatus::Published];
    std::fs::write(tags.path(), "resource,one\n*,x\n").unwrap();
    assert_eq!(
        both(&first, NOW).await,
        (published.clone(), published.clone())
    );
    std::fs::write(tags.path(), "resource,one,two\n*,x,y\n").unwrap();
    assert_eq!(
        both(&second, "2026-11-23T07:00:00Z").await,
        (published.clone(), published)
    );
    let table = Table::open(store, TableName::LineItems)
        .await
        .unwrap()
        .unwrap();
    for tag in ["resource/tag:one", "resource/tag:two"] {
        assert!(
            table.columns().unwrap().field_with_name(tag).is_ok(),
            "{tag}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_imported_while_the_clock_is_years_ahead() {
    let sandbox = Sandbox::start(sandbox::Options {
        faults: vec!["past-clock:99".parse().unwrap()],
        ..sandbox_on("2026-11-23")
    })
    .await;
    let scenario = Scenario::new();
    let all = options(Selection::Pending);
    let summary = run_import(scenario.at(NOW), &sandbox, all).await;
    let [(_, error)] = summary.errors.as_slice() else {
        panic!("{:?}", summary.errors);
    };
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("400 days ahead"), "{error}");
    let left = scenario.store.list("").await.unwrap();
    assert_eq!(left, [""; 0], "neither costs, states nor marks");
}
