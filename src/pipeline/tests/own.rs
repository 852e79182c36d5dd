//! Line items of the user's own besides those of the costs.

use super::*;
use crate::cloudzero::cbf::OWN_ID;
use crate::decimal;
use crate::engine::sql_files::SqlFiles;
use crate::error::ErrorKind;
use crate::pipeline::verify::{ComparisonStatus, verify};

/// A tax of 19 % on the month, and a fee without most columns.
const MODEL: &str = r#"
select
  'tax' as "lineitem/id", 'Tax' as "lineitem/type", 'VAT' as "lineitem/description",
  cast(concat($billing_period, '-01') as timestamp) as "time/usage_start",
  times(sum("cost/cost"), amount('0.19')) as "cost/cost", 'finance' as "resource/service"
from line_items
union all
select 'fee', 'Fee', null, cast(concat($billing_period, '-02') as timestamp), amount(7), 'finance'
"#;

fn context(scenario: &Scenario, model: &str) -> RunContext {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("models")).unwrap();
    let file = folder.path().join("models/own_line_items.sql");
    std::fs::write(file, model).unwrap();
    RunContext {
        sql: Arc::new(SqlFiles::load(Some(folder.path())).unwrap()),
        ..scenario.at(NOW)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn own_line_items_are_delivered_and_shown_apart() {
    let sandbox = Sandbox::start(sandbox_on("2026-11-23")).await;
    let scenario = Scenario::new();
    let months = || named(&[MONTH]);
    let plain = run_import(scenario.at(NOW), &sandbox, options(months())).await;
    assert_eq!(statuses(&plain), [PeriodStatus::Published]);
    assert_eq!(plain.periods[0].own, None);

    // Another mapping of the same costs.
    let with_own = transform(context(&scenario, MODEL), months()).await;
    assert_eq!(statuses(&with_own), [PeriodStatus::Published]);
    let (before, after) = (&plain.periods[0], &with_own.periods[0]);
    let own = after.own.clone().unwrap();
    assert_eq!(own.line_items, 2);
    let units = |text: &str| decimal::parse(text).unwrap().units;
    let net = units(&before.net_amount);
    assert_eq!(after.net_amount, before.net_amount);
    let tax = (net * 19 + 50) / 100;
    assert_eq!(units(&own.cost), tax + units("7"));
    assert_eq!(after.line_items, before.line_items + 2);

    let rows = drop_rows(&scenario, period(MONTH)).await;
    assert_eq!(rows.len() as u64, after.line_items);
    let is_own = |row: &&BTreeMap<String, String>| row["lineitem/id"].starts_with(OWN_ID);
    let sum = |rows: &mut dyn Iterator<Item = &BTreeMap<String, String>>| -> i128 {
        rows.map(|row| units(&row["cost/cost"])).sum()
    };
    assert_eq!(sum(&mut rows.iter().filter(is_own)), units(&own.cost));
    assert_eq!(sum(&mut rows.iter().filter(|row| !is_own(row))), net);
    let fee = rows.iter().find(|row| row["lineitem/id"] == "own-fee");
    let fee = fee.unwrap();
    assert_eq!(
        (&*fee["lineitem/type"], &*fee["cost/discounted_cost"]),
        ("Fee", "7")
    );
    assert!(!fee["lineitem/cloud_provider"].is_empty());

    let run = Arc::new(context(&scenario, MODEL));
    let report = verify(&run, Some(&sandbox.client), &months())
        .await
        .unwrap();
    let month = &report.periods[0];
    assert_eq!(month.status, ComparisonStatus::Equal, "{:?}", month.notes);
    let said = month.notes.join("\n");
    assert!(said.contains("2 own line items cost"), "{said}");

    // An import that publishes them says so at once.
    let fresh = Scenario::new();
    let import = run_import(context(&fresh, MODEL), &sandbox, options(months())).await;
    assert_eq!(import.periods[0].own, after.own);

    // Without the model they are gone again.
    let without = transform(scenario.at(NOW), months()).await;
    assert_eq!(statuses(&without), [PeriodStatus::Published]);
    assert_eq!(without.periods[0].own, None);
    assert_eq!(without.periods[0].line_items, before.line_items);
}

#[tokio::test(flavor = "multi_thread")]
async fn own_line_items_are_checked() {
    let sandbox = Sandbox::start(sandbox_on("2026-11-23")).await;
    let scenario = Scenario::new();
    pull(scenario.at(NOW), &sandbox, named(&[MONTH])).await;
    let one = |id: &str, line_item_type: &str, day: &str| {
        format!(
            r#"select {id} as "lineitem/id", '{line_item_type}' as "lineitem/type",
            cast('{day}' as timestamp) as "time/usage_start", amount(1) as "cost/cost""#
        )
    };
    let day = "2026-10-01";
    let twice = one("'a'", "Tax", day);
    for (model, said) in [
        (one("'a'", "Usage", day), "own_line_items"),
        (one("'a'", "Refund", day), "required_columns"),
        (one("null", "Tax", day), "required_columns"),
        (one("'a'", "Tax", "2026-11-01"), "usage_start_on_hour"),
        (format!("{twice} union all {twice}"), "line_item_ids_unique"),
        (one("'a'", "Credit", day), "negative_types"),
        ("select 'a' as \"lineitem/id\"".to_string(), "no column"),
    ] {
        let summary = transform(context(&scenario, &model), named(&[MONTH])).await;
        let error = summary.errors.first().map(|(_, error)| error);
        let error = error.unwrap_or_else(|| panic!("published: {said}"));
        assert_eq!(error.kind(), ErrorKind::Data, "{said}: {error}");
        assert!(error.to_string().contains(said), "{said}: {error}");
    }
}
