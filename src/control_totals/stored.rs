//! Stored form of control totals, in the footers of costs files.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::control_totals::{ControlTotals, CostTotals, QuantityTotals};
use crate::decimal::{self, QuantitySum};

/// Stored form of a group: amounts and quantities are exact decimal texts.
#[derive(Serialize, Deserialize)]
struct StoredGroup {
    day: i32,
    product: Option<String>,
    line_type: Option<String>,
    costs: u64,
    original: String,
    net: String,
    credit_original: String,
    /// Absent in files written before quantities were summed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quantity: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credit_quantity: Option<String>,
}

impl Serialize for ControlTotals {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(self.groups().into_iter().map(|group| StoredGroup {
            day: group.day,
            product: group.product.clone(),
            line_type: group.line_type.clone(),
            costs: group.totals.costs,
            original: decimal::to_plain_string(group.totals.original),
            net: decimal::to_plain_string(group.totals.net),
            credit_original: decimal::to_plain_string(group.totals.credit_original),
            quantity: group.totals.quantities.map(|sums| sums.all.to_string()),
            credit_quantity: group.totals.quantities.map(|sums| sums.credits.to_string()),
        }))
    }
}

impl<'de> Deserialize<'de> for ControlTotals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        use serde::de::Error as _;
        let units = |text: &str| {
            decimal::parse(text)
                .map(|parsed| parsed.units)
                .map_err(|e| D::Error::custom(format!("amount {e}")))
        };
        let quantity = |text: &str| {
            text.parse::<QuantitySum>()
                .map_err(|e| D::Error::custom(format!("quantity {e}")))
        };
        let mut totals = ControlTotals::default();
        for group in Vec::<StoredGroup>::deserialize(deserializer)? {
            let quantities = match (&group.quantity, &group.credit_quantity) {
                (Some(all), Some(credits)) => Some(QuantityTotals {
                    all: quantity(all)?,
                    credits: quantity(credits)?,
                }),
                _ => None,
            };
            let group_totals = CostTotals {
                costs: group.costs,
                original: units(&group.original)?,
                net: units(&group.net)?,
                credit_original: units(&group.credit_original)?,
                quantities,
            };
            totals
                .add(
                    group.day,
                    group.product.as_deref(),
                    group.line_type.as_deref(),
                    &group_totals,
                )
                .map_err(D::Error::custom)?;
        }
        Ok(totals)
    }
}
