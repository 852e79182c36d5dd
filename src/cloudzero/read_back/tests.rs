use std::io::Write;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::cloudzero::columns::HOUR_MICROS;
use crate::cloudzero::csv::{write_header, write_rows};

const TEAM: &str = "resource/tag:team";
const DAY: i64 = 24 * HOUR_MICROS;

/// Line items with every fixed column and these columns of tags. Row `n` starts on day `n / 2`.
fn line_items(tags: &[(&str, &[&str])]) -> RecordBatch {
    let rows = tags[0].1.len() as i64;
    let numbers = |first: i64| {
        Decimal128Array::from_iter_values((0..rows).map(|row| i128::from(first + row)))
            .with_data_type(decimal::TYPE)
    };
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for name in cbf::names() {
        let array: ArrayRef = match name.as_str() {
            "usage/amount" => Arc::new(
                Decimal128Array::from_iter(
                    (0..rows).map(|row| (row > 0).then_some(i128::from(row))),
                )
                .with_data_type(decimal::TYPE),
            ),
            "time/usage_start" | "time/usage_end" => {
                let shift = if name == "time/usage_end" { DAY } else { 0 };
                let times = (0..rows).map(|row| row / 2 * DAY + shift);
                Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
            }
            "cost/cost" => Arc::new(numbers(-1)),
            name if name.starts_with("cost/") => Arc::new(numbers(7)),
            "lineitem/id" => Arc::new(StringViewArray::from_iter_values(
                (0..rows).map(|row| format!("id {row}")),
            )),
            _ => Arc::new(StringViewArray::from_iter((0..rows).map(|_| None::<&str>))),
        };
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    for (name, values) in tags {
        fields.push(Field::new(*name, DataType::Utf8View, true));
        arrays.push(Arc::new(StringViewArray::from_iter_values(*values)));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

/// CSV text of a batch.
fn written(batch: &RecordBatch) -> String {
    let mut text = Vec::new();
    let schema = batch.schema();
    write_header(&mut text, schema.fields().iter().map(|f| f.name().as_str()));
    write_rows(&mut text, batch, 0, batch.num_rows()).unwrap();
    String::from_utf8(text).unwrap()
}

fn read(texts: &[&str]) -> Result<DropContent> {
    let mut content = DropContent::default();
    for text in texts {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        add_file(&mut content, &gzip.finish().unwrap()[..], "file.csv.gz")?;
    }
    Ok(content)
}

fn digests(batch: &RecordBatch) -> RowDigests {
    let mut digests = RowDigests::default();
    digests.add_batch(batch).unwrap();
    digests
}

#[test]
fn written_rows_are_read_back_whatever_their_text() {
    let odd = [
        "a,b",
        "say \"hi\"",
        "two\nlines",
        "\r\n",
        " padded ",
        "ünï",
        "\t",
        "'",
    ];
    let batch = line_items(&[(TEAM, &odd)]);
    let content = read(&[&written(&batch)]).unwrap();
    assert_eq!(content.rows, digests(&batch));
    assert_eq!(content.totals.rows(), 8);
    let usage = content.totals.sum().unwrap().usage;
    assert_eq!(usage, QuantitySum::of((1..8).sum()));
    reconcile_rows(&digests(&batch), &content.rows).unwrap();
}

#[test]
fn order_files_and_columns_without_values_do_not_matter() {
    let batch = line_items(&[(TEAM, &["x", "y", "z"])]);
    let with_empty = line_items(&[
        ("resource/tag:area", &["", "", ""]),
        (TEAM, &["x", "y", "z"]),
    ]);
    assert_eq!(digests(&batch), digests(&with_empty));
    let text = written(&batch);
    let lines: Vec<&str> = text.lines().collect();
    let file = |rows: &[usize]| {
        let rows: Vec<&str> = rows.iter().map(|row| lines[row + 1]).collect();
        format!("{}\n{}\n", lines[0], rows.join("\n"))
    };
    let content = read(&[&file(&[2]), &file(&[1, 0])]).unwrap();
    assert_eq!(content.rows, digests(&batch));
}

#[test]
fn names_the_day_of_any_changed_value() {
    let batch = line_items(&[(TEAM, &["one", "two", "three"])]);
    let text = written(&batch);
    for (from, to, day) in [
        ("two", "twp", "1970-01-01"),
        ("three", "Three", "1970-01-02"),
        ("three", "", "1970-01-02"),
        ("id 2", "id 3", "1970-01-02"),
        (TEAM, "resource/tag:Team", "1970-01-01"),
    ] {
        assert!(text.contains(from), "{from}");
        let changed = text.replacen(from, to, 1);
        let content = read(&[&changed]).unwrap();
        // No sum tells them apart.
        assert_eq!(content.totals, read(&[&text]).unwrap().totals);
        let error = reconcile_rows(&digests(&batch), &content.rows).unwrap_err();
        assert!(
            error.to_string().contains(&format!("rows of {day} differ")),
            "{error}"
        );
    }
}

#[test]
fn values_that_moved_between_columns_or_rows_differ() {
    let batch = |first: [&str; 2], second: [&str; 2]| {
        line_items(&[("resource/tag:a", &first), ("resource/tag:b", &second)])
    };
    let original = digests(&batch(["x", "y"], ["", "z"]));
    for (first, second) in [
        (["", "y"], ["x", "z"]),
        (["y", "x"], ["", "z"]),
        (["x", "z"], ["", "y"]),
        (["x", "yz"], ["", ""]),
    ] {
        assert_ne!(
            digests(&batch(first, second)),
            original,
            "{first:?} {second:?}"
        );
    }
}

#[test]
fn lost_and_repeated_rows_differ() {
    let batch = line_items(&[(TEAM, &["one", "two", "three"])]);
    let text = written(&batch);
    let lost: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("three"))
        .collect();
    let content = read(&[&lost.join("\n")]).unwrap();
    let error = reconcile_rows(&digests(&batch), &content.rows).unwrap_err();
    assert!(error.to_string().contains("1970-01-02"), "{error}");
    assert!(
        error.to_string().contains("1 published, 0 delivered"),
        "{error}"
    );
    let content = read(&[&text, &text]).unwrap();
    let error = reconcile_rows(&digests(&batch), &content.rows).unwrap_err();
    assert!(
        error.to_string().contains("2 published, 4 delivered"),
        "{error}"
    );
}

#[test]
fn drops_of_older_versions_have_the_amortized_costs_that_cloudzero_falls_back_to() {
    let batch = line_items(&[(TEAM, &["one", "two"])]);
    let names: Vec<&str> = batch
        .schema_ref()
        .fields()
        .iter()
        .map(|f| f.name().as_str())
        .collect();
    let older = names
        .iter()
        .enumerate()
        .filter(|(_, name)| !name.contains("amortized"));
    let older: Vec<usize> = older.map(|(index, _)| index).collect();
    assert_eq!(older.len() + 2, names.len());
    let totals = read(&[&written(&batch.project(&older).unwrap())])
        .unwrap()
        .totals;
    let totals = totals.sum().unwrap();
    assert_eq!(totals.amortized, totals.cost);
    assert_eq!(totals.discounted_amortized, totals.discounted);
}

#[test]
fn errors_name_the_column_and_never_its_value() {
    let text = written(&line_items(&[(TEAM, &["one"])]));
    for (from, to, said) in [
        (
            "1970-01-01T00:00:00Z,",
            "s3cret,",
            "time/usage_start is not a time",
        ),
        ("1970-01-01T00:00:00Z,", ",", "time/usage_start is missing"),
        (
            "0.000000000000000000000007",
            "s3cret",
            "cost/discounted_cost is not a number",
        ),
        ("0.000000000000000000000007", "", "no cost/discounted_cost"),
        ("usage/amount", "usage/quantity", "no column usage/amount"),
    ] {
        assert!(text.contains(from), "{from} {text}");
        let error = read(&[&text.replacen(from, to, 1)])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(said) && error.contains("file.csv.gz"),
            "{error}"
        );
        assert!(!error.contains("s3cret"), "{error}");
    }
}
