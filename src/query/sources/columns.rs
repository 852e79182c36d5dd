//! Columns of `all_line_items`, and their projection from the result of a mapping.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::prelude::coalesce;

use crate::cloudzero::cbf;
use crate::decimal;
use crate::error::{Error, Result};

/// Columns of every source and of `all_line_items`, with their SQL types.
pub(crate) const COLUMNS: [(&str, &str); 26] = [
    ("connection", "varchar"),
    ("billing_period", "varchar"),
    (CURRENCY, "varchar"),
    ("lineitem/id", "varchar"),
    ("lineitem/type", "varchar"),
    ("lineitem/description", "varchar"),
    ("lineitem/cloud_provider", "varchar"),
    ("time/usage_start", "timestamp"),
    ("time/usage_end", "timestamp"),
    ("resource/id", "varchar"),
    ("resource/service", "varchar"),
    ("resource/usage_family", "varchar"),
    ("resource/account", "varchar"),
    ("resource/region", "varchar"),
    ("action/usage_type", "varchar"),
    ("action/operation", "varchar"),
    ("usage/amount", AMOUNT),
    ("usage/units", "varchar"),
    ("cost/cost", AMOUNT),
    ("cost/discounted_cost", AMOUNT),
    ("cost/on_demand_cost", AMOUNT),
    ("cost/amortized_cost", AMOUNT),
    ("cost/discounted_amortized_cost", AMOUNT),
    ("resource/tag:confluent_environment", "varchar"),
    ("resource/tag:confluent_name", "varchar"),
    ("tags", "varchar"),
];
/// Column of the currency of a row's amounts; never NULL.
pub(crate) const CURRENCY: &str = "currency";
/// Currency of rows that name none, as in Confluent's and CloudZero's data.
pub(crate) const DEFAULT_CURRENCY: &str = "USD";
const AMOUNT: &str = "decimal(38, 24)";
/// Columns that a mapping must return.
const REQUIRED: [&str; 3] = ["billing_period", "time/usage_start", "cost/cost"];

fn data_type(sql: &str) -> DataType {
    match sql {
        AMOUNT => decimal::TYPE,
        "timestamp" => cbf::TIME.clone(),
        _ => DataType::Utf8View,
    }
}

/// Projection of a mapping's columns to [`COLUMNS`]; a missing column is NULL or has a default of the source.
pub(super) fn projection<'a>(
    mapped: impl Iterator<Item = &'a Arc<Field>>,
    source: &str,
) -> Result<Vec<Expr>> {
    let mapped: Vec<&Arc<Field>> = mapped.collect();
    for field in &mapped {
        let is_known = COLUMNS.iter().any(|(name, _)| name == field.name());
        if !is_known {
            return Err(Error::data(format!(
                "the mapping returns the column \"{}\", which all_line_items does not have",
                field.name()
            ))
            .with_hint("return tags in the column `tags`, as a JSON object"));
        }
        if field.data_type().is_floating() {
            return Err(Error::data(format!(
                "the mapping returns the column \"{}\" as a float, which loses digits",
                field.name()
            ))
            .with_hint("wrap it in amount(…)"));
        }
    }
    let has = |name: &str| mapped.iter().any(|field| field.name() == name);
    if let Some(missing) = REQUIRED.into_iter().find(|name| !has(name)) {
        return Err(Error::data(format!(
            "the mapping does not return the column \"{missing}\""
        )));
    }
    let columns = COLUMNS.iter().map(|(name, sql)| {
        let value = match *name {
            "connection" => lit(source),
            CURRENCY if has(CURRENCY) => {
                let given = Expr::Column(Column::new_unqualified(CURRENCY));
                coalesce(vec![given, lit(DEFAULT_CURRENCY)])
            }
            CURRENCY => lit(DEFAULT_CURRENCY),
            name if has(name) => Expr::Column(Column::new_unqualified(name)),
            "lineitem/type" => lit("Usage"),
            "lineitem/cloud_provider" => lit(source),
            _ => lit(ScalarValue::Null),
        };
        cast(value, data_type(sql)).alias(*name)
    });
    Ok(columns.collect())
}
