//! Runs `tests/slt`: one file for every SQL file, on the product's own session.
//!
//! A statement may hold `{{models/line_items}}`, which stands for that SQL file with its parameters
//! filled in. A row is one line: values joined by ` | `, NULL and (empty) spelled out.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use billstream::engine::{self, Limits};
use billstream::store::Store;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

struct Session(SessionContext);

/// The SQL with every `{{name}}` replaced by the file, and its parameters by literals.
fn filled_in(sql: &str) -> String {
    let mut out = sql.to_string();
    while let Some((before, rest)) = out.split_once("{{") {
        let (name, after) = rest.split_once("}}").unwrap();
        let file = std::fs::read_to_string(root().join("sql").join(format!("{name}.sql"))).unwrap();
        let file = file
            .replace("$cloud_provider", "'Confluent'")
            .replace("$billing_period", "'2026-09'")
            .replace("$connection", "'demo'")
            .replace("$buckets", "1")
            .replace("$bucket", "0");
        out = format!("{before}{file}{after}");
    }
    out
}

fn lines(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::new()
        .with_null("NULL")
        .with_timestamp_format(Some("%Y-%m-%dT%H:%M:%SZ"))
        .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%SZ"));
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| {
            (
                ArrayFormatter::try_new(column, &options).unwrap(),
                column.data_type(),
            )
        })
        .collect();
    let cell = |row: usize, (formatter, data_type): &(ArrayFormatter<'_>, &DataType)| {
        let text = formatter.value(row).to_string();
        match text.as_str() {
            "" => "(empty)".to_string(),
            _ if data_type.is_decimal() && text.contains('.') => {
                text.trim_end_matches('0').trim_end_matches('.').to_string()
            }
            _ => text,
        }
    };
    (0..batch.num_rows())
        .map(|row| {
            let cells: Vec<String> = columns.iter().map(|column| cell(row, column)).collect();
            vec![cells.join(" | ")]
        })
        .collect()
}

#[async_trait::async_trait]
impl AsyncDB for Session {
    type Error = DataFusionError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, DataFusionError> {
        let batches = self.0.sql(&filled_in(sql)).await?.collect().await?;
        let counts = |batch: &RecordBatch| {
            batch.num_columns() == 0
                || batch.schema().field(0).name() == "count" && sql.starts_with("insert")
        };
        if batches.iter().all(counts) && !sql.trim_start().starts_with("select") {
            return Ok(DBOutput::StatementComplete(0));
        }
        let rows = batches.iter().flat_map(lines).collect();
        Ok(DBOutput::Rows {
            types: vec![DefaultColumnType::Text],
            rows,
        })
    }

    async fn shutdown(&mut self) {}
}

#[test]
fn every_sql_file_has_its_slt() {
    let names = |folder: &str, extension: &str| -> Vec<String> {
        let folder = root().join(folder);
        files_below(&folder, extension)
            .iter()
            .map(|path| {
                path.strip_prefix(&folder)
                    .unwrap()
                    .with_extension("")
                    .display()
                    .to_string()
            })
            .collect()
    };
    assert_eq!(names("sql", "sql"), names("tests/slt", "slt"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_files_give_the_rows_of_their_slt() {
    let files = files_below(&root().join("tests/slt"), "slt");
    assert!(!files.is_empty());
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let location = folder.path().display().to_string();
        let mut runner = Runner::new(move || {
            let location = location.clone();
            async move {
                let store = Store::open(&location).unwrap();
                Ok(Session(engine::session(&store, Limits::default()).unwrap()))
            }
        });
        if let Err(error) = runner.run_file_async(&file).await {
            panic!("{}: {error}", file.display());
        }
    }
}
