//! The columns of CloudZero's Common Bill Format (CBF), and the types they have in the store.
//!
//! Source: CloudZero's documentation, "Common Bill Format". Custom data travels as
//! `resource/tag:<key>` only, with letters, digits and `_ . : / = + - @` in the delivered key.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::Column;
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, cast};

use crate::decimal;
use crate::error::{Error, Result};

/// The prefix of tag columns.
pub const TAG_PREFIX: &str = "resource/tag:";

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Time,
    Number,
}

/// The columns that every line item has, in their order in files and drops.
const COLUMNS: [(&str, Kind); 18] = [
    ("lineitem/id", Kind::Text),
    ("lineitem/type", Kind::Text),
    ("lineitem/description", Kind::Text),
    ("lineitem/cloud_provider", Kind::Text),
    ("time/usage_start", Kind::Time),
    ("time/usage_end", Kind::Time),
    ("resource/id", Kind::Text),
    ("resource/service", Kind::Text),
    ("resource/usage_family", Kind::Text),
    ("resource/account", Kind::Text),
    ("resource/region", Kind::Text),
    ("action/usage_type", Kind::Text),
    ("action/operation", Kind::Text),
    ("usage/amount", Kind::Number),
    ("usage/units", Kind::Text),
    ("cost/cost", Kind::Number),
    ("cost/discounted_cost", Kind::Number),
    ("cost/on_demand_cost", Kind::Number),
];

/// The type of `time/…` columns: microseconds in UTC.
pub static TIME: LazyLock<DataType> =
    LazyLock::new(|| DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::Utf8View,
        Kind::Time => TIME.clone(),
        Kind::Number => decimal::TYPE,
    }
}

/// What a mapping returned, brought to CBF: its columns in order, then its tags by key.
pub struct Conformed {
    /// One expression a column, over the mapping's result.
    pub expressions: Vec<Expr>,
    /// The columns of the result.
    pub schema: SchemaRef,
}

/// Brings the result of a mapping to CBF's columns and types. `published` are the columns that
/// line items had so far.
///
/// # Errors
/// Kind data: a column that CBF needs is missing, one is there that CBF does not know, a tag key
/// is empty, or a number is a float.
pub fn conform(mapping: &DFSchema, published: &[String]) -> Result<Conformed> {
    let names: Vec<&str> = mapping
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let mut expressions = Vec::new();
    let mut fields = Vec::new();
    for (name, kind) in COLUMNS {
        let Some(at) = names.iter().position(|present| *present == name) else {
            return Err(Error::data(format!("the mapping has no column \"{name}\"")));
        };
        let given = mapping.field(at).data_type();
        let exact = given.is_decimal() || given.is_integer() || given.is_null();
        if kind == Kind::Number && !exact {
            return Err(Error::data(format!(
                "the mapping's column \"{name}\" is {given}, not a decimal"
            ))
            .with_hint("cast it to decimal(38, 24); floats lose digits"));
        }
        fields.push(Field::new(name, data_type(kind), true));
    }
    let mut tags: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !COLUMNS.iter().any(|(column, _)| column == name))
        .collect();
    tags.sort_unstable();
    for (at, tag) in tags.iter().copied().enumerate() {
        let known = tags[..at]
            .iter()
            .copied()
            .chain(published.iter().map(String::as_str));
        if let Some(other) = known
            .into_iter()
            .find(|k| *k != tag && k.eq_ignore_ascii_case(tag))
        {
            return Err(Error::data(format!(
                "the mapping's column \"{tag}\" and \"{other}\" differ in case only"
            ))
            .with_hint("tables of other tools could not tell them apart: choose one spelling"));
        }
        let Some(key) = tag.strip_prefix(TAG_PREFIX) else {
            return Err(Error::data(format!(
                "the mapping's column \"{tag}\" is not one of CloudZero's"
            ))
            .with_hint("custom data must be a column named \"resource/tag:<key>\""));
        };
        if key.is_empty() || key.chars().any(char::is_control) {
            return Err(Error::data(format!("{tag:?} names no tag")));
        }
        fields.push(Field::new(tag, DataType::Utf8View, true));
    }
    for field in &fields {
        let mut value = Expr::Column(Column::new_unqualified(field.name()));
        let given = mapping.field_with_unqualified_name(field.name());
        let zoneless = |given: &Field| matches!(given.data_type(), DataType::Timestamp(_, None));
        if field.data_type() == &*TIME && given.is_ok_and(|given| zoneless(given)) {
            // A zone is given by way of the number, which costs nothing; the engine would look up
            // the offset of every row.
            value = cast(value, DataType::Timestamp(TimeUnit::Microsecond, None));
            value = cast(value, DataType::Int64);
        }
        expressions.push(cast(value, field.data_type().clone()).alias(field.name()));
    }
    Ok(Conformed {
        expressions,
        schema: Arc::new(Schema::new(fields)),
    })
}

/// The columns that every line item has.
pub fn names() -> Vec<String> {
    COLUMNS.iter().map(|(name, _)| name.to_string()).collect()
}

/// A tag key with the characters that CloudZero takes; others become `_`.
pub fn legal_key(key: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_.:/=+-@".contains(c);
    key.chars()
        .map(|c| if legal(c) { c } else { '_' })
        .collect()
}

/// Columns of a table as CBF orders them: the fixed ones, then the tags by key.
pub fn ordered(table: &SchemaRef) -> Vec<String> {
    let mut tags: Vec<String> = table
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .filter(|name| name.starts_with(TAG_PREFIX))
        .collect();
    tags.sort_unstable();
    COLUMNS
        .iter()
        .map(|(name, _)| name.to_string())
        .chain(tags)
        .collect()
}
