//! Places of stores: folders, `s3://` URLs and memory.

#[cfg(test)]
mod tests;

use std::path::Path as FsPath;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::path::Path;
use url::Url;

use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::durable_folder::{self, DurableFolder};
use crate::store::path_or_url::PathOrUrl;
use crate::store::remote::{self, S3_CREDENTIALS};
use crate::store::single_writer::SingleWriter;
use crate::store::upload::{Upload, Uploads};

/// Longest wait for uploads to be aborted.
const ABORT_LIMIT: Duration = Duration::from_secs(5);
/// Age of a half-written file that no run can still be writing.
const INTERRUPTED_AGE: Duration = Duration::from_secs(24 * 3600);

impl Store {
    /// Opens the store at a folder or an `s3://bucket/path` URL. Reads nothing yet; a local folder is created.
    ///
    /// S3 takes credentials, region and endpoint from the standard `AWS_…` environment variables.
    ///
    /// # Errors
    /// Kind configuration, for a URL with another scheme or an unusable folder.
    pub fn open(location: &str) -> Result<Store> {
        match PathOrUrl::parse(location)? {
            PathOrUrl::Path(folder) => Store::open_local(&folder),
            PathOrUrl::Url(url) if url.scheme() == "s3" => Store::open_remote(url),
            PathOrUrl::Url(url) => {
                let scheme = url.scheme();
                Err(Error::config(format!(
                    "store `{scheme}://…`: the scheme `{scheme}` is not supported"
                ))
                .with_hint("use a local folder or an s3:// URL"))
            }
        }
    }

    fn open_local(path: &FsPath) -> Result<Store> {
        let failed = |e: &dyn std::fmt::Display| {
            Error::config(format!(
                "could not open the store folder `{}`: {e}",
                path.display()
            ))
            .with_hint("choose a writable folder with --store or BILLSTREAM_STORE")
        };
        if path.is_file() {
            return Err(failed(&"it is a file"));
        }
        durable_folder::create_folder(path).map_err(|e| failed(&e))?;
        let path = path.canonicalize().map_err(|e| failed(&e))?;
        let url = Url::from_directory_path(&path).map_err(|()| failed(&"not an absolute path"))?;
        let root = DurableFolder::open(&path).map_err(|e| failed(&e))?;
        Ok(Store {
            url: Arc::new(url),
            root: Arc::new(root),
            prefix: Path::default(),
            local: Some(path),
            uploads: Uploads::default(),
            is_single_writer: false,
        })
    }

    /// Opens a place in a bucket.
    pub(super) fn open_remote(mut url: Url) -> Result<Store> {
        let is_plain = url.query().is_none() && url.fragment().is_none();
        let is_anonymous = url.username().is_empty() && url.password().is_none();
        let bucket = url.host_str().unwrap_or_default().to_string();
        if !is_plain || !is_anonymous || bucket.is_empty() || url.path().contains("//") {
            // Names the bucket alone: the rest of the URL may be a secret.
            return Err(Error::config(format!(
                "the location in bucket `{bucket}` is not a plain URL such as s3://bucket/path"
            ))
            .with_hint(
                "set credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, not in a URL",
            ));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let root = remote::object_store(&url)?;
        let prefix = Path::from_url_path(url.path())
            .map_err(|e| Error::config(format!("store `{url}`: {e}")).with_hint(S3_CREDENTIALS))?;
        Ok(Store {
            root,
            prefix,
            local: None,
            url: Arc::new(url),
            uploads: Uploads::default(),
            is_single_writer: false,
        })
    }

    /// Empty store in memory. It has conditional updates, as object storage has.
    #[cfg(test)]
    pub(crate) fn in_memory() -> Store {
        Store::over(Arc::new(object_store::memory::InMemory::new()))
    }

    /// Store over an object store that counts as remote.
    #[cfg(test)]
    pub(crate) fn over(root: Arc<dyn ObjectStore>) -> Store {
        Store {
            url: Arc::new(Url::parse("memory:///").unwrap()),
            root,
            prefix: Path::default(),
            local: None,
            uploads: Uploads::default(),
            is_single_writer: false,
        }
    }

    /// Store whose root is a folder of this one.
    pub(crate) fn below(&self, folder: &str) -> Store {
        let path = self.path(folder);
        let mut url = Url::clone(&self.url);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(folder.split('/')).push("");
        }
        Store {
            url: Arc::new(url),
            root: self.root.clone(),
            prefix: path,
            local: self.local.as_ref().map(|local| local.join(folder)),
            uploads: self.uploads.clone(),
            is_single_writer: self.is_single_writer,
        }
    }

    /// With `is_single_writer` a remote store compares before it writes, instead of having its server do both at once.
    pub(crate) fn with_single_writer(mut self, is_single_writer: bool) -> Store {
        if is_single_writer && self.local.is_none() && !self.is_single_writer {
            self.root = Arc::new(SingleWriter::new(self.root));
            self.is_single_writer = true;
        }
        self
    }

    /// Returns true if the user promises that only one run writes at a time.
    pub(crate) fn is_single_writer(&self) -> bool {
        self.is_single_writer
    }

    /// Returns true for the root of a bucket or of the file system.
    pub(crate) fn is_root(&self) -> bool {
        match &self.local {
            Some(folder) => folder.parent().is_none(),
            None => self.prefix.as_ref().is_empty(),
        }
    }

    /// Scheme and host under which query engine and Delta log know [`Store::root`]; not `file://`, whose paths start at
    /// the root of the file system.
    pub(crate) fn engine_root(&self) -> &str {
        match self.local {
            Some(_) => "billstream://",
            None => &self.url[..url::Position::BeforePath],
        }
    }

    /// URL of the store, ending in `/`. It identifies the store, and no path in [`Store::root`] follows from it.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Folder of a local store.
    pub(crate) fn local(&self) -> Option<&FsPath> {
        self.local.as_deref()
    }

    /// Location of an object as people write it: a file path or a URL.
    pub(crate) fn display(&self, relative: &str) -> String {
        match &self.local {
            Some(folder) => folder.join(relative).display().to_string(),
            None => format!("{}{relative}", self.url),
        }
    }

    /// Object store of [`Store::path`]: its paths start at the root of the bucket, or at the folder that was opened. So no
    /// library ever encodes the name of a local folder, and each by its own rules.
    pub(crate) fn root(&self) -> Arc<dyn ObjectStore> {
        self.root.clone()
    }

    /// Starts the upload of an object.
    pub(crate) fn upload(&self, relative: &str) -> Upload {
        Upload::new(self.root(), self.path(relative), &self.uploads)
    }

    /// Waits, for a few seconds at most, until the uploads of this store that were dropped are aborted.
    pub(crate) async fn uploads_ended(&self) {
        if !self.uploads.ended(ABORT_LIMIT).await {
            tracing::warn!(store = %self.display(""), "Could not abort all uploads");
        }
    }

    /// Deletes what killed runs left half-written in a local folder. Failures are logged only.
    pub(crate) async fn remove_interrupted_writes(&self) {
        let Some(folder) = self.local.clone() else {
            return;
        };
        let remove = move || durable_folder::remove_interrupted(&folder, INTERRUPTED_AGE);
        match tokio::task::spawn_blocking(remove).await {
            Ok(Ok(0)) | Err(_) => {}
            Ok(Ok(files)) => tracing::info!(files, "Deleted files of interrupted runs"),
            Ok(Err(error)) => tracing::warn!(%error, "Could not delete files of interrupted runs"),
        }
    }

    /// Path of an object in [`Store::root`].
    pub(crate) fn path(&self, relative: &str) -> Path {
        let parts = relative.split('/').filter(|part| !part.is_empty());
        parts.fold(self.prefix.clone(), |path, part| path.join(part))
    }

    /// Path relative to the store of an object in [`Store::root`].
    pub(crate) fn relative(&self, path: &Path) -> Option<String> {
        let parts: Vec<_> = path.prefix_match(&self.prefix)?.collect();
        let parts: Vec<&str> = parts.iter().map(|part| part.as_ref()).collect();
        Some(parts.join("/"))
    }
}
