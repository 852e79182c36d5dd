//! One type for the columns of a name in all files.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::engine::functions;
use crate::query::sources::open::OpenFile;

/// Columns of all files by name, in the order in which they first appear. Types that differ become text, which
/// keeps every digit; times of every unit and zone become microseconds in UTC.
pub(super) fn common_columns(files: &[OpenFile]) -> SchemaRef {
    let mut names = Vec::new();
    let mut types: HashMap<String, DataType> = HashMap::new();
    let mut add = |name: &String, data_type: DataType| {
        match types.get(name) {
            None => names.push(name.clone()),
            Some(known) if *known == DataType::Null => {}
            Some(known) if *known == data_type || data_type == DataType::Null => return,
            Some(_) => {
                types.insert(name.clone(), DataType::Utf8View);
                return;
            }
        }
        types.insert(name.clone(), data_type);
    };
    for file in files {
        for field in file.schema.fields() {
            add(field.name(), simplified(field.data_type()));
        }
        for (name, _) in &file.file.partition {
            if file.schema.field_with_name(name).is_err() {
                add(name, DataType::Utf8View);
            }
        }
    }
    let fields = names.into_iter().map(|name| {
        let data_type = match types.remove(&name) {
            None | Some(DataType::Null) => DataType::Utf8View,
            Some(known) => known,
        };
        Field::new(name, data_type, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The type in which values of a type are presented.
fn simplified(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => simplified(values),
        DataType::RunEndEncoded(_, values) => simplified(values.data_type()),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => functions::UTC_TIME,
        DataType::Null | DataType::Boolean => data_type.clone(),
        number if number.is_numeric() => number.clone(),
        // Texts, binary texts, and maps, structs and lists as JSON.
        _ => DataType::Utf8View,
    }
}

/// Values as a type of [`common_columns`].
pub(super) fn convert(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == to && *to != DataType::Utf8View {
        return Ok(array.clone());
    }
    match array.data_type() {
        DataType::Dictionary(_, values) => {
            return convert(&cast(array, values)?, to);
        }
        DataType::RunEndEncoded(_, values) => {
            return convert(&cast(array, values.data_type())?, to);
        }
        DataType::Null => return Ok(arrow::array::new_null_array(to, array.len())),
        _ => {}
    }
    match to {
        DataType::Utf8View => to_text(array),
        DataType::Timestamp(..) => functions::to_utc_times(array),
        _ => cast(array, to),
    }
}

fn to_text(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(match array.data_type() {
        // Every digit, and no exponent.
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>().iter();
            let texts = values.map(|value| value.map(|value| value.to_string()));
            Arc::new(texts.collect::<StringViewArray>())
        }
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>().iter();
            let texts = values.map(|value| value.map(|value| value.to_string()));
            Arc::new(texts.collect::<StringViewArray>())
        }
        nested if nested.is_nested() => functions::json_of(array)?,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let texts = cast(array, &DataType::Utf8View)?;
            Arc::new(without_missing(texts.as_string_view()))
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            let options = arrow::compute::CastOptions {
                safe: false,
                ..Default::default()
            };
            let texts = arrow::compute::cast_with_options(array, &DataType::Utf8View, &options)?;
            Arc::new(without_missing(texts.as_string_view()))
        }
        _ => cast(array, &DataType::Utf8View)?,
    })
}

/// NULL for texts that mean a missing value.
fn without_missing(texts: &StringViewArray) -> StringViewArray {
    if !texts.iter().flatten().any(is_missing) {
        return texts.clone();
    }
    let is_present = |row| texts.is_valid(row) && !is_missing(texts.value(row));
    let present = NullBuffer::new(BooleanBuffer::collect_bool(texts.len(), is_present));
    // The views do not change, and stay valid.
    let (views, buffers, _) = texts.clone().into_parts();
    StringViewArray::try_new(views, buffers, Some(present)).unwrap_or_else(|_| texts.clone())
}

/// Returns true for the empty text, `NULL` and `N/A`.
fn is_missing(text: &str) -> bool {
    if text.len() > 8 {
        return false;
    }
    let text = text.trim();
    text.is_empty() || text.eq_ignore_ascii_case("null") || text.eq_ignore_ascii_case("n/a")
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int64Array, TimestampNanosecondArray};

    use super::*;

    #[test]
    fn numbers_become_text_with_every_digit() {
        let texts = |array: ArrayRef| -> Vec<String> {
            let array = convert(&array, &DataType::Utf8View).unwrap();
            let array = array.as_string_view();
            array.iter().map(|v| v.unwrap().to_string()).collect()
        };
        assert_eq!(
            texts(Arc::new(Float64Array::from(vec![1e-7, 3.0, 1e20]))),
            ["0.0000001", "3", "100000000000000000000"]
        );
        assert_eq!(
            texts(Arc::new(Int64Array::from(vec![i64::MAX]))),
            ["9223372036854775807"]
        );
    }

    #[test]
    fn times_become_microseconds_in_utc_and_missing_texts_null() {
        let times = TimestampNanosecondArray::from(vec![1_000_001_000]).with_timezone("+02:00");
        let times = convert(&(Arc::new(times) as ArrayRef), &functions::UTC_TIME).unwrap();
        assert_eq!(
            times
                .as_primitive::<arrow::datatypes::TimestampMicrosecondType>()
                .value(0),
            1_000_001
        );
        let texts = StringViewArray::from(vec!["null", "N/A", "", " ", "NULL", "nullable", "0"]);
        let texts = convert(&(Arc::new(texts) as ArrayRef), &DataType::Utf8View).unwrap();
        let present: Vec<_> = texts.as_string_view().iter().flatten().collect();
        assert_eq!(present, ["nullable", "0"]);
    }
}
