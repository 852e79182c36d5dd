//! Known ways in which the engine and the table format silently return wrong money. Each test shows that one of
//! them is avoided, or caught before anything is published. Concurrent writers: `src/store/tables/tests.rs`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use billstream::billing_period::BillingPeriod;
use billstream::engine::files::FilesTable;
use billstream::engine::{self, Limits};
use billstream::store::writer::FileWriter;
use billstream::store::{Store, TableName};
use datafusion::prelude::SessionContext;

use crate::support::{Billstream, Sandbox};

const TODAY: &str = "2026-11-23";

fn october() -> BillingPeriod {
    "2026-10".parse().unwrap()
}

/// Wide table, written with billstream's own writer: its rows outgrow a small pool.
async fn wide_table(store: &Store, rows: usize) -> FilesTable {
    let wide = "x".repeat(2000);
    let texts: Vec<String> = (0..rows).map(|row| format!("{row}{wide}")).collect();
    let batch = RecordBatch::try_from_iter([
        (
            "n",
            Arc::new(Int64Array::from_iter_values(0..rows as i64)) as ArrayRef,
        ),
        ("text", Arc::new(StringArray::from(texts)) as ArrayRef),
    ])
    .unwrap();
    let mut files = Vec::new();
    for part in 0..4 {
        let name = format!("costs/{part}.parquet");
        let slice = batch.slice(part * rows / 4, rows / 4);
        let mut writer = FileWriter::new(store, &name, batch.schema()).unwrap();
        writer.write(&slice).await.unwrap();
        let path = format!("{part}.parquet");
        let file = writer.finish(path, &[]).await.unwrap();
        files.push(("acme".to_string(), october(), file));
    }
    FilesTable::new(store, TableName::Costs, &batch.schema(), files).unwrap()
}

async fn count(context: &SessionContext, sql: &str) -> Result<i64, String> {
    let frame = context.sql(sql).await.map_err(|e| e.to_string())?;
    let batches = frame.collect().await.map_err(|e| e.to_string())?;
    let column = batches[0]
        .column(0)
        .as_any()
        .downcast_ref::<Int64Array>()
        .unwrap();
    Ok(column.value(0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_that_outgrows_the_pool_loses_no_rows() {
    const ROWS: usize = 40_000;
    // A wide build side of some 80 MB under a pool of 64 MB, and an inequality on both sides.
    const SQL: &str = "select count(*) from (select c.text, k.k from wide c \
                       join (values (0), (1)) k(k) on k.k = 0 or c.n % 2 = 0)";
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().display().to_string()).unwrap();
    let limits = Limits {
        memory_bytes: 64 << 20,
        ..Limits::default()
    };
    let context = engine::session(&store, limits).unwrap();
    context
        .register_table("wide", Arc::new(wide_table(&store, ROWS).await))
        .unwrap();
    for reorder in ["true", "false"] {
        let set = format!("set datafusion.optimizer.join_reordering = {reorder}");
        context.sql(&set).await.unwrap().collect().await.unwrap();
        match count(&context, SQL).await {
            Ok(rows) => assert_eq!(rows, (ROWS + ROWS / 2) as i64),
            Err(error) => assert!(error.contains("Resources exhausted"), "{error}"),
        }
    }
}

#[test]
fn decimals_compare_as_decimals_and_their_statistics_hide_no_row() {
    let sandbox = Sandbox::start(&["--today", TODAY]);
    let folder = tempfile::tempdir().unwrap();
    let billstream = Billstream::on(folder.path()).from(&sandbox);
    billstream.import("2026-10").ok();
    for table in ["line_items", "costs"] {
        let column = if table == "costs" {
            "original_amount"
        } else {
            "\"cost/cost\""
        };
        let rows = billstream.query(&format!(
            "select {column} as amount, count(*) as rows from {table} group by 1 order by 1"
        ));
        assert!(rows.len() > 20);
        for row in rows.iter().step_by(rows.len() / 10) {
            let (amount, expected) = (&row["amount"], &row["rows"]);
            let found = billstream.query(&format!(
                "select count(*) as rows from {table} where {column} = {amount}"
            ));
            assert_eq!(&found[0]["rows"], expected, "{table} {amount}");
        }
    }
    let exact = billstream.query("select 0.1 + 0.2 = 0.3 as exact from costs limit 1");
    assert_eq!(exact[0]["exact"], "true");

    for table in ["costs", "line_items"] {
        let log = folder.path().join(table).join("_delta_log");
        let commits: String = std::fs::read_dir(log)
            .unwrap()
            .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
            .collect();
        assert!(commits.contains("\"delta.enableExpiredLogCleanup\":\"false\""));
        assert!(commits.contains("delta.dataSkippingStatsColumns"));
        // Statistics of the start column only.
        let start = ["start_date", "time/usage_start"][usize::from(table == "line_items")];
        for kind in ["minValues", "maxValues"] {
            let named = commits.matches(kind).count();
            let of_start = format!("\\\"{kind}\\\":{{\\\"{start}\\\":");
            assert!(named > 0);
            assert_eq!(named, commits.matches(&of_start).count(), "{commits}");
        }
    }
}

#[test]
fn partition_columns_are_plain_text_and_respect_limit() {
    let sandbox = Sandbox::start(&["--today", TODAY]);
    let folder = tempfile::tempdir().unwrap();
    let billstream = Billstream::on(folder.path()).from(&sandbox);
    billstream.import("2026-10").ok();
    assert_eq!(
        billstream
            .query("select billing_period from line_items limit 1")
            .len(),
        1
    );
    assert_eq!(
        billstream
            .query("select concat(connection, '') as c from costs limit 2")
            .len(),
        2
    );
    let types = billstream.query(
        "select arrow_typeof(connection) as partition, arrow_typeof(\"time/usage_start\") as time, \
         arrow_typeof(\"cost/cost\") as cost from line_items limit 1",
    );
    assert_eq!(types[0]["partition"], "Utf8");
    assert_eq!(types[0]["time"], "Timestamp(µs, \"UTC\")");
    assert_eq!(types[0]["cost"], "Decimal128(38, 24)");
}

#[test]
fn the_same_costs_result_in_the_same_drop_to_the_byte() {
    // 400 costs a day are two pages and several windows, read in any order.
    let sandbox = Sandbox::start(&["--today", TODAY, "--costs-per-day", "400"]);
    let drops: Vec<_> = (0..2)
        .map(|_| {
            let folder = tempfile::tempdir().unwrap();
            let billstream = Billstream::on(folder.path()).from(&sandbox);
            billstream.import("2026-10").ok();
            let files = crate::support::published_files(folder.path());
            let gz: Vec<Vec<u8>> = files
                .into_iter()
                .filter(|(name, _)| name.ends_with(".csv.gz"))
                .map(|(_, bytes)| bytes)
                .collect();
            assert!(!gz.is_empty());
            gz
        })
        .collect();
    assert!(drops[0] == drops[1]);
}
