//! Enrich: names and regions from Confluent into the store's table `resources`, at most once a day.
//!
//! It never stands in the way of costs: what goes wrong is told, kept with the connection, and passed over.

use chrono::TimeDelta;

use super::{Job, Stage};
use crate::confluent::client::Client;
use crate::confluent::inventory::{self, Inventory};
use crate::error::Result;
use crate::store::connections::{self, InventoryState};
use crate::store::resources;

/// What was taken is good for this long.
const GOOD_FOR: TimeDelta = TimeDelta::hours(24);
/// What failed is tried again after this long.
const AGAIN_AFTER: TimeDelta = TimeDelta::hours(1);

/// Takes the inventory of the job's connection, unless that was done within a day. Call it with the
/// connection's lease.
pub async fn enrich(job: &Job, client: &Client) {
    let _stage = Stage::begin("enrich");
    match try_enrich(job, client).await {
        Ok(problems) => {
            for problem in problems {
                tracing::warn!(connection = %job.connection, %problem, "Some names and regions are not known.");
            }
        }
        Err(error) => {
            let hint = error.hint().unwrap_or_default();
            tracing::warn!(
                connection = %job.connection, %error, %hint,
                "Names and regions could not be taken; costs are imported all the same."
            );
        }
    }
}

async fn try_enrich(job: &Job, client: &Client) -> Result<Vec<String>> {
    let now = (job.clock)();
    let known = connections::inventory(&job.store, &job.connection).await?;
    let known = known.filter(|state| {
        let good_for = match state.problems.is_empty() {
            true => GOOD_FOR,
            false => AGAIN_AFTER,
        };
        now - state.taken_at < good_for
    });
    if known.is_some() {
        return Ok(Vec::new());
    }
    (job.progress)("asking Confluent for names and regions".to_string());
    let listed = inventory::list(client).await;
    let state = |resources: usize, problems: Vec<String>| InventoryState {
        taken_at: now,
        resources: resources as u64,
        problems,
    };
    let remember = async |state: &InventoryState| {
        connections::save_inventory(&job.store, &job.connection, state).await
    };
    match listed {
        Ok(inventory) => {
            let changed =
                resources::update(&job.store, &job.connection, &job.run, &inventory, now).await?;
            let Inventory {
                resources,
                problems,
                ..
            } = inventory;
            tracing::info!(
                resources = resources.len(),
                changed,
                "Names and regions were taken."
            );
            remember(&state(resources.len(), problems.clone())).await?;
            Ok(problems)
        }
        Err(error) => {
            remember(&state(0, vec![error.to_string()])).await?;
            Err(error)
        }
    }
}
