//! History of resources: a new row for each change, an end for each deletion.

use tempfile::tempdir;

use super::{enriched, resource_of, tag};
use crate::support::{Billstream, Row, Sandbox, published_files};

const OPEN: &str = "2026-11";
const FIRST: &str = "2026-11-10T06:00:00Z";
const SECOND: &str = "2026-11-11T06:00:00Z";
const THIRD: &str = "2026-11-12T06:00:00Z";

fn sandbox(options: &[&str]) -> Sandbox {
    let all: Vec<&str> = ["--today", "2026-11-10"]
        .iter()
        .chain(options)
        .copied()
        .collect();
    Sandbox::start(&all)
}

/// Name, cluster, start and end of the rows of a resource, oldest first.
fn rows_of(billstream: &Billstream, id: &str) -> Vec<(String, String, String, String)> {
    let rows = billstream.query(&format!(
        "select name, kafka_cluster_id, valid_from, valid_until from resources where resource_id = '{id}' order by 3"
    ));
    let text = |row: &Row, column: &str| row[column].clone();
    rows.iter()
        .map(|row| {
            let [name, cluster] = ["name", "kafka_cluster_id"].map(|c| text(row, c));
            (
                name,
                cluster,
                text(row, "valid_from"),
                text(row, "valid_until"),
            )
        })
        .collect()
}

fn row(name: &str, from: &str, until: &str) -> (String, String, String, String) {
    (name.into(), String::new(), from.into(), until.into())
}

/// Values of a column of the line items of a resource.
fn values<'r>(items: &'r [Row], id: &str, column: &str) -> Vec<&'r str> {
    let of = items.iter().filter(|row| resource_of(row) == id);
    let mut values: Vec<&str> = of.map(|row| row[column].as_str()).collect();
    values.sort_unstable();
    values.dedup();
    values
}

#[test]
fn renamed_and_deleted_resources_have_a_history_and_keep_their_last_attributes() {
    let store = tempdir().unwrap();
    let run = |sandbox: &Sandbox, now: &str| {
        let billstream = enriched(Billstream::on(store.path()).from(sandbox)).at(now);
        let output = billstream.import(OPEN).ok();
        billstream.assert_month_is(OPEN, &sandbox.totals(OPEN));
        output.period()["status"].as_str().unwrap().to_string()
    };
    let first = sandbox(&[]);
    assert_eq!(run(&first, FIRST), "published");
    let second = sandbox(&[
        "--gone-resource",
        "lkc-7aa01x",
        "--gone-resource",
        "lfcp-m31k0",
        "--rename-resource",
        "lkc-pay3nt=payments, new",
        "--rename-resource",
        "env-an9ly=insights",
    ]);
    assert_eq!(
        run(&second, SECOND),
        "published",
        "attributes changed, costs did not"
    );

    let billstream = Billstream::on(store.path());
    assert_eq!(
        rows_of(&billstream, "lkc-7aa01x"),
        [row("orders-prod", FIRST, SECOND)]
    );
    assert_eq!(
        rows_of(&billstream, "lfcp-m31k0"),
        [row("stream-etl", FIRST, SECOND)]
    );
    assert_eq!(
        rows_of(&billstream, "lkc-pay3nt"),
        [
            row("payments-prod", FIRST, SECOND),
            row("payments, new", SECOND, "")
        ]
    );
    assert_eq!(
        rows_of(&billstream, "env-an9ly"),
        [
            row("analytics, shared", FIRST, SECOND),
            row("insights", SECOND, "")
        ]
    );
    assert_eq!(
        rows_of(&billstream, "lsrc-9x2k1"),
        [row("schémas", FIRST, "")]
    );

    // Deleted resources keep their attributes; a new name applies to all days.
    let items = billstream.line_items(OPEN);
    for (id, column, value) in [
        ("lkc-7aa01x", "resource/region", "eu-west-1"),
        ("lkc-7aa01x", "resource/tag:confluent_name", "orders-prod"),
        ("lkc-7aa01x", "resource/tag:confluent_cloud", "AWS"),
        (
            "lkc-7aa01x",
            "resource/tag:confluent_cluster_kind",
            "Dedicated",
        ),
        (
            "lkc-7aa01x",
            "resource/tag:confluent_environment",
            "production",
        ),
        ("lfcp-m31k0", "resource/tag:confluent_name", "stream-etl"),
        (
            "lfcp-m31k0",
            "resource/tag:confluent_environment",
            "insights",
        ),
        (
            "lfcp-m31k0",
            "resource/tag:confluent_environment_id",
            "env-an9ly",
        ),
        ("lkc-pay3nt", "resource/tag:confluent_name", "payments, new"),
        (
            "lkc-l1nk0a",
            "resource/tag:confluent_environment",
            "insights",
        ),
    ] {
        assert_eq!(values(&items, id, column), [value], "{column} of {id}");
    }
    let days = items.iter().filter(|r| resource_of(r) == "lkc-pay3nt");
    let days: std::collections::BTreeSet<&String> = days.map(|r| &r["time/usage_start"]).collect();
    assert!(days.len() > 5);

    // A repeated run changes nothing, also a day later.
    let before = published_files(store.path());
    assert_eq!(run(&second, "2026-11-11T07:00:00Z"), "unchanged");
    assert_eq!(run(&second, THIRD), "unchanged");
    assert!(published_files(store.path()) == before);

    // A resource that reappears gets a new row.
    assert_eq!(run(&first, "2026-11-13T06:00:00Z"), "published");
    assert_eq!(
        rows_of(&billstream, "lkc-7aa01x"),
        [
            row("orders-prod", FIRST, SECOND),
            row("orders-prod", "2026-11-13T06:00:00Z", "")
        ]
    );
}

#[test]
fn a_connector_that_moves_to_another_cluster_gets_a_new_row() {
    let store = tempdir().unwrap();
    let run = |sandbox: &Sandbox, now: &str| {
        enriched(Billstream::on(store.path()).from(sandbox))
            .at(now)
            .import(OPEN)
            .ok();
    };
    run(&sandbox(&[]), FIRST);
    let billstream = Billstream::on(store.path());
    let cluster = rows_of(&billstream, "lcc-5tt8w")[0].1.clone();
    assert!(cluster.starts_with("lkc-"), "{cluster}");
    run(&sandbox(&["--gone-resource", &cluster]), SECOND);
    let rows = rows_of(&billstream, "lcc-5tt8w");
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!((&rows[0].1, rows[0].3.as_str()), (&cluster, SECOND));
    assert!(rows[1].1 != cluster && rows[1].3.is_empty(), "{rows:?}");
}

#[test]
fn a_deleted_environment_closes_its_resources_and_attributes_stay() {
    let store = tempdir().unwrap();
    let run = |sandbox: &Sandbox, now: &str| {
        let billstream = enriched(Billstream::on(store.path()).from(sandbox)).at(now);
        billstream.import(OPEN).ok().period()["status"]
            .as_str()
            .unwrap()
            .to_string()
    };
    run(&sandbox(&[]), FIRST);
    let billstream = Billstream::on(store.path());
    let open = "select count(*) as n from resources where valid_until is null \
                and (environment_id = 'env-k2m9d' or resource_id = 'env-k2m9d')";
    assert_ne!(billstream.query(open)[0]["n"], "0");
    assert_eq!(
        run(&sandbox(&["--gone-resource", "env-k2m9d"]), SECOND),
        "unchanged"
    );
    assert_eq!(billstream.query(open)[0]["n"], "0");
    let items = billstream.line_items(OPEN);
    assert_eq!(
        values(&items, "lsrc-9x2k1", "resource/tag:confluent_environment"),
        ["production"]
    );
    assert_eq!(
        values(&items, "lcc-5tt8w", "resource/region"),
        ["eu-west-1"]
    );
}

#[test]
fn a_run_without_an_inventory_keeps_the_stored_attributes() {
    let (store, sandbox) = (tempdir().unwrap(), sandbox(&[]));
    let billstream = Billstream::on(store.path()).from(&sandbox).at(FIRST);
    enriched(Billstream::on(store.path()).from(&sandbox))
        .at(FIRST)
        .import(OPEN)
        .ok();
    let before = published_files(store.path());
    billstream.import(OPEN).ok().status("unchanged");
    assert!(published_files(store.path()) == before);
    let items = billstream.line_items(OPEN);
    assert!(
        items
            .iter()
            .any(|row| tag(row, "confluent_name") == "orders-prod")
    );
}
