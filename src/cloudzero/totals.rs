//! Exact totals of line items, by group and by hour.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::cloudzero::columns::{day_of, hour_start};
use crate::decimal::{self, QuantitySum};

/// Overflow of a sum of costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sum of costs is too large")]
pub(crate) struct SumOverflow;

/// Totals of some line items. Costs are in units of 1e-24.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineItemTotals {
    /// Number of line items.
    pub(crate) rows: u64,
    /// Sum of `cost/cost`.
    pub(crate) cost: i128,
    /// Sum of `cost/discounted_cost`.
    pub(crate) discounted: i128,
    /// Sum of `cost/on_demand_cost`.
    pub(crate) on_demand: i128,
    /// Sum of `cost/amortized_cost`, or `cost/cost` where it is blank.
    pub(crate) amortized: i128,
    /// Sum of `cost/discounted_amortized_cost`; where it is blank, of the amortized, discounted or billed cost.
    pub(crate) discounted_amortized: i128,
    /// Sum of `usage/amount`, as numbers of whatever unit; a line item without one adds nothing.
    pub(crate) usage: QuantitySum,
}

impl LineItemTotals {
    /// Returns true if all costs are zero.
    pub(crate) fn has_zero_costs(&self) -> bool {
        (self.cost, self.discounted, self.on_demand) == (0, 0, 0)
            && (self.amortized, self.discounted_amortized) == (0, 0)
    }

    /// Adds `other`.
    pub(crate) fn add(&mut self, other: &LineItemTotals) -> Result<(), SumOverflow> {
        let sum = |a: i128, b| a.checked_add(b).ok_or(SumOverflow);
        self.rows += other.rows;
        self.cost = sum(self.cost, other.cost)?;
        self.discounted = sum(self.discounted, other.discounted)?;
        self.on_demand = sum(self.on_demand, other.on_demand)?;
        self.amortized = sum(self.amortized, other.amortized)?;
        self.discounted_amortized = sum(self.discounted_amortized, other.discounted_amortized)?;
        self.usage.add(other.usage);
        Ok(())
    }

    /// Returns the sum of all `parts`.
    fn sum<'a>(
        parts: impl Iterator<Item = &'a LineItemTotals>,
    ) -> Result<LineItemTotals, SumOverflow> {
        let mut sum = LineItemTotals::default();
        for part in parts {
            sum.add(part)?;
        }
        Ok(sum)
    }
}

impl fmt::Display for LineItemTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rows, cost {}, discounted {}, on demand {}, amortized {}, discounted amortized {}, usage {}",
            self.rows,
            decimal::to_plain_string(self.cost),
            decimal::to_plain_string(self.discounted),
            decimal::to_plain_string(self.on_demand),
            decimal::to_plain_string(self.amortized),
            decimal::to_plain_string(self.discounted_amortized),
            self.usage
        )
    }
}

/// Key of the groups in which deliveries are reconciled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LineItemGroup {
    /// Day of `time/usage_start`, such as `2026-10-01`.
    pub(crate) day: String,
    /// `lineitem/type`.
    pub(crate) line_item_type: String,
    /// `action/usage_type`.
    pub(crate) usage_type: String,
}

/// Totals by day, line item type and usage type.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct LineItemTotalsByGroup(BTreeMap<LineItemGroup, LineItemTotals>);

impl LineItemTotalsByGroup {
    /// Adds `totals` to a group.
    pub(crate) fn add(
        &mut self,
        group: LineItemGroup,
        totals: &LineItemTotals,
    ) -> Result<(), SumOverflow> {
        self.0.entry(group).or_default().add(totals)
    }

    /// Adds every group of `other`.
    pub(crate) fn merge(&mut self, other: LineItemTotalsByGroup) -> Result<(), SumOverflow> {
        for (group, totals) in other.0 {
            self.add(group, &totals)?;
        }
        Ok(())
    }

    /// Returns the number of line items.
    pub(crate) fn rows(&self) -> u64 {
        self.0.values().map(|totals| totals.rows).sum()
    }

    /// Returns the totals of all groups together.
    pub(crate) fn sum(&self) -> Result<LineItemTotals, SumOverflow> {
        LineItemTotals::sum(self.0.values())
    }

    /// Returns the totals of each day.
    pub(crate) fn by_day(&self) -> Result<BTreeMap<String, LineItemTotals>, SumOverflow> {
        let mut days: BTreeMap<String, LineItemTotals> = BTreeMap::new();
        for (group, totals) in &self.0 {
            days.entry(group.day.clone()).or_default().add(totals)?;
        }
        Ok(days)
    }

    /// Returns the totals of `group`; zero if it has no line items.
    pub(crate) fn get(&self, group: &LineItemGroup) -> LineItemTotals {
        self.0.get(group).copied().unwrap_or_default()
    }

    /// Returns the groups in order.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &LineItemGroup> {
        self.0.keys()
    }
}

/// Difference between two [`HourlyTotals`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HourDifference {
    /// Start of the hour in microseconds since 1970.
    pub(crate) hour: i64,
    /// Totals that were sent.
    pub(crate) expected: LineItemTotals,
    /// Totals that the stream holds.
    pub(crate) actual: LineItemTotals,
}

/// Totals by hour.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct HourlyTotals {
    hours: BTreeMap<i64, LineItemTotals>,
    /// True if the source of the totals has no usage amounts, so that their sums mean nothing.
    lacks_usage: bool,
}

impl HourlyTotals {
    /// Adds `totals` to the hour that contains `micros` (microseconds since 1970).
    pub(crate) fn add(&mut self, micros: i64, totals: &LineItemTotals) -> Result<(), SumOverflow> {
        let hour = self.hours.entry(hour_start(micros)).or_default();
        hour.add(totals)
    }

    /// Marks the usage amounts as absent; they are not compared.
    pub(crate) fn without_usage(mut self) -> HourlyTotals {
        self.lacks_usage = true;
        self
    }

    /// Returns true if the source of the totals has usage amounts.
    pub(crate) fn has_usage(&self) -> bool {
        !self.lacks_usage
    }

    /// Returns true if the hour has line items.
    pub(crate) fn contains(&self, hour: i64) -> bool {
        self.hours.contains_key(&hour)
    }

    /// Returns the start of each hour and its totals, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &LineItemTotals)> {
        self.hours.iter().map(|(hour, totals)| (*hour, totals))
    }

    /// Returns the number of line items.
    pub(crate) fn rows(&self) -> u64 {
        self.hours.values().map(|totals| totals.rows).sum()
    }

    /// Returns the totals of all hours together.
    pub(crate) fn sum(&self) -> Result<LineItemTotals, SumOverflow> {
        LineItemTotals::sum(self.hours.values())
    }

    /// Returns the totals of each day.
    pub(crate) fn by_day(&self) -> Result<BTreeMap<String, LineItemTotals>, SumOverflow> {
        let mut days: BTreeMap<String, LineItemTotals> = BTreeMap::new();
        for (hour, totals) in &self.hours {
            days.entry(day_of(*hour)).or_default().add(totals)?;
        }
        Ok(days)
    }

    /// Returns true if `actual` has no [differences](HourlyTotals::differences).
    pub(crate) fn matches(&self, actual: &HourlyTotals) -> bool {
        self.differences(actual).next().is_none()
    }

    /// Returns the hours in which `actual` differs.
    ///
    /// Rows without costs in an hour that is not expected are no difference: such rows clear an hour. Usage is
    /// compared if both sides have it.
    pub(crate) fn differences<'a>(
        &'a self,
        actual: &'a HourlyTotals,
    ) -> impl Iterator<Item = HourDifference> + 'a {
        let hours = self.hours.keys().chain(actual.hours.keys());
        let hours: BTreeSet<i64> = hours.copied().collect();
        let has_usage = !self.lacks_usage && !actual.lacks_usage;
        let totals_of = move |all: &HourlyTotals, hour| {
            let mut totals = all.hours.get(&hour).copied().unwrap_or_default();
            if !has_usage {
                totals.usage = QuantitySum::default();
            }
            totals
        };
        hours.into_iter().filter_map(move |hour| {
            let (expected, mut actual) = (totals_of(self, hour), totals_of(actual, hour));
            if expected.rows == 0 && actual.has_zero_costs() {
                actual.rows = 0;
            }
            (expected != actual).then_some(HourDifference {
                hour,
                expected,
                actual,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudzero::columns::HOUR_MICROS;

    fn totals(rows: u64, cost: i128) -> LineItemTotals {
        LineItemTotals {
            rows,
            cost,
            discounted: cost,
            on_demand: cost,
            amortized: cost,
            discounted_amortized: cost,
            usage: QuantitySum::of(cost),
        }
    }

    fn hours(hours: &[(i64, LineItemTotals)]) -> HourlyTotals {
        HourlyTotals {
            hours: hours.iter().copied().collect(),
            lacks_usage: false,
        }
    }

    #[test]
    fn ignores_hours_cleared_with_zero_costs() {
        let expected = hours(&[(0, totals(2, 5))]);
        let cleared = hours(&[(0, totals(2, 5)), (HOUR_MICROS, totals(1, 0))]);
        assert!(expected.matches(&cleared));
        assert!(!expected.matches(&hours(&[(0, totals(3, 5))])));
        let costs = hours(&[(0, totals(2, 5)), (HOUR_MICROS, totals(1, 1))]);
        assert!(!expected.matches(&costs));
        assert!(!expected.matches(&HourlyTotals::default()));
    }

    #[test]
    fn compares_usage_if_both_sides_have_it() {
        let expected = hours(&[(0, totals(2, 5))]);
        let other = LineItemTotals {
            usage: QuantitySum::of(6),
            ..totals(2, 5)
        };
        assert!(!expected.matches(&hours(&[(0, other)])));
        assert!(expected.matches(&hours(&[(0, other)]).without_usage()));
    }

    #[test]
    fn names_the_hour_that_differs() {
        let expected = hours(&[(0, totals(2, 5)), (HOUR_MICROS, totals(1, 1))]);
        let actual = hours(&[(0, totals(2, 5))]);
        let difference = expected.differences(&actual).next().unwrap();
        assert_eq!(difference.hour, HOUR_MICROS);
        assert_eq!(difference.expected, totals(1, 1));
        assert_eq!(difference.actual, LineItemTotals::default());
    }

    #[test]
    fn reports_sums_that_overflow() {
        let mut sum = totals(1, i128::MAX);
        assert_eq!(sum.add(&totals(1, 1)), Err(SumOverflow));
    }

    #[test]
    fn sums_hours_by_day() {
        let mut hourly = HourlyTotals::default();
        for micros in [0, HOUR_MICROS + 1, 24 * HOUR_MICROS] {
            hourly.add(micros, &totals(1, 2)).unwrap();
        }
        let days = hourly.by_day().unwrap();
        assert_eq!(days["1970-01-01"], totals(2, 4));
        assert_eq!(days["1970-01-02"], totals(1, 2));
        assert_eq!(hourly.sum(), Ok(totals(3, 6)));
        assert_eq!(hourly.rows(), 3);
    }
}
