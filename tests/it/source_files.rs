//! Files of cost sources: every file counts once, columns match by name, and what cannot be read is named.

mod cells;
mod columns;
mod found;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

use crate::support::{Billstream, Output, Row, csv_rows};

/// Folder with a source's files, and a store beside it.
struct Files {
    folder: TempDir,
    billstream: Billstream,
}

impl Files {
    fn new() -> Files {
        let folder = tempfile::tempdir().unwrap();
        let billstream = Billstream::on(&folder.path().join("store"));
        for name in ["store", "x"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Files { folder, billstream }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file below `x`; the text of a name with `.gz` is compressed.
    fn write(&self, name: &str, text: &str) -> &Files {
        let bytes = if name.to_lowercase().ends_with(".gz") && !text.is_empty() {
            gzip(text)
        } else {
            text.as_bytes().to_vec()
        };
        self.write_bytes(name, &bytes)
    }

    fn write_bytes(&self, name: &str, bytes: &[u8]) -> &Files {
        let path = self.path().join("x").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    fn write_parquet(&self, name: &str, columns: &[(&str, ArrayRef)]) -> &Files {
        let columns = columns
            .iter()
            .map(|(name, array)| (*name, array.clone(), true));
        let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let mut bytes = Vec::new();
        // Several row groups, which are read at the same time.
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(2));
        let properties = Some(properties.build());
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), properties).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        self.write_bytes(name, &bytes)
    }

    /// Runs SQL with the source `x` at a location below the folder.
    fn run(&self, location: &str, sql: &str) -> Output {
        let source = format!("x={}", self.path().join(location).display());
        let arguments = ["query", "--format", "csv", "--source", &source, sql];
        self.billstream.run(&arguments)
    }

    fn rows(&self, sql: &str) -> Vec<Row> {
        csv_rows(self.run("x", sql).ok().stdout.as_bytes())
    }

    /// Number of rows and their cost, at a location below the folder.
    fn total(&self, location: &str) -> String {
        let output = self.run(location, TOTAL).ok();
        output.stdout.lines().nth(1).unwrap().to_string()
    }
}

const TOTAL: &str = "select count(*) as n, sum(\"cost/cost\") as cost from x";

/// CSV of line items with costs, on the first of October.
fn costs(costs: &[&str]) -> String {
    let rows = costs.iter().map(|cost| format!("2026-10-01,{cost}\n"));
    format!("time/usage_start,cost/cost\n{}", rows.collect::<String>())
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}
