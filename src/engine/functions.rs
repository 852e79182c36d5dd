//! SQL functions of the product: `json_text` and `bucket`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewBuilder};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use twox_hash::XxHash64;

/// All functions.
pub fn all() -> [ScalarUDF; 2] {
    [
        // `json_text(object, key)`: the text at a top-level key of a JSON object, else NULL.
        create_udf(
            "json_text",
            vec![DataType::Utf8View, DataType::Utf8View],
            DataType::Utf8View,
            Volatility::Immutable,
            Arc::new(|arguments| {
                let arrays = ColumnarValue::values_to_arrays(arguments)?;
                Ok(ColumnarValue::Array(json_text(&arrays[0], &arrays[1])))
            }),
        ),
        // `bucket(text, n)`: a stable hash of the text, modulo n.
        create_udf(
            "bucket",
            vec![DataType::Utf8View, DataType::Int64],
            DataType::Int64,
            Volatility::Immutable,
            Arc::new(|arguments| {
                let arrays = ColumnarValue::values_to_arrays(arguments)?;
                Ok(ColumnarValue::Array(bucket(&arrays[0], &arrays[1])))
            }),
        ),
    ]
}

fn json_text(objects: &ArrayRef, keys: &ArrayRef) -> ArrayRef {
    let (objects, keys) = (objects.as_string_view(), keys.as_string_view());
    let mut out = StringViewBuilder::with_capacity(objects.len());
    for (object, key) in objects.iter().zip(keys) {
        let value = object.zip(key).and_then(|(object, key)| {
            let object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(object).ok()?;
            object.get(key)?.as_str().map(str::to_string)
        });
        out.append_option(value);
    }
    Arc::new(out.finish())
}

fn bucket(texts: &ArrayRef, counts: &ArrayRef) -> ArrayRef {
    let counts = counts.as_primitive::<Int64Type>();
    let buckets = texts
        .as_string_view()
        .iter()
        .zip(counts)
        .map(|(text, count)| {
            let count = count.filter(|count| *count > 0)? as u64;
            Some((XxHash64::oneshot(0, text?.as_bytes()) % count) as i64)
        });
    Arc::new(buckets.collect::<Int64Array>())
}
