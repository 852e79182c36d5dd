//! Default selection: months that can still change, plus months left incomplete by a crash or a failed
//! delivery.

use crate::billing_period::BillingPeriod;
use crate::error::Result;
use crate::pipeline::publish::Tables;
use crate::pipeline::{RunContext, deliver};
use crate::store::runs;

/// The stage that a run takes its months to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Costs are stored.
    Costs,
    /// Line items are published.
    LineItems,
    /// Line items are delivered to every destination.
    Delivery,
}

/// The months among `periods` that can still change or have not reached `stage`.
pub(crate) async fn pending_months(
    context: &RunContext,
    tables: &Tables,
    periods: Vec<BillingPeriod>,
    stage: Stage,
) -> Result<Vec<BillingPeriod>> {
    let mut pending = Vec::new();
    for period in periods {
        if is_pending(context, tables, period, stage).await? {
            pending.push(period);
        }
    }
    Ok(pending)
}

async fn is_pending(
    context: &RunContext,
    tables: &Tables,
    period: BillingPeriod,
    stage: Stage,
) -> Result<bool> {
    let state = runs::month_state(&context.store, &context.connection, period).await?;
    let month = tables.month(context, period).await?;
    if !state.describes(month.costs_record.as_ref()) {
        return Ok(true);
    }
    // A hold ends with the first pull that has the missing costs again.
    if state.completeness.on_hold.is_some() && stage <= Stage::LineItems {
        return Ok(true);
    }
    if !state.settled || stage == Stage::Costs {
        return Ok(!state.settled);
    }
    let Some(costs) = month.costs_record else {
        return Ok(false);
    };
    let Some(line_items) = month.line_items_record else {
        return Ok(true);
    };
    let undelivered = stage == Stage::Delivery
        && context.currency == "USD"
        && deliver::is_behind(context, &state, &line_items)?;
    Ok(line_items.digest != costs.digest || undelivered)
}
