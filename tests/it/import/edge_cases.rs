//! Edge cases of Confluent's records are kept.

use std::collections::{BTreeMap, BTreeSet};

use tempfile::tempdir;

use super::exact::{Month, month};
use crate::support::{Billstream, MONTH, Row, Sandbox, Sums};

/// Rows whose columns equal the given values.
fn matching<'r>(rows: &'r [Row], wanted: &[(&str, &str)]) -> Vec<&'r Row> {
    rows.iter()
        .filter(|row| wanted.iter().all(|(column, value)| row[*column] == *value))
        .collect()
}

#[test]
fn keeps_support_promo_credits_and_zero_rows() {
    // Rows without an environment and rows with amount 0 are easily dropped.
    let Month {
        costs,
        items,
        totals,
        ..
    } = month();
    let support = matching(costs, &[("line_type", "SUPPORT")]);
    assert!(support.len() > 31 && support.iter().all(|cost| cost["resource_id"].is_empty()));
    for product in [
        "SUPPORT_CLOUD_BASIC",
        "SUPPORT_CLOUD_PREMIER",
        "SUPPORT_PREMIER",
    ] {
        assert!(
            !matching(
                &support.iter().copied().cloned().collect::<Vec<_>>(),
                &[("product", product)]
            )
            .is_empty()
        );
    }
    let refund = matching(
        costs,
        &[("product", "KAFKA"), ("line_type", "PROMO_CREDIT")],
    );
    let refund = items
        .iter()
        .find(|item| item["lineitem/id"] == refund[0]["record_id"])
        .unwrap();
    assert_eq!(
        (
            refund["lineitem/type"].as_str(),
            refund["cost/cost"].as_str()
        ),
        ("Credit", "-11.25")
    );
    assert!(refund["lineitem/description"].starts_with("Refund for incident 2026-10-"));
    let reversal = matching(items, &[("lineitem/description", "Reversal of WELCOME26")]);
    assert_eq!(
        (
            reversal[0]["lineitem/type"].as_str(),
            reversal[0]["cost/cost"].as_str()
        ),
        ("Adjustment", "5")
    );
    let zero = matching(items, &[("cost/cost", "0"), ("cost/on_demand_cost", "0")]);
    let counted: u64 = totals
        .groups
        .values()
        .filter(|sums| {
            **sums
                == Sums {
                    costs: sums.costs,
                    ..Sums::default()
                }
        })
        .map(|sums| sums.costs)
        .sum();
    assert!(zero.len() as u64 >= counted && counted > 0);
    let tiny = matching(costs, &[("quantity", "0.0000341")]);
    assert!(!tiny.is_empty() && tiny.iter().all(|cost| cost["amount"] == "0"));
}

#[test]
fn keeps_equal_rows_and_tiers_under_separate_ids() {
    let Month { costs, .. } = month();
    let groups = |resource: &str| {
        let mut days: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
        for cost in matching(costs, &[("resource_id", resource)]) {
            days.entry(cost["start_date"].clone())
                .or_default()
                .push(cost);
        }
        days
    };
    for (resource, count) in [("lkc-tw1n5", 2), ("lkc-tr1p1", 3)] {
        let days = groups(resource);
        assert!(!days.is_empty());
        for rows in days.values() {
            let ids: BTreeSet<&String> = rows.iter().map(|row| &row["record_id"]).collect();
            let mut ordinals: Vec<&str> = rows.iter().map(|row| row["ordinal"].as_str()).collect();
            ordinals.sort_unstable();
            assert_eq!(ids.len(), count);
            assert_eq!(ordinals, &["0", "1", "2"][..count]);
        }
    }
    // Two tiers, although their records have one id.
    let tiers = matching(
        costs,
        &[("id", "tier-row-dup"), ("start_date", "2026-10-01")],
    );
    let tiers = if tiers.is_empty() {
        matching(costs, &[("id", "tier-row-dup")])
    } else {
        tiers
    };
    let amounts: BTreeSet<&str> = tiers.iter().map(|row| row["amount"].as_str()).collect();
    assert_eq!(Vec::from_iter(amounts), ["31", "5.2565"]);
    assert!(
        tiers
            .iter()
            .all(|row| row["tier_dimensions"].contains("S3_SINK"))
    );
    assert!(
        tiers
            .iter()
            .any(|row| row["quantity"] == "212.38461704552174")
    );
}

#[test]
fn missing_amounts_are_original_minus_discount() {
    let Month { costs, items, .. } = month();
    let legacy = matching(
        costs,
        &[("resource_id", "lkc-old77"), ("line_type", "KAFKA_BASE")],
    );
    assert!(!legacy.is_empty());
    for cost in legacy {
        assert_eq!(
            (cost["amount"].as_str(), cost["environment_id"].as_str()),
            ("", "env-0ld11")
        );
        let of_cost = |suffix: &str| {
            let id = format!("{}{suffix}", cost["record_id"]);
            matching(items, &[("lineitem/id", &id)])[0].clone()
        };
        let (usage, discount) = (of_cost(""), of_cost("-discount"));
        assert_eq!(
            (
                usage["cost/cost"].as_str(),
                usage["cost/discounted_cost"].as_str()
            ),
            ("36.241", "32.6169")
        );
        assert_eq!(discount["cost/cost"], "-3.6241");
        assert_eq!(usage["resource/account"], "env-0ld11");
    }
    let nulls = matching(
        costs,
        &[
            ("line_type", "USM_CONNECTED_NODE"),
            ("original_amount", "4.5"),
        ],
    );
    assert!(nulls.iter().all(|cost| cost["amount"].is_empty()) && !nulls.is_empty());
}

#[test]
fn exponents_and_long_doubles_keep_every_digit() {
    let costs = &month().costs;
    for (column, text) in [
        ("original_amount", "0.00000012345678901234567"),
        ("discount_amount", "0.00000001234567890123456"),
        ("amount", "0.00000011111111011111111"),
        ("amount", "0.0000001"),
        ("amount", "2.6019000000000001"),
        ("price", "0.00010958900000000001"),
        ("quantity", "0.0011265435997439987"),
        ("amount", "22.5"),
    ] {
        assert!(
            !matching(costs, &[(column, text)]).is_empty(),
            "no {column} is {text}"
        );
    }
}

#[test]
fn keeps_special_characters_and_unknown_fields() {
    let Month {
        costs, items, drop, ..
    } = month();
    let unknown = matching(costs, &[("product", "FUTURE_PRODUCT")]);
    assert!(!unknown.is_empty());
    for cost in unknown {
        assert_eq!(cost["resource_name"], "équipe \"A\", data\nlake");
        assert_eq!(
            (
                cost["granularity"].as_str(),
                cost["network_access_type"].as_str()
            ),
            ("HOURLY_ROLLUP", "QUANTUM_LINK")
        );
        let extra: serde_json::Value = serde_json::from_str(&cost["extra"]).unwrap();
        assert_eq!(extra["new_key"]["original_amount"], 999, "{extra}");
        assert_eq!(extra["new_key"]["text"], "}],{", "{extra}");
        assert_eq!(extra["another"], serde_json::json!([[], {}]), "{extra}");
        for items in [items, drop] {
            let item = matching(items, &[("lineitem/id", &cost["record_id"])])[0];
            for (column, value) in [
                ("resource/service", "Future Product"),
                ("resource/usage_family", "Future Line"),
                ("resource/id", "resource/xyz-1"),
                ("action/usage_type", "FUTURE_LINE"),
                ("action/operation", "QUANTUM_LINK"),
                ("usage/units", "Widget-Hour"),
            ] {
                assert_eq!(item[column], value, "{column}");
            }
        }
    }
    let escapes = matching(costs, &[("resource_id", "lcc-esc4p")]);
    assert!(!escapes.is_empty());
    for cost in escapes {
        assert_eq!(
            cost["resource_name"],
            "café, \"bar\"\nb\\c 🚀 ,original_amount:"
        );
        assert_eq!(cost["description"], "a/b\tc\\d \"e\" \u{2028}");
        let item = matching(drop, &[("lineitem/id", &cost["record_id"])])[0];
        assert_eq!(item["lineitem/description"], cost["description"]);
    }
}

#[test]
fn stores_every_documented_field() {
    let costs = &month().costs;
    for column in [
        "id",
        "price",
        "quantity",
        "unit",
        "description",
        "tier_dimensions",
        "network_access_type",
        "granularity",
        "resource_id",
        "resource_name",
        "environment_id",
        "end_date",
        "discount_amount",
    ] {
        assert!(
            costs.iter().any(|cost| !cost[column].is_empty()),
            "{column} is empty throughout"
        );
    }
    assert!(
        costs
            .iter()
            .all(|cost| cost["end_date"] > cost["start_date"])
    );
    let midnight = matching(
        costs,
        &[
            ("resource_id", "lksqlc-90qpz"),
            ("original_amount", "5.5656"),
        ],
    );
    assert!(!midnight.is_empty());
}

#[test]
fn counts_inconsistent_discounts_and_uses_the_net() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    billstream
        .import(MONTH)
        .ok()
        .says(&["discount", "the net amount counts"]);
    let odd = billstream.query(
        "select \"cost/cost\" as cost from line_items where \"lineitem/type\" = 'Discount' \
         and \"action/usage_type\" = 'KAFKA_REST_PRODUCE' and \"lineitem/id\" in \
         (select concat(record_id, '-discount') from costs where original_amount = 4.4444)",
    );
    assert!(
        !odd.is_empty() && odd.iter().all(|row| row["cost"] == "-0.4445"),
        "{odd:?}"
    );
}
