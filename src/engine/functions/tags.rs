//! Tags in SQL: `tags_json`, `map_json` and `aws_tags` build a JSON object, `json_entries` lists its entries.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListBuilder, StringBuilder, StringViewArray, StringViewBuilder,
    StructBuilder, UInt32Builder,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, create_udf,
};

use crate::engine::functions::column_function::column_function;
use crate::engine::functions::tag_texts::{self, Prefixes, json_of};

/// `tags_json(key, value, …)`: JSON object of the non-empty values; NULL without any.
pub(crate) fn tags_json() -> ScalarUDF {
    ScalarUDF::new_from_impl(TagsJson {
        signature: Signature::variadic(vec![DataType::Utf8View], Volatility::Immutable),
    })
}

/// `json_entries(object)`: list of `{key, value}` of the texts, numbers and booleans at the top level of a JSON
/// object; empty for other values. Unnest it for one row per entry.
pub(super) fn json_entries() -> ScalarUDF {
    create_udf(
        "json_entries",
        vec![DataType::Utf8View],
        DataType::List(Arc::new(Field::new_list_field(entry_type(), true))),
        Volatility::Immutable,
        Arc::new(|arguments| {
            let arrays = ColumnarValue::values_to_arrays(arguments)?;
            Ok(ColumnarValue::Array(entries(&arrays[0])))
        }),
    )
}

/// `map_json(tags)`: tags as a JSON object. They may be a map, a struct, a list of keys and values, or JSON text, also
/// without its braces. A key `user:team` becomes `team`; NULL without any.
pub(super) fn map_json() -> ScalarUDF {
    column_function("map_json", 1, DataType::Utf8View, |columns| {
        to_json(&columns[0], Prefixes::Colon)
    })
}

/// `aws_tags(tags)`: like `map_json`, for the keys of a Cost and Usage Report, where a colon is an underscore:
/// `user_team` becomes `team`, and `aws_created_by` becomes `aws:created_by`.
pub(super) fn aws_tags() -> ScalarUDF {
    column_function("aws_tags", 1, DataType::Utf8View, |columns| {
        to_json(&columns[0], Prefixes::Underscore)
    })
}

fn entry_fields() -> Fields {
    Fields::from(vec![
        Field::new("key", DataType::Utf8, true),
        Field::new("value", DataType::Utf8, true),
    ])
}

fn entry_type() -> DataType {
    DataType::Struct(entry_fields())
}

fn entries(objects: &ArrayRef) -> ArrayRef {
    let mut lists = ListBuilder::new(StructBuilder::from_fields(entry_fields(), objects.len()));
    for object in objects.as_string_view() {
        let object: serde_json::Map<String, serde_json::Value> = object
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let entries = lists.values();
        for (key, value) in object {
            let value = match value {
                serde_json::Value::String(text) => text,
                value if value.is_number() || value.is_boolean() => value.to_string(),
                _ => continue,
            };
            let mut push = |at: usize, text: String| {
                if let Some(builder) = entries.field_builder::<StringBuilder>(at) {
                    builder.append_value(text);
                }
            };
            push(0, key);
            push(1, value);
            entries.append(true);
        }
        lists.append(true);
    }
    Arc::new(lists.finish())
}

/// Tags in any form as JSON objects; NULL without any.
fn to_json(tags: &ArrayRef, prefixes: Prefixes) -> Result<ArrayRef> {
    let texts = json_of(tags)?;
    let mut out = StringViewBuilder::with_capacity(texts.len());
    for text in texts.as_string_view() {
        let Some(text) = text else {
            out.append_null();
            continue;
        };
        let tags = tag_texts::parse(text, prefixes).ok_or_else(|| {
            let start: String = text.chars().take(40).collect();
            DataFusionError::Execution(format!("`{start}` is not a JSON object of tags"))
        })?;
        let text = (!tags.is_empty()).then(|| serde_json::Value::Object(tags).to_string());
        out.append_option(text);
    }
    Ok(Arc::new(out.finish()))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TagsJson {
    signature: Signature,
}

impl ScalarUDFImpl for TagsJson {
    fn name(&self) -> &str {
        "tags_json"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arrays = args
            .args
            .iter()
            .map(|argument| argument.to_array(rows))
            .collect::<Result<Vec<_>>>()?;
        let pairs: Vec<_> = arrays
            .chunks_exact(2)
            .map(|pair| (pair[0].as_string_view(), pair[1].as_string_view()))
            .collect();
        // Rows of a resource repeat their tags: each object is composed once per batch. Equal views of an array are
        // equal texts; a NULL is as good as an empty text.
        let columns = args.args.iter().zip(&arrays);
        let columns: Vec<&StringViewArray> = columns
            .filter(|(argument, _)| matches!(argument, ColumnarValue::Array(_)))
            .map(|(_, array)| array.as_string_view())
            .collect();
        let mut known: HashMap<Vec<u128>, Option<u32>> = HashMap::new();
        let mut objects = StringViewBuilder::new();
        let mut count = 0;
        let mut positions = UInt32Builder::with_capacity(rows);
        let mut key = Vec::with_capacity(columns.len());
        for row in 0..rows {
            key.clear();
            let view = |texts: &&StringViewArray| texts.is_valid(row).then(|| texts.views()[row]);
            key.extend(columns.iter().map(|texts| view(texts).unwrap_or(0)));
            let position = match known.get(&key) {
                Some(position) => *position,
                None => {
                    let object = object_of(&pairs, row);
                    let position = object.map(|object| {
                        objects.append_value(serde_json::Value::Object(object).to_string());
                        count += 1;
                        count - 1
                    });
                    known.insert(key.clone(), position);
                    position
                }
            };
            positions.append_option(position);
        }
        let out = take(&objects.finish(), &positions.finish(), None)?;
        Ok(ColumnarValue::Array(out))
    }
}

/// The non-empty values of a row by their keys; `None` without any.
fn object_of(
    pairs: &[(&StringViewArray, &StringViewArray)],
    row: usize,
) -> Option<serde_json::Map<String, serde_json::Value>> {
    let mut object = serde_json::Map::new();
    for (keys, values) in pairs {
        if values.is_valid(row) && !values.value(row).is_empty() && keys.is_valid(row) {
            object.insert(keys.value(row).to_string(), values.value(row).into());
        }
    }
    (!object.is_empty()).then_some(object)
}
