//! `report owners` agrees with line items to the last digit.

use std::collections::BTreeMap;

use super::{RULES, Tagged, one_value};
use crate::support::{Billstream, Exact, MONTH, Row, Sandbox, csv_rows, sum};

/// Item of the credits and adjustments, which have no share.
const CREDITS: &str = "(credits and adjustments)";

fn report(billstream: &Billstream, parameters: &[&str]) -> Vec<Row> {
    let mut arguments = vec![
        "report",
        "owners",
        "--format",
        "csv",
        "--param",
        "limit=100000",
    ];
    for parameter in parameters {
        arguments.extend(["--param", parameter]);
    }
    csv_rows(billstream.run(&arguments).ok().stdout.as_bytes())
}

/// Percentage in hundredths, rounded half away from zero.
fn percent(part: i128, whole: i128) -> i128 {
    let scaled = part.abs() * 10_000;
    let rounded = (scaled + whole / 2) / whole;
    if part < 0 { -rounded } else { rounded }
}

fn hundredths(text: &str) -> i128 {
    Exact::of(text).0 / 10i128.pow(22)
}

#[test]
fn shares_agree_with_line_items_exactly() {
    for month in [MONTH, "2026-11"] {
        let (sandbox, tagged) = (Sandbox::start(&["--seed", "7"]), Tagged::new(RULES));
        let billstream = tagged.billstream().from(&sandbox);
        billstream.import(month).ok();
        let items = billstream.line_items(month);
        let teams = one_value(&items, "team");
        let mut owned: BTreeMap<&str, Exact> = BTreeMap::new();
        let mut lacking: BTreeMap<String, Exact> = BTreeMap::new();
        for row in &items {
            let id = row["resource/id"].as_str();
            let cost = Exact::of(&row["cost/cost"]);
            if ["Credit", "Adjustment"].contains(&row["lineitem/type"].as_str()) {
                *lacking.entry(CREDITS.to_string()).or_default() += cost;
                continue;
            }
            match teams[id] {
                "" if id.is_empty() => {
                    let item = format!("(no resource) {} of confluent", row["resource/service"]);
                    *lacking.entry(item).or_default() += cost;
                }
                "" => *lacking.entry(id.to_string()).or_default() += cost,
                team => *owned.entry(team).or_default() += cost,
            }
        }
        let total = sum(&items, "cost/cost");
        let all_owned: Exact = owned.values().copied().sum();
        let charges = total - lacking.get(CREDITS).copied().unwrap_or_default();

        let rows = report(&billstream, &[&format!("month={month}"), "key=team"]);
        let (with, without): (Vec<&Row>, Vec<&Row>) =
            rows.iter().partition(|row| !row["owner"].is_empty());
        let by = |rows: &[&Row], column: &str| -> BTreeMap<String, Exact> {
            let of = |row: &&Row| (row[column].clone(), Exact::of(&row["billed_cost"]));
            rows.iter().map(of).collect()
        };
        let expected: BTreeMap<String, Exact> =
            owned.iter().map(|(k, v)| (k.to_string(), *v)).collect();
        assert_eq!(by(&with, "owner"), expected);
        assert_eq!(by(&without, "item"), lacking);
        assert_eq!(sum(&rows, "billed_cost"), total);
        assert_eq!(rows.len(), owned.len() + lacking.len());
        for row in &rows {
            let wanted = percent(all_owned.0 / 1_000_000, charges.0 / 1_000_000);
            assert!(
                (hundredths(&row["owned_percent"]) - wanted).abs() <= 1,
                "{row:?}: {wanted}"
            );
            if row["item"] == CREDITS {
                assert_eq!(row["percent"], "", "credits have no share");
                continue;
            }
            // A product of a quotient: the last place may round the other way.
            let found = hundredths(&row["percent"]);
            let wanted = percent(
                Exact::of(&row["billed_cost"]).0 / 1_000_000,
                charges.0 / 1_000_000,
            );
            assert!((found - wanted).abs() <= 1, "{row:?}: {wanted}");
            assert!((0..=10_000).contains(&found), "{row:?}");
        }
        // Each rounded share is at most half a hundredth off.
        let shares = rows.iter().filter(|row| row["item"] != CREDITS);
        let shares: i128 = shares.map(|row| hundredths(&row["percent"])).sum();
        assert!(
            (shares - 10_000).abs() <= rows.len() as i128 / 2 + 1,
            "{shares}"
        );
        let owners: Vec<bool> = rows.iter().map(|row| row["owner"].is_empty()).collect();
        assert!(owners.is_sorted(), "owners come first");
    }
}

#[test]
fn reports_months_with_all_or_no_resources_owned() {
    let sandbox = Sandbox::start(&[]);
    let tagged = Tagged::new("resource,team\n*,all\n");
    let billstream = tagged.billstream().from(&sandbox);
    billstream.import(MONTH).ok();
    let rows = report(&billstream, &[]);
    let owned: Vec<&Row> = rows.iter().filter(|row| !row["owner"].is_empty()).collect();
    assert_eq!(owned.len(), 1);
    assert!(
        rows.iter()
            .all(|row| row["owner"] == "all" || row["item"].starts_with('('))
    );
    let rows = report(&billstream, &["key=nobody-has-it"]);
    assert!(
        rows.iter()
            .all(|row| row["owner"].is_empty() && hundredths(&row["owned_percent"]) == 0)
    );
    assert_eq!(
        sum(&rows, "billed_cost").to_string(),
        sandbox.totals(MONTH).net
    );
}

#[test]
fn the_latest_owner_applies_to_all_months() {
    let tagged = Tagged::new("resource,team\nlkc-7aa01x,first\n");
    let sandbox = Sandbox::start(&[]);
    let billstream = tagged.billstream().from(&sandbox);
    billstream.import("2026-09").ok();
    tagged.write("resource,team\nlkc-7aa01x,second\n");
    billstream.import(MONTH).ok();
    for month in ["2026-09", MONTH] {
        let rows = report(&billstream, &[&format!("month={month}")]);
        let owners: Vec<&str> = rows
            .iter()
            .map(|row| row["owner"].as_str())
            .filter(|o| !o.is_empty())
            .collect();
        assert_eq!(owners, ["second"], "{month}");
        assert_eq!(
            sum(&rows, "billed_cost").to_string(),
            sandbox.totals(month).net
        );
    }
}

#[test]
fn costs_without_a_resource_stay_with_their_connection() {
    let store = tempfile::tempdir().unwrap();
    for (name, seed) in [("acme", "1"), ("globex", "2")] {
        let sandbox = Sandbox::start(&["--seed", seed]);
        let billstream = Billstream::on(store.path()).from(&sandbox);
        let billstream = billstream.env("BILLSTREAM_CONNECTION", name);
        billstream.import(MONTH).ok();
    }
    let rows = report(&Billstream::on(store.path()), &[&format!("month={MONTH}")]);
    let support = rows.iter().filter_map(|row| {
        let connection = row["item"].strip_prefix("(no resource) Support of ")?;
        assert_eq!(row["environment"], "", "it is the organization's");
        Some(connection)
    });
    let mut connections: Vec<&str> = support.collect();
    connections.sort_unstable();
    assert_eq!(connections, ["acme", "globex"]);
}
