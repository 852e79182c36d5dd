//! Money in integers, and comparisons with the sandbox's exact totals.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::files::Row;

/// Decimals of [`Exact`].
const SCALE: usize = 24;

/// A decimal in units of 10^-24.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exact(pub i128);

impl Exact {
    /// Parses a plain decimal; the empty text is 0.
    #[track_caller]
    pub fn of(text: &str) -> Exact {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        assert!(
            plain(whole) && plain(fraction),
            "`{text}` is not a plain decimal"
        );
        assert!(
            fraction.len() <= SCALE,
            "`{text}` has more than {SCALE} decimals"
        );
        let units: i128 = format!("0{whole}{fraction:0<SCALE$}").parse().unwrap();
        Exact(if negative { -units } else { units })
    }
}

impl Exact {
    /// Formats with two decimals, half-even, and thousands separators, as tables do.
    pub fn shown(self) -> String {
        let cent = 10u128.pow(SCALE as u32 - 2);
        let units = self.0.unsigned_abs();
        let (mut cents, rest) = (units / cent, units % cent);
        if rest * 2 > cent || (rest * 2 == cent && cents % 2 == 1) {
            cents += 1;
        }
        let mut whole = (cents / 100).to_string();
        let mut at = whole.len();
        while at > 3 {
            at -= 3;
            whole.insert(at, ',');
        }
        let sign = if self.0 < 0 && cents > 0 { "-" } else { "" };
        format!("{sign}{whole}.{:02}", cents % 100)
    }
}

impl std::ops::AddAssign for Exact {
    fn add_assign(&mut self, other: Exact) {
        self.0 = self.0.checked_add(other.0).expect("sums fit");
    }
}

impl std::ops::Sub for Exact {
    type Output = Exact;
    fn sub(self, other: Exact) -> Exact {
        Exact(self.0 - other.0)
    }
}

impl std::iter::Sum for Exact {
    fn sum<I: Iterator<Item = Exact>>(numbers: I) -> Exact {
        let mut sum = Exact::default();
        numbers.for_each(|number| sum += number);
        sum
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:0>width$}", self.0.unsigned_abs(), width = SCALE + 1);
        let (whole, fraction) = digits.split_at(digits.len() - SCALE);
        let sign = if self.0 < 0 { "-" } else { "" };
        let text = format!("{sign}{whole}.{fraction}");
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Returns the sum of a column as plain text.
pub fn sum<'r>(rows: impl IntoIterator<Item = &'r Row>, column: &str) -> Exact {
    rows.into_iter().map(|row| Exact::of(&row[column])).sum()
}

/// Costs and money of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    pub costs: u64,
    pub original: Exact,
    pub net: Exact,
}

/// Exact totals of a month, as the sandbox counted them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    pub month: String,
    pub costs: u64,
    pub original: String,
    pub discount: String,
    pub net: String,
    /// By day, product (empty: none) and line type.
    pub groups: BTreeMap<(String, String, String), Sums>,
}

impl Totals {
    /// Parses the response of `/sandbox/totals`.
    pub fn read(json: &Value) -> Totals {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let groups = json["by_day_product_line_type"].as_array().unwrap();
        let groups = groups.iter().map(|group| {
            let sums = Sums {
                costs: group["costs"].as_u64().unwrap(),
                original: Exact::of(&text(&group["original_amount"])),
                net: Exact::of(&text(&group["net_amount"])),
            };
            (
                (
                    text(&group["day"]),
                    text(&group["product"]),
                    text(&group["line_type"]),
                ),
                sums,
            )
        });
        Totals {
            month: text(&json["month"]),
            costs: json["costs"].as_u64().unwrap(),
            original: text(&json["original_amount"]),
            discount: text(&json["discount_amount"]),
            net: text(&json["net_amount"]),
            groups: groups.collect(),
        }
    }
}

/// Asserts the amounts of a summary's period.
#[track_caller]
pub fn assert_summary_is(period: &Value, totals: &Totals) {
    let expected = serde_json::json!({
        "billing_period": totals.month,
        "costs": totals.costs,
        "original_amount": totals.original,
        "discount_amount": totals.discount,
        "net_amount": totals.net,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&period[key], value, "{key} of {period}");
    }
}

/// Columns of `report changes` that add up to the difference.
pub const CHANGE_EFFECTS: [&str; 6] = [
    "new_cost",
    "gone_cost",
    "quantity_effect",
    "days_effect",
    "price_effect",
    "adjustments",
];

/// Returns the net amount of a stored cost.
pub fn net_of(cost: &Row) -> Exact {
    match cost["amount"].as_str() {
        "" => Exact::of(&cost["original_amount"]) - Exact::of(&cost["discount_amount"]),
        amount => Exact::of(amount),
    }
}

/// Asserts that stored costs sum to the totals per day, product and line type.
#[track_caller]
pub fn assert_costs_are(costs: &[Row], totals: &Totals) {
    let mut groups: BTreeMap<(String, String, String), Sums> = BTreeMap::new();
    for cost in costs {
        let key = (
            cost["start_date"].clone(),
            cost["product"].clone(),
            cost["line_type"].clone(),
        );
        let sums = groups.entry(key).or_default();
        sums.costs += 1;
        sums.original += Exact::of(&cost["original_amount"]);
        sums.net += net_of(cost);
    }
    assert_same_groups(&groups, &totals.groups);
    assert_eq!(costs.len() as u64, totals.costs);
}

/// Asserts that line items (of the table or of a drop) sum to the totals per day and line type: cost and
/// discounted cost to the net, on-demand cost to the original without credits.
#[track_caller]
pub fn assert_line_items_are(items: &[Row], costs: &[Row], totals: &Totals) {
    let mut nets: BTreeMap<(String, String), Exact> = BTreeMap::new();
    for ((day, _, line_type), sums) in &totals.groups {
        *nets.entry((day.clone(), line_type.clone())).or_default() += sums.net;
    }
    let mut originals: BTreeMap<(String, String), Exact> = BTreeMap::new();
    for cost in costs {
        let key = (cost["start_date"].clone(), cost["line_type"].clone());
        let original = originals.entry(key).or_default();
        if !(cost["line_type"] == "PROMO_CREDIT" && net_of(cost).0 < 0) {
            *original += Exact::of(&cost["original_amount"]);
        }
    }
    let group = |column: &str| {
        let mut sums: BTreeMap<(String, String), Exact> = BTreeMap::new();
        for item in items {
            let (day, time) = item["time/usage_start"].split_once('T').unwrap();
            assert!(time == "00:00:00Z", "usage starts at {time}");
            let key = (day.to_string(), item["action/usage_type"].clone());
            *sums.entry(key).or_default() += Exact::of(&item[column]);
        }
        sums
    };
    assert_same_groups(&group("cost/cost"), &nets);
    assert_same_groups(&group("cost/discounted_cost"), &nets);
    assert_same_groups(&group("cost/on_demand_cost"), &originals);
    assert_eq!(sum(items, "cost/cost").to_string(), totals.net);
    assert_eq!(sum(items, "cost/discounted_cost").to_string(), totals.net);
    let ids: BTreeSet<&String> = items.iter().map(|item| &item["lineitem/id"]).collect();
    assert_eq!(ids.len(), items.len(), "line item ids are unique");
}

#[track_caller]
fn assert_same_groups<K: Ord + fmt::Debug, V: PartialEq + fmt::Debug>(
    found: &BTreeMap<K, V>,
    expected: &BTreeMap<K, V>,
) {
    let keys: BTreeSet<&K> = found.keys().chain(expected.keys()).collect();
    let differing: Vec<String> = keys
        .into_iter()
        .filter(|key| found.get(key) != expected.get(key))
        .map(|key| {
            format!(
                "{key:?}: {:?} instead of {:?}",
                found.get(key),
                expected.get(key)
            )
        })
        .collect();
    assert!(
        differing.is_empty(),
        "{} groups differ, such as {}",
        differing.len(),
        differing[0]
    );
}
