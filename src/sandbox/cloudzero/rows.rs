//! One line item: checked against the Common Bill Format and kept as integers.
//!
//! Columns, fallbacks and types: docs, "Common Bill Format".

use crate::sandbox::cloudzero::amount;
use crate::sandbox::cloudzero::period::{Month, hour, instant};
use crate::sandbox::data::money::Units;

/// The published line item types, and two that only the documentation has.
pub const TYPES: [&str; 11] = [
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

/// Columns that every drop has.
pub const REQUIRED: [&str; 2] = ["time/usage_start", "cost/cost"];

const TAG: &str = "resource/tag:";

/// Columns of free text.
const TEXTS: [&str; 17] = [
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

/// The costs of a line item; what was blank has fallen back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Costs {
    /// `cost/cost`.
    pub billed: Units,
    /// `cost/discounted_cost`.
    pub discounted: Units,
    /// `cost/amortized_cost`.
    pub amortized: Units,
    /// `cost/discounted_amortized_cost`.
    pub discounted_amortized: Units,
    /// `cost/on_demand_cost`.
    pub on_demand: Units,
}

/// A line item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Hour since 1970.
    pub hour: i64,
    /// Its place in [`TYPES`].
    kind: u8,
    /// Its costs.
    pub costs: Costs,
    /// Its JSON text, for a stream; empty for a bucket.
    pub text: Box<str>,
}

impl Row {
    /// Reads the columns of a row of `month`; the error says what is wrong.
    pub fn read<'a>(
        cells: impl IntoIterator<Item = (&'a str, &'a str)>,
        month: Month,
    ) -> Result<Row, String> {
        let mut costs = [None; 5];
        let (mut start, mut kind) = (None, 0);
        let (mut identified, mut tagged) = (false, false);
        for (name, value) in cells {
            match name {
                "cost/cost" => costs[0] = Some(cost(name, value)?),
                "cost/discounted_cost" => costs[1] = Some(cost(name, value)?),
                "cost/amortized_cost" => costs[2] = Some(cost(name, value)?),
                "cost/discounted_amortized_cost" => costs[3] = Some(cost(name, value)?),
                "cost/on_demand_cost" => costs[4] = Some(cost(name, value)?),
                "usage/amount" if amount::is_plain(value) => {}
                "time/usage_start" => start = Some(hour(value).ok_or_else(|| wrong(name))?),
                "time/usage_end" if instant(value).is_some() => {}
                "usage/amount" | "time/usage_end" => return Err(wrong(name)),
                "lineitem/type" => kind = kind_of(value)?,
                "resource/id" => identified = !value.is_empty(),
                _ if TEXTS.contains(&name) => {}
                _ => {
                    check_tag(name)?;
                    tagged |= !value.is_empty();
                }
            }
        }
        let start = start.ok_or("time/usage_start is missing")?;
        if Month::of_hour(start) != Some(month) {
            return Err(format!("time/usage_start is not in {month}"));
        }
        if tagged && !identified {
            return Err("a row with tags needs a resource/id".to_owned());
        }
        let billed = costs[0].ok_or("cost/cost is missing")?;
        let discounted = costs[1].unwrap_or(billed);
        Ok(Row {
            hour: start,
            kind,
            costs: Costs {
                billed,
                discounted,
                amortized: costs[2].unwrap_or(billed),
                discounted_amortized: costs[3].or(costs[2]).unwrap_or(discounted),
                on_demand: costs[4].unwrap_or(billed),
            },
            text: Box::default(),
        })
    }

    /// Its `lineitem/type`.
    pub fn kind(&self) -> &'static str {
        TYPES
            .get(usize::from(self.kind))
            .copied()
            .unwrap_or("Usage")
    }
}

/// Whether a column is one of the Common Bill Format.
pub fn is_column(name: &str) -> bool {
    let numbers = [
        "cost/discounted_cost",
        "cost/amortized_cost",
        "cost/discounted_amortized_cost",
        "cost/on_demand_cost",
        "usage/amount",
        "time/usage_end",
        "lineitem/type",
        "resource/id",
    ];
    REQUIRED.contains(&name)
        || numbers.contains(&name)
        || TEXTS.contains(&name)
        || check_tag(name).is_ok()
}

fn cost(name: &str, value: &str) -> Result<Units, String> {
    amount::read(value).ok_or_else(|| wrong(name))
}

fn wrong(name: &str) -> String {
    let form = if name.starts_with("time/") {
        "an ISO 8601 datetime"
    } else {
        "a plain decimal"
    };
    format!("{name} is not {form}")
}

fn kind_of(value: &str) -> Result<u8, String> {
    let known = TYPES.iter().position(|kind| *kind == value);
    known
        .and_then(|kind| u8::try_from(kind).ok())
        .ok_or_else(|| format!("there is no lineitem/type `{value}`"))
}

fn check_tag(name: &str) -> Result<(), String> {
    let key = name
        .strip_prefix(TAG)
        .ok_or_else(|| format!("there is no column `{name}`"))?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/=+-@".contains(&byte);
    if key.is_empty() || !key.bytes().all(legal) {
        return Err(format!("the tag key of `{name}` is not legal"));
    }
    Ok(())
}
