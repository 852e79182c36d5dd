//! Table of verified months.

use crate::cli::output::money::{Precision, difference};
use crate::cli::output::table::{Column, NONE, Table, money_header};
use crate::decimal;
use crate::pipeline::verify::{ComparisonStatus, MonthComparison, SideTotals};

/// Net amount of each side.
pub(crate) fn verify_table(
    months: &[MonthComparison],
    currency: Option<&str>,
    precision: Precision,
) -> Table {
    let mut table = Table::new(vec![
        Column::text("period"),
        Column::number(money_header("confluent", currency)),
        Column::number("store"),
        Column::number("bucket"),
        Column::number("stream"),
        Column::number("cloudzero"),
        Column::text("status"),
    ]);
    for month in months {
        let store = month.store.as_ref().map(|side| side.cost.as_str());
        let net = |side: Option<&SideTotals>| {
            side.map_or(NONE.to_string(), |side| net(&side.cost, store, precision))
        };
        table.row(vec![
            month.billing_period.to_string(),
            net(month.confluent.as_ref()),
            net(month.store.as_ref()),
            net(month.bucket.as_ref()),
            net(month.stream.as_ref()),
            // Its totals are floats, which are compared to a cent.
            month
                .cloudzero
                .as_ref()
                .map_or(NONE.to_string(), |side| precision.money(&side.cost)),
            status(month.status).to_string(),
        ]);
    }
    table
}

/// A net amount, with its difference to the store's where rounding would hide it: `1,234.50 +2e-7`.
fn net(cost: &str, store: Option<&str>, precision: Precision) -> String {
    let shown = precision.money(cost);
    let is_hidden = |store: &&str| precision.money(store) == shown;
    let hidden = store.filter(is_hidden);
    let difference = hidden.and_then(|store| magnitude(&difference(cost, store)?));
    match difference {
        Some(difference) => format!("{shown} {difference}"),
        None => shown,
    }
}

/// Sign, first digit and exponent of a decimal; `None` for zero.
fn magnitude(exact: &str) -> Option<String> {
    let units = decimal::parse(exact).ok()?.units;
    let exponent = units.unsigned_abs().checked_ilog10()?;
    let digit = units.unsigned_abs() / 10u128.pow(exponent);
    let sign = if units < 0 { '-' } else { '+' };
    let exponent = i64::from(exponent) - i64::from(decimal::SCALE);
    Some(format!("{sign}{digit}e{exponent}"))
}

fn status(status: ComparisonStatus) -> &'static str {
    match status {
        ComparisonStatus::Equal => "equal",
        ComparisonStatus::Outdated => "outdated",
        ComparisonStatus::Pinned => "pinned",
        ComparisonStatus::Pending => "pending",
        ComparisonStatus::Behind => "behind",
        ComparisonStatus::Missing => "missing",
        ComparisonStatus::Differs => "differs",
        ComparisonStatus::Unreadable => "unreadable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudzero::totals::LineItemTotals;

    #[test]
    fn shows_a_difference_that_rounding_would_hide() {
        let store = Some("1234.5");
        let shown = |cost: &str| net(cost, store, Precision::Rounded);
        assert_eq!(shown("1234.5"), "1,234.50");
        assert_eq!(shown("1234.500000000000000000000001"), "1,234.50 +1e-24");
        assert_eq!(shown("1234.49999971"), "1,234.50 -2e-7");
        assert_eq!(shown("1233"), "1,233.00");
        let exact = net("1234.500000000000000000000001", store, Precision::Exact);
        assert_eq!(exact, "1234.500000000000000000000001");
    }

    #[test]
    fn fits_a_terminal_with_differences_of_all_digits() {
        let side = |units: i128| {
            Some(SideTotals::from(&LineItemTotals {
                cost: units,
                ..LineItemTotals::default()
            }))
        };
        let cost = 12_345_678_123_456_789_012_345_678_901_234;
        let published = LineItemTotals {
            cost,
            ..LineItemTotals::default()
        };
        let mut month = MonthComparison::new("acme", "2026-10".parse().unwrap(), published);
        month.confluent = side(cost - 1);
        month.bucket = side(cost - 123_456_789);
        month.stream = side(cost + 7);
        month.cloudzero = side(cost + 1);
        month.status = ComparisonStatus::Unreadable;
        let table = verify_table(&[month], Some("USD"), Precision::Rounded).render(None);
        for line in table.lines() {
            assert!(line.chars().count() <= 120, "{line}");
        }
        assert!(table.contains("12,345,678.12 -1e-24"), "{table}");
    }
}
