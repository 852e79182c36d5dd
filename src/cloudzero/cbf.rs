//! The columns of CloudZero's Common Bill Format (CBF) and their types in the store.
//!
//! Source: CloudZero's documentation, "Common Bill Format". Custom data is only accepted as
//! `resource/tag:<key>`, with letters, digits and `_ . : / = + - @` in the delivered key.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::logical_expr::{Expr, cast, lit, when};
use datafusion::prelude::{coalesce, concat, ident};

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
const COLUMNS: [(&str, ColumnType); 20] = [
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
    ("cost/amortized_cost", ColumnType::Number),
    ("cost/discounted_amortized_cost", ColumnType::Number),
];

/// Columns of [`COLUMNS`] that a mapping may leave out; they are then NULL, which falls back in CloudZero.
const MAY_BE_NULL: [&str; 2] = ["cost/amortized_cost", "cost/discounted_amortized_cost"];

/// Columns that own line items must have.
const OWN_REQUIRED: [&str; 4] = [
    "lineitem/id",
    "lineitem/type",
    "time/usage_start",
    "cost/cost",
];

/// Prefix of the ids of own line items, which tells them from those of Confluent's costs.
pub(crate) const OWN_ID: &str = "own-";

/// Columns that line items have if a mapping returns them, all of text, in their order in files and drops.
const OPTIONAL: [&str; 5] = [
    "bill/invoice_id",
    "k8s/cluster",
    "k8s/namespace",
    "k8s/deployment",
    "k8s/labels",
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
    conform_with(mapping, published, |name| !MAY_BE_NULL.contains(&name))
}

/// As [`conform`], for own line items: their ids get the prefix [`OWN_ID`], and columns besides [`OWN_REQUIRED`] may be
/// left out. Costs that are left out are the billed cost, the provider is `cloud_provider`.
///
/// # Errors
/// As [`conform`].
pub(crate) fn conform_own(
    mapping: &DFSchema,
    published: &[String],
    cloud_provider: &str,
) -> Result<Conformed> {
    let conformed = conform_with(mapping, published, |name| OWN_REQUIRED.contains(&name))?;
    let columns = conformed.expressions.iter().zip(conformed.schema.fields());
    let cost = || ident("cost/cost");
    let expressions = columns.map(|(value, field)| {
        let own = match field.name().as_str() {
            "lineitem/id" => {
                let id = value.clone().unalias();
                let has_id = id.clone().not_eq(lit(""));
                let prefixed = when(has_id, concat(vec![lit(OWN_ID), id])).end();
                prefixed.map_err(|e| Error::bug(format!("ids of own line items: {e}")))?
            }
            "lineitem/cloud_provider" => {
                coalesce(vec![value.clone().unalias(), lit(cloud_provider)])
            }
            "cost/discounted_cost" | "cost/on_demand_cost" => {
                let billed = cast(cost(), field.data_type().clone());
                coalesce(vec![value.clone().unalias(), billed])
            }
            _ => return Ok(value.clone()),
        };
        Ok(cast(own, field.data_type().clone()).alias(field.name()))
    });
    Ok(Conformed {
        expressions: expressions.collect::<Result<_>>()?,
        schema: conformed.schema.clone(),
    })
}

fn conform_with(
    mapping: &DFSchema,
    published: &[String],
    is_required: impl Fn(&str) -> bool,
) -> Result<Conformed> {
    let mut fields = fixed_fields(mapping, is_required)?;
    fields.extend(optional_fields(mapping));
    fields.extend(tag_fields(mapping, published)?);
    let expressions = fields.iter().map(|field| projection(field, mapping));
    Ok(Conformed {
        expressions: expressions.collect(),
        schema: Arc::new(Schema::new(fields)),
    })
}

fn fixed_fields(mapping: &DFSchema, is_required: impl Fn(&str) -> bool) -> Result<Vec<Field>> {
    let fields = COLUMNS.iter().map(|(name, column)| {
        let Some(mapped) = mapping.fields().iter().find(|field| field.name() == name) else {
            if !is_required(name) {
                return Ok(Field::new(*name, data_type(*column), true));
            }
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

fn optional_fields(mapping: &DFSchema) -> impl Iterator<Item = Field> {
    let is_mapped = |name: &&&str| mapping.fields().iter().any(|field| field.name() == **name);
    let mapped = OPTIONAL.iter().filter(is_mapped);
    mapped.map(|name| Field::new(*name, DataType::Utf8View, true))
}

/// Tag columns of a mapping's result, by key.
fn tag_fields(mapping: &DFSchema, published: &[String]) -> Result<Vec<Field>> {
    let mut tags: Vec<&str> = mapping
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .filter(|name| !COLUMNS.iter().any(|(column, _)| column == name))
        .filter(|name| !OPTIONAL.contains(name))
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
            .with_hint(format!(
                "columns of CBF are {}, {}; name columns of custom data \"resource/tag:<key>\"",
                names().join(", "),
                OPTIONAL.join(", ")
            )));
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
    let mapped = mapping.field_with_unqualified_name(field.name());
    let mut value = match &mapped {
        Ok(_) => Expr::Column(Column::new_unqualified(field.name())),
        Err(_) => lit(ScalarValue::Null),
    };
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

/// Returns the columns of two tables together.
pub(crate) fn union_of(first: &SchemaRef, second: &SchemaRef) -> SchemaRef {
    let is_new = |field: &&Arc<Field>| first.field_with_name(field.name()).is_err();
    let fields: Vec<_> = first
        .fields()
        .iter()
        .chain(second.fields().iter().filter(is_new))
        .cloned()
        .collect();
    Arc::new(Schema::new(fields))
}

/// Returns a table's columns, and those of every line item that it lacks because an older version created it.
pub(crate) fn with_all_columns(table: &SchemaRef) -> SchemaRef {
    let missing = COLUMNS
        .iter()
        .filter(|(name, _)| table.field_with_name(name).is_err())
        .map(|(name, column)| Arc::new(Field::new(*name, data_type(*column), true)));
    let fields: Vec<_> = table.fields().iter().cloned().chain(missing).collect();
    Arc::new(Schema::new(fields))
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

/// Returns the columns of a table in CBF's order: the fixed columns, the optional ones that it has, then the tags by
/// key.
pub(crate) fn ordered(table: &SchemaRef) -> Vec<String> {
    let mut tags: Vec<String> = table
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .filter(|name| name.starts_with(TAG_PREFIX))
        .collect();
    tags.sort_unstable();
    let has = |name: &String| table.field_with_name(name).is_ok();
    let optional = OPTIONAL.iter().map(ToString::to_string);
    let columns = names().into_iter().chain(optional).filter(has);
    columns.chain(tags).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Result of a mapping with the required columns and `others`.
    fn mapping(others: &[&str]) -> DFSchema {
        let required = COLUMNS
            .iter()
            .filter(|(name, _)| !MAY_BE_NULL.contains(name))
            .map(|(name, column)| Field::new(*name, data_type(*column), true));
        let others = others.iter().map(|name| match *name {
            name if name.starts_with("cost/") => Field::new(name, decimal::TYPE, true),
            name => Field::new(name, DataType::Utf8View, true),
        });
        let fields: Vec<Field> = required.chain(others).collect();
        DFSchema::try_from(Schema::new(fields)).unwrap()
    }

    #[test]
    fn a_mapping_may_return_every_column_of_cbf() {
        let others = [
            "resource/tag:team",
            "k8s/labels",
            "bill/invoice_id",
            "cost/discounted_amortized_cost",
            "cost/amortized_cost",
        ];
        let conformed = conform(&mapping(&others), &[]).unwrap();
        let names: Vec<String> = conformed
            .schema
            .fields()
            .iter()
            .map(|f| f.name().clone())
            .collect();
        let last: Vec<&str> = names
            .iter()
            .rev()
            .take(5)
            .rev()
            .map(String::as_str)
            .collect();
        assert_eq!(
            last,
            [
                "cost/amortized_cost",
                "cost/discounted_amortized_cost",
                "bill/invoice_id",
                "k8s/labels",
                "resource/tag:team"
            ]
        );
        assert_eq!(ordered(&conformed.schema), names);
    }

    #[test]
    fn a_mapping_without_amortized_costs_leaves_them_blank() {
        let conformed = conform(&mapping(&[]), &[]).unwrap();
        assert!(
            conformed
                .schema
                .field_with_name("cost/amortized_cost")
                .is_ok()
        );
        assert_eq!(conformed.expressions.len(), COLUMNS.len());
        assert!(conformed.schema.field_with_name("bill/invoice_id").is_err());
    }

    #[test]
    fn names_the_columns_of_cbf_for_an_unknown_one() {
        let error = conform(&mapping(&["bill/invoice"]), &[]).err().unwrap();
        let hint = error.hint().unwrap_or_default().to_string();
        assert!(hint.contains("bill/invoice_id"), "{hint}");
    }

    #[test]
    fn a_table_of_an_older_version_gains_the_columns_that_it_lacks() {
        let older = Schema::new(vec![Field::new("cost/cost", decimal::TYPE, true)]);
        let table = with_all_columns(&Arc::new(older));
        assert_eq!(table.fields().len(), COLUMNS.len());
        let amortized = table.field_with_name("cost/amortized_cost").unwrap();
        assert_eq!(amortized.data_type(), &decimal::TYPE);
    }
}
