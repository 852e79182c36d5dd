//! Enrich: loads names and regions from Confluent into the store's table `resources`, at most once a day.
//!
//! A failure never stops an import: it is logged and recorded with the connection's state.

pub mod attributes;
pub mod tag_rules;

use std::time::Duration;

use chrono::TimeDelta;

use crate::confluent::client::Client;
use crate::confluent::inventory::{self, Inventory};
use crate::error::{ErrorKind, Result};
use crate::pipeline::{RunContext, StageTimer, clock_check};
use crate::store::connection_state::{self, InventoryState};
use crate::store::resources;

/// Age up to which an inventory is current.
const CURRENT_FOR: TimeDelta = TimeDelta::hours(24);
/// Time from a failure to the next attempt.
const RETRY_AFTER: TimeDelta = TimeDelta::hours(1);
/// Longest delay of an import by the inventory.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Updates the inventory of the connection unless it is current. The caller holds the connection's lease.
pub(crate) async fn enrich(context: &RunContext, client: &Client) {
    let _timer = StageTimer::begin("enrich");
    match try_enrich(context, client).await {
        Ok(Some(Inventory { problems, hint, .. })) => {
            // A missing role affects the lists of every environment, so one problem stands for all.
            if let Some(problem) = problems.first() {
                let (more, hint) = (problems.len() - 1, hint.unwrap_or_default());
                tracing::warn!(
                    %problem, more, %hint,
                    "Could not list some resources; keeping their last known names and regions"
                );
            }
        }
        Ok(None) => {}
        Err(error) => {
            let hint = match error.kind() {
                ErrorKind::Remote => "the next attempt is in an hour".to_string(),
                _ => error.hint().unwrap_or_default(),
            };
            tracing::warn!(
                %error, %hint,
                "Could not list names and regions; costs are imported without the update"
            );
        }
    }
}

/// Returns the new inventory, or `None` if the stored one is current.
async fn try_enrich(context: &RunContext, client: &Client) -> Result<Option<Inventory>> {
    let now = (context.clock)();
    let last = connection_state::inventory(&context.store, &context.connection).await?;
    let is_current = last.is_some_and(|state| {
        let valid_for = if state.problems.is_empty() {
            CURRENT_FOR
        } else {
            RETRY_AFTER
        };
        (TimeDelta::zero()..valid_for).contains(&(now - state.taken_at))
    });
    if is_current {
        return Ok(None);
    }
    (context.progress)("asking Confluent for names and regions".to_string());
    let listed = inventory::list(client, TIMEOUT).await;
    // The history of names and regions would begin at a wrong time.
    clock_check::refuse_wrong(client)?;
    let state = |resources: usize, problems: Vec<String>| InventoryState {
        taken_at: now,
        resources: resources as u64,
        problems,
    };
    let fence = context.fence()?;
    let save = async |state: &InventoryState| connection_state::save_inventory(&fence, state).await;
    match listed {
        Ok(inventory) => {
            let changed = resources::update(&fence, &inventory, now).await?;
            let resources = inventory.resources.len();
            tracing::info!(resources, changed, "Names and regions updated");
            save(&state(resources, inventory.problems.clone())).await?;
            Ok(Some(inventory))
        }
        Err(error) => {
            save(&state(0, vec![error.to_string()])).await?;
            Err(error)
        }
    }
}
