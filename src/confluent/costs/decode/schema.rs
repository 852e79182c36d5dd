//! Columns of a stored cost.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::decimal;

/// Text columns of a stored cost, in order, after `start_date` and `end_date`.
pub(super) const TEXT_COLUMNS: [&str; 12] = [
    "id",
    "granularity",
    "network_access_type",
    "product",
    "line_type",
    "unit",
    "description",
    "tier_dimensions",
    "resource_id",
    "resource_name",
    "environment_id",
    "extra",
];
/// Decimal columns of a stored cost, in order, after the texts.
pub(super) const DECIMAL_COLUMNS: [&str; 5] = [
    "price",
    "quantity",
    "original_amount",
    "discount_amount",
    "amount",
];

/// Columns of a stored cost, without the partition columns `connection` and `billing_period`.
///
/// `record_id` (32 hex digits) is the hash of connection, content and `ordinal`; `extra` is a JSON object of the fields
/// that have no column; money and quantities are `Decimal128(38, 24)`.
pub static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = vec![
        Field::new("record_id", DataType::Utf8, true),
        Field::new("ordinal", DataType::Int32, true),
        Field::new("start_date", DataType::Date32, true),
        Field::new("end_date", DataType::Date32, true),
    ];
    fields.extend(TEXT_COLUMNS.map(|name| Field::new(name, DataType::Utf8, true)));
    fields.extend(DECIMAL_COLUMNS.map(|name| Field::new(name, decimal::TYPE, true)));
    Arc::new(Schema::new(fields))
});
