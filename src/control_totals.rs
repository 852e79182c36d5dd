//! Exact totals per day, product and line type, taken while responses are read.
//!
//! Stored costs, staged line items and written drops are compared with them. They are therefore summed here,
//! with overflow checks, independently of the batches that they describe.

mod stored;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Date32Array, Decimal128Array, Decimal256Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType, Field, Schema};

use crate::decimal::{self, QuantitySum};
use crate::error::{Error, Result};

/// Sums of quantities, as received and whatever their unit; a cost without a quantity adds nothing.
///
/// Costs of a line type normally have one unit. Where they do not, a sum is no amount of usage, but it still
/// changes with every quantity, which is what totals are compared for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuantityTotals {
    /// Quantities of all costs.
    pub all: QuantitySum,
    /// Part of `all` that belongs to credits and adjustments, whose line items have no quantity.
    pub credits: QuantitySum,
}

impl QuantityTotals {
    /// Quantities of usage and support.
    pub fn used(&self) -> QuantitySum {
        self.all.minus(self.credits)
    }
}

/// Number, amounts and quantities of costs. Amounts are in units of 1e-24 of the connection's currency.
///
/// ```
/// use billstream::control_totals::CostTotals;
///
/// let totals = CostTotals { costs: 2, original: 15, net: 12, ..CostTotals::default() };
/// assert_eq!(totals.discount(), 3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CostTotals {
    /// Number of records.
    pub costs: u64,
    /// List value before discounts.
    pub original: i128,
    /// Value after discounts.
    pub net: i128,
    /// Part of `original` that belongs to credits: promo credits with a net or original amount below zero.
    pub credit_original: i128,
    /// Quantities; `None` if unknown, because files written before quantities were summed lack them.
    pub quantities: Option<QuantityTotals>,
}

/// Totals of no costs: their quantities are known.
impl Default for CostTotals {
    fn default() -> CostTotals {
        CostTotals {
            costs: 0,
            original: 0,
            net: 0,
            credit_original: 0,
            quantities: Some(QuantityTotals::default()),
        }
    }
}

impl CostTotals {
    /// Amount of discounts: `original - net`.
    pub fn discount(&self) -> i128 {
        self.original - self.net
    }

    fn add(&mut self, other: &CostTotals) -> Option<()> {
        self.costs += other.costs;
        self.original = in_range(self.original.checked_add(other.original)?)?;
        self.net = in_range(self.net.checked_add(other.net)?)?;
        self.credit_original = in_range(self.credit_original.checked_add(other.credit_original)?)?;
        self.quantities = match (self.quantities, other.quantities) {
            (Some(mut sum), Some(other)) => {
                sum.all.add(other.all);
                sum.credits.add(other.credits);
                Some(sum)
            }
            _ => None,
        };
        Some(())
    }
}

/// Returns `units` if they fit `Decimal128(38, 24)`.
fn in_range(units: i128) -> Option<i128> {
    (units.unsigned_abs() < 10u128.pow(u32::from(decimal::PRECISION))).then_some(units)
}

fn overflow() -> Error {
    Error::data("a total reaches 1e14, more than an exact total can hold")
        .with_hint("check the amounts at the source; no organization's month is that large")
}

/// Totals of one day, product and line type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TotalsGroup {
    /// Days since 1970-01-01.
    pub day: i32,
    /// Product, as on the wire.
    pub product: Option<String>,
    /// Line type, as on the wire.
    pub line_type: Option<String>,
    /// Totals of the group.
    pub totals: CostTotals,
}

/// Totals of a page, a window or a month, grouped by day, product and line type.
///
/// ```
/// use billstream::control_totals::{ControlTotals, CostTotals};
///
/// let cost = CostTotals { costs: 1, original: 15, net: 12, ..CostTotals::default() };
/// let mut page = ControlTotals::default();
/// page.add(20_000, Some("KAFKA"), Some("KAFKA_STORAGE"), &cost)?;
/// page.add(20_001, Some("KAFKA"), Some("KAFKA_STORAGE"), &cost)?;
///
/// let mut month = ControlTotals::default();
/// month.merge(&page)?;
/// month.merge(&page)?;
/// assert_eq!(month.groups().len(), 2);
/// assert_eq!(month.days(), Some((20_000, 20_001)));
/// let sum = month.sum()?;
/// assert_eq!((sum.costs, sum.original, sum.net), (4, 60, 48));
/// # Ok::<(), billstream::error::Error>(())
/// ```
///
/// A sum of amounts that leaves the exact range is an error and never wraps:
///
/// ```
/// use billstream::control_totals::{ControlTotals, CostTotals};
///
/// let large = CostTotals { net: 9 * 10_i128.pow(37), ..CostTotals::default() };
/// let mut totals = ControlTotals::default();
/// totals.add(20_000, None, None, &large)?;
/// assert!(totals.add(20_000, None, None, &large).is_err());
/// # Ok::<(), billstream::error::Error>(())
/// ```
///
/// Stored amounts are exact decimal texts, so totals survive a round trip through JSON:
///
/// ```
/// use billstream::control_totals::{ControlTotals, CostTotals};
///
/// let mut totals = ControlTotals::default();
/// totals.add(20_000, None, Some("SUPPORT"), &CostTotals { net: -1, ..CostTotals::default() })?;
/// let json = serde_json::to_string(&totals).expect("totals are valid JSON");
/// assert!(json.contains(r#""net":"-0.000000000000000000000001""#));
/// let read: ControlTotals = serde_json::from_str(&json).expect("totals can be read back");
/// assert_eq!(read.groups(), totals.groups());
/// # Ok::<(), billstream::error::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ControlTotals {
    groups: HashMap<Vec<u8>, TotalsGroup>,
    /// Buffer of the key that is looked up.
    key: Vec<u8>,
}

impl ControlTotals {
    /// Adds the totals of a record or a group to the group of its day, product and line type.
    ///
    /// # Errors
    /// Kind data, for a sum outside the range of `Decimal128(38, 24)`.
    pub fn add(
        &mut self,
        day: i32,
        product: Option<&str>,
        line_type: Option<&str>,
        totals: &CostTotals,
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
            return group.totals.add(totals).ok_or_else(overflow);
        }
        let group = TotalsGroup {
            day,
            product: product.map(str::to_string),
            line_type: line_type.map(str::to_string),
            totals: *totals,
        };
        self.groups.insert(self.key.clone(), group);
        Ok(())
    }

    /// Adds all groups of `other`.
    ///
    /// # Errors
    /// As [`ControlTotals::add`].
    pub fn merge(&mut self, other: &ControlTotals) -> Result<()> {
        for group in other.groups.values() {
            let (product, line_type) = (group.product.as_deref(), group.line_type.as_deref());
            self.add(group.day, product, line_type, &group.totals)?;
        }
        Ok(())
    }

    /// Returns the groups, sorted by day, product and line type.
    pub fn groups(&self) -> Vec<&TotalsGroup> {
        let mut groups: Vec<&TotalsGroup> = self.groups.values().collect();
        groups.sort_by(|a, b| {
            (a.day, &a.product, &a.line_type).cmp(&(b.day, &b.product, &b.line_type))
        });
        groups
    }

    /// Returns the first and the last day, in days since 1970-01-01.
    pub fn days(&self) -> Option<(i64, i64)> {
        let days = || self.groups.values().map(|group| i64::from(group.day));
        days().min().zip(days().max())
    }

    /// Returns the sum of all groups.
    ///
    /// # Errors
    /// As [`ControlTotals::add`].
    pub fn sum(&self) -> Result<CostTotals> {
        let mut sum = CostTotals::default();
        for group in self.groups.values() {
            sum.add(&group.totals).ok_or_else(overflow)?;
        }
        Ok(sum)
    }

    /// Returns the table `wire_totals` that checks compare with, one row per group.
    ///
    /// # Errors
    /// Kind bug, if Arrow refuses the columns.
    pub(crate) fn to_batch(&self) -> Result<RecordBatch> {
        let groups = self.groups();
        let money = |pick: fn(&CostTotals) -> i128| -> Result<Arc<Decimal128Array>> {
            Decimal128Array::from_iter_values(groups.iter().map(|group| pick(&group.totals)))
                .with_precision_and_scale(decimal::PRECISION, decimal::SCALE)
                .map(Arc::new)
                .map_err(|e| Error::bug(format!("totals table: {e}")))
        };
        let quantity = |pick: fn(&QuantityTotals) -> QuantitySum| -> Result<Arc<Decimal256Array>> {
            let sums = groups.iter().map(|group| group.totals.quantities);
            sums.map(|sums| sums.map(|sums| pick(&sums).units()))
                .collect::<Decimal256Array>()
                .with_precision_and_scale(QuantitySum::PRECISION, decimal::SCALE)
                .map(Arc::new)
                .map_err(|e| Error::bug(format!("totals table: {e}")))
        };
        let text = |pick: fn(&TotalsGroup) -> &Option<String>| {
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
            Field::new("quantity", QuantitySum::TYPE, true),
            Field::new("credit_quantity", QuantitySum::TYPE, true),
        ]);
        let costs = groups.iter().map(|group| group.totals.costs as i64);
        RecordBatch::try_new(
            Arc::new(schema),
            vec![
                Arc::new(Date32Array::from_iter_values(
                    groups.iter().map(|group| group.day),
                )),
                text(|group| &group.product),
                text(|group| &group.line_type),
                Arc::new(Int64Array::from_iter_values(costs)),
                money(|totals| totals.original)?,
                money(|totals| totals.net)?,
                money(|totals| totals.credit_original)?,
                quantity(|quantities| quantities.all)?,
                quantity(|quantities| quantities.credits)?,
            ],
        )
        .map_err(|e| Error::bug(format!("totals table: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_total_that_would_wrap() {
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
    fn null_and_empty_products_stay_two_groups_when_stored() {
        let mut totals = ControlTotals::default();
        let one = CostTotals {
            costs: 1,
            original: 15,
            net: -7,
            credit_original: 1,
            quantities: Some(QuantityTotals {
                all: QuantitySum::of(7),
                credits: QuantitySum::of(-2),
            }),
        };
        totals.add(1, None, Some("A"), &one).unwrap();
        totals.add(1, Some(""), Some("A"), &one).unwrap();
        let stored: ControlTotals =
            serde_json::from_str(&serde_json::to_string(&totals).unwrap()).unwrap();
        assert_eq!(stored.groups(), totals.groups());
        assert_eq!(stored.groups().len(), 2);
    }

    #[test]
    fn sums_quantities_beyond_128_bits() {
        let large = CostTotals {
            quantities: Some(QuantityTotals {
                all: QuantitySum::of(9 * 10i128.pow(37)),
                credits: QuantitySum::default(),
            }),
            ..CostTotals::default()
        };
        let mut totals = ControlTotals::default();
        for _ in 0..3 {
            totals.add(1, None, None, &large).unwrap();
        }
        let stored = serde_json::to_string(&totals).unwrap();
        assert!(
            stored.contains(r#""quantity":"270000000000000""#),
            "{stored}"
        );
        let read: ControlTotals = serde_json::from_str(&stored).unwrap();
        assert_eq!(read.groups(), totals.groups());
        assert_eq!(read.sum().unwrap(), totals.sum().unwrap());
    }

    #[test]
    fn quantities_of_older_files_are_unknown_in_their_groups_only() {
        let older = r#"[{"day":1,"product":null,"line_type":"A","costs":1,"original":"1","net":"1","credit_original":"0"}]"#;
        let mut totals: ControlTotals = serde_json::from_str(older).unwrap();
        assert_eq!(totals.groups()[0].totals.quantities, None);
        totals
            .add(2, None, Some("A"), &CostTotals::default())
            .unwrap();
        totals
            .add(1, None, Some("A"), &CostTotals::default())
            .unwrap();
        let known: Vec<bool> = totals
            .groups()
            .iter()
            .map(|group| group.totals.quantities.is_some())
            .collect();
        assert_eq!(known, [false, true]);
        assert_eq!(totals.sum().unwrap().quantities, None);
        let batch = totals.to_batch().unwrap();
        let quantity = batch.column_by_name("quantity").unwrap();
        assert!(quantity.is_null(0) && quantity.is_valid(1));
        // Unknown stays unknown when it is stored again.
        let stored: ControlTotals =
            serde_json::from_str(&serde_json::to_string(&totals).unwrap()).unwrap();
        assert_eq!(stored.groups(), totals.groups());
    }
}
