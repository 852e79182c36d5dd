//! Small JSON objects of a connection in `runs/connections/<connection>/`. They hold no secrets.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::billing_period::BillingPeriod;
use crate::error::{Error, Result};
use crate::store::lease::Fence;
use crate::store::{Store, state_object};

const FOLDER: &str = "runs/connections";
const INVENTORY: &str = "inventory";
const AVAILABILITY: &str = "availability";
const DAMAGE: &str = "damage";
/// Object with the names and tags that settled months were last compared with.
pub(crate) const LABELS: &str = "labels";
/// Object with what is remembered of CloudZero's API.
pub(crate) const CLOUDZERO: &str = "cloudzero";

/// Result of the last listing of names and regions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct InventoryState {
    pub taken_at: DateTime<Utc>,
    /// Number of listed resources.
    pub resources: u64,
    /// Lists that failed, with the error.
    pub problems: Vec<String>,
}

/// Loads the result of the last listing.
pub(crate) async fn inventory(store: &Store, connection: &str) -> Result<Option<InventoryState>> {
    read(store, connection, INVENTORY).await
}

/// Saves the result of a listing.
pub(crate) async fn save_inventory(fence: &Fence, state: &InventoryState) -> Result<()> {
    write_fenced(fence, INVENTORY, state).await
}

/// Deletes the result of the last listing.
pub(crate) async fn delete_inventory(store: &Store, connection: &str) -> Result<()> {
    delete(store, connection, INVENTORY).await
}

/// Months that Confluent refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AvailabilityState {
    /// Last refused month.
    pub refused_through: BillingPeriod,
    pub asked_at: DateTime<Utc>,
}

/// Loads the months that Confluent refused.
pub(crate) async fn availability(
    store: &Store,
    connection: &str,
) -> Result<Option<AvailabilityState>> {
    read(store, connection, AVAILABILITY).await
}

/// Saves the months that Confluent refused.
pub(crate) async fn save_availability(fence: &Fence, state: &AvailabilityState) -> Result<()> {
    write_fenced(fence, AVAILABILITY, state).await
}

/// Deletes the months that Confluent refused.
pub(crate) async fn delete_availability(store: &Store, connection: &str) -> Result<()> {
    delete(store, connection, AVAILABILITY).await
}

/// Files that were found with other content than was written, which no listing shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DamageState {
    /// Paths relative to the store.
    pub files: BTreeSet<String>,
}

/// Loads the files that were found with other content.
pub(crate) async fn damage(store: &Store, connection: &str) -> Result<DamageState> {
    Ok(read(store, connection, DAMAGE).await?.unwrap_or_default())
}

/// Connections of which files were found with other content.
pub(crate) async fn with_damage(store: &Store) -> Result<Vec<String>> {
    let ending = format!("/{DAMAGE}.json");
    let names = store.list(FOLDER).await?;
    let connections = names.iter().filter_map(|name| {
        let rest = name.strip_prefix(FOLDER)?.strip_prefix('/')?;
        Some(rest.strip_suffix(&ending)?.to_string())
    });
    Ok(connections.collect())
}

/// Saves the files that were found with other content.
pub(crate) async fn save_damage(fence: &Fence, state: &DamageState) -> Result<()> {
    write_fenced(fence, DAMAGE, state).await
}

/// Deletes the files that were found with other content.
pub(crate) async fn delete_damage(store: &Store, connection: &str) -> Result<()> {
    delete(store, connection, DAMAGE).await
}

/// Names of all connections that have an object. Removed connections have none, although their costs stay.
pub(crate) async fn connections(store: &Store) -> Result<BTreeSet<String>> {
    let paths = store.list(FOLDER).await?;
    let names = paths.iter().filter_map(|path| {
        let (name, _) = path
            .strip_prefix(FOLDER)?
            .strip_prefix('/')?
            .split_once('/')?;
        Some(name.to_string())
    });
    Ok(names.collect())
}

/// Reads the object `<object>.json` of a connection; `None` if it does not exist or was cut.
pub(crate) async fn read<T: DeserializeOwned>(
    store: &Store,
    connection: &str,
    object: &str,
) -> Result<Option<T>> {
    let path = path(connection, object);
    let Some(bytes) = store.get(&path).await? else {
        return Ok(None);
    };
    state_object::parse(store, &path, &bytes)
}

/// Writes the object `<object>.json` of the fence's connection.
///
/// # Errors
/// Kind locked after a lost lease; those of the store.
pub(crate) async fn write_fenced(
    fence: &Fence,
    object: &str,
    value: &impl Serialize,
) -> Result<()> {
    fence.confirm().await?;
    write(fence.store(), fence.connection(), object, value).await
}

/// Writes the object `<object>.json` of a connection. Objects that are written with the lease take
/// [`write_fenced`].
pub(crate) async fn write(
    store: &Store,
    connection: &str,
    object: &str,
    value: &impl Serialize,
) -> Result<()> {
    let json = serde_json::to_vec_pretty(value).map_err(|e| Error::bug(format!("JSON: {e}")))?;
    store.put(&path(connection, object), json).await
}

/// Deletes the object `<object>.json` of a connection if it exists.
pub(crate) async fn delete(store: &Store, connection: &str, object: &str) -> Result<()> {
    store.delete(&path(connection, object)).await
}

fn path(connection: &str, object: &str) -> String {
    format!("{FOLDER}/{connection}/{object}.json")
}
