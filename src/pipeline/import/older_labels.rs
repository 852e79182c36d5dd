//! Settled months that keep the names and tags of their last publish, although they are known differently now.

use serde::{Deserialize, Serialize};

use crate::billing_period::BillingPeriod;
use crate::error::Result;
use crate::pipeline::publish::Tables;
use crate::pipeline::summary::Summary;
use crate::pipeline::{RunContext, command_for};
use crate::store::connection_state::{self, LABELS};
use crate::store::runs;

/// Inventory and tags of the last comparison.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ComparedWith {
    digest: String,
}

/// Names the settled months whose names and tags are older, with the command that maps them again, once after each
/// change of the inventory and of the file of tags. Months of the run have it in their summary. A failure is logged
/// only: the next run tries again.
pub(super) async fn report(context: &RunContext, tables: &Tables, summary: &Summary) {
    match try_report(context, tables, summary).await {
        Ok(months) if months.is_empty() => {}
        Ok(months) => {
            let names: Vec<String> = months.iter().map(ToString::to_string).collect();
            let hint = command_for("transform", &context.connection, &months);
            tracing::warn!(
                months = names.join(", "), %hint,
                "Settled months keep the names and tags of their last publish"
            );
        }
        Err(error) => {
            tracing::debug!(%error, "Could not compare the names and tags of settled months");
        }
    }
}

async fn try_report(
    context: &RunContext,
    tables: &Tables,
    summary: &Summary,
) -> Result<Vec<BillingPeriod>> {
    let inputs = tables.enrichment_inputs(context).await?;
    let now = ComparedWith {
        digest: inputs.digest()?,
    };
    let before = connection_state::read(&context.store, &context.connection, LABELS).await?;
    if before.as_ref() == Some(&now) {
        return Ok(Vec::new());
    }
    let mut older = Vec::new();
    for period in tables.published_periods(context).await? {
        let is_in_run = summary.periods.iter().any(|m| m.billing_period == period);
        let state = runs::month_state(&context.store, &context.connection, period).await?;
        if is_in_run || !state.settled {
            continue;
        }
        let month = tables.month(context, period).await?;
        let attributes = tables.attributes(context, period, &month.costs).await?;
        let published = month.line_items_record.map(|record| record.facts);
        if !attributes.incomplete && published.is_some_and(|facts| facts != attributes.digest) {
            older.push(period);
        }
    }
    connection_state::write_fenced(&context.fence()?, LABELS, &now).await?;
    Ok(older)
}
