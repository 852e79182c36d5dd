//! SQL functions: `json_text`, `json_entries`, `tags_json`, `map_json`, `aws_tags`, `like_any_case`, `like_literal`,
//! `bucket`, `share`, `amount`, `quantity`, `price`, `times`, `utc_time`, `newest_label`, and a `round` for decimals.

mod column_function;
mod like;
mod money;
mod newest_label;
mod round;
mod tag_texts;
mod tags;
mod times;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Int64Array, StringViewBuilder};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use twox_hash::XxHash64;

use crate::decimal;

pub(crate) use crate::engine::functions::money::{to_decimals, to_quantities};
pub(crate) use crate::engine::functions::newest_label::{Labels, NEWEST_LABEL, bound};
pub(crate) use crate::engine::functions::round::round;
pub(crate) use crate::engine::functions::tag_texts::{are_tags, json_of};
pub(crate) use crate::engine::functions::tags::tags_json;
pub(crate) use crate::engine::functions::times::{UTC_TIME, to_utc_times};

/// Creates all functions.
pub(super) fn all() -> [ScalarUDF; 16] {
    [
        like::like_any_case(),
        like::like_literal(),
        money::amount(),
        money::quantity(),
        money::price(),
        money::times(),
        round(),
        tags::json_entries(),
        tags::map_json(),
        tags::aws_tags(),
        times::utc_time(),
        newest_label::unbound(),
        tags_json(),
        // `json_text(object, key)`: text at a top-level key of a JSON object; NULL for other values.
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
        // `bucket(text, n)`: stable hash of the text, modulo n.
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
        // `share(amount, part, parts)`: one of equal parts (from 0), truncated at the scale; the last part
        // includes the remainder, so that all parts sum to the amount. The engine's own division rounds.
        create_udf(
            "share",
            vec![decimal::TYPE, DataType::Int64, DataType::Int64],
            decimal::TYPE,
            Volatility::Immutable,
            Arc::new(|arguments| {
                let arrays = ColumnarValue::values_to_arrays(arguments)?;
                Ok(ColumnarValue::Array(share(
                    &arrays[0], &arrays[1], &arrays[2],
                )))
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

fn share(amounts: &ArrayRef, part: &ArrayRef, parts: &ArrayRef) -> ArrayRef {
    let amounts = amounts.as_primitive::<Decimal128Type>();
    let part = part.as_primitive::<Int64Type>();
    let parts = parts.as_primitive::<Int64Type>();
    let shares = amounts
        .iter()
        .zip(part.iter().zip(parts))
        .map(|(amount, (part, parts))| {
            let (amount, part, parts) = (amount?, part?, parts.filter(|parts| *parts > 0)?);
            let each = amount / i128::from(parts);
            Some(if part == parts - 1 {
                amount - each * i128::from(parts - 1)
            } else {
                each
            })
        });
    Arc::new(
        shares
            .collect::<Decimal128Array>()
            .with_data_type(decimal::TYPE),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shares_sum_to_the_amount(amount in -(10i128.pow(37))..10i128.pow(37), parts in 1i64..40) {
            let n = parts as usize;
            let amounts = Decimal128Array::from(vec![amount; n]).with_data_type(decimal::TYPE);
            let part: ArrayRef = Arc::new(Int64Array::from_iter_values(0..parts));
            let of: ArrayRef = Arc::new(Int64Array::from(vec![parts; n]));
            let amounts: ArrayRef = Arc::new(amounts);
            let shares = share(&amounts, &part, &of);
            let shares = shares.as_primitive::<Decimal128Type>().values().to_vec();
            prop_assert_eq!(shares.iter().sum::<i128>(), amount);
            prop_assert!(shares[..n - 1].iter().all(|s| *s == amount / i128::from(parts)));
        }
    }
}
