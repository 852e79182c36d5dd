//! Table of verified months.

use crate::cli::output::money::Precision;
use crate::cli::output::table::{Column, NONE, Table, money_header};
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
        // A difference can be smaller than a cent.
        let precision = if month.status == ComparisonStatus::Differs {
            Precision::Exact
        } else {
            precision
        };
        let net = |side: Option<&SideTotals>| {
            side.map_or(NONE.to_string(), |side| precision.money(&side.cost))
        };
        table.row(vec![
            month.billing_period.to_string(),
            net(month.confluent.as_ref()),
            net(month.store.as_ref()),
            net(month.bucket.as_ref()),
            net(month.stream.as_ref()),
            net(month.cloudzero.as_ref()),
            status(month.status).to_string(),
        ]);
    }
    table
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
    }
}
