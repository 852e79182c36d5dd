//! Line items: parsed and validated against the Common Bill Format (docs: Common Bill Format).

use crate::sandbox::cloudzero::amount;
use crate::sandbox::cloudzero::period::{Month, parse_datetime, parse_hour};
use crate::sandbox::data::money::Units;

/// Published line item types, and two that occur only in the documentation.
pub(crate) const LINE_ITEM_TYPES: [&str; 11] = [
    "Usage",
    "Tax",
    "Support",
    "Purchase",
    "CommittedUsePurchase",
    "Discount",
    "Credit",
    "Fee",
    "Adjustment",
    "CommittedUseVacancy",
    "CommittedUseRecurringFee",
];

pub(crate) const REQUIRED_COLUMNS: [&str; 2] = ["time/usage_start", "cost/cost"];

const TAG_PREFIX: &str = "resource/tag:";

/// Columns with free text.
const TEXT_COLUMNS: [&str; 17] = [
    "lineitem/id",
    "lineitem/description",
    "lineitem/cloud_provider",
    "resource/service",
    "resource/account",
    "resource/region",
    "resource/usage_family",
    "action/operation",
    "action/usage_type",
    "action/region",
    "action/account",
    "usage/units",
    "bill/invoice_id",
    "k8s/cluster",
    "k8s/namespace",
    "k8s/deployment",
    "k8s/labels",
];

/// Costs of a line item, with the documented fallbacks for empty columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LineItemCosts {
    /// `cost/cost`.
    pub(crate) billed: Units,
    /// `cost/discounted_cost`.
    pub(crate) discounted: Units,
    /// `cost/amortized_cost`.
    pub(crate) amortized: Units,
    /// `cost/discounted_amortized_cost`.
    pub(crate) discounted_amortized: Units,
    /// `cost/on_demand_cost`.
    pub(crate) on_demand: Units,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LineItem {
    /// Hour since 1970-01-01.
    pub(crate) hour: i64,
    /// Index into [`LINE_ITEM_TYPES`].
    type_index: u8,
    pub(crate) costs: LineItemCosts,
    /// JSON text of a row of a stream; empty for a bucket.
    pub(crate) text: Box<str>,
}

impl LineItem {
    /// Parses a row of `month`.
    pub(crate) fn parse<'a>(
        cells: impl IntoIterator<Item = (&'a str, &'a str)>,
        month: Month,
    ) -> Result<LineItem, String> {
        let mut costs = [None; 5];
        let (mut start, mut type_index) = (None, 0);
        let (mut has_resource_id, mut has_tags) = (false, false);
        for (name, value) in cells {
            match name {
                "cost/cost" => costs[0] = Some(parse_cost(name, value)?),
                "cost/discounted_cost" => costs[1] = Some(parse_cost(name, value)?),
                "cost/amortized_cost" => costs[2] = Some(parse_cost(name, value)?),
                "cost/discounted_amortized_cost" => costs[3] = Some(parse_cost(name, value)?),
                "cost/on_demand_cost" => costs[4] = Some(parse_cost(name, value)?),
                "usage/amount" if amount::is_plain_decimal(value) => {}
                "time/usage_start" => start = Some(parse_hour(value).ok_or_else(|| invalid(name))?),
                "time/usage_end" if parse_datetime(value).is_some() => {}
                "usage/amount" | "time/usage_end" => return Err(invalid(name)),
                "lineitem/type" => type_index = parse_type(value)?,
                "resource/id" => has_resource_id = !value.is_empty(),
                _ if TEXT_COLUMNS.contains(&name) => {}
                _ => {
                    check_tag(name)?;
                    has_tags |= !value.is_empty();
                }
            }
        }
        let start = start.ok_or("time/usage_start is missing")?;
        if Month::of_hour(start) != Some(month) {
            return Err(format!("time/usage_start is not in {month}"));
        }
        if has_tags && !has_resource_id {
            return Err("a row with tags needs a resource/id".to_owned());
        }
        let billed = costs[0].ok_or("cost/cost is missing")?;
        let discounted = costs[1].unwrap_or(billed);
        Ok(LineItem {
            hour: start,
            type_index,
            costs: LineItemCosts {
                billed,
                discounted,
                amortized: costs[2].unwrap_or(billed),
                discounted_amortized: costs[3].or(costs[2]).unwrap_or(discounted),
                on_demand: costs[4].unwrap_or(billed),
            },
            text: Box::default(),
        })
    }

    /// `lineitem/type`.
    pub(crate) fn line_item_type(&self) -> &'static str {
        LINE_ITEM_TYPES
            .get(usize::from(self.type_index))
            .copied()
            .unwrap_or("Usage")
    }
}

/// Returns whether a column belongs to the Common Bill Format.
pub(crate) fn is_column(name: &str) -> bool {
    let other_columns = [
        "cost/discounted_cost",
        "cost/amortized_cost",
        "cost/discounted_amortized_cost",
        "cost/on_demand_cost",
        "usage/amount",
        "time/usage_end",
        "lineitem/type",
        "resource/id",
    ];
    REQUIRED_COLUMNS.contains(&name)
        || other_columns.contains(&name)
        || TEXT_COLUMNS.contains(&name)
        || check_tag(name).is_ok()
}

fn parse_cost(name: &str, value: &str) -> Result<Units, String> {
    amount::parse(value).ok_or_else(|| invalid(name))
}

fn invalid(name: &str) -> String {
    let form = if name.starts_with("time/") {
        "an ISO 8601 datetime"
    } else {
        "a plain decimal"
    };
    format!("{name} is not {form}")
}

fn parse_type(value: &str) -> Result<u8, String> {
    let index = LINE_ITEM_TYPES.iter().position(|known| *known == value);
    index
        .and_then(|index| u8::try_from(index).ok())
        .ok_or_else(|| format!("no lineitem/type `{value}` in the Common Bill Format"))
}

fn check_tag(name: &str) -> Result<(), String> {
    let key = name
        .strip_prefix(TAG_PREFIX)
        .ok_or_else(|| format!("no column `{name}` in the Common Bill Format"))?;
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/=+-@".contains(&byte);
    if key.is_empty() || !key.bytes().all(is_legal) {
        return Err(format!("the tag key of `{name}` is not legal"));
    }
    Ok(())
}
