//! Small JSON objects of a connection in `runs/connections/<connection>/`. They hold no secrets.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::billing_period::BillingPeriod;
use crate::error::{Error, Result};
use crate::store::{Store, state_object};

const FOLDER: &str = "runs/connections";
const INVENTORY: &str = "inventory";
const AVAILABILITY: &str = "availability";
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

/// Saves the result of a listing. The caller holds the connection's lease.
pub(crate) async fn save_inventory(
    store: &Store,
    connection: &str,
    state: &InventoryState,
) -> Result<()> {
    write(store, connection, INVENTORY, state).await
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

/// Saves the months that Confluent refused. The caller holds the connection's lease.
pub(crate) async fn save_availability(
    store: &Store,
    connection: &str,
    state: &AvailabilityState,
) -> Result<()> {
    write(store, connection, AVAILABILITY, state).await
}

/// Deletes the months that Confluent refused.
pub(crate) async fn delete_availability(store: &Store, connection: &str) -> Result<()> {
    delete(store, connection, AVAILABILITY).await
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

/// Writes the object `<object>.json` of a connection.
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
