//! Stores of commands that only read: nothing is created for a mistyped location.

use std::path::Path as FsPath;
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use url::Url;

use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::path_or_url::PathOrUrl;
use crate::store::upload::Uploads;

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
            PathOrUrl::Path(folder) if !folder.exists() => Err(Error::config(format!(
                "there is no store at `{}`",
                folder.display()
            ))
            .with_hint(
                "check --store and BILLSTREAM_STORE; `billstream import` creates a new store",
            )),
            _ => Store::open(location),
        }
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
}
