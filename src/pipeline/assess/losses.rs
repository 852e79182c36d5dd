//! Published costs that a pull lacks.
//!
//! Confluent returns wrong answers with status 200: without days, without a line type, with a part of the rows. A
//! restatement upwards or a small one downwards is normal; a loss puts the month on hold.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::control_totals::{ControlTotals, TotalsGroup};
use crate::decimal::{self, display::round_half_even};
use crate::pipeline::assess::days::{date, format_days};

/// Digits after the point of amounts in a reason.
const CENTS: u32 = 2;
/// Line types and days that a reason names before it counts the others.
const NAMED: usize = 3;

/// Thresholds above which a fall of a day's net amount is a loss. Both must be exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LossLimits {
    /// Percentage of the day's published net amount.
    pub percent: u64,
    /// Units of the connection's currency.
    pub amount: u64,
}

/// Losses of a month; empty if there are none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    /// Published days without any costs.
    days: Vec<NaiveDate>,
    /// Product and line type of published groups without costs, and where they had some.
    groups: BTreeMap<(String, String), LostGroup>,
    /// Days whose net amount fell, with the published and the pulled one.
    falls: Vec<(NaiveDate, i128, i128)>,
}

/// Days of a product and line type that have no costs any more.
#[derive(Debug, Default, PartialEq, Eq)]
struct LostGroup {
    days: Vec<NaiveDate>,
    costs: u64,
    net: i128,
}

/// Compares a pull with the published totals. Line types and amounts are compared for days before `open_from` only:
/// those of later days are not complete yet.
pub(crate) fn find(
    published: &ControlTotals,
    pulled: &ControlTotals,
    open_from: NaiveDate,
    limits: LossLimits,
) -> Losses {
    let (published, pulled) = (by_day(published), by_day(pulled));
    let mut losses = Losses::default();
    for (number, groups) in &published {
        let Some(day) = date(i64::from(*number)) else {
            continue;
        };
        let Some(received) = pulled.get(number) else {
            losses.days.push(day);
            continue;
        };
        if day >= open_from {
            continue;
        }
        let is_received = |group: &TotalsGroup| received.iter().any(|new| same_group(new, group));
        let lost = groups
            .iter()
            .filter(|group| has_money(group) && !is_received(group));
        let mut has_lost_group = false;
        for group in lost {
            has_lost_group = true;
            let name = |text: &Option<String>| text.clone().unwrap_or_else(|| "(none)".into());
            let key = (name(&group.product), name(&group.line_type));
            let entry = losses.groups.entry(key).or_default();
            entry.days.push(day);
            entry.costs += group.totals.costs;
            entry.net = entry.net.saturating_add(group.totals.net);
        }
        let before = net(groups.iter().copied());
        // A credit that is new on the day lowers its net amount, but nothing is missing.
        let is_known = |group: &&&TotalsGroup| {
            group.totals.net >= 0 || groups.iter().any(|old| same_group(old, group))
        };
        let after = net(received.iter().filter(is_known).copied());
        let usage = net(groups.iter().copied().filter(|group| group.totals.net > 0));
        if !has_lost_group && is_fall(before.saturating_sub(after), usage, limits) {
            losses.falls.push((day, before, after));
        }
    }
    losses
}

impl Losses {
    pub(crate) fn is_empty(&self) -> bool {
        self.days.is_empty() && self.groups.is_empty() && self.falls.is_empty()
    }

    /// Returns what is missing, in one line.
    pub(crate) fn describe(&self) -> String {
        let mut parts = Vec::new();
        if !self.days.is_empty() {
            let days = format_days(&self.days);
            parts.push(format!("days came back without costs ({days})"));
        }
        for ((product, line_type), lost) in self.groups.iter().take(NAMED) {
            let (days, costs, net) = (format_days(&lost.days), lost.costs, cents(lost.net));
            parts.push(format!(
                "{product} {line_type} is missing on {days} ({costs} costs, net {net})"
            ));
        }
        for (day, before, after) in self.falls.iter().take(NAMED) {
            let (before, after) = (cents(*before), cents(*after));
            parts.push(format!("the net of {day} fell from {before} to {after}"));
        }
        let unnamed =
            self.groups.len().saturating_sub(NAMED) + self.falls.len().saturating_sub(NAMED);
        if unnamed > 0 {
            parts.push(format!("and {unnamed} more"));
        }
        parts.join("; ")
    }
}

fn by_day(totals: &ControlTotals) -> BTreeMap<i32, Vec<&TotalsGroup>> {
    let mut days: BTreeMap<i32, Vec<&TotalsGroup>> = BTreeMap::new();
    for group in totals.groups() {
        days.entry(group.day).or_default().push(group);
    }
    days
}

fn same_group(one: &TotalsGroup, other: &TotalsGroup) -> bool {
    (&one.product, &one.line_type) == (&other.product, &other.line_type)
}

fn has_money(group: &TotalsGroup) -> bool {
    group.totals.net != 0 || group.totals.original != 0
}

/// Sum of net amounts. Totals of a month stay far below the range, so saturation changes no decision.
fn net<'g>(groups: impl Iterator<Item = &'g TotalsGroup>) -> i128 {
    groups.fold(0, |sum, group| sum.saturating_add(group.totals.net))
}

/// Returns true for a fall above both limits; `usage` is what the day cost before credits.
fn is_fall(fall: i128, usage: i128, limits: LossLimits) -> bool {
    const UNIT: i128 = 10i128.pow(decimal::SCALE.unsigned_abs() as u32);
    let amount = i128::from(limits.amount).saturating_mul(UNIT);
    // Divided on both sides, as a hundredfold amount can leave the range.
    fall > amount && fall / i128::from(limits.percent.max(1)) > usage / 100
}

fn cents(units: i128) -> String {
    round_half_even(units, CENTS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_totals::CostTotals;

    const LIMITS: LossLimits = LossLimits {
        percent: 20,
        amount: 1,
    };
    const UNIT: i128 = 10i128.pow(24);

    /// Totals of lines `day of January 1970 from 0, line type, net`.
    fn totals(groups: &[(i32, &str, i128)]) -> ControlTotals {
        let mut totals = ControlTotals::default();
        for (day, line_type, net) in groups {
            let cost = CostTotals {
                costs: 2,
                original: net * UNIT,
                net: net * UNIT,
                ..CostTotals::default()
            };
            totals
                .add(*day, Some("KAFKA"), Some(line_type), &cost)
                .unwrap();
        }
        totals
    }

    fn losses(published: &[(i32, &str, i128)], pulled: &[(i32, &str, i128)]) -> String {
        let open_from = "1970-01-20".parse().unwrap();
        let losses = find(&totals(published), &totals(pulled), open_from, LIMITS);
        assert_eq!(losses.is_empty(), losses.describe().is_empty());
        losses.describe()
    }

    #[test]
    fn names_days_and_line_types_that_vanished() {
        let published = [(0, "STORAGE", 10), (1, "STORAGE", 10), (1, "READ", 3)];
        assert_eq!(losses(&published, &published), "");
        assert_eq!(
            losses(&published, &published[1..]),
            "days came back without costs (1970-01-01)"
        );
        assert_eq!(
            losses(&published, &[(0, "STORAGE", 10), (1, "STORAGE", 99)]),
            "KAFKA READ is missing on 1970-01-02 (2 costs, net 3.00)"
        );
    }

    #[test]
    fn names_falls_above_both_limits() {
        let fall = |before, after| losses(&[(0, "READ", before)], &[(0, "READ", after)]);
        assert_eq!(
            fall(100, 57),
            "the net of 1970-01-01 fell from 100.00 to 57.00"
        );
        assert_eq!(fall(100, 80), "", "20 percent");
        assert_ne!(fall(100, 79), "", "21 percent");
        assert_eq!(fall(2, 1), "", "one unit");
        assert_eq!(fall(100, 5_000), "");
    }

    #[test]
    fn a_new_credit_is_no_loss() {
        let published = [(0, "READ", 100)];
        assert_eq!(
            losses(&published, &[(0, "READ", 100), (0, "PROMO_CREDIT", -400)]),
            ""
        );
        assert_ne!(
            losses(&published, &[(0, "READ", 50), (0, "PROMO_CREDIT", -400)]),
            ""
        );
    }

    #[test]
    fn costs_without_money_and_open_days_may_change() {
        assert_eq!(
            losses(&[(0, "READ", 5), (0, "FREE", 0)], &[(0, "READ", 5)]),
            ""
        );
        let open = [(19, "READ", 500), (19, "WRITE", 1)];
        assert_eq!(losses(&open, &[(19, "READ", 1)]), "");
    }
}
