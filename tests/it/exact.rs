//! Numbers from the wire to the drop: JSON literal, decimal, Parquet, SQL, CSV text.

use std::sync::Arc;

use billstream::billing_period::BillingPeriod;
use billstream::cloudzero::csv;
use billstream::confluent::costs::decode::{Identities, SCHEMA, decode_page};
use billstream::engine::files::FilesTable;
use billstream::engine::{self, Limits};
use billstream::store::writer::FileWriter;
use billstream::store::{Store, TableName};
use proptest::prelude::*;

/// JSON literal with the plain text that it was generated from.
#[derive(Debug, Clone)]
struct Number {
    literal: String,
    plain: String,
}

/// Formats `whole.fraction` with its point moved by `shift` digits and the matching exponent.
fn number((negative, whole, fraction, shift): (bool, String, String, i32)) -> Number {
    let digits = format!("{whole}{fraction}");
    let point = whole.len() as i32 - shift;
    let (before, after) = if point <= 0 {
        (
            String::new(),
            format!("{}{digits}", "0".repeat(-point as usize)),
        )
    } else if point as usize >= digits.len() {
        (
            format!("{digits}{}", "0".repeat(point as usize - digits.len())),
            String::new(),
        )
    } else {
        let (before, after) = digits.split_at(point as usize);
        (before.to_string(), after.to_string())
    };
    let before = before.trim_start_matches('0');
    let mut literal = if before.is_empty() {
        "0".to_string()
    } else {
        before.to_string()
    };
    if !after.is_empty() {
        literal = format!("{literal}.{after}");
    }
    if shift != 0 {
        literal = format!("{literal}e{shift}");
    }
    let fraction = fraction.trim_end_matches('0');
    let mut plain = whole;
    if !fraction.is_empty() {
        plain = format!("{plain}.{fraction}");
    }
    if negative {
        literal = format!("-{literal}");
        if plain != "0" {
            plain = format!("-{plain}");
        }
    }
    Number { literal, plain }
}

async fn decode_store_and_format(numbers: &[Number]) -> Vec<String> {
    let records: Vec<String> = numbers
        .iter()
        .map(|number| {
            format!(
                r#"{{"start_date":"2026-10-01","end_date":"2026-10-02","original_amount":{}}}"#,
                number.literal
            )
        })
        .collect();
    let page = format!(r#"{{"data":[{}]}}"#, records.join(","));
    let october: BillingPeriod = "2026-10".parse().unwrap();
    let decoded = decode_page(&page, october.window()).ok().unwrap();
    let batch = Identities::new("acme").identify(decoded).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().display().to_string()).unwrap();
    let mut writer = FileWriter::new(&store, "costs/a.parquet", SCHEMA.clone()).unwrap();
    writer.write(&batch).await.unwrap();
    let file = writer.finish("a.parquet".into(), &[]).await.unwrap();
    assert_eq!(file.rows, numbers.len() as u64);
    let files = vec![("acme".to_string(), october, file)];
    let table = FilesTable::new(&store, TableName::Costs, &SCHEMA, files).unwrap();
    let context = engine::session(&store, Limits::default()).unwrap();
    context.register_table("costs", Arc::new(table)).unwrap();
    let frame = context
        .sql("select original_amount from costs")
        .await
        .unwrap();
    let mut text = Vec::new();
    for batch in frame.collect().await.unwrap() {
        csv::write_rows(&mut text, &batch, 0, batch.num_rows()).unwrap();
    }
    String::from_utf8(text)
        .unwrap()
        .lines()
        .map(str::to_string)
        .collect()
}

proptest! {
    // Forty amounts of up to 1e12 stay below the limit of an exact total.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]
    #[test]
    fn a_literal_keeps_its_value_through_parquet_and_csv(
        numbers in prop::collection::vec(
            (any::<bool>(), "0|[1-9][0-9]{0,11}", "[0-9]{0,24}", -12i32..12).prop_map(number),
            1..40,
        )
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let found = runtime.block_on(decode_store_and_format(&numbers));
        let expected: Vec<String> = numbers.iter().map(|number| number.plain.clone()).collect();
        prop_assert_eq!(found, expected);
    }
}
