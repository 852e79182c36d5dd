//! The summary of a run as a table for people.

use crate::engine::text::table;
use crate::pipeline::summary::{PeriodSummary, Status, Summary};

/// The summary of a run for people.
pub fn summary_table(summary: &Summary) -> String {
    let header = [
        "period",
        "costs",
        "line items",
        "original",
        "discount",
        "net",
        "status",
        "complete until",
    ];
    let right = [false, true, true, true, true, true, false, false];
    table(&header, &right, summary.periods.iter().map(summary_row))
}

fn summary_row(period: &PeriodSummary) -> Vec<String> {
    let known = |text: &str| match period.status {
        Status::Failed => "-".to_string(),
        _ => text.to_string(),
    };
    let status = match period.status {
        Status::Published => "published",
        Status::Unchanged => "unchanged",
        Status::Empty => "empty",
        Status::Held => "held",
        Status::Failed => "failed",
        Status::DryRun => "dry run",
    };
    vec![
        period.billing_period.to_string(),
        known(&period.costs.to_string()),
        known(&period.line_items.to_string()),
        known(&period.original_amount),
        known(&period.discount_amount),
        known(&period.net_amount),
        status.to_string(),
        period
            .covered_until
            .map_or("-".to_string(), |day| day.to_string()),
    ]
}
