//! Each cost maps to the right line items, to the last digit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use tempfile::tempdir;

use super::published_month;
use crate::support::{
    Billstream, CONNECTION, Exact, MONTH, Row, Sandbox, Totals, drop_in_force, net_of, sum,
};

/// A published month: costs, line items, rows of the drop, and the expected totals.
pub struct Month {
    pub costs: Vec<Row>,
    pub items: Vec<Row>,
    pub drop: Vec<Row>,
    pub totals: Totals,
}

pub fn month() -> &'static Month {
    static ONCE: OnceLock<Month> = OnceLock::new();
    ONCE.get_or_init(|| {
        let (store, totals) = published_month();
        let billstream = Billstream::on(store.path());
        Month {
            costs: billstream.costs(MONTH),
            items: billstream.line_items(MONTH),
            drop: drop_in_force(store.path(), CONNECTION, MONTH),
            totals,
        }
    })
}

/// Expected line items of a cost: type, cost, discounted cost and on-demand cost. Derived from the design,
/// not from the SQL.
fn expected_items(cost: &Row) -> Vec<(&'static str, Exact, Exact, Exact)> {
    let (original, net, none) = (
        Exact::of(&cost["original_amount"]),
        net_of(cost),
        Exact::default(),
    );
    let support = ["line_type", "product"]
        .iter()
        .any(|key| cost[*key].starts_with("SUPPORT"));
    if cost["line_type"] == "PROMO_CREDIT" {
        return if net < none {
            vec![("Credit", net, net, none)]
        } else {
            vec![("Adjustment", net, net, original)]
        };
    }
    match (support, original < none, original > net) {
        (true, _, _) => vec![("Support", net, net, original)],
        (_, true, _) => vec![("Adjustment", net, net, original)],
        (_, _, true) => {
            vec![
                ("Usage", original, net, original),
                ("Discount", net - original, none, none),
            ]
        }
        _ => vec![("Usage", net, net, original)],
    }
}

#[test]
fn maps_each_cost_to_the_designed_line_items() {
    let month = month();
    for items in [&month.items, &month.drop] {
        let by_id: BTreeMap<&str, &Row> = items
            .iter()
            .map(|item| (item["lineitem/id"].as_str(), item))
            .collect();
        let mut seen = 0;
        for cost in &month.costs {
            let id = cost["record_id"].as_str();
            for (kind, amount, discounted, on_demand) in expected_items(cost) {
                let id = if kind == "Discount" {
                    format!("{id}-discount")
                } else {
                    id.to_string()
                };
                let item = by_id[id.as_str()];
                assert_eq!(item["lineitem/type"], kind, "{cost:?}");
                let found = ["cost/cost", "cost/discounted_cost", "cost/on_demand_cost"]
                    .map(|column| item[column].clone());
                assert_eq!(
                    found,
                    [amount, discounted, on_demand].map(|n| n.to_string()),
                    "{cost:?}"
                );
                seen += 1;
            }
        }
        assert_eq!(seen, items.len(), "there are no other line items");
    }
    let kinds: BTreeSet<&str> = month
        .items
        .iter()
        .map(|item| item["lineitem/type"].as_str())
        .collect();
    assert_eq!(
        Vec::from_iter(kinds),
        ["Adjustment", "Credit", "Discount", "Support", "Usage"]
    );
}

#[test]
fn cost_and_discounted_cost_sum_to_the_net() {
    let Month {
        costs,
        items,
        drop,
        totals,
    } = month();
    for items in [items, drop] {
        assert_eq!(sum(items, "cost/cost").to_string(), totals.net);
        assert_eq!(sum(items, "cost/discounted_cost").to_string(), totals.net);
        let credits: Exact = costs
            .iter()
            .filter(|cost| cost["line_type"] == "PROMO_CREDIT" && net_of(cost) < Exact::default())
            .map(|cost| Exact::of(&cost["original_amount"]))
            .sum();
        let expected = Exact::of(&totals.original) - credits;
        assert_eq!(sum(items, "cost/on_demand_cost"), expected);
        let discounts = items
            .iter()
            .filter(|item| item["lineitem/type"] == "Discount");
        assert!(discounts.clone().count() > 500);
        assert!(
            discounts
                .into_iter()
                .all(|item| item["cost/cost"].starts_with('-'))
        );
    }
}

#[test]
fn drop_has_plain_numbers() {
    let plain = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "1"));
        let tidy = !whole.is_empty()
            && (whole == "0" || !whole.starts_with('0'))
            && !fraction.ends_with('0');
        tidy && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') && text != "-0"
    };
    for item in &month().drop {
        for column in ["cost/cost", "cost/discounted_cost", "cost/on_demand_cost"] {
            assert!(plain(&item[column]), "{column} is `{}`", item[column]);
        }
        assert!(
            item["usage/amount"].is_empty() || plain(&item["usage/amount"]),
            "{item:?}"
        );
    }
}

#[test]
fn discount_rows_repeat_their_usage_row_except_the_usage() {
    let items = &month().items;
    let by_id: BTreeMap<&str, &Row> = items
        .iter()
        .map(|item| (item["lineitem/id"].as_str(), item))
        .collect();
    let mut discounts = 0;
    for (id, discount) in &by_id {
        let Some(usage) = id.strip_suffix("-discount") else {
            continue;
        };
        discounts += 1;
        let usage = by_id[usage];
        for (column, value) in *discount {
            match column.as_str() {
                "usage/amount" | "usage/units" => assert_eq!(value, ""),
                name if name.starts_with("cost/") || name.starts_with("lineitem/id") => {}
                "lineitem/type" => assert_eq!(
                    (value.as_str(), usage[column].as_str()),
                    ("Discount", "Usage")
                ),
                _ => assert_eq!(value, &usage[column], "{column}"),
            }
        }
    }
    assert!(discounts > 500);
}

#[test]
fn other_seeds_sizes_and_months_are_exact() {
    for (options, month) in [
        (&["--seed", "7"][..], "2026-02"),
        (&["--seed", "99", "--costs-per-day", "91"], "2026-09"),
        (&["--today", "2028-03-05"], "2028-02"),
    ] {
        let (sandbox, store) = (Sandbox::start(options), tempdir().unwrap());
        let now = if month.starts_with("2028") {
            "2028-03-05T12:00:00Z"
        } else {
            crate::support::NOW
        };
        let billstream = Billstream::on(store.path()).from(&sandbox).at(now);
        billstream.import(month).ok().status("published");
        billstream.assert_month_is(month, &sandbox.totals(month));
    }
}
