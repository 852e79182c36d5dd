//! Arrow columns as Delta columns.

use arrow::datatypes::{DataType, Field, SchemaRef, TimeUnit};
use deltalake::kernel::{DataType as DeltaType, StructField};

use crate::error::{Error, Result};

/// Value of `delta.dataSkippingStatsColumns`: dates and times only.
///
/// Statistics of decimals would be rounded floats, and readers that trust them lose rows.
pub(super) fn columns_with_stats(columns: &SchemaRef) -> String {
    let is_time =
        |data_type: &DataType| matches!(data_type, DataType::Date32 | DataType::Timestamp(..));
    let fields = columns.fields().iter();
    let named = fields
        .filter(|field| is_time(field.data_type()))
        .map(|field| format!("`{}`", field.name()));
    named.collect::<Vec<_>>().join(",")
}

/// Delta column of an Arrow column.
///
/// Always nullable: a NOT NULL partition column with an empty value makes the table unreadable.
pub(super) fn delta_field(field: &Field) -> Result<StructField> {
    let name = field.name();
    let data_type = match field.data_type() {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => DeltaType::STRING,
        DataType::Int32 => DeltaType::INTEGER,
        DataType::Date32 => DeltaType::DATE,
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => DeltaType::TIMESTAMP,
        DataType::Decimal128(precision, scale) => {
            DeltaType::decimal(*precision, scale.unsigned_abs())
                .map_err(|e| Error::bug(format!("column `{name}`: {e}")))?
        }
        other => {
            return Err(Error::bug(format!(
                "column `{name}` has the unsupported type {other}"
            )));
        }
    };
    Ok(StructField::new(name.clone(), data_type, true))
}
