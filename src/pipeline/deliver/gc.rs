//! Deletion of old drops that are not active.

use std::path::Path as FsPath;

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use serde::Serialize;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::drop;
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::deliver::bucket;
use crate::store::Operation;
use crate::store::Store;

/// Files that are deleted at the same time.
const CONCURRENT_DELETES: usize = 8;

/// Counts of deleted drops.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub(crate) struct DeletedDrops {
    pub(crate) drops: usize,
    pub(crate) files: usize,
    pub(crate) bytes: u64,
}

/// Deletes the drops that are not active and whose last file is older than `age`. With `dry_run` it only counts
/// them.
///
/// # Errors
/// Those of the bucket, and kind `Data` for a malformed manifest.
pub(crate) async fn delete_old_drops(
    run: &RunContext,
    age: TimeDelta,
    dry_run: bool,
) -> Result<DeletedDrops> {
    let store = &bucket::destination(run)?.store;
    let newest_to_delete = (run.clock)() - age;
    let mut deleted = DeletedDrops::default();
    for folder in subfolders(store, &store.path("")).await? {
        let Some(period) = folder.filename().and_then(BillingPeriod::from_folder) else {
            continue;
        };
        if leads_out(store, &period.folder())? {
            continue;
        }
        let manifest = drop::read_manifest(store, period).await?;
        let active = manifest.as_ref().map(|manifest| manifest.drop_id.as_str());
        for drop in subfolders(store, &folder).await? {
            if drop.filename() == active {
                continue;
            }
            let name = drop.filename().unwrap_or_default();
            if holds_link(store, &format!("{}/{name}", period.folder()))? {
                continue;
            }
            let drop = StoredDrop::list(store, period, &drop).await?;
            if drop.modified.is_none_or(|last| last > newest_to_delete) {
                continue;
            }
            deleted.drops += 1;
            deleted.files += drop.files.len();
            deleted.bytes += drop.files.iter().map(|file| file.size).sum::<u64>();
            if !dry_run {
                run.fence()?.confirm().await?;
                drop.delete(store).await?;
            }
        }
    }
    Ok(deleted)
}

/// Returns true, with a warning, for a folder of a local bucket that is a symbolic link.
fn leads_out(store: &Store, folder: &str) -> Result<bool> {
    let is_link = |path: &FsPath| Ok(path.symlink_metadata()?.is_symlink());
    check_links(store, folder, is_link)
}

/// Returns true, with a warning, for a folder of a local bucket that is or contains a symbolic link.
fn holds_link(store: &Store, folder: &str) -> Result<bool> {
    check_links(store, folder, contains_link)
}

fn check_links(
    store: &Store,
    folder: &str,
    has_link: impl Fn(&FsPath) -> std::io::Result<bool>,
) -> Result<bool> {
    let Some(root) = store.local() else {
        return Ok(false);
    };
    let path = root.join(folder);
    let has_link = has_link(&path)
        .map_err(|e| Error::config(format!("could not read `{}`: {e}", path.display())))?;
    if has_link {
        tracing::warn!(
            path = %path.display(),
            "Not deleted: the folder is or contains a symbolic link, which may lead out of the bucket"
        );
    }
    Ok(has_link)
}

fn contains_link(path: &FsPath) -> std::io::Result<bool> {
    let metadata = path.symlink_metadata()?;
    if metadata.is_symlink() {
        return Ok(true);
    }
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path)? {
            if contains_link(&entry?.path())? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

async fn subfolders(store: &Store, folder: &Path) -> Result<Vec<Path>> {
    let listed = store.root().list_with_delimiter(Some(folder)).await;
    let listed = listed.map_err(|e| store.error(Operation::List, "", &e))?;
    Ok(listed.common_prefixes)
}

/// Drop as it is stored, active or not.
struct StoredDrop {
    files: Vec<ObjectMeta>,
    /// Folder on a local disk, where a killed writer leaves files that the store does not list.
    local_folder: Option<std::path::PathBuf>,
    modified: Option<DateTime<Utc>>,
}

impl StoredDrop {
    async fn list(store: &Store, period: BillingPeriod, folder: &Path) -> Result<StoredDrop> {
        let files: Vec<ObjectMeta> = store
            .root()
            .list(Some(folder))
            .try_collect()
            .await
            .map_err(|e| store.error(Operation::List, "", &e))?;
        let local = store.local().zip(folder.filename());
        let local_folder = local.map(|(root, id)| root.join(period.folder()).join(id));
        let folder_modified = local_folder.as_ref().and_then(|folder| {
            let metadata = std::fs::metadata(folder).ok()?;
            Some(metadata.modified().ok()?.into())
        });
        let modified = files.iter().map(|file| file.last_modified);
        Ok(StoredDrop {
            modified: modified.chain(folder_modified).max(),
            files,
            local_folder,
        })
    }

    async fn delete(self, store: &Store) -> Result<()> {
        futures::stream::iter(self.files)
            .map(|file| async move { store.root().delete(&file.location).await })
            .buffer_unordered(CONCURRENT_DELETES)
            .try_collect::<Vec<()>>()
            .await
            .map_err(|e| store.error(Operation::Delete, "an old drop", &e))?;
        let Some(folder) = self.local_folder else {
            return Ok(());
        };
        std::fs::remove_dir_all(&folder).map_err(|e| {
            Error::config(format!("could not delete `{}`: {e}", folder.display()))
                .with_hint("check the permissions of the folder")
        })
    }
}
