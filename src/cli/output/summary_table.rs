//! The summary of a run as a table for people.

use crate::cli::output::aggregate::Results;
use crate::engine::text::table;
use crate::pipeline::summary::{PeriodStatus, PeriodSummary, Summary};

/// The summaries of a run for people. Several connections are told apart in a column of their own.
pub fn summary_table(results: &Results<Summary>) -> String {
    let several = results.several;
    let header = [
        "connection",
        "period",
        "costs",
        "line items",
        "original",
        "discount",
        "net",
        "status",
        "complete until",
    ];
    let right = [false, false, true, true, true, true, true, false, false];
    let skipped = usize::from(!several);
    let rows = results.all.iter().flat_map(|(name, result)| match result {
        Ok(summary) => summary.periods.iter().map(summary_row).collect(),
        Err(_) => vec![failed_row(name)],
    });
    let rows = rows.map(|row| row[skipped..].to_vec());
    table(&header[skipped..], &right[skipped..], rows)
}

/// A connection that came to nothing.
fn failed_row(name: &str) -> Vec<String> {
    let mut row = vec!["-".to_string(); 9];
    row[0] = name.to_string();
    row[7] = "failed".to_string();
    row
}

fn summary_row(period: &PeriodSummary) -> Vec<String> {
    let known = |text: &str| match period.status {
        PeriodStatus::Failed => "-".to_string(),
        _ => text.to_string(),
    };
    let status = match period.status {
        PeriodStatus::Published => "published",
        PeriodStatus::Unchanged => "unchanged",
        PeriodStatus::Empty => "empty",
        PeriodStatus::OnHold => "held",
        PeriodStatus::Failed => "failed",
        PeriodStatus::DryRun => "dry run",
    };
    vec![
        period.connection.clone(),
        period.billing_period.to_string(),
        known(&period.costs.to_string()),
        known(&period.line_items.to_string()),
        known(&period.original_amount),
        known(&period.discount_amount),
        known(&period.net_amount),
        status.to_string(),
        period
            .complete_through
            .map_or("-".to_string(), |day| day.to_string()),
    ]
}
