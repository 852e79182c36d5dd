//! The synthetic costs: determinism, exact totals, restatements.

use super::*;
use std::collections::BTreeSet;

/// Hash of October's costs. Update it only if the data changes on purpose.
const OCTOBER_HASH: u64 = 3527089135549706175;

/// Finalizer of splitmix64.
fn mix(x: u64) -> u64 {
    let z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Asserts that `/sandbox/totals` equals the sum of the served costs; returns their number.
async fn assert_totals(server: &Server, first: NaiveDate) -> usize {
    let costs = all(server, &month_path(first)).await;
    let totals = ask_json(
        server,
        &format!("/sandbox/totals?month={}", first.format("%Y-%m")),
    )
    .await;
    let mut reported = Sums::new();
    for line in totals["by_day_product_line_type"].as_array().unwrap() {
        let product = line["product"].as_str().map(str::to_owned);
        let key = (text(line, "day"), product, text(line, "line_type"));
        let (original, net) = (text(line, "original_amount"), text(line, "net_amount"));
        let count = line["costs"].as_u64().unwrap();
        assert_eq!(
            reported.insert(key, (count, exact(&original), exact(&net))),
            None
        );
    }
    assert_eq!(sums_of(&costs), reported, "{first}");
    let total = |of: fn(&(u64, i128, i128)) -> i128| reported.values().map(of).sum::<i128>();
    assert_eq!(totals["costs"].as_u64().unwrap(), costs.len() as u64);
    assert_eq!(exact(&text(&totals, "original_amount")), total(|sum| sum.1));
    assert_eq!(exact(&text(&totals, "net_amount")), total(|sum| sum.2));
    assert_eq!(
        exact(&text(&totals, "discount_amount")),
        total(|sum| sum.1 - sum.2)
    );
    costs.len()
}

#[tokio::test]
async fn totals_equal_the_sum_of_the_served_text() {
    let server = Server::start(options()).await;
    for first in months() {
        let days = (first + Months::new(1) - first).num_days() as usize;
        assert_eq!(assert_totals(&server, first).await, days * 60);
    }
    // The current month, with incomplete and future days.
    assert_eq!(
        assert_totals(&server, day("2026-11-01")).await,
        21 * 60 + 42 + 12
    );
    let bulk = Options {
        costs_per_day: 1_500,
        seed: 9,
        revision: 2,
        ..options()
    };
    let bulk = Server::start(Options {
        drop_days: vec![day("2026-09-05")],
        ..bulk
    })
    .await;
    assert_eq!(assert_totals(&bulk, day("2026-09-01")).await, 29 * 1_500);
}

#[tokio::test]
async fn costs_depend_on_the_seed_and_not_on_today() {
    let october = all(&Server::start(options()).await, OCTOBER).await;
    let later = Options {
        today: day("2027-02-01"),
        ..options()
    };
    assert_eq!(all(&Server::start(later).await, OCTOBER).await, october);
    let other = Options {
        seed: 2,
        ..options()
    };
    assert_ne!(all(&Server::start(other).await, OCTOBER).await, october);
    let hash = october
        .iter()
        .flat_map(|cost| cost.bytes())
        .fold(0u64, |hash, byte| mix(hash ^ u64::from(byte)));
    assert_eq!(hash, OCTOBER_HASH);
}

#[tokio::test]
async fn bulk_costs_are_mostly_distinct() {
    let server = Server::start(Options {
        costs_per_day: 2_000,
        ..options()
    })
    .await;
    let costs = all(
        &server,
        "/billing/v1/costs?start_date=2026-10-05&end_date=2026-10-06",
    )
    .await;
    let distinct: BTreeSet<&String> = costs.iter().collect();
    assert!(distinct.len() > 1_990, "{}", distinct.len());
    let discounted = costs
        .iter()
        .filter(|cost| !cost.contains(r#""discount_amount":0,"#))
        .count();
    assert!((800..1_200).contains(&discounted), "{discounted}");
    let bytes: usize = costs.iter().map(String::len).sum();
    assert!(
        (400..500).contains(&(bytes / costs.len())),
        "{}",
        bytes / costs.len()
    );
    let mut resources = BTreeSet::new();
    for cost in &costs {
        let cost: Value = serde_json::from_str(cost).unwrap();
        resources.insert(
            cost["resource"]["id"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        );
    }
    assert!(resources.len() > 600, "{}", resources.len());
    // No number has more digits than a double.
    for cost in &costs {
        for number in cost
            .split([':', ','])
            .filter(|part| part.parse::<f64>().is_ok())
        {
            let digits = number
                .split(['e', 'E'])
                .next()
                .unwrap()
                .replace(['.', '-'], "");
            assert!(digits.trim_start_matches('0').len() <= 17, "{number}");
        }
    }
}

#[tokio::test]
async fn days_have_at_least_56_costs() {
    let server = Server::start(Options {
        costs_per_day: 1,
        ..options()
    })
    .await;
    assert_eq!(all(&server, OCTOBER).await.len(), 31 * 56);
}

#[tokio::test]
async fn a_small_cache_does_not_change_the_costs() {
    let small = Server::start(Options {
        cache_bytes: 1,
        ..options()
    })
    .await;
    assert_eq!(
        all(&small, OCTOBER).await,
        all(&Server::start(options()).await, OCTOBER).await
    );
}

#[tokio::test]
async fn revisions_restate_earlier_months_only() {
    let before = Server::start(options()).await;
    let after = Server::start(Options {
        revision: 1,
        ..options()
    })
    .await;
    for first in months().chain([day("2026-11-01")]) {
        let old = sums_of(&all(&before, &month_path(first)).await);
        let new = sums_of(&all(&after, &month_path(first)).await);
        let changed = old
            .iter()
            .filter(|(key, sum)| new.get(key) != Some(sum))
            .count();
        assert_eq!(old.len(), new.len());
        assert_eq!(changed > 0, first < day("2026-11-01"), "{first}");
        assert!(changed < 10, "{first}: {changed}");
    }
}

#[tokio::test]
async fn reorders_costs_and_drops_days() {
    let plain = all(&Server::start(options()).await, OCTOBER).await;
    let reordered = Server::start(Options {
        reorder: true,
        ..options()
    })
    .await;
    let mut other = all(&reordered, OCTOBER).await;
    assert_ne!(plain, other);
    let mut sorted = plain.clone();
    sorted.sort();
    other.sort();
    assert_eq!(sorted, other);
    let dropped = Server::start(Options {
        drop_days: vec![day("2026-10-07")],
        ..options()
    })
    .await;
    let dropped = all(&dropped, OCTOBER).await;
    assert_eq!(dropped.len(), plain.len() - 60);
    assert!(sums_of(&dropped).keys().all(|key| key.0 != "2026-10-07"));
}

/// Net CKU costs of the orders cluster in a month.
async fn orders_ckus(server: &Server, first: NaiveDate) -> i128 {
    let mut costs = all(server, &month_path(first)).await;
    costs.retain(|cost| cost.contains("\"KAFKA_NUM_CKUS\"") && cost.contains("\"orders-prod\""));
    sums_of(&costs).values().map(|sum| sum.2).sum()
}

#[tokio::test]
async fn the_orders_cluster_costs_more_in_october() {
    let server = Server::start(options()).await;
    let september = orders_ckus(&server, day("2026-09-01")).await;
    let october = orders_ckus(&server, day("2026-10-01")).await;
    assert!(october > september * 11 / 10, "{september} {october}");
}
