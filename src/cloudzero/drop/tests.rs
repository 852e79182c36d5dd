use std::io::{Read, Write};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Schema};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use object_store::memory::InMemory;

use super::*;
use crate::cloudzero::columns::HOUR_MICROS;
use crate::decimal;

/// Rows with a tag, ten a day.
fn batch(rows: std::ops::Range<i64>) -> RecordBatch {
    let text = |value: fn(i64) -> String| -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values(rows.clone().map(value)))
    };
    let number = || -> ArrayRef {
        let values = rows.clone().map(|row| i128::from(row) << 60);
        Arc::new(Decimal128Array::from_iter_values(values).with_data_type(decimal::TYPE))
    };
    let starts = rows.clone().map(|row| row / 10 * 24 * HOUR_MICROS);
    let starts = TimestampMicrosecondArray::from_iter_values(starts).with_timezone("UTC");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("time/usage_start", Arc::new(starts)),
        ("lineitem/type", text(|_| "Usage".into())),
        ("action/usage_type", text(|row| format!("type {}", row % 3))),
        ("usage/amount", number()),
        ("cost/cost", number()),
        ("cost/discounted_cost", number()),
        ("cost/on_demand_cost", number()),
        ("cost/amortized_cost", number()),
        ("cost/discounted_amortized_cost", number()),
        (
            "resource/tag:team",
            text(|row| format!("team \"{row}\", Zürich")),
        ),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

#[tokio::test]
async fn a_written_drop_is_read_back_row_by_row_and_any_changed_character_is_caught() {
    let store = Store::over(Arc::new(InMemory::new()));
    let period: BillingPeriod = "1970-01".parse().unwrap();
    let drop_id = DropId::from("first");
    let streams = [0..25, 25..40].map(|rows| {
        let batches = [batch(rows)];
        let schema = batches[0].schema();
        let batches = futures::stream::iter(batches.map(Ok));
        Box::pin(RecordBatchStreamAdapter::new(schema, batches)) as _
    });
    let files = write(&store, &folder(period, &drop_id), streams.into(), true)
        .await
        .unwrap();
    assert_eq!((files.count, files.rows), (2, 40));
    assert_eq!(files.written, files.content.rows);
    let read = read_files(&store, period, &drop_id).await.unwrap();
    read_back::reconcile_rows(&files.written, &read.content.rows).unwrap();

    let name = store
        .list(&folder(period, &drop_id))
        .await
        .unwrap()
        .remove(0);
    let bytes = store.get(&name).await.unwrap().unwrap();
    let mut text = String::new();
    GzDecoder::new(&bytes[..])
        .read_to_string(&mut text)
        .unwrap();
    let changed = text.replacen("team \"\"17\"\"", "team \"\"71\"\"", 1);
    assert_ne!(changed, text);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(changed.as_bytes()).unwrap();
    store.put(&name, gzip.finish().unwrap()).await.unwrap();
    let read = read_files(&store, period, &drop_id).await.unwrap();
    assert_eq!(read.content.totals, files.content.totals);
    let error = read_back::reconcile_rows(&files.written, &read.content.rows).unwrap_err();
    assert!(
        error.to_string().contains("rows of 1970-01-02 differ"),
        "{error}"
    );
}
