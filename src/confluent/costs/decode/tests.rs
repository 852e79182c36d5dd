use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type};
use proptest::prelude::*;

use super::*;
use crate::decimal;

const FIRST: &str = include_str!("../../../../fixtures/pages/first.json");
const LAST: &str = include_str!("../../../../fixtures/pages/last.json");
const EXPECTED: &str = include_str!("../../../../fixtures/pages/expected.csv");

fn september() -> Window {
    "2026-09"
        .parse::<crate::billing_period::BillingPeriod>()
        .unwrap()
        .window()
}

fn page_of(record: &str) -> String {
    format!(r#"{{"api_version":"v1","kind":"CostList","metadata":{{}},"data":[{record}]}}"#)
}

fn wrong(text: &str) -> String {
    match decode_page(text, september()) {
        Err(BodyError::Wrong(error)) => error.to_string(),
        Err(BodyError::Unreadable(why)) => panic!("unreadable: {why}"),
        Ok(_) => panic!("decoded"),
    }
}

fn unreadable(text: &str) -> bool {
    matches!(
        decode_page(text, september()),
        Err(BodyError::Unreadable(_))
    )
}

fn identified(texts: &[&str]) -> (Vec<RecordBatch>, Digest) {
    let mut identities = Identities::new("acme");
    let batches = texts
        .iter()
        .map(|text| {
            identities
                .identify(decode_page(text, september()).unwrap())
                .unwrap()
        })
        .collect();
    (batches, identities.digest())
}

/// Rows of a batch, with the columns of `expected.csv`.
fn rows(batch: &RecordBatch) -> Vec<String> {
    let text = |name: &str, row: usize| {
        let column = batch.column_by_name(name).unwrap();
        if column.is_null(row) {
            return String::new();
        }
        match column.data_type() {
            DataType::Utf8 => column.as_string::<i32>().value(row).to_string(),
            _ => decimal::to_plain_string(column.as_primitive::<Decimal128Type>().value(row)),
        }
    };
    let names = [
        "line_type",
        "original_amount",
        "discount_amount",
        "amount",
        "quantity",
        "environment_id",
        "extra",
    ];
    (0..batch.num_rows())
        .map(|row| names.map(|name| text(name, row)).join(","))
        .collect()
}

#[test]
fn decodes_the_fixture_pages_to_the_digit() {
    let (batches, _) = identified(&[FIRST, LAST]);
    let decoded: Vec<String> = batches.iter().flat_map(rows).collect();
    let expected: Vec<&str> = EXPECTED.lines().skip(1).collect();
    assert_eq!(decoded, expected);
}

#[test]
fn next_is_absent_null_or_empty_at_the_end() {
    let first = decode_page(FIRST, september()).unwrap();
    assert!(first.next.unwrap().contains("page_token="));
    assert_eq!(decode_page(LAST, september()).unwrap().next, None);
    for (metadata, expected) in [("{}", None), (r#"{"next":""}"#, Some("")), ("null", None)] {
        let text = format!(r#"{{"metadata":{metadata},"data":null}}"#);
        let page = decode_page(&text, september()).unwrap();
        assert_eq!((page.next.as_deref(), page.rows()), (expected, 0));
    }
}

#[test]
fn an_error_in_json_with_status_200_is_not_an_empty_page() {
    assert!(wrong(r#"{"error":{"code":1}}"#).contains("not a list of costs"));
    assert!(wrong(r#"{"data":{}}"#).contains("not a list of costs"));
}

#[test]
fn text_that_is_not_json_is_unreadable_and_not_wrong() {
    assert!(unreadable("<html>Bad Gateway</html>"));
    assert!(unreadable(&FIRST[..FIRST.len() / 2]));
    assert!(unreadable(&format!("{LAST} trailing")));
}

#[test]
fn errors_name_row_and_field_of_a_wrong_record_and_never_its_content() {
    let good = r#"{"start_date":"2026-09-01","end_date":"2026-09-02","original_amount":1}"#;
    for (bad, field, said) in [
        (
            r#"{"start_date":"2026-09-01","end_date":"2026-09-02","original_amount":"s3cret"}"#,
            "original_amount",
            "not a number",
        ),
        (
            r#"{"start_date":"2026-09-01","end_date":"2026-09-02"}"#,
            "original_amount",
            "missing",
        ),
        (
            r#"{"start_date":"2026-09-01","end_date":"2026-09-02","original_amount":null}"#,
            "original_amount",
            "missing",
        ),
        (
            r#"{"start_date":"2026-09-01","end_date":"2026-09-02","original_amount":1e15}"#,
            "original_amount",
            "too large",
        ),
        (
            r#"{"start_date":"2026-08-31","end_date":"2026-09-02","original_amount":1}"#,
            "start_date",
            "outside the window",
        ),
        (
            r#"{"start_date":"2026-09-01","end_date":"2026-09-01","original_amount":1}"#,
            "end_date",
            "not after",
        ),
        (
            r#"{"start_date":"s3cret","end_date":"2026-09-02","original_amount":1}"#,
            "start_date",
            "not a UTC date",
        ),
        (
            r#"{"start_date":"2026-09-01T00:00:00+02:00","end_date":"2026-09-02","original_amount":1}"#,
            "start_date",
            "not a UTC date",
        ),
        (
            r#"{"end_date":"2026-09-02","original_amount":1}"#,
            "start_date",
            "missing",
        ),
        (
            r#"{"start_date":"2026-09-01","end_date":"2026-09-02","original_amount":1,"amount":true}"#,
            "amount",
            "not a number",
        ),
        (
            r#"{"start_date":"2026-09-01","end_date":"2026-09-02","original_amount":1,"original_amount":2}"#,
            "original_amount",
            "unexpected",
        ),
        (
            r#"{"start_date":"2026-09-01","end_date":"2026-09-02","original_amount":1,"product":7}"#,
            "product",
            "unexpected",
        ),
        (
            r#"{"start_date":"2026-09-01","end_date":"2026-09-02","original_amount":1,"resource":{"id":["s3cret"]}}"#,
            "resource.id",
            "unexpected",
        ),
    ] {
        let error = wrong(&page_of(&format!("{good},{bad}")));
        assert!(
            error.contains(&format!("row 2, field `{field}`")) && error.contains(said),
            "{error}"
        );
        assert!(!error.contains("s3cret"), "{error}");
    }
    assert!(wrong(&page_of("7")).contains("row 1"));
}

#[test]
fn keeps_equal_records_with_different_ids() {
    let record = r#"{"start_date":"2026-09-01","end_date":"2026-09-02","original_amount":1.50}"#;
    let same = r#"{"end_date":"2026-09-02 00:00:00","original_amount":1.5,"start_date":"2026-09-01T00:00:00Z"}"#;
    let page = page_of(&format!("{record},{same},{record}"));
    let (batches, digest) = identified(&[&page, &page]);
    let mut ids: Vec<String> = batches
        .iter()
        .flat_map(|batch| {
            batch
                .column(0)
                .as_string::<i32>()
                .iter()
                .map(|id| id.unwrap().to_string())
        })
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), digest.count()), (6, 6));
}

#[test]
fn counts_discounts_that_differ_from_original_minus_net() {
    let page = decode_page(LAST, september()).unwrap();
    assert_eq!(
        page.data_quality,
        DataQualityCounts {
            rounded: 0,
            discount_differs: 1,
            several_days: 0,
        }
    );
    let totals = page.totals.sum().unwrap();
    assert_eq!(totals.costs, 8);
    // Both promo credits of the page have a net below zero.
    assert_eq!(decimal::to_plain_string(totals.credit_original), "-52.5");
    let quantities = totals.quantities.unwrap();
    assert_eq!(quantities.all.to_string(), "739.516666666666667");
    assert_eq!(quantities.credits.to_string(), "0");
}

#[test]
fn credits_and_adjustments_are_not_used_and_promo_credits_have_no_list_price() {
    let cost = |line_type: &str, original: &str, net: &str, quantity: &str| {
        format!(
            r#"{{"start_date":"2026-09-01","end_date":"2026-09-02","line_type":"{line_type}",
                "original_amount":{original},"amount":{net},"quantity":{quantity}}}"#
        )
    };
    let costs = [
        cost("KAFKA_BASE", "10", "9", "1"),
        cost("KAFKA_BASE", "-10", "-9", "20"),
        cost("SUPPORT", "-7", "-7", "300"),
        cost("PROMO_CREDIT", "-5", "0", "4000"),
        cost("PROMO_CREDIT", "-2", "-1", "50000"),
        cost("PROMO_CREDIT", "3", "3", "600000"),
    ];
    let page = decode_page(&page_of(&costs.join(",")), september()).unwrap();
    let totals = page.totals.sum().unwrap();
    assert_eq!(decimal::to_plain_string(totals.credit_original), "-7");
    let quantities = totals.quantities.unwrap();
    assert_eq!(quantities.credits.to_string(), "654020");
    assert_eq!(quantities.used().to_string(), "301");
}

#[test]
fn counts_costs_of_several_days() {
    let costs = [record(1, 0, 28), record(1, 0, 29)];
    let page = decode_page(&page_of(&costs.join(",")), september()).unwrap();
    assert_eq!(page.data_quality.several_days, 1);
}

fn record(amount: i64, product: usize, day: u32) -> String {
    let product = ["KAFKA", "CONNECT", ""][product];
    format!(
        r#"{{"start_date":"2026-09-{day:02}","end_date":"2026-09-30","product":"{product}","original_amount":{amount}e-3}}"#
    )
}

fn digest_of(records: &[String]) -> Digest {
    identified(&[&page_of(&records.join(","))]).1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn the_digest_ignores_order_and_page_breaks_and_detects_every_change(
        records in prop::collection::vec((0i64..50, 0usize..3, 1u32..4), 1..40),
        order in any::<u64>(),
        index in any::<prop::sample::Index>(),
    ) {
        let texts: Vec<String> = records.iter().map(|(a, p, d)| record(*a, *p, *d)).collect();
        let whole = digest_of(&texts);
        let mut shuffled = texts.clone();
        let half = shuffled.len() / 2;
        shuffled.rotate_left((order % texts.len() as u64) as usize);
        shuffled.swap(0, half);
        prop_assert_eq!(digest_of(&shuffled), whole);
        let pages = (page_of(&shuffled[..half].join(",")), page_of(&shuffled[half..].join(",")));
        prop_assert_eq!(identified(&[&pages.0, &pages.1]).1, whole);

        let index = index.index(texts.len());
        let (amount, product, day) = records[index];
        let mut changed = texts.clone();
        changed[index] = record(amount + 1000, product, day);
        prop_assert_ne!(digest_of(&changed), whole);
        let mut fewer = texts.clone();
        fewer.remove(index);
        prop_assert_ne!(digest_of(&fewer), whole);
        let mut duplicated = texts;
        duplicated.push(record(amount, product, day));
        prop_assert_ne!(digest_of(&duplicated), whole);
        prop_assert_eq!(whole.to_string().parse::<Digest>().unwrap(), whole);
    }
}

#[test]
fn fields_of_the_response_that_appear_twice_are_refused() {
    let cost = r#"{"start_date":"2026-09-01","end_date":"2026-09-02","original_amount":1}"#;
    let twice = format!(r#"{{"data":[{cost}],"data":[{cost}]}}"#);
    assert!(wrong(&twice).contains("`data` twice"));
    assert!(wrong(r#"{"data":[],"metadata":{},"metadata":{}}"#).contains("`metadata` twice"));
    // The legacy name beside the present one is no repetition.
    let both = r#"{"data":[],"metadata":{"next":"?page_token=a"},"meta":{}}"#;
    let page = decode_page(both, september()).unwrap();
    assert_eq!(page.next.as_deref(), Some("?page_token=a"));
}

#[test]
fn costs_past_a_year_are_refused_with_row_and_field() {
    let good = r#"{"start_date":"2026-09-01","end_date":"2027-09-02","original_amount":1}"#;
    for (start, end, field) in [
        ("2026-09-01", "9999-12-31", "end_date"),
        ("2026-09-01", "2027-09-03", "end_date"),
        ("0000-01-01", "2026-09-02", "start_date"),
        ("9999-12-31", "9999-12-31", "start_date"),
    ] {
        let bad = format!(r#"{{"start_date":"{start}","end_date":"{end}","original_amount":1}}"#);
        let error = wrong(&page_of(&format!("{good},{bad}")));
        assert!(
            error.starts_with(&format!("row 2, field `{field}`: ")),
            "{error}"
        );
    }
}

#[test]
fn nul_in_texts_is_replaced_and_counts_no_cost_twice() {
    let cost = |text: &str| {
        page_of(&format!(
            r#"{{"start_date":"2026-09-01","end_date":"2026-09-02","original_amount":1,"product":"{text}"}}"#
        ))
    };
    let (batches, digest) = identified(&[&cost(r"a\u0000b"), &cost("a\u{fffd}b")]);
    let products: Vec<&str> = batches
        .iter()
        .map(|batch| {
            batch
                .column_by_name("product")
                .unwrap()
                .as_string::<i32>()
                .value(0)
        })
        .collect();
    assert_eq!(products, ["a\u{fffd}b", "a\u{fffd}b"]);
    assert_eq!(digest.count(), 2);
}
