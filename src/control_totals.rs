//! Exact totals per day, product and line type, taken while the wire is read.
//!
//! They are the measure that stored costs, staged line items and the written drop are compared
//! with, so they are added up here, with overflow checks, apart from the batches they describe.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};

use crate::decimal;
use crate::error::{Error, Result};

/// CostTotals in units of 1e-24 of the connection's currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CostTotals {
    /// Number of records.
    pub costs: u64,
    /// List value before discounts.
    pub original: i128,
    /// Value after discounts.
    pub net: i128,
    /// The part of `original` that belongs to credits: promo credits whose net is below zero.
    pub credit_original: i128,
}

impl CostTotals {
    /// `original - net`: what discounts took off.
    pub fn discount(&self) -> i128 {
        self.original - self.net
    }

    fn add(&mut self, other: &CostTotals) -> Option<()> {
        self.costs += other.costs;
        self.original = in_range(self.original.checked_add(other.original)?)?;
        self.net = in_range(self.net.checked_add(other.net)?)?;
        self.credit_original = in_range(self.credit_original.checked_add(other.credit_original)?)?;
        Some(())
    }
}

fn in_range(units: i128) -> Option<i128> {
    (units.unsigned_abs() < 10u128.pow(u32::from(decimal::PRECISION))).then_some(units)
}

fn overflow() -> Error {
    Error::data("a total reaches 1e14, more than an exact total can hold")
        .with_hint("check the amounts at the source; no organization's month is that large")
}

/// One group of the totals: a day, a product and a line type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Days since 1970-01-01.
    pub day: i32,
    /// Product, as on the wire.
    pub product: Option<String>,
    /// Line type, as on the wire.
    pub line_type: Option<String>,
    /// The group's sums.
    pub sums: CostTotals,
}

/// ControlTotals of a page, a window or a month.
#[derive(Debug, Clone, Default)]
pub struct ControlTotals {
    groups: HashMap<Vec<u8>, Group>,
    key: Vec<u8>,
}

impl ControlTotals {
    /// Adds one record's (or group's) sums to the group of its day, product and line type.
    ///
    /// # Errors
    /// When a sum leaves the range of `Decimal128(38, 24)`.
    pub fn add(
        &mut self,
        day: i32,
        product: Option<&str>,
        line_type: Option<&str>,
        sums: &CostTotals,
    ) -> Result<()> {
        self.key.clear();
        self.key.extend_from_slice(&day.to_le_bytes());
        for text in [product, line_type] {
            self.key.push(u8::from(text.is_some()));
            self.key
                .extend_from_slice(text.unwrap_or_default().as_bytes());
            self.key.push(0);
        }
        if let Some(group) = self.groups.get_mut(self.key.as_slice()) {
            return group.sums.add(sums).ok_or_else(overflow);
        }
        let group = Group {
            day,
            product: product.map(str::to_string),
            line_type: line_type.map(str::to_string),
            sums: *sums,
        };
        self.groups.insert(self.key.clone(), group);
        Ok(())
    }

    /// Adds all groups of `other`.
    pub fn merge(&mut self, other: &ControlTotals) -> Result<()> {
        for group in other.groups.values() {
            let Group {
                product, line_type, ..
            } = group;
            self.add(
                group.day,
                product.as_deref(),
                line_type.as_deref(),
                &group.sums,
            )?;
        }
        Ok(())
    }

    /// The groups, by day, product and line type.
    pub fn groups(&self) -> Vec<&Group> {
        let mut groups: Vec<&Group> = self.groups.values().collect();
        groups.sort_by(|a, b| {
            (a.day, &a.product, &a.line_type).cmp(&(b.day, &b.product, &b.line_type))
        });
        groups
    }

    /// The first and the last day of costs, in days since 1970.
    pub fn days(&self) -> Option<(i64, i64)> {
        let days = || self.groups.values().map(|group| i64::from(group.day));
        days().min().zip(days().max())
    }

    /// The sums over all groups.
    pub fn sum(&self) -> Result<CostTotals> {
        let mut sum = CostTotals::default();
        for group in self.groups.values() {
            sum.add(&group.sums).ok_or_else(overflow)?;
        }
        Ok(sum)
    }

    /// The table `wire_totals` that checks compare with: one row a group.
    pub fn to_batch(&self) -> Result<RecordBatch> {
        let groups = self.groups();
        let money = |pick: fn(&CostTotals) -> i128| -> Result<Arc<Decimal128Array>> {
            Decimal128Array::from_iter_values(groups.iter().map(|group| pick(&group.sums)))
                .with_precision_and_scale(decimal::PRECISION, decimal::SCALE)
                .map(Arc::new)
                .map_err(|e| Error::bug(format!("totals table: {e}")))
        };
        let text = |pick: fn(&Group) -> &Option<String>| {
            Arc::new(StringArray::from_iter(
                groups.iter().map(|group| pick(group).as_deref()),
            ))
        };
        let schema = Schema::new(vec![
            Field::new("start_date", DataType::Date32, false),
            Field::new("product", DataType::Utf8, true),
            Field::new("line_type", DataType::Utf8, true),
            Field::new("costs", DataType::Int64, false),
            Field::new("original_amount", decimal::TYPE, false),
            Field::new("net_amount", decimal::TYPE, false),
            Field::new("credit_original_amount", decimal::TYPE, false),
        ]);
        let costs = groups.iter().map(|group| group.sums.costs as i64);
        RecordBatch::try_new(
            Arc::new(schema),
            vec![
                Arc::new(Date32Array::from_iter_values(
                    groups.iter().map(|group| group.day),
                )),
                text(|group| &group.product),
                text(|group| &group.line_type),
                Arc::new(Int64Array::from_iter_values(costs)),
                money(|sums| sums.original)?,
                money(|sums| sums.net)?,
                money(|sums| sums.credit_original)?,
            ],
        )
        .map_err(|e| Error::bug(format!("totals table: {e}")))
    }
}

/// A group as it is kept beside a finished window: amounts as exact decimal strings.
#[derive(Serialize, Deserialize)]
struct StoredGroup {
    day: i32,
    product: Option<String>,
    line_type: Option<String>,
    costs: u64,
    original: String,
    net: String,
    credit_original: String,
}

impl Serialize for ControlTotals {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(self.groups().into_iter().map(|group| StoredGroup {
            day: group.day,
            product: group.product.clone(),
            line_type: group.line_type.clone(),
            costs: group.sums.costs,
            original: decimal::to_plain_string(group.sums.original),
            net: decimal::to_plain_string(group.sums.net),
            credit_original: decimal::to_plain_string(group.sums.credit_original),
        }))
    }
}

impl<'de> Deserialize<'de> for ControlTotals {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        use serde::de::Error as _;
        let units = |text: &str| {
            decimal::parse(text)
                .map(|parsed| parsed.units)
                .map_err(|e| D::Error::custom(format!("amount {e}")))
        };
        let mut totals = ControlTotals::default();
        for group in Vec::<StoredGroup>::deserialize(deserializer)? {
            let sums = CostTotals {
                costs: group.costs,
                original: units(&group.original)?,
                net: units(&group.net)?,
                credit_original: units(&group.credit_original)?,
            };
            totals
                .add(
                    group.day,
                    group.product.as_deref(),
                    group.line_type.as_deref(),
                    &sums,
                )
                .map_err(D::Error::custom)?;
        }
        Ok(totals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_that_would_wrap_is_an_error() {
        let mut totals = ControlTotals::default();
        let big = CostTotals {
            costs: 1,
            original: 9 * 10i128.pow(37),
            ..CostTotals::default()
        };
        totals.add(1, None, None, &big).unwrap();
        let error = totals.add(1, None, None, &big).unwrap_err();
        assert!(error.to_string().contains("1e14"));
    }

    #[test]
    fn null_and_empty_product_are_two_groups_and_survive_storing() {
        let mut totals = ControlTotals::default();
        let one = CostTotals {
            costs: 1,
            original: 15,
            net: -7,
            credit_original: 1,
        };
        totals.add(1, None, Some("A"), &one).unwrap();
        totals.add(1, Some(""), Some("A"), &one).unwrap();
        let stored: ControlTotals =
            serde_json::from_str(&serde_json::to_string(&totals).unwrap()).unwrap();
        assert_eq!(stored.groups(), totals.groups());
        assert_eq!(stored.groups().len(), 2);
    }
}
