//! Stores of commands that only read: nothing is created for a mistyped location.

use std::fmt;
use std::path::Path as FsPath;
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use url::Url;

use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::path_or_url::PathOrUrl;
use crate::store::upload::Uploads;

/// Folders of which every store has one, the most frequent ones first.
const STORE_FOLDERS: [&str; 7] = [
    "runs/connections",
    "costs/_delta_log",
    "line_items/_delta_log",
    "runs/months",
    "runs/staging",
    "runs/leases",
    "targets",
];

fn no_store(location: impl fmt::Display) -> Error {
    Error::config(format!("there is no store at `{location}`"))
        .with_hint("check --store and BILLSTREAM_STORE; `billstream import` creates a new store")
}

impl Store {
    /// Opens the store at a location like [`Store::open`], but creates no folder. With `may_be_missing`, a folder
    /// that does not exist is an empty store.
    ///
    /// # Errors
    /// Those of [`Store::open`], and kind configuration for a folder that does not exist.
    pub(crate) fn open_existing(location: &str, may_be_missing: bool) -> Result<Store> {
        match PathOrUrl::parse(location)? {
            PathOrUrl::Path(folder) if !folder.exists() && may_be_missing => {
                Store::missing(&folder)
            }
            PathOrUrl::Path(folder) if !folder.exists() => Err(no_store(folder.display())),
            _ => Store::open(location),
        }
    }

    /// Fails unless the location holds a store. So nothing is written to a mistyped one, nor read from it as if it were
    /// empty.
    ///
    /// # Errors
    /// Kind configuration, for a location without a store; those of the store.
    pub(crate) async fn require_existing(&self) -> Result<()> {
        if self.holds_store().await? {
            return Ok(());
        }
        Err(no_store(self.display("")))
    }

    /// As [`Store::require_existing`], but a local folder may be empty, or missing if it is the default one.
    ///
    /// # Errors
    /// Those of [`Store::require_existing`].
    pub(crate) async fn require_existing_or_new(&self) -> Result<()> {
        let is_new = |folder: &FsPath| {
            std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
        };
        if self.local().is_some_and(is_new) {
            return Ok(());
        }
        self.require_existing().await
    }

    async fn holds_store(&self) -> Result<bool> {
        if self.local().is_some_and(|folder| !folder.exists()) {
            return Ok(false);
        }
        for folder in STORE_FOLDERS {
            if self.has_any(folder).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// An empty store in place of a folder that does not exist.
    fn missing(folder: &FsPath) -> Result<Store> {
        let failed = |e: &dyn std::fmt::Display| {
            Error::config(format!(
                "could not open the store folder `{}`: {e}",
                folder.display()
            ))
        };
        let folder = std::path::absolute(folder).map_err(|e| failed(&e))?;
        let url =
            Url::from_directory_path(&folder).map_err(|()| failed(&"not an absolute path"))?;
        Ok(Store {
            url: Arc::new(url),
            root: Arc::new(InMemory::new()),
            prefix: Path::default(),
            local: Some(folder),
            uploads: Uploads::default(),
            is_single_writer: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn creates_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("mistyped");
        for location in [
            missing.display().to_string(),
            Url::from_directory_path(&missing).unwrap().to_string(),
        ] {
            let error = Store::open_existing(&location, false).err().unwrap();
            assert_eq!(error.kind(), crate::error::ErrorKind::Config);
            assert!(error.hint().unwrap().contains("--store"));
            let empty = Store::open_existing(&location, true).unwrap();
            assert!(empty.list("runs").await.unwrap().is_empty());
            assert!(empty.display("").contains("mistyped"));
        }
        assert!(!missing.exists());
        let present = folder.path().display().to_string();
        assert!(Store::open_existing(&present, false).is_ok());
    }

    #[tokio::test]
    async fn tells_stores_from_empty_and_foreign_places() {
        let folder = tempfile::tempdir().unwrap();
        let local = Store::open(&folder.path().display().to_string()).unwrap();
        local.require_existing_or_new().await.unwrap();
        for store in [local, Store::in_memory()] {
            assert!(store.require_existing().await.is_err(), "it is empty");
            store.put("photos/costs/1.jpg", "x").await.unwrap();
            let foreign = [
                store.require_existing().await,
                store.require_existing_or_new().await,
            ];
            for refused in foreign {
                let error = refused.unwrap_err();
                assert_eq!(error.kind(), crate::error::ErrorKind::Config);
                assert!(error.to_string().starts_with("there is no store at"));
                assert!(error.hint().unwrap().contains("--store"));
            }
            store
                .put("runs/months/acme/2026-10.json", "{}")
                .await
                .unwrap();
            store.require_existing().await.unwrap();
            store.require_existing_or_new().await.unwrap();
        }
    }
}
