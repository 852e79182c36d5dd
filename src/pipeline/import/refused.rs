//! Months without an answer: refused ones, and imports without any costs.

use crate::billing_period::BillingPeriod;
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::publish::Tables;
use crate::pipeline::select::unavailable;
use crate::pipeline::summary::{PeriodStatus, PeriodSummary, Summary};
use crate::store::runs;

/// Skips the months that Confluent refused before the first one that it answered, and remembers them. A refused month is
/// an error if it answered none, if the month's published costs can still change, or if costs before it are published.
pub(super) async fn skip_refused(
    context: &RunContext,
    tables: &Tables,
    refused: Vec<(BillingPeriod, Error)>,
    answered: bool,
    summary: &mut Summary,
) -> Result<()> {
    let published = unavailable::published(context, tables).await?;
    for (period, error) in refused {
        let state = runs::month_state(&context.store, &context.connection, period).await?;
        let is_final = state.settled && state.completeness.on_hold.is_none();
        let is_before_all = published.first().is_none_or(|first| period < *first);
        if answered && (is_before_all || (is_final && published.contains(&period))) {
            tracing::info!(%period, %error, "Month skipped: Confluent refuses it");
            summary.unavailable.push(period);
        } else {
            summary.periods.push(super::failed_month(context, period));
            summary.errors.push((period, error));
        }
    }
    summary.periods.sort_by_key(|month| month.billing_period);
    match summary.unavailable.last() {
        Some(last) => unavailable::remember(context, *last, (context.clock)()).await,
        None => Ok(()),
    }
}

/// Warns if Confluent returned no costs for any of several months: a key of another organization looks like that.
pub(super) fn warn_if_all_empty(tables: &Tables, summary: &Summary) {
    let is_empty = |month: &PeriodSummary| month.status == PeriodStatus::Empty;
    if tables.costs.is_none() && summary.periods.len() > 1 && summary.periods.iter().all(is_empty) {
        tracing::warn!(
            months = summary.periods.len(),
            "Confluent returned no costs for any month: check that the key belongs to the organization that has the \
             costs; the months stay due"
        );
    }
}
