//! The store: the root on object storage under which everything is kept.
//!
//! ```text
//! costs/        Delta table, as received                       tables.rs
//! line_items/   Delta table, CBF columns                       tables.rs
//! resources/    Delta table, names and regions                 resources/
//! cloudzero/    drops                                          crate::cloudzero
//! runs/         run records, month states, leases, markers     runs.rs, lease.rs, staging.rs
//! runs/claims/  sole use of destinations and organizations     claims.rs
//! targets/      destinations of connections                    destinations.rs
//! ```
//! The Delta log decides which Parquet files are current. This crate writes and scans the files itself, because
//! delta-rs' own scan and its statistics of decimals return wrong rows.

pub(crate) mod claims;
pub mod completeness;
mod conditional;
pub(crate) mod connection_state;
pub(crate) mod damage;
mod delta;
pub mod destinations;
mod durable_folder;
mod existing;
pub mod file_hash;
pub(crate) mod lease;
mod location;
pub mod names;
mod output;
pub(crate) mod path_or_url;
pub(crate) mod remote;
pub mod resources;
pub mod runs;
mod single_writer;
pub(crate) mod staging;
mod state_object;
mod stats;
mod storage_error;
pub(crate) mod store_clock;
mod table_name;
pub mod tables;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod upload;
pub mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion,
};
use url::Url;

use crate::error::{Error, Result};

pub(crate) use storage_error::{Operation, StorageError, is_full};
pub use table_name::TableName;

/// Opened store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    url: Arc<Url>,
    root: Arc<dyn ObjectStore>,
    prefix: Path,
    local: Option<PathBuf>,
    uploads: upload::Uploads,
    /// True if the user promises that only one run writes at a time.
    is_single_writer: bool,
}

impl Store {
    /// Reads an object; `None` if it does not exist.
    pub(crate) async fn get(&self, relative: &str) -> Result<Option<bytes::Bytes>> {
        let found = self.get_with_meta(relative).await?;
        Ok(found.map(|(bytes, _)| bytes))
    }

    /// Reads an object with the metadata that [`Store::put_if_unchanged`] needs; `None` if it does not exist.
    pub(crate) async fn get_with_meta(
        &self,
        relative: &str,
    ) -> Result<Option<(bytes::Bytes, ObjectMeta)>> {
        match self.root.get(&self.path(relative)).await {
            Ok(found) => {
                let meta = found.meta.clone();
                let bytes = found.bytes().await;
                let bytes = bytes.map_err(|e| self.error(Operation::Read, relative, &e))?;
                Ok(Some((bytes, meta)))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.error(Operation::Read, relative, &e)),
        }
    }

    /// Writes an object, replacing an existing one.
    pub(crate) async fn put(&self, relative: &str, bytes: impl Into<bytes::Bytes>) -> Result<()> {
        let payload = PutPayload::from_bytes(bytes.into());
        self.root
            .put(&self.path(relative), payload)
            .await
            .map(|_| ())
            .map_err(|e| self.error(Operation::Write, relative, &e))
    }

    /// Writes an object only if it is unchanged since it was read as `seen` (`None`: it did not exist).
    ///
    /// A local folder has no conditional update: there the caller's lease must keep other writers out, and the
    /// replacement is an atomic rename.
    ///
    /// # Errors
    /// Kind locked, from [`StorageError::Conflict`], when another writer was first.
    pub(crate) async fn put_if_unchanged(
        &self,
        relative: &str,
        bytes: bytes::Bytes,
        seen: Option<&ObjectMeta>,
    ) -> Result<()> {
        let mode = match seen {
            None => PutMode::Create,
            Some(_) if self.local.is_some() => PutMode::Overwrite,
            Some(meta) => PutMode::Update(UpdateVersion {
                e_tag: meta.e_tag.clone(),
                version: meta.version.clone(),
            }),
        };
        let options = PutOptions::from(mode);
        let conflict = || {
            Error::from(StorageError::Conflict {
                location: self.display(relative),
            })
        };
        match self
            .root
            .put_opts(&self.path(relative), bytes.into(), options)
            .await
        {
            Ok(_) => Ok(()),
            Err(
                object_store::Error::Precondition { .. }
                | object_store::Error::AlreadyExists { .. },
            ) => Err(conflict()),
            // Another writer deleted it.
            Err(object_store::Error::NotFound { .. }) if seen.is_some() => Err(conflict()),
            Err(e) => Err(self.error(Operation::Write, relative, &e)),
        }
    }

    /// Metadata of an object; `None` if it does not exist.
    pub(crate) async fn head(&self, relative: &str) -> Result<Option<ObjectMeta>> {
        match self.root.head(&self.path(relative)).await {
            Ok(meta) => Ok(Some(meta)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.error(Operation::Read, relative, &e)),
        }
    }

    /// Deletes an object; does nothing if it does not exist.
    pub(crate) async fn delete(&self, relative: &str) -> Result<()> {
        match self.root.delete(&self.path(relative)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.error(Operation::Delete, relative, &e)),
        }
    }

    /// Returns true if a folder holds an object, at any depth.
    pub(crate) async fn has_any(&self, folder: &str) -> Result<bool> {
        match self.root.list(Some(&self.path(folder))).try_next().await {
            Ok(first) => Ok(first.is_some()),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(e) => Err(self.error(Operation::List, folder, &e)),
        }
    }

    /// Objects of a folder at any depth, sorted, as paths relative to the store.
    pub(crate) async fn list(&self, folder: &str) -> Result<Vec<String>> {
        Ok(self.names(&self.list_objects(folder).await?))
    }

    /// Objects directly in a folder, sorted, as paths relative to the store.
    pub(crate) async fn list_flat(&self, folder: &str) -> Result<Vec<String>> {
        let found = self
            .root
            .list_with_delimiter(Some(&self.path(folder)))
            .await;
        let found = self.objects(folder, found.map(|found| found.objects))?;
        Ok(self.names(&found))
    }

    /// Objects of a folder at any depth, in any order.
    pub(crate) async fn list_objects(&self, folder: &str) -> Result<Vec<ObjectMeta>> {
        let found = self.root.list(Some(&self.path(folder))).try_collect().await;
        self.objects(folder, found)
    }

    /// Objects that were listed; none of a folder that does not exist.
    fn objects(
        &self,
        folder: &str,
        found: object_store::Result<Vec<ObjectMeta>>,
    ) -> Result<Vec<ObjectMeta>> {
        match found {
            Err(object_store::Error::NotFound { .. }) => Ok(Vec::new()),
            found => found.map_err(|e| self.error(Operation::List, folder, &e)),
        }
    }

    /// Sorted paths of objects, relative to the store.
    fn names(&self, found: &[ObjectMeta]) -> Vec<String> {
        let mut names: Vec<String> = found
            .iter()
            .filter_map(|meta| self.relative(&meta.location))
            .collect();
        names.sort();
        names
    }

    /// Error of a failed read of an object at a path in [`Store::root`].
    pub(crate) fn read_error(&self, path: &Path, error: &object_store::Error) -> Error {
        let relative = self.relative(path);
        let relative = relative.unwrap_or_else(|| path.to_string());
        self.error(Operation::Read, &relative, error)
    }

    /// Error of a failed operation on an object or a folder, with its condition as the source.
    pub(crate) fn error(
        &self,
        operation: Operation,
        relative: &str,
        error: &object_store::Error,
    ) -> Error {
        let location = self.display(relative);
        StorageError::new(operation, location, self.local.is_some(), error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lists_a_local_store_by_relative_path() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("a b%c").display().to_string()).unwrap();
        store.put("runs/x/1.json", "{}").await.unwrap();
        assert_eq!(store.list("runs").await.unwrap(), ["runs/x/1.json"]);
        assert_eq!(store.list_flat("runs").await.unwrap(), Vec::<String>::new());
        assert_eq!(store.list("nothing").await.unwrap(), Vec::<String>::new());
        assert!(store.head("runs/x/1.json").await.unwrap().is_some());
        store.delete("runs/x/1.json").await.unwrap();
        store.delete("runs/x/1.json").await.unwrap();
        assert!(store.get("runs/x/1.json").await.unwrap().is_none());
    }

    fn assert_conflict(result: Result<()>) {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::Locked);
        assert!(matches!(
            error.source_as::<StorageError>(),
            Some(StorageError::Conflict { .. })
        ));
    }

    #[tokio::test]
    async fn refuses_to_create_an_object_twice() {
        let folder = tempfile::tempdir().unwrap();
        let local = Store::open(&folder.path().display().to_string()).unwrap();
        for store in [local, Store::in_memory()] {
            store.put_if_unchanged("m", "1".into(), None).await.unwrap();
            assert_conflict(store.put_if_unchanged("m", "2".into(), None).await);
        }
    }

    #[tokio::test]
    async fn refuses_to_replace_an_object_that_changed_since_it_was_read() {
        let store = Store::in_memory();
        store.put("m", "1").await.unwrap();
        let (_, seen) = store.get_with_meta("m").await.unwrap().unwrap();
        store
            .put_if_unchanged("m", "2".into(), Some(&seen))
            .await
            .unwrap();
        assert_conflict(store.put_if_unchanged("m", "3".into(), Some(&seen)).await);
        assert_eq!(store.get("m").await.unwrap().unwrap(), "2");
    }
}
