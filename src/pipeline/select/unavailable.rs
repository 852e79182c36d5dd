//! Months that Confluent refuses (HTTP 400): before the organization existed, or where it holds fewer than twelve.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::billing_period::BillingPeriod;
use crate::error::Result;
use crate::pipeline::RunContext;
use crate::pipeline::publish::Tables;
use crate::store::connection_state::{self, AvailabilityState};

/// Time after which refused months are asked for again, so that a server's mistake does not last.
const ASK_AGAIN_AFTER: TimeDelta = TimeDelta::days(30);

/// Returns the last month of those that Confluent refused lately; `None` if they are to be asked for.
///
/// # Errors
/// Those of the store.
pub(crate) async fn refused_through(
    context: &RunContext,
    now: DateTime<Utc>,
) -> Result<Option<BillingPeriod>> {
    let state = connection_state::availability(&context.store, &context.connection).await?;
    let is_recent = |state: &AvailabilityState| {
        (TimeDelta::zero()..ASK_AGAIN_AFTER).contains(&(now - state.asked_at))
    };
    Ok(state.filter(is_recent).map(|state| state.refused_through))
}

/// Months of the connection with published costs.
///
/// # Errors
/// Those of the store.
pub(crate) async fn published(
    context: &RunContext,
    tables: &Tables,
) -> Result<BTreeSet<BillingPeriod>> {
    let files = match &tables.costs {
        Some(costs) => costs.files().await?,
        None => Vec::new(),
    };
    let ours = files
        .iter()
        .filter(|file| file.connection == *context.connection);
    Ok(ours.map(|file| file.period).collect())
}

/// Remembers the last of the months that Confluent refused. The caller holds the connection's lease.
///
/// # Errors
/// Those of the store.
pub(crate) async fn remember(
    context: &RunContext,
    refused_through: BillingPeriod,
    now: DateTime<Utc>,
) -> Result<()> {
    let state = AvailabilityState {
        refused_through,
        asked_at: now,
    };
    connection_state::save_availability(&context.fence()?, &state).await
}
