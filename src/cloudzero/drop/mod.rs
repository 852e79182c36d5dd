//! Drops on object storage: gzipped CSV files, read back, then named by a manifest.
//!
//! ```text
//! <destination>/20261001-20261101/<drop_id>/line_items-00-0001.csv.gz
//! <destination>/20261001-20261101/manifest.json
//! ```
//! CloudZero ingests when the manifest changes, and takes every file of the drop that it names (source:
//! CloudZero, "S3 Bucket Delivery Reference"). Therefore the manifest is written last; a crash before that
//! leaves the previous drop active.

mod drop_id;
mod manifest;
#[cfg(test)]
mod tests;
mod writer;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::{GetResult, GetResultPayload, ObjectMeta, ObjectStoreExt};

pub(crate) use crate::cloudzero::drop::drop_id::DropId;
pub(crate) use crate::cloudzero::drop::manifest::{ActiveManifest, activate_drop, read_manifest};
pub(crate) use crate::cloudzero::drop::writer::write_empty;
pub use crate::cloudzero::drop::writer::{DropFiles, write};

use crate::billing_period::BillingPeriod;
use crate::cloudzero::read_back::{self, DropContent};
use crate::error::Result;
use crate::store::{Operation, Store};

/// Returns the folder of a drop, relative to the destination.
pub(crate) fn folder(period: BillingPeriod, drop_id: &DropId) -> String {
    format!("{}/{drop_id}", period.folder())
}

/// Number of files of a drop, and their compressed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DropSize {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
}

/// Returns the size of the files that a drop has in the destination.
pub(crate) async fn stored_size(
    destination: &Store,
    period: BillingPeriod,
    drop_id: &DropId,
) -> Result<DropSize> {
    let folder = folder(period, drop_id);
    let files: Vec<ObjectMeta> = destination
        .root()
        .list(Some(&destination.path(&folder)))
        .try_collect()
        .await
        .map_err(|e| destination.error(Operation::List, &folder, &e))?;
    Ok(DropSize {
        files: files.len(),
        bytes: files.iter().map(|file| file.size).sum(),
    })
}

/// Reads all files of a drop, and sums and hashes them.
///
/// # Errors
/// Kind `Reconcile` for a file that is incomplete or unreadable.
pub(crate) async fn read_files(
    destination: &Store,
    period: BillingPeriod,
    drop_id: &DropId,
) -> Result<DropFiles> {
    let mut files = DropFiles::default();
    for name in destination.list(&folder(period, drop_id)).await? {
        add_file(destination, &name, &mut files.content).await?;
        files.count += 1;
    }
    files.rows = files.content.totals.rows();
    Ok(files)
}

/// Adds the line items of a written file to `content`.
async fn add_file(destination: &Store, name: &str, content: &mut DropContent) -> Result<()> {
    let failed = |e| destination.error(Operation::Read, name, &e);
    let path = destination.path(name);
    let written = destination.root().get(&path).await.map_err(failed)?;
    match written.payload {
        GetResultPayload::File(file, _) => read_back::add_file(content, file, name),
        payload => {
            let written = GetResult { payload, ..written };
            let bytes = written.bytes().await.map_err(failed)?;
            read_back::add_file(content, bytes.as_ref(), name)
        }
    }
}

/// Returns an unused drop id made from the time, with a number from the second drop of a second on.
pub(crate) async fn unused_drop_id(
    destination: &Store,
    period: BillingPeriod,
    now: DateTime<Utc>,
) -> Result<DropId> {
    let base = now.format("%Y%m%dT%H%M%SZ").to_string();
    let mut id = DropId::from(base.clone());
    let mut number = 2;
    while destination.has_any(&folder(period, &id)).await? {
        id = DropId::from(format!("{base}-{number}"));
        number += 1;
    }
    Ok(id)
}
