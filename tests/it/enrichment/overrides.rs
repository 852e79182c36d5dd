//! Overridden SQL: a mapping that does not join attributes, and other models of attributes.

use std::path::Path;

use tempfile::{TempDir, tempdir};

use super::{TAGS, enriched, resource_of, tag};
use crate::support::{
    Billstream, CONNECTION, MONTH, Sandbox, drop_in_force, orphans, published_files,
};

const MODEL: &str = include_str!("../../../sql/models/line_items.sql");
const ATTRIBUTES: &str = include_str!("../../../sql/models/resource_facts.sql");

/// A folder of SQL with one model.
fn folder(name: &str, sql: &str) -> TempDir {
    let folder = tempdir().unwrap();
    std::fs::create_dir(folder.path().join("models")).unwrap();
    std::fs::write(folder.path().join("models").join(name), sql).unwrap();
    folder
}

fn with_sql(billstream: Billstream, folder: &Path) -> Billstream {
    billstream.env("BILLSTREAM_SQL_DIR", folder.to_str().unwrap())
}

#[test]
fn a_mapping_without_attributes_is_not_published_again_by_them() {
    let joined = MODEL.split_once("\nselect\n  mapped.*").unwrap().0;
    let sql = format!(
        "{joined}\nselect * exclude (cost_resource_id, cost_environment_id, tier_region), tier_region as \"resource/region\" from mapped"
    );
    let (sql, store) = (folder("line_items.sql", &sql), tempdir().unwrap());
    let run = |sandbox: &Sandbox, now: &str| {
        let billstream = enriched(Billstream::on(store.path()).from(sandbox)).at(now);
        let output = with_sql(billstream, sql.path()).import(MONTH).ok();
        output.period()["status"].as_str().unwrap().to_string()
    };
    let sandbox = Sandbox::start(&["--today", "2026-11-10"]);
    assert_eq!(run(&sandbox, "2026-11-10T06:00:00Z"), "published");
    let billstream = Billstream::on(store.path());
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
    let items = billstream.line_items(MONTH);
    assert!(
        items
            .iter()
            .all(|row| row.keys().all(|c| !c.starts_with("resource/tag:")))
    );

    let before = published_files(store.path());
    let renamed = Sandbox::start(&["--today", "2026-11-10", "--rename-resource", "lkc-7aa01x=x"]);
    assert_eq!(run(&renamed, "2026-11-11T06:00:00Z"), "unchanged");
    let mut after = published_files(store.path());
    after.retain(|name, _| !name.starts_with("resources/"));
    assert!(
        after
            .iter()
            .all(|(name, bytes)| before.get(name) == Some(bytes))
    );

    // The shipped mapping joins the attributes.
    let shipped = enriched(billstream.from(&renamed)).at("2026-11-11T07:00:00Z");
    shipped.import(MONTH).ok().status("published");
    let items = shipped.line_items(MONTH);
    assert!(items.iter().any(|row| tag(row, "confluent_name") == "x"));
}

#[test]
fn an_overridden_attributes_model_needs_no_inventory_or_tags() {
    let sql = "select distinct resource_id, 'resource/tag:team' as column_name,\n\
               case when resource_id like 'lkc%' then 'streams' else $connection end as value\n\
               from costs where resource_id <> ''";
    let (sandbox, store, sql) = (
        Sandbox::start(&[]),
        tempdir().unwrap(),
        folder("resource_facts.sql", sql),
    );
    let billstream = with_sql(Billstream::on(store.path()).from(&sandbox), sql.path())
        .at("2026-11-10T06:00:00Z");
    billstream.import(MONTH).ok().status("published");
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
    for rows in [
        billstream.line_items(MONTH),
        drop_in_force(store.path(), CONNECTION, MONTH),
    ] {
        for row in &rows {
            let expected = match resource_of(row) {
                "" => "",
                id if id.starts_with("lkc") => "streams",
                _ => CONNECTION,
            };
            assert_eq!(tag(row, "team"), expected, "{}", row["resource/id"]);
            assert!(TAGS.iter().all(|key| tag(row, key).is_empty()));
        }
    }
    billstream.import(MONTH).ok().status("unchanged");
}

#[test]
fn an_overridden_attributes_model_can_extend_the_shipped_one() {
    let sql = format!(
        "{ATTRIBUTES}union all\nselect resource_id, 'resource/tag:package' as column_name, package as value\n\
         from resources where valid_until is null and package <> ''"
    );
    let (sandbox, store, sql) = (
        Sandbox::start(&[]),
        tempdir().unwrap(),
        folder("resource_facts.sql", &sql),
    );
    let billstream = with_sql(
        enriched(Billstream::on(store.path()).from(&sandbox)),
        sql.path(),
    )
    .at("2026-11-10T06:00:00Z");
    billstream.import(MONTH).ok().status("published");
    let items = billstream.line_items(MONTH);
    let registry = items.iter().filter(|row| resource_of(row) == "lsrc-9x2k1");
    assert!(registry.clone().count() > 0);
    for row in registry {
        assert_eq!(
            (tag(row, "package"), tag(row, "confluent_name")),
            ("ADVANCED", "schémas")
        );
    }
    billstream.import(MONTH).ok().status("unchanged");
}

#[test]
fn invalid_attributes_fail_the_import_and_publish_nothing() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let select = |column: &str, value: &str| {
        format!(
            "select resource_id, '{column}' as column_name, {value} as value from costs where resource_id <> ''"
        )
    };
    let cases = [
        (
            select("resource/tag:team", "cast(start_date as varchar)"),
            "two values of resource/tag:team",
        ),
        (
            select("cost/cost", "'1'"),
            "`cost/cost` is neither resource/region nor a tag",
        ),
        (
            select("resource/tag:", "'x'"),
            "neither resource/region nor a tag",
        ),
        (
            select("resource/tag:team", "'x'").replace("value", "team"),
            "the column value is missing",
        ),
        ("select\n  nonsense from costs".to_string(), "line 2"),
        ("select from from costs".to_string(), "resource_facts.sql"),
        (
            "create table x as select 1".to_string(),
            "resource_facts.sql",
        ),
        (
            select(
                "resource/tag:team",
                "cast(cast(resource_id as int) as varchar)",
            ),
            "resource_facts.sql",
        ),
    ];
    for (sql, words) in cases {
        let sql = folder("resource_facts.sql", &sql);
        let billstream = with_sql(Billstream::on(store.path()).from(&sandbox), sql.path());
        let output = billstream.import(MONTH).code(1);
        output.status("failed");
        output.says(&["resource_facts.sql", words]);
        assert!(published_files(store.path()).is_empty(), "{words}");
        assert_eq!(orphans(store.path()), Vec::<String>::new());
    }
    // A published month stays unchanged.
    let billstream = Billstream::on(store.path()).from(&sandbox);
    billstream.import(MONTH).ok().status("published");
    let before = published_files(store.path());
    let sql = folder(
        "resource_facts.sql",
        &select("resource/tag:team", "cast(start_date as varchar)"),
    );
    for command in ["import", "transform"] {
        let broken = with_sql(Billstream::on(store.path()).from(&sandbox), sql.path());
        broken
            .run(&[command, "--month", MONTH])
            .code(1)
            .says(&["two values"]);
        assert!(published_files(store.path()) == before);
    }
}

#[test]
fn refuses_attribute_tags_that_differ_in_case_from_published_ones() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let sql = |key: &str| {
        let sql = format!(
            "select distinct resource_id, 'resource/tag:{key}' as column_name, 'x' as value from costs where resource_id <> ''"
        );
        folder("resource_facts.sql", &sql)
    };
    let run = |folder: &TempDir| {
        let billstream = with_sql(Billstream::on(store.path()).from(&sandbox), folder.path());
        // The month is not settled.
        billstream.at("2026-11-10T06:00:00Z").import(MONTH)
    };
    run(&sql("team")).ok().status("published");
    let before = published_files(store.path());
    run(&sql("TEAM"))
        .code(1)
        .says(&["resource/tag:TEAM", "resource/tag:team", "differ in case"]);
    run(&sql("confluent_Cloud"))
        .code(1)
        .says(&["differ in case"]);
    assert!(published_files(store.path()) == before);
}
