//! Which months have something left to be done.

use crate::billing_period::BillingPeriod;
use crate::error::Result;
use crate::pipeline::publish::Tables;
use crate::pipeline::{RunContext, deliver};
use crate::store::runs;

/// How far a run takes a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UpTo {
    /// Costs are stored.
    Costs,
    /// Line items are published.
    LineItems,
    /// Targets have them.
    Delivery,
}

/// The months that a run takes when none is named: those that may still change, and those that a run
/// that died, or targets that did not answer, left behind.
pub async fn due(
    job: &RunContext,
    tables: &Tables,
    periods: Vec<BillingPeriod>,
    up_to: UpTo,
) -> Result<Vec<BillingPeriod>> {
    let mut due = Vec::new();
    for period in periods {
        if is_due(job, tables, period, up_to).await? {
            due.push(period);
        }
    }
    Ok(due)
}

async fn is_due(
    job: &RunContext,
    tables: &Tables,
    period: BillingPeriod,
    up_to: UpTo,
) -> Result<bool> {
    let state = runs::month_state(&job.store, &job.connection, period).await?;
    if !state.settled || up_to == UpTo::Costs {
        return Ok(!state.settled);
    }
    let month = tables.month(job, period).await?;
    let Some(costs) = month.costs_record else {
        return Ok(false);
    };
    let Some(line_items) = month.line_items_record else {
        return Ok(true);
    };
    let undelivered = up_to == UpTo::Delivery
        && job.currency == "USD"
        && deliver::is_behind(job, &state, &line_items)?;
    Ok(line_items.digest != costs.digest || undelivered)
}
