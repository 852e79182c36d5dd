//! Columns of FOCUS 1.2 with their types, and the conversion of a query's rows to them.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::cloudzero::cbf;
use crate::decimal;
use crate::error::{Error, Result};
use crate::suggest::nearest;

/// Column whose sum is the published cost.
pub(super) const BILLED_COST: &str = "BilledCost";
/// Prefix of the columns that FOCUS leaves to each generator.
const OWN_PREFIX: &str = "x_";

/// Type of a column, as FOCUS names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FocusType {
    Text,
    Decimal,
    DateTime,
    /// JSON object in a text.
    Json,
}

use FocusType::{DateTime, Decimal, Json, Text};

/// Rule for NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// Column that may be missing, or NULL in a row.
    Optional,
    /// Column that must exist, and may be NULL in a row.
    Column,
    /// Column that must exist, with a value in every row.
    Value,
}

/// All columns of FOCUS 1.2.
const COLUMNS: [(&str, FocusType, Presence); 57] = [
    ("AvailabilityZone", Text, Presence::Optional),
    (BILLED_COST, Decimal, Presence::Value),
    ("BillingAccountId", Text, Presence::Value),
    ("BillingAccountName", Text, Presence::Column),
    ("BillingAccountType", Text, Presence::Optional),
    ("BillingCurrency", Text, Presence::Value),
    ("BillingPeriodEnd", DateTime, Presence::Value),
    ("BillingPeriodStart", DateTime, Presence::Value),
    ("CapacityReservationId", Text, Presence::Optional),
    ("CapacityReservationStatus", Text, Presence::Optional),
    ("ChargeCategory", Text, Presence::Value),
    ("ChargeClass", Text, Presence::Column),
    ("ChargeDescription", Text, Presence::Column),
    ("ChargeFrequency", Text, Presence::Value),
    ("ChargePeriodEnd", DateTime, Presence::Value),
    ("ChargePeriodStart", DateTime, Presence::Value),
    ("CommitmentDiscountCategory", Text, Presence::Optional),
    ("CommitmentDiscountId", Text, Presence::Optional),
    ("CommitmentDiscountName", Text, Presence::Optional),
    ("CommitmentDiscountQuantity", Decimal, Presence::Optional),
    ("CommitmentDiscountStatus", Text, Presence::Optional),
    ("CommitmentDiscountType", Text, Presence::Optional),
    ("CommitmentDiscountUnit", Text, Presence::Optional),
    ("ConsumedQuantity", Decimal, Presence::Optional),
    ("ConsumedUnit", Text, Presence::Optional),
    ("ContractedCost", Decimal, Presence::Value),
    ("ContractedUnitPrice", Decimal, Presence::Optional),
    ("EffectiveCost", Decimal, Presence::Value),
    ("InvoiceId", Text, Presence::Optional),
    ("InvoiceIssuerName", Text, Presence::Value),
    ("ListCost", Decimal, Presence::Value),
    ("ListUnitPrice", Decimal, Presence::Optional),
    ("PricingCategory", Text, Presence::Optional),
    ("PricingCurrency", Text, Presence::Optional),
    (
        "PricingCurrencyContractedUnitPrice",
        Decimal,
        Presence::Optional,
    ),
    ("PricingCurrencyEffectiveCost", Decimal, Presence::Optional),
    ("PricingCurrencyListUnitPrice", Decimal, Presence::Optional),
    ("PricingQuantity", Decimal, Presence::Column),
    ("PricingUnit", Text, Presence::Column),
    ("ProviderName", Text, Presence::Value),
    ("PublisherName", Text, Presence::Value),
    ("RegionId", Text, Presence::Optional),
    ("RegionName", Text, Presence::Optional),
    ("ResourceId", Text, Presence::Optional),
    ("ResourceName", Text, Presence::Optional),
    ("ResourceType", Text, Presence::Optional),
    ("ServiceCategory", Text, Presence::Value),
    ("ServiceName", Text, Presence::Value),
    ("ServiceSubcategory", Text, Presence::Optional),
    ("SkuId", Text, Presence::Optional),
    ("SkuMeter", Text, Presence::Optional),
    ("SkuPriceDetails", Json, Presence::Optional),
    ("SkuPriceId", Text, Presence::Optional),
    ("SubAccountId", Text, Presence::Optional),
    ("SubAccountName", Text, Presence::Optional),
    ("SubAccountType", Text, Presence::Optional),
    ("Tags", Json, Presence::Optional),
];

/// Columns of an export in the order of its query.
#[derive(Debug)]
pub(super) struct FocusColumns {
    types: Vec<FocusType>,
    schema: SchemaRef,
}

impl FocusColumns {
    /// Checks the columns of a query.
    ///
    /// # Errors
    /// Kind data, for a column that is missing, unknown or a float.
    pub(super) fn new(query: &SchemaRef) -> Result<FocusColumns> {
        let has = |name: &str| query.fields().iter().any(|field| field.name() == name);
        let missing = COLUMNS
            .iter()
            .find(|(name, _, presence)| *presence != Presence::Optional && !has(name));
        if let Some((name, _, _)) = missing {
            return Err(Error::data(format!("the column {name} is missing"))
                .with_hint("FOCUS requires it in every dataset"));
        }
        let (mut types, mut fields) = (Vec::new(), Vec::new());
        for field in query.fields() {
            let (focus_type, is_nullable) = type_of(field)?;
            types.push(focus_type);
            fields.push(Field::new(
                field.name(),
                arrow_type(focus_type),
                is_nullable,
            ));
        }
        Ok(FocusColumns {
            types,
            schema: Arc::new(Schema::new(fields)),
        })
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Names and types of the columns.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, FocusType)> {
        let names = self
            .schema
            .fields()
            .iter()
            .map(|field| field.name().as_str());
        names.zip(self.types.iter().copied())
    }

    /// Rows of the query in the types of the columns.
    ///
    /// # Errors
    /// Kind data, for NULL where FOCUS requires a value, and a value that its type cannot hold.
    pub(super) fn conform(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns: Result<Vec<ArrayRef>> = columns
            .map(|(column, field)| {
                if !field.is_nullable() && column.logical_null_count() > 0 {
                    return Err(Error::data(format!("{} is NULL in a row", field.name()))
                        .with_hint("FOCUS requires a value in every row"));
                }
                let exact = CastOptions {
                    safe: false,
                    ..CastOptions::default()
                };
                cast_with_options(column, field.data_type(), &exact)
                    .map_err(|e| Error::data(format!("{}: {e}", field.name())))
            })
            .collect();
        RecordBatch::try_new(self.schema(), columns?)
            .map_err(|e| Error::bug(format!("could not assemble the rows of an export: {e}")))
    }
}

/// Type of a query's column, and whether it may be NULL.
fn type_of(field: &Field) -> Result<(FocusType, bool)> {
    let name = field.name();
    let data_type = field.data_type();
    if data_type.is_floating() {
        return Err(
            Error::data(format!("the column {name} is a float, which loses digits"))
                .with_hint("wrap it in amount(…)"),
        );
    }
    if let Some((_, focus_type, presence)) = COLUMNS.iter().find(|(known, _, _)| known == name) {
        return Ok((*focus_type, *presence != Presence::Value));
    }
    if !name.starts_with(OWN_PREFIX) {
        let known = COLUMNS.iter().map(|(known, _, _)| *known);
        let error = Error::data(format!("FOCUS 1.2 has no column {name}"));
        return Err(error.with_hint(match nearest(name, known) {
            Some(known) => format!("did you mean {known}? Columns of your own begin with x_"),
            None => "begin the names of columns of your own with x_".to_string(),
        }));
    }
    let own = match data_type {
        data_type if data_type.is_numeric() => Decimal,
        DataType::Timestamp(..) | DataType::Date32 => DateTime,
        _ => Text,
    };
    Ok((own, true))
}

fn arrow_type(focus_type: FocusType) -> DataType {
    match focus_type {
        Text | Json => DataType::Utf8View,
        Decimal => decimal::TYPE,
        DateTime => cbf::TIME.clone(),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    /// One row with a value in every column that must have one.
    fn row() -> Vec<(String, ArrayRef)> {
        let needed = COLUMNS
            .iter()
            .filter(|(_, _, presence)| *presence != Presence::Optional);
        let column = |focus_type| -> ArrayRef {
            match focus_type {
                Text | Json => Arc::new(StringArray::from(vec!["a"])),
                Decimal => Arc::new(
                    Decimal128Array::from(vec![150])
                        .with_precision_and_scale(10, 2)
                        .unwrap(),
                ),
                DateTime => Arc::new(TimestampMicrosecondArray::from(vec![0])),
            }
        };
        let columns = needed.map(|(name, focus_type, _)| (name.to_string(), column(*focus_type)));
        columns.collect()
    }

    fn columns(row: Vec<(String, ArrayRef)>) -> (RecordBatch, Result<FocusColumns>) {
        let batch = RecordBatch::try_from_iter_with_nullable(
            row.into_iter().map(|(name, column)| (name, column, true)),
        );
        let batch = batch.unwrap();
        let columns = FocusColumns::new(&batch.schema());
        (batch, columns)
    }

    #[test]
    fn converts_rows_to_the_types_of_the_columns() {
        let mut own = row();
        own.push((
            "x_Note".into(),
            Arc::new(StringArray::from(vec![None::<&str>])),
        ));
        let (batch, columns) = columns(own);
        let columns = columns.unwrap();
        let conformed = columns.conform(&batch).unwrap();
        let cost = conformed.column_by_name(BILLED_COST).unwrap();
        let cost = arrow::array::AsArray::as_primitive::<arrow::datatypes::Decimal128Type>(cost);
        assert_eq!(decimal::to_plain_string(cost.value(0)), "1.5");
        let own = conformed.schema();
        assert!(own.field_with_name("x_Note").unwrap().is_nullable());
    }

    #[test]
    fn names_columns_that_are_missing_unknown_or_floats() {
        let mut missing = row();
        missing.retain(|(name, _)| name != "ServiceName");
        let mut unknown = row();
        unknown.push(("ResourceID".into(), Arc::new(StringArray::from(vec!["a"]))));
        let mut float = row();
        float.retain(|(name, _)| name != BILLED_COST);
        float.push((
            BILLED_COST.into(),
            Arc::new(arrow::array::Float64Array::from(vec![0.5])),
        ));
        for (row, expected) in [
            (missing, "ServiceName is missing"),
            (unknown, "did you mean ResourceId"),
            (float, "BilledCost is a float"),
        ] {
            let error = columns(row).1.unwrap_err();
            let shown = format!("{error} {:?}", error.hint());
            assert!(shown.contains(expected), "{shown}");
        }
    }

    #[test]
    fn refuses_null_where_a_value_is_required() {
        let mut row = row();
        row.retain(|(name, _)| name != "ServiceName");
        row.push((
            "ServiceName".into(),
            Arc::new(StringArray::from(vec![None::<&str>])),
        ));
        let (batch, columns) = columns(row);
        let error = columns.unwrap().conform(&batch).unwrap_err();
        assert!(error.to_string().contains("ServiceName is NULL"), "{error}");
    }
}
