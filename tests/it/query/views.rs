//! Amounts of tables and views, and the files that a query reads.

use std::path::{Path, PathBuf};

use super::{MONTHS, imported, store};
use crate::support::{Billstream, Exact, MONTH, Totals, names_below};

/// Shipped model of line items.
const MODEL: &str = include_str!("../../../sql/models/line_items.sql");
/// Net amount of a cost: Confluent omits some.
const NET: &str = "coalesce(amount, original_amount - coalesce(discount_amount, 0))";

/// Tables and views with their net amount.
const NETS: [(&str, &str); 6] = [
    ("costs", NET),
    ("line_items", "\"cost/cost\""),
    ("all_line_items", "\"cost/cost\""),
    ("daily_costs", "billed_cost"),
    ("monthly_costs", "billed_cost"),
    ("cost_changes", "billed_cost"),
];

fn totals(month: &str) -> &'static Totals {
    &imported().totals[month]
}

/// The only value of the only row.
#[track_caller]
fn single_value(billstream: &Billstream, sql: &str) -> String {
    let rows = billstream.query(sql);
    assert_eq!((rows.len(), rows[0].len()), (1, 1), "{sql}");
    rows[0].values().next().unwrap().clone()
}

#[test]
fn monthly_sums_match_the_sandbox() {
    let (_store, billstream) = store();
    for (table, net) in NETS {
        let sql = format!(
            "select billing_period, sum({net}) as net from {table} \
             group by billing_period order by billing_period"
        );
        let found: Vec<(String, String)> = billstream
            .query(&sql)
            .into_iter()
            .map(|row| (row["billing_period"].clone(), row["net"].clone()))
            .collect();
        let expected = MONTHS.map(|month| (month.to_string(), totals(month).net.clone()));
        assert_eq!(found, expected, "{table}");
    }
}

#[test]
fn daily_sums_match_the_sandbox() {
    let (_store, billstream) = store();
    let rows = billstream.query(
        "select usage_date, usage_type, sum(billed_cost) as billed, sum(discounted_cost) as discounted \
         from daily_costs group by 1, 2 order by 1, 2",
    );
    let found: Vec<_> = rows
        .iter()
        .map(|row| {
            assert_eq!(row["billed"], row["discounted"], "{row:?}");
            let key = (row["usage_date"].clone(), row["usage_type"].clone());
            (key, Exact::of(&row["billed"]))
        })
        .collect();
    let mut expected = std::collections::BTreeMap::new();
    for ((day, _, line_type), sums) in MONTHS.iter().flat_map(|month| &totals(month).groups) {
        let key = (day.clone(), line_type.clone());
        *expected.entry(key).or_insert(Exact::default()) += sums.net;
    }
    assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
}

#[test]
fn cost_changes_are_the_differences_of_the_months() {
    let (_store, billstream) = store();
    let rows = billstream.query(
        "select billing_period, sum(previous_cost) as before, sum(change) as change \
         from cost_changes group by 1 order by 1",
    );
    let net = |at: usize| Exact::of(&totals(MONTHS[at]).net);
    let expected = [
        (Exact::default(), net(0)),
        (net(0), net(1) - net(0)),
        (net(1), net(2) - net(1)),
    ];
    let found = rows
        .iter()
        .map(|row| (Exact::of(&row["before"]), Exact::of(&row["change"])));
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

#[test]
fn periods_versions_and_runs_match_the_imports() {
    let (_store, billstream) = store();
    let periods = billstream.query(
        "select billing_period, state, costs, original_amount, discount_amount, net_amount \
         from periods order by billing_period",
    );
    assert_eq!(periods.len(), MONTHS.len());
    for ((row, month), state) in periods
        .iter()
        .zip(MONTHS)
        .zip(["settled", "settled", "open"])
    {
        let totals = totals(month);
        assert_eq!(row["billing_period"], month);
        assert_eq!(row["state"], state, "{month}");
        assert_eq!(row["costs"], totals.costs.to_string());
        assert_eq!(row["original_amount"], totals.original);
        assert_eq!(row["discount_amount"], totals.discount);
        assert_eq!(row["net_amount"], totals.net);
    }
    let versions = billstream.query(
        "select billing_period, net_amount from versions where table_name = 'line_items' \
         order by billing_period",
    );
    for (row, month) in versions.iter().zip(MONTHS) {
        assert_eq!(row["net_amount"], totals(month).net);
    }
    assert_eq!(versions.len(), MONTHS.len());
    let runs = billstream.query("select command, connection, exit_code, ok, months from runs");
    assert_eq!(runs.len(), 1);
    let run = &runs[0];
    let expected = [
        ("command", "import"),
        ("connection", "confluent"),
        ("exit_code", "0"),
        ("ok", "true"),
        ("months", "3"),
    ];
    for (column, value) in expected {
        assert_eq!(run[column], value, "{column}");
    }
}

#[test]
fn earlier_version_of_a_month_can_be_queried() {
    let (_store, billstream) = store();
    for (table, net) in [("line_items", "\"cost/cost\""), ("costs", NET)] {
        let version = single_value(
            &billstream,
            &format!(
                "select version from versions where table_name = '{table}' and billing_period = '{MONTH}'"
            ),
        );
        let sum = format!("select sum({net}) from {table}_at('{MONTH}', {version})");
        assert_eq!(single_value(&billstream, &sum), totals(MONTH).net);
    }
    billstream
        .run(&["query", "select * from line_items_at('2026-10', 999)"])
        .code(2)
        .says(&["no version 999", "select * from versions"]);
    billstream
        .run(&["query", "select * from line_items_at('2026-10')"])
        .code(1)
        .says(&["line_items_at('2026-10', 12)"]);
}

#[test]
fn costs_by_tag_divides_the_costs_of_resources() {
    let (_store, billstream) = store();
    let folder = billstream.home().join("mine/models");
    std::fs::create_dir_all(&folder).unwrap();
    let team = "case environment_id when 'env-an9ly' then 'analytics' else 'others' end";
    let tagged = MODEL.replace(
        "\n  from typed",
        &format!(
            ",\n  case when resource_id <> '' then {team} end as \"resource/tag:team\"\n  from typed"
        ),
    );
    assert_ne!(tagged, MODEL);
    std::fs::write(folder.join("line_items.sql"), tagged).unwrap();
    billstream
        .run(&["transform", "--all", "--sql-dir", "mine"])
        .ok();
    let found = billstream.query(
        "select billing_period, tag_value, sum(billed_cost) as billed, sum(real_cost) as real \
         from costs_by_tag where tag_key = 'team' group by 1, 2 order by 1, 2",
    );
    let expected = billstream.query(
        "select billing_period, \"resource/tag:team\" as tag_value, sum(\"cost/cost\") as billed, \
           sum(case when \"lineitem/type\" = 'Usage' then \"cost/discounted_cost\" else 0 end) as real \
         from line_items where \"resource/tag:team\" <> '' group by 1, 2 order by 1, 2",
    );
    assert_eq!(expected.len(), 2 * MONTHS.len());
    assert_eq!(found, expected);
}

/// Data files of the published tables, except those of some months.
fn data_files_except(store: &Path, months: &[&str]) -> Vec<PathBuf> {
    let of = |name: &String, month: &&str| name.contains(&format!("billing_period={month}/"));
    names_below(store)
        .into_iter()
        .filter(|name| name.starts_with("costs/") || name.starts_with("line_items/"))
        .filter(|name| name.ends_with(".parquet") && !months.iter().any(|month| of(name, month)))
        .map(|name| store.join(name))
        .collect()
}

/// Asserts that queries return the same result after the files of all other months are deleted.
#[track_caller]
fn assert_reads_only(months: &[&str], queries: &[(String, String)]) {
    let (store, billstream) = store();
    let others = data_files_except(store.path(), months);
    assert!(!others.is_empty());
    for file in others {
        std::fs::remove_file(file).unwrap();
    }
    for (sql, expected) in queries {
        assert_eq!(&single_value(&billstream, sql), expected, "{sql}");
    }
    // Queries of all months fail, so the results above did not come from a cache.
    for (table, net) in NETS {
        let sql = format!("select sum({net}) from {table}");
        let output = billstream.run(&["query", &sql]).code(1);
        output.says(&[".parquet", "does not exist"]);
    }
}

#[test]
fn query_of_a_month_reads_only_its_files() {
    let net = &totals(MONTH).net;
    // The monthly views show labels, whose newest values any month may have.
    let of_period = NETS
        .iter()
        .filter(|(table, _)| !["cost_changes", "monthly_costs"].contains(table))
        .flat_map(|(table, net_column)| {
            [
                "billing_period = '2026-10'",
                "billing_period in ('2026-10')",
            ]
            .map(|condition| {
                (
                    format!("select sum({net_column}) from {table} where {condition}"),
                    net.clone(),
                )
            })
        });
    let days = [
        "between date '2026-10-01' and date '2026-10-31'",
        "between '2026-10-01' and '2026-10-31'",
    ];
    let of_days = days.iter().flat_map(|days| {
        [
            format!("select sum(billed_cost) from daily_costs where usage_date {days}"),
            format!("select sum({NET}) from costs where start_date {days}"),
        ]
    });
    let start = "\"time/usage_start\"";
    let of_times = ["line_items", "all_line_items"].map(|table| {
        format!(
            "select sum(\"cost/cost\") from {table} \
             where {start} >= '2026-10-01' and {start} < '2026-11-01'"
        )
    });
    let others = of_days.chain(of_times).map(|sql| (sql, net.clone()));
    let queries: Vec<_> = of_period.chain(others).collect();
    assert_reads_only(&[MONTH], &queries);
}

#[test]
fn query_of_a_day_reads_only_its_month() {
    let day: Exact = totals(MONTH)
        .groups
        .iter()
        .filter(|((day, _, _), _)| day == "2026-10-07")
        .map(|(_, sums)| sums.net)
        .sum();
    let queries = [
        ("billed_cost", "daily_costs", "usage_date"),
        (NET, "costs", "start_date"),
        ("\"cost/cost\"", "line_items", "\"time/usage_start\""),
    ];
    let queries = queries.map(|(net, table, time)| {
        let sql = format!("select sum({net}) from {table} where {time} = '2026-10-07'");
        (sql, day.to_string())
    });
    assert_reads_only(&[MONTH], &queries);
}

#[test]
fn open_time_range_reads_only_later_months() {
    let both: Exact = [MONTHS[1], MONTHS[2]]
        .iter()
        .map(|month| Exact::of(&totals(month).net))
        .sum();
    let queries = [
        "select sum(\"cost/cost\") from line_items where \"time/usage_start\" >= '2026-10-01'",
        "select sum(billed_cost) from daily_costs where usage_date >= '2026-10-01'",
        "select sum(billed_cost) from daily_costs where billing_period >= '2026-10'",
    ];
    let queries = queries.map(|sql| (sql.to_string(), both.to_string()));
    assert_reads_only(&MONTHS[1..], &queries);
}

#[test]
fn parameter_prunes_files_like_a_literal() {
    let (store, billstream) = store();
    for file in data_files_except(store.path(), &[MONTH]) {
        std::fs::remove_file(file).unwrap();
    }
    let output = billstream
        .run(&[
            "query",
            "--format",
            "csv",
            "--param",
            "month=2026-10",
            "select sum(billed_cost) as net from daily_costs where billing_period = $month",
        ])
        .ok();
    assert_eq!(output.stdout, format!("net\n{}\n", totals(MONTH).net));
}
