//! The columns of CloudZero's Common Bill Format (CBF) and their types in the store.
//!
//! Source: CloudZero's documentation, "Common Bill Format". Custom data is only accepted as
//! `resource/tag:<key>`, with letters, digits and `_ . : / = + - @` in the delivered key.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::Column;
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, cast};

use crate::decimal;
use crate::error::{Error, Result};

/// Prefix of tag columns.
pub(crate) const TAG_PREFIX: &str = "resource/tag:";

/// Type of a column in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Text,
    Time,
    Number,
}

/// Columns of every line item, in their order in files and drops.
const COLUMNS: [(&str, ColumnType); 18] = [
    ("lineitem/id", ColumnType::Text),
    ("lineitem/type", ColumnType::Text),
    ("lineitem/description", ColumnType::Text),
    ("lineitem/cloud_provider", ColumnType::Text),
    ("time/usage_start", ColumnType::Time),
    ("time/usage_end", ColumnType::Time),
    ("resource/id", ColumnType::Text),
    ("resource/service", ColumnType::Text),
    ("resource/usage_family", ColumnType::Text),
    ("resource/account", ColumnType::Text),
    ("resource/region", ColumnType::Text),
    ("action/usage_type", ColumnType::Text),
    ("action/operation", ColumnType::Text),
    ("usage/amount", ColumnType::Number),
    ("usage/units", ColumnType::Text),
    ("cost/cost", ColumnType::Number),
    ("cost/discounted_cost", ColumnType::Number),
    ("cost/on_demand_cost", ColumnType::Number),
];

/// Type of `time/…` columns: microseconds in UTC.
pub(crate) static TIME: LazyLock<DataType> =
    LazyLock::new(|| DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));

fn data_type(column: ColumnType) -> DataType {
    match column {
        ColumnType::Text => DataType::Utf8View,
        ColumnType::Time => TIME.clone(),
        ColumnType::Number => decimal::TYPE,
    }
}

/// Projection of a mapping's result onto CBF: the fixed columns in order, then the tags by key.
pub(crate) struct Conformed {
    /// One expression per column, over the mapping's result.
    pub(crate) expressions: Vec<Expr>,
    /// Columns of the projection.
    pub(crate) schema: SchemaRef,
}

/// Projects the result of a mapping onto CBF's columns and types. `published` lists the columns of the
/// published line items.
///
/// # Errors
/// Kind `Data` for a missing column, an unknown column, an empty tag key or a floating-point number.
pub(crate) fn conform(mapping: &DFSchema, published: &[String]) -> Result<Conformed> {
    let mut fields = fixed_fields(mapping)?;
    fields.extend(tag_fields(mapping, published)?);
    let expressions = fields.iter().map(|field| projection(field, mapping));
    Ok(Conformed {
        expressions: expressions.collect(),
        schema: Arc::new(Schema::new(fields)),
    })
}

fn fixed_fields(mapping: &DFSchema) -> Result<Vec<Field>> {
    let fields = COLUMNS.iter().map(|(name, column)| {
        let Some(mapped) = mapping.fields().iter().find(|field| field.name() == name) else {
            return Err(Error::data(format!("the mapping has no column \"{name}\"")));
        };
        let mapped = mapped.data_type();
        let exact = mapped.is_decimal() || mapped.is_integer() || mapped.is_null();
        if *column == ColumnType::Number && !exact {
            return Err(Error::data(format!(
                "the mapping's column \"{name}\" is {mapped}, not a decimal"
            ))
            .with_hint("cast it to decimal(38, 24); floats lose digits"));
        }
        Ok(Field::new(*name, data_type(*column), true))
    });
    fields.collect()
}

/// Tag columns of a mapping's result, by key.
fn tag_fields(mapping: &DFSchema, published: &[String]) -> Result<Vec<Field>> {
    let mut tags: Vec<&str> = mapping
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .filter(|name| !COLUMNS.iter().any(|(column, _)| column == name))
        .collect();
    tags.sort_unstable();
    let mut fields = Vec::new();
    for (index, tag) in tags.iter().copied().enumerate() {
        let mut others = tags[..index]
            .iter()
            .copied()
            .chain(published.iter().map(String::as_str));
        if let Some(other) = others.find(|other| *other != tag && other.eq_ignore_ascii_case(tag)) {
            return Err(Error::data(format!(
                "the mapping's columns \"{tag}\" and \"{other}\" differ in case only"
            ))
            .with_hint("choose one spelling: other tools read column names without case"));
        }
        let Some(key) = tag.strip_prefix(TAG_PREFIX) else {
            return Err(Error::data(format!(
                "the mapping's column \"{tag}\" is not a CBF column"
            ))
            .with_hint("name columns of custom data \"resource/tag:<key>\""));
        };
        if key.is_empty() || key.chars().any(char::is_control) {
            return Err(Error::data(format!(
                "the mapping's column {tag:?} has no valid tag key"
            )));
        }
        fields.push(Field::new(tag, DataType::Utf8View, true));
    }
    Ok(fields)
}

/// Casts a column of the mapping to the type of `field`.
fn projection(field: &Field, mapping: &DFSchema) -> Expr {
    let mut value = Expr::Column(Column::new_unqualified(field.name()));
    let mapped = mapping.field_with_unqualified_name(field.name());
    let has_no_zone =
        mapped.is_ok_and(|mapped| matches!(mapped.data_type(), DataType::Timestamp(_, None)));
    if field.data_type() == &*TIME && has_no_zone {
        // Adding the zone through the integer is free; a direct cast looks up the offset of every row.
        value = cast(value, DataType::Timestamp(TimeUnit::Microsecond, None));
        value = cast(value, DataType::Int64);
    }
    cast(value, field.data_type().clone()).alias(field.name())
}

/// Returns the type of a column by its name. Tags are text.
pub(crate) fn column_type(name: &str) -> ColumnType {
    COLUMNS
        .iter()
        .find(|(column, _)| *column == name)
        .map_or(ColumnType::Text, |(_, column_type)| *column_type)
}

/// Returns the names of the fixed columns.
pub(crate) fn names() -> Vec<String> {
    COLUMNS.iter().map(|(name, _)| name.to_string()).collect()
}

/// Replaces each character that CloudZero refuses in tag keys with `_`.
pub(crate) fn legal_key(key: &str) -> String {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || "_.:/=+-@".contains(c);
    key.chars()
        .map(|c| if is_legal(c) { c } else { '_' })
        .collect()
}

/// Returns the columns of a table in CBF's order: the fixed columns, then the tags by key.
pub(crate) fn ordered(table: &SchemaRef) -> Vec<String> {
    let mut tags: Vec<String> = table
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .filter(|name| name.starts_with(TAG_PREFIX))
        .collect();
    tags.sort_unstable();
    names().into_iter().chain(tags).collect()
}
