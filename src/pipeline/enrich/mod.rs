//! Enrich: names and regions from Confluent into the store's table `resources`, at most once a day.
//!
//! It never stands in the way of costs: what goes wrong is told, kept with the connection, and passed over.

pub mod attributes;
pub mod tag_rules;

use std::time::Duration;

use chrono::TimeDelta;

use crate::confluent::client::Client;
use crate::confluent::inventory::{self, Inventory};
use crate::error::{ErrorKind, Result};
use crate::pipeline::{RunContext, Stage};
use crate::store::connection_state::{self, InventoryState};
use crate::store::resources;

/// What was taken is good for this long.
const GOOD_FOR: TimeDelta = TimeDelta::hours(24);
/// What failed is tried again after this long.
const AGAIN_AFTER: TimeDelta = TimeDelta::hours(1);
/// Costs wait for so long at most.
const LONGEST: Duration = Duration::from_secs(120);

/// Takes the inventory of the job's connection, unless that was done within a day. Call it with the
/// connection's lease.
pub async fn enrich(job: &RunContext, client: &Client) {
    let _stage = Stage::begin("enrich");
    match try_enrich(job, client).await {
        Ok(Some(Inventory { problems, hint, .. })) => {
            // A role that lacks is lacking for the lists of each environment.
            if let Some(problem) = problems.first() {
                let (more, hint) = (problems.len() - 1, hint.unwrap_or_default());
                tracing::warn!(
                    connection = %job.connection, %problem, more, %hint,
                    "Some names and regions could not be taken; what was known of them stays."
                );
            }
        }
        Ok(None) => {}
        Err(error) => {
            let hint = match error.kind() {
                ErrorKind::Remote => "they are asked for again in an hour".to_string(),
                _ => error.hint().unwrap_or_default(),
            };
            tracing::warn!(
                connection = %job.connection, %error, %hint,
                "Names and regions could not be taken; costs are imported all the same."
            );
        }
    }
}

/// What was listed; nothing when that was done not long ago.
async fn try_enrich(job: &RunContext, client: &Client) -> Result<Option<Inventory>> {
    let now = (job.clock)();
    let known = connection_state::inventory(&job.store, &job.connection).await?;
    let known = known.filter(|state| {
        let good_for = match state.problems.is_empty() {
            true => GOOD_FOR,
            false => AGAIN_AFTER,
        };
        (TimeDelta::zero()..good_for).contains(&(now - state.taken_at))
    });
    if known.is_some() {
        return Ok(None);
    }
    (job.progress)("asking Confluent for names and regions".to_string());
    let listed = inventory::list(client, LONGEST).await;
    let state = |resources: usize, problems: Vec<String>| InventoryState {
        taken_at: now,
        resources: resources as u64,
        problems,
    };
    let remember = async |state: &InventoryState| {
        connection_state::save_inventory(&job.store, &job.connection, state).await
    };
    match listed {
        Ok(inventory) => {
            let changed =
                resources::update(&job.store, &job.connection, &job.run, &inventory, now).await?;
            let resources = inventory.resources.len();
            tracing::info!(resources, changed, "Names and regions were taken.");
            remember(&state(resources, inventory.problems.clone())).await?;
            Ok(Some(inventory))
        }
        Err(error) => {
            remember(&state(0, vec![error.to_string()])).await?;
            Err(error)
        }
    }
}
