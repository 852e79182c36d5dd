//! The data: coverage, determinism, exact totals, restatements.

use super::*;
use crate::sandbox::data::catalog::LINES;
use crate::sandbox::data::edge_cases::{self, ODDITIES};
use crate::sandbox::data::{history, random};
use std::collections::BTreeSet;

/// Changes with the data: set it anew only when they are changed on purpose.
const OCTOBER_HASH: u64 = 3527089135549706175;

async fn assert_totals(app: &App, first: NaiveDate) -> usize {
    let costs = all(app, &month_path(first)).await;
    let totals = ask_json(
        app,
        &format!("/sandbox/totals?month={}", first.format("%Y-%m")),
    )
    .await;
    let mut stated = Sums::new();
    for line in totals["by_day_product_line_type"].as_array().unwrap() {
        let product = line["product"].as_str().map(str::to_owned);
        let key = (text(line, "day"), product, text(line, "line_type"));
        let (original, net) = (text(line, "original_amount"), text(line, "net_amount"));
        let count = line["costs"].as_u64().unwrap();
        assert_eq!(
            stated.insert(key, (count, exact(&original), exact(&net))),
            None
        );
    }
    assert_eq!(sums_of(&costs), stated, "{first}");
    let total = |of: fn(&(u64, i128, i128)) -> i128| stated.values().map(of).sum::<i128>();
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
    let app = App::new(options());
    for first in months() {
        let days = (first + Months::new(1) - first).num_days() as usize;
        assert_eq!(assert_totals(&app, first).await, days * 60);
    }
    // The current month, with days that are not complete and some still to come.
    assert_eq!(
        assert_totals(&app, day("2026-11-01")).await,
        21 * 60 + 42 + 12
    );
    let bulk = Options {
        costs_per_day: 1_500,
        seed: 9,
        revision: 2,
        ..options()
    };
    let bulk = App::new(Options {
        drop_days: vec![day("2026-09-05")],
        ..bulk
    });
    assert_eq!(assert_totals(&bulk, day("2026-09-01")).await, 29 * 1_500);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_costs_whatever_today_is() {
    let october = all(&App::new(options()), OCTOBER).await;
    let later = Options {
        today: day("2027-02-01"),
        ..options()
    };
    assert_eq!(all(&App::new(later), OCTOBER).await, october);
    let other = Options {
        seed: 2,
        ..options()
    };
    assert_ne!(all(&App::new(other), OCTOBER).await, october);
    let hash = october
        .iter()
        .flat_map(|cost| cost.bytes())
        .fold(0u64, |hash, byte| random::mix(hash ^ u64::from(byte)));
    assert_eq!(hash, OCTOBER_HASH);
}

#[tokio::test]
async fn every_full_month_has_every_product_line_type_and_oddity() {
    let app = App::new(options());
    for first in months() {
        let costs = all(&app, &month_path(first)).await;
        let sums = sums_of(&costs);
        let products: BTreeSet<&str> = sums.keys().filter_map(|key| key.1.as_deref()).collect();
        let line_types: BTreeSet<&str> = sums.keys().map(|key| key.2.as_str()).collect();
        let supports = ["BASIC", "DEVELOPER", "BUSINESS", "PREMIER"];
        for support in supports.map(|plan| format!("SUPPORT_CLOUD_{plan}")) {
            assert!(products.contains(support.as_str()), "{first} {support}");
        }
        for line in &LINES {
            assert!(products.contains(line.product), "{first} {}", line.product);
            assert!(
                line_types.contains(line.line_type),
                "{first} {}",
                line.line_type
            );
        }
        assert_eq!(
            products.len(),
            16,
            "14 published, SUPPORT_PREMIER, FUTURE_PRODUCT"
        );
        assert_eq!(line_types.len(), 30, "29 published, FUTURE_LINE");
        let mut times = BTreeMap::<&str, usize>::new();
        for cost in &costs {
            *times.entry(cost).or_default() += 1;
        }
        for oddity in &ODDITIES {
            for row in *oddity {
                let equal = oddity.iter().filter(|other| other.json == row.json).count();
                let served = history::days(first..first + Months::new(1))
                    .filter(|date| times.get(&*edge_cases::text(row, *date)) == Some(&equal))
                    .count();
                assert!(served >= 2, "{first}: {}", row.json);
            }
        }
    }
}

#[tokio::test]
async fn most_bulk_costs_are_plain_and_distinct() {
    let app = App::new(Options {
        costs_per_day: 2_000,
        ..options()
    });
    let costs = all(
        &app,
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
    // Numbers are written as a server writes doubles: 17 digits are enough for any.
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
async fn few_costs_a_day_still_have_everything() {
    let app = App::new(Options {
        costs_per_day: 1,
        ..options()
    });
    assert_eq!(all(&app, OCTOBER).await.len(), 31 * 56);
}

#[tokio::test]
async fn a_small_cache_serves_the_same() {
    let small = App::new(Options {
        cache_bytes: 1,
        ..options()
    });
    assert_eq!(
        all(&small, OCTOBER).await,
        all(&App::new(options()), OCTOBER).await
    );
}

#[tokio::test]
async fn a_revision_restates_earlier_months_only() {
    let before = App::new(options());
    let after = App::new(Options {
        revision: 1,
        ..options()
    });
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
async fn dropped_days_and_reordering() {
    let plain = all(&App::new(options()), OCTOBER).await;
    let reordered = App::new(Options {
        reorder: true,
        ..options()
    });
    let mut other = all(&reordered, OCTOBER).await;
    assert_ne!(plain, other);
    let mut sorted = plain.clone();
    sorted.sort();
    other.sort();
    assert_eq!(sorted, other);
    let dropped = App::new(Options {
        drop_days: vec![day("2026-10-07")],
        ..options()
    });
    let dropped = all(&dropped, OCTOBER).await;
    assert_eq!(dropped.len(), plain.len() - 60);
    assert!(sums_of(&dropped).keys().all(|key| key.0 != "2026-10-07"));
}

/// Net CKU costs of the orders cluster in a month.
async fn orders_ckus(app: &App, first: NaiveDate) -> i128 {
    let mut costs = all(app, &month_path(first)).await;
    costs.retain(|cost| cost.contains("\"KAFKA_NUM_CKUS\"") && cost.contains("\"orders-prod\""));
    sums_of(&costs).values().map(|sum| sum.2).sum()
}

#[tokio::test]
async fn the_orders_cluster_costs_more_in_october() {
    let app = App::new(options());
    let september = orders_ckus(&app, day("2026-09-01")).await;
    let october = orders_ckus(&app, day("2026-10-01")).await;
    assert!(october > september * 11 / 10, "{september} {october}");
}
