//! The store's clock: machines that share a store may disagree about the time, the store does not.

use chrono::{DateTime, Utc};

use crate::error::{Error, Result};
use crate::store::Store;

/// Returns the current time by the store's clock: that of an object written now.
///
/// # Errors
/// Those of the store.
pub(crate) async fn now(store: &Store) -> Result<DateTime<Utc>> {
    let name = format!("runs/clock/{:016x}", rand::random::<u64>());
    store.put(&name, Vec::new()).await?;
    let meta = store.head(&name).await;
    store.delete(&name).await?;
    let meta = meta?.ok_or_else(|| {
        Error::remote(format!(
            "could not find `{}` after writing it",
            store.display(&name)
        ))
    })?;
    Ok(meta.last_modified)
}
