//! Checks stop overridden SQL that plans and runs but returns wrong line items.

use super::overrides::{MODEL, Pulled, SqlFolder, model, with_column};
use super::published_month;
use crate::support::{Billstream, MONTH, Sandbox, assert_costs_are, orphans, published_files};

const DISCOUNT_ID: &str = "case when type = 'Discount' then concat(record_id, '-discount') else record_id end as \"lineitem/id\"";

#[test]
fn detects_missing_rows() {
    let pulled = Pulled::new();
    for condition in [
        // Typical faults: rows without a price or an environment, discounts, credits.
        "net_amount > cast(0 as decimal(38, 24))",
        "environment_id is not null",
        "type <> 'Discount'",
        "type <> 'Credit'",
        "record_id not like '0%'",
        "false",
    ] {
        let sql = model(
            "\n  from typed",
            &format!("\n  from typed\nwhere {condition}"),
        );
        let before = published_files(pulled.path());
        let output = pulled
            .transform(&SqlFolder::new("models/line_items.sql", &sql))
            .code(5);
        output
            .says(&["line_items_match_wire", "was not published"])
            .status("failed");
        assert!(published_files(pulled.path()) == before, "{condition}");
    }
}

#[test]
fn detects_duplicate_rows() {
    let sql = format!("select * from (\n{MODEL}\n) union all select * from (\n{MODEL}\n)");
    Pulled::new().refuses(&sql, 5, &["line_items_match_wire", "line_item_ids_unique"]);
}

#[test]
fn detects_a_difference_in_the_last_digit() {
    let pulled = Pulled::new();
    let off = |column: &str| {
        let unit = "cast('0.000000000000000000000001' as decimal(38, 24))";
        model("\n  from typed", "\n  from off").replace(
            "\nmapped as (\n  select\n    case when type",
            &format!(
                "\noff as (select * replace (case when line_type = 'SUPPORT' and start_date = date '2026-10-01' \
                 then {column} + {unit} else {column} end as {column}) from typed),\n\nmapped as (\n  select\n    case when type"
            ),
        )
    };
    for column in ["net_amount", "original_amount"] {
        let sql = off(column);
        assert!(sql.contains("off as"), "{sql}");
        pulled.refuses(&sql, 5, &["line_items_match_wire", "2026-10-01", "SUPPORT"]);
    }
}

/// The quantity in the shipped model.
const QUANTITY: &str =
    "case when type in ('Usage', 'Support') then quantity end as \"usage/amount\"";

#[test]
fn detects_changed_quantities() {
    let pulled = Pulled::new();
    let thousandfold = QUANTITY.replace("then quantity", "then quantity * 1000");
    pulled.refuses(
        &model(QUANTITY, &thousandfold),
        5,
        &["line_items_match_wire", "wire_usage", "usage_difference"],
    );
    // Of one line type on one day, by one unit in the last place.
    let off = "case when line_type = 'KAFKA_STORAGE' and start_date = date '2026-10-05' and type = 'Usage' then \
               quantity + cast('0.000000000000000000000001' as decimal(38, 24)) \
               when type in ('Usage', 'Support') then quantity end as \"usage/amount\"";
    pulled.refuses(&model(QUANTITY, off), 5, &["2026-10-05", "KAFKA_STORAGE"]);
    let none = "cast(null as decimal(38, 24)) as \"usage/amount\"";
    pulled.refuses(&model(QUANTITY, none), 5, &["line_items_match_wire"]);
}

#[test]
fn an_override_may_keep_all_quantities_and_leave_amortized_costs_out() {
    let pulled = Pulled::new();
    let all = QUANTITY.replace("type in ('Usage', 'Support')", "type <> 'Discount'");
    let sql = model(QUANTITY, &all);
    let amortized = "  mapped.\"cost/cost\" as \"cost/amortized_cost\",\n  \
                     mapped.\"cost/discounted_cost\" as \"cost/discounted_amortized_cost\",\n";
    assert!(sql.contains(amortized), "{sql}");
    let sql = SqlFolder::new("models/line_items.sql", &sql.replace(amortized, ""));
    pulled.transform(&sql).ok().status("published");
}

#[test]
fn detects_amortized_costs_that_fall_back_to_the_list_price() {
    // The sums are equal: on usage it falls back to the list price, on its discount row to the discount.
    let written = "mapped.\"cost/discounted_cost\" as \"cost/discounted_amortized_cost\",\n";
    Pulled::new().refuses(&model(written, ""), 1, &["discount_rows_settle"]);
}

#[test]
fn detects_equal_and_missing_ids() {
    let pulled = Pulled::new();
    pulled.refuses(
        &model(DISCOUNT_ID, "record_id as \"lineitem/id\""),
        1,
        &["line_item_ids_unique"],
    );
    pulled.refuses(
        &model(DISCOUNT_ID, "cast(null as varchar) as \"lineitem/id\""),
        1,
        &["required_columns"],
    );
}

#[test]
fn detects_a_tag_without_a_resource() {
    let sql = with_column("cast('x' as varchar) as \"resource/tag:team\"");
    Pulled::new().refuses(&sql, 1, &["tags_have_resource", "team"]);
}

#[test]
fn detects_two_values_of_a_tag_for_one_resource() {
    let sql = with_column(
        "case when resource_id is not null then line_type end as \"resource/tag:kind\"",
    );
    Pulled::new().refuses(&sql, 1, &["tags_one_value", "kind"]);
}

#[test]
fn detects_a_resource_id_with_two_separators() {
    let sql = model(
        "{{names/resource_id}}",
        "case when resource_id like 'lkc%' then concat('kafka/cluster/', resource_id) end",
    );
    Pulled::new().refuses(&sql, 1, &["resource_id_one_separator", "kafka/cluster/"]);
}

#[test]
fn detects_a_start_off_the_hour_or_outside_the_month() {
    let pulled = Pulled::new();
    let start = "cast(start_date as timestamp) as \"time/usage_start\"";
    let shifted = |interval: &str| {
        model(
            start,
            &format!(
                "cast(start_date as timestamp) + interval '{interval}' as \"time/usage_start\""
            ),
        )
    };
    pulled.refuses(&shifted("30 minutes"), 1, &["usage_start_on_hour"]);
    let output = pulled.transform(&SqlFolder::new(
        "models/line_items.sql",
        &shifted("1 month"),
    ));
    assert!([1, 5].contains(&output.code), "{}", output.stderr);
    output.says(&["usage_start_on_hour"]);
}

#[test]
fn detects_a_discount_or_credit_above_zero() {
    let sql = model(
        "then make_array('Usage', 'Discount')",
        "then make_array('Discount')",
    );
    let output = Pulled::new().transform(&SqlFolder::new("models/line_items.sql", &sql));
    assert_eq!(output.code, 5, "{}", output.stderr);
    let sql = model("else make_array('Usage')", "else make_array('Credit')");
    let output = Pulled::new().transform(&SqlFolder::new("models/line_items.sql", &sql));
    assert!([1, 5].contains(&output.code), "{}", output.stderr);
    output.says(&["negative_types"]).status("failed");
}

#[test]
fn runs_checks_of_the_user() {
    let pulled = Pulled::new();
    let check = "-- No service is called Kafka.\n-- exit 1\nselect \"resource/service\", count(*) as rows \
                 from line_items where \"resource/service\" = 'Kafka' group by 1";
    let sql = SqlFolder::new("checks/no_kafka.sql", check);
    let before = published_files(pulled.path());
    let output = pulled.transform(&sql).code(1).says(&[
        "no_kafka",
        "No service is called Kafka.",
        "│ Kafka",
    ]);
    output.status("failed");
    assert!(published_files(pulled.path()) == before);

    let reconciling = SqlFolder::new("checks/no_kafka.sql", &check.replace("exit 1", "exit 5"));
    pulled.transform(&reconciling).code(5);
    let passing = SqlFolder::new(
        "checks/no_kafka.sql",
        &check.replace("'Kafka'", "'Carrier Pigeon'"),
    );
    pulled.transform(&passing).ok().status("published");
    pulled.billstream().assert_month_is(MONTH, &pulled.totals);
}

#[test]
fn overridden_and_broken_checks_stop_the_publish() {
    let pulled = Pulled::new();
    let broken = SqlFolder::new(
        "checks/negative_types.sql",
        "-- Mine.\nselect *\nfrom nowhere",
    );
    let before = published_files(pulled.path());
    pulled
        .transform(&broken)
        .code(1)
        .says(&["checks/negative_types.sql", "nowhere"])
        .status("failed");
    assert!(published_files(pulled.path()) == before);
    let own = SqlFolder::new(
        "checks/negative_types.sql",
        "-- Mine.\nselect 'mine' as whose",
    );
    pulled
        .transform(&own)
        .code(1)
        .says(&["negative_types", "mine"])
        .status("failed");
}

#[test]
fn a_failed_check_publishes_neither_costs_nor_line_items() {
    let (store, totals) = published_month();
    let before = published_files(store.path());

    let restated = Sandbox::start(&["--revision", "1"]);
    let sql = SqlFolder::new(
        "models/line_items.sql",
        &model("\n  from typed", "\n  from typed\nwhere type <> 'Credit'"),
    );
    let arguments = [
        "import",
        "--month",
        MONTH,
        "--format",
        "json",
        "--sql-dir",
        sql.path(),
    ];
    let billstream = Billstream::on(store.path()).from(&restated);
    billstream.run(&arguments).code(5).status("failed");
    assert!(
        published_files(store.path()) == before,
        "the costs stay with their line items"
    );
    assert_costs_are(&billstream.costs(MONTH), &totals);
    assert_eq!(orphans(store.path()), Vec::<String>::new());
    billstream.import(MONTH).ok().status("published");
    billstream.assert_month_is(MONTH, &restated.totals(MONTH));
}
