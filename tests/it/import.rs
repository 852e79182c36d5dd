//! Import of a month, end to end: output, stored data, and repeated runs.

#[path = "import/checks.rs"]
mod checks;
#[path = "import/crash.rs"]
mod crash;
#[path = "import/demo.rs"]
mod demo;
#[path = "import/edge_cases.rs"]
mod edge_cases;
#[path = "import/exact.rs"]
mod exact;
#[path = "import/missing_data.rs"]
mod missing_data;
#[path = "import/outage.rs"]
mod outage;
#[path = "import/overrides.rs"]
mod overrides;
#[path = "import/resume.rs"]
mod resume;

use std::sync::OnceLock;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::support::{
    Billstream, CONNECTION, Exact, Files, MONTH, NOW, Sandbox, Totals, assert_costs_are,
    assert_line_items_are, assert_summary_is, current_drop_id, drop_in_force, files_below, net_of,
    orphans, published_files, sum, write_files,
};

/// A store with [`MONTH`] published, and the month's totals. The import runs once per test process.
pub fn published_month() -> (TempDir, Totals) {
    static ONCE: OnceLock<(Files, Totals)> = OnceLock::new();
    let (files, totals) = ONCE.get_or_init(|| {
        let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
        Billstream::on(store.path())
            .from(&sandbox)
            .import(MONTH)
            .ok();
        (files_below(store.path()), sandbox.totals(MONTH))
    });
    let store = tempdir().unwrap();
    write_files(store.path(), files);
    (store, totals.clone())
}

#[test]
fn imports_a_month_exactly() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    let totals = sandbox.totals(MONTH);

    let output = billstream.import(MONTH).ok();
    let period = output.status("published");
    assert_summary_is(&period, &totals);
    assert_eq!(period["connection"], CONNECTION);
    assert_eq!(period["complete_through"], "2026-10-31");
    assert!(
        period["digest"].is_string() && period["version"].is_u64(),
        "{period}"
    );
    assert!(output.json()["run"].is_string());

    billstream.assert_month_is(MONTH, &totals);
    let items = billstream.line_items(MONTH);
    assert_eq!(period["line_items"].as_u64().unwrap(), items.len() as u64);
    assert_eq!(sandbox.fired("500"), 0);
    assert_eq!(orphans(store.path()), Vec::<String>::new());
}

#[test]
fn summary_has_exactly_the_documented_keys() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let json = Billstream::on(store.path())
        .from(&sandbox)
        .import(MONTH)
        .ok()
        .json();
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&json), ["periods", "run"]);
    let mut expected = [
        "connection",
        "billing_period",
        "costs",
        "line_items",
        "original_amount",
        "discount_amount",
        "net_amount",
        "status",
        "version",
        "digest",
        "complete_through",
        "state",
    ];
    expected.sort_unstable();
    let mut found = keys(&json["periods"][0]);
    found.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn a_second_import_is_unchanged_and_writes_no_file() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    let first = billstream.import(MONTH).ok().status("published");
    let before = published_files(store.path());

    let output = billstream.import(MONTH).ok();
    let second = output.status("unchanged");
    for key in [
        "digest",
        "version",
        "costs",
        "line_items",
        "original_amount",
        "net_amount",
    ] {
        assert_eq!(first[key], second[key], "{key}");
    }
    assert!(
        published_files(store.path()) == before,
        "an unchanged month writes no file"
    );
    output.says(&["nothing changed"]);
}

#[test]
fn digest_is_independent_of_the_order_of_costs() {
    let store = tempdir().unwrap();
    let billstream = Billstream::on(store.path());
    let first = billstream
        .from(&Sandbox::start(&[]))
        .import(MONTH)
        .ok()
        .status("published");
    let before = published_files(store.path());

    let reordered = Sandbox::start(&["--reorder"]);
    let billstream = Billstream::on(store.path()).from(&reordered);
    let second = billstream.import(MONTH).ok().status("unchanged");
    assert_eq!(first["digest"], second["digest"]);
    assert!(published_files(store.path()) == before);
    // The same holds for other windows and pages.
    let paged = Billstream::on(store.path())
        .from(&reordered)
        .env("BILLSTREAM_PAGE_SIZE", "500");
    assert_eq!(
        first["digest"],
        paged.import(MONTH).ok().status("unchanged")["digest"]
    );
    assert_eq!(orphans(store.path()), Vec::<String>::new());
}

#[test]
fn two_stores_get_equal_ids_and_drops() {
    let rows = |options: &[&str]| {
        let (sandbox, store) = (Sandbox::start(options), tempdir().unwrap());
        Billstream::on(store.path())
            .from(&sandbox)
            .import(MONTH)
            .ok();
        let mut rows: Vec<Vec<(String, String)>> = drop_in_force(store.path(), CONNECTION, MONTH)
            .into_iter()
            .map(|row| {
                let mut cells: Vec<_> = row.into_iter().collect();
                cells.sort();
                cells
            })
            .collect();
        rows.sort();
        rows
    };
    assert!(
        rows(&[]) == rows(&["--reorder", "--gzip"]),
        "ids follow from the content alone"
    );
}

#[test]
fn publishes_a_restatement_as_a_new_version_and_drop() {
    let store = tempdir().unwrap();
    let original = Sandbox::start(&[]);
    let billstream = Billstream::on(store.path()).from(&original);
    let first = billstream.import(MONTH).ok().status("published");
    let first_drop = current_drop_id(store.path(), CONNECTION, MONTH);
    let before = published_files(store.path());

    let restated = Sandbox::start(&["--revision", "1"]);
    let (old, new) = (original.totals(MONTH), restated.totals(MONTH));
    assert_ne!(old.net, new.net);
    let billstream = billstream.from(&restated).at("2026-11-24T06:00:00Z");
    let second = billstream.import(MONTH).ok().status("published");
    assert_summary_is(&second, &new);
    assert_ne!(first["digest"], second["digest"]);
    assert!(second["version"].as_u64() > first["version"].as_u64());
    billstream.assert_month_is(MONTH, &new);

    assert_ne!(first_drop, current_drop_id(store.path(), CONNECTION, MONTH));
    let after = published_files(store.path());
    for (name, bytes) in before
        .iter()
        .filter(|(name, _)| !name.ends_with("manifest.json"))
    {
        assert!(
            after.get(name) == Some(bytes),
            "{name} is part of an earlier version"
        );
    }
}

#[test]
fn drops_of_the_same_second_have_different_ids() {
    let store = tempdir().unwrap();
    let mut drops = Vec::new();
    for revision in ["0", "1", "2"] {
        let sandbox = Sandbox::start(&["--revision", revision]);
        let billstream = Billstream::on(store.path()).from(&sandbox);
        billstream.import(MONTH).ok().status("published");
        billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
        drops.push(current_drop_id(store.path(), CONNECTION, MONTH));
    }
    drops.dedup();
    assert_eq!(drops.len(), 3, "{drops:?}");
}

#[test]
fn pull_and_offline_transform_equal_an_import() {
    let (mut sandbox, store, other) = (Sandbox::start(&[]), tempdir().unwrap(), tempdir().unwrap());
    let totals = sandbox.totals(MONTH);
    let imported = Billstream::on(other.path())
        .from(&sandbox)
        .import(MONTH)
        .ok()
        .status("published");

    let billstream = Billstream::on(store.path()).from(&sandbox);
    let pulled = billstream
        .run(&["pull", "--month", MONTH, "--format", "json"])
        .ok()
        .status("published");
    assert_eq!(pulled["digest"], imported["digest"]);
    assert_summary_is(&pulled, &totals);
    assert_costs_are(&billstream.costs(MONTH), &totals);
    assert!(
        !store.path().join("line_items").exists(),
        "a pull does not transform"
    );
    assert!(!store.path().join("cloudzero").exists());

    sandbox.stop();
    // It needs no credentials either.
    let offline = Billstream::on(store.path());
    let transform = ["transform", "--month", MONTH, "--format", "json"];
    let transformed = offline.run(&transform).ok().status("published");
    for key in [
        "digest",
        "costs",
        "line_items",
        "net_amount",
        "original_amount",
        "complete_through",
    ] {
        assert_eq!(transformed[key], imported[key], "{key}");
    }
    offline.assert_month_is(MONTH, &totals);
    let drop_rows = |folder: &std::path::Path| {
        let mut ids: Vec<String> = drop_in_force(folder, CONNECTION, MONTH)
            .into_iter()
            .map(|row| format!("{} {}", row["lineitem/id"], row["cost/cost"]))
            .collect();
        ids.sort();
        ids
    };
    assert!(drop_rows(store.path()) == drop_rows(other.path()));

    let before = published_files(store.path());
    offline.run(&transform).ok().status("unchanged");
    assert!(published_files(store.path()) == before);
}

#[test]
fn import_after_pull_publishes_the_line_items() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    billstream.run(&["pull", "--month", MONTH]).ok();
    billstream.import(MONTH).ok().status("published");
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
    assert_eq!(orphans(store.path()), Vec::<String>::new());
}

#[test]
fn writes_a_deleted_manifest_again() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    billstream.import(MONTH).ok();
    let folder = store
        .path()
        .join("cloudzero")
        .join(CONNECTION)
        .join("20261001-20261101");
    std::fs::remove_file(folder.join("manifest.json")).unwrap();
    billstream.import(MONTH).ok().status("unchanged");
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
}

#[test]
fn table_shows_amounts_status_and_completeness() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let output = Billstream::on(store.path())
        .from(&sandbox)
        .run(&["import", "--month", MONTH])
        .ok();
    let totals = sandbox.totals(MONTH);
    let amounts = [&totals.net, &totals.original, &totals.discount];
    let exact = Billstream::on(store.path())
        .from(&sandbox)
        .run(&["import", "--month", MONTH, "--exact"])
        .ok();
    for (output, status, amounts) in [
        (output, "published", amounts.map(|a| Exact::of(a).shown())),
        (exact, "unchanged", amounts.map(String::clone)),
    ] {
        let row = output.stdout.lines().find(|line| line.starts_with(MONTH));
        let cells: Vec<&str> = row.unwrap().split_whitespace().collect();
        for words in amounts
            .iter()
            .map(String::as_str)
            .chain([status, "2026-10-31"])
        {
            assert!(
                cells.contains(&words),
                "{words} is missing:\n{}",
                output.stdout
            );
        }
    }
}

#[test]
fn every_run_saves_a_record() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    let good = billstream.import(MONTH).ok().json();
    let refused = Sandbox::start(&["--fault", "404:9"]);
    let bad = Billstream::on(store.path())
        .from(&refused)
        .import(MONTH)
        .code(1)
        .json();
    assert_eq!(refused.fired("404"), 1);
    for (run, code) in [(good, 0), (bad, 1)] {
        let path = store
            .path()
            .join(format!("runs/{}.json", run["run"].as_str().unwrap()));
        let record: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(record["exit_code"], code);
        assert_eq!(
            (&record["command"], &record["connection"]),
            (&"import".into(), &CONNECTION.into())
        );
        assert_eq!(record["periods"][0]["billing_period"], MONTH);
        assert_eq!(record["started_at"], NOW);
        assert_eq!(
            record["errors"].as_array().unwrap().len(),
            usize::from(code > 0)
        );
    }
}

#[test]
fn line_items_have_the_provider_label_and_other_currencies_get_no_drop() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path())
        .from(&sandbox)
        .env("BILLSTREAM_CLOUD_PROVIDER", "Streams & Co")
        .env("BILLSTREAM_CURRENCY", "EUR");
    let output = billstream.import(MONTH).ok().says(&["EUR"]);
    assert_summary_is(&output.status("published"), &sandbox.totals(MONTH));
    let (costs, items) = (billstream.costs(MONTH), billstream.line_items(MONTH));
    assert_costs_are(&costs, &sandbox.totals(MONTH));
    assert_line_items_are(&items, &costs, &sandbox.totals(MONTH));
    assert!(
        items
            .iter()
            .all(|item| item["lineitem/cloud_provider"] == "Streams & Co")
    );
    assert!(
        !store.path().join("cloudzero").exists(),
        "CloudZero takes US dollars only"
    );

    // Another label is another mapping version.
    let billstream = billstream
        .env("BILLSTREAM_CLOUD_PROVIDER", "Confluent")
        .env("BILLSTREAM_CURRENCY", "USD");
    billstream.import(MONTH).ok().status("published");
    assert!(
        billstream
            .line_items(MONTH)
            .iter()
            .all(|item| item["lineitem/cloud_provider"] == "Confluent")
    );
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
}

#[test]
fn accepts_special_characters_in_the_store_path() {
    let (sandbox, folder) = (Sandbox::start(&[]), tempdir().unwrap());
    let store = folder.path().join("größe 1% #2 'x'");
    let billstream = Billstream::on(&store).from(&sandbox);
    billstream.import(MONTH).ok().status("published");
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
    assert_eq!(
        sum(&billstream.line_items(MONTH), "cost/cost").to_string(),
        sandbox.totals(MONTH).net
    );
    assert_eq!(
        billstream
            .costs(MONTH)
            .iter()
            .map(net_of)
            .sum::<Exact>()
            .to_string(),
        sandbox.totals(MONTH).net
    );
    billstream.import(MONTH).ok().status("unchanged");
}
