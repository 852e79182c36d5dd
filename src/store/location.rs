//! Places of stores: folders, `s3://` URLs and memory.

use std::path::Path as FsPath;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use url::Url;

use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::remote::{self, S3_CREDENTIALS};

impl Store {
    /// Opens the store at a folder or an `s3://bucket/path` URL. Reads nothing yet; a local folder is created.
    ///
    /// S3 takes credentials, region and endpoint from the standard `AWS_…` environment variables.
    ///
    /// # Errors
    /// Kind configuration, for a URL with another scheme or an unusable folder.
    pub fn open(location: &str) -> Result<Store> {
        match Url::parse(location) {
            Ok(url) if url.scheme() == "s3" => Store::open_s3(url),
            Ok(url) if url.scheme() == "file" => {
                let path = url.to_file_path().map_err(|()| {
                    Error::config(format!("store `{location}` is not a usable file URL"))
                })?;
                Store::open_local(&path)
            }
            Ok(url) if location.contains("://") => Err(Error::config(format!(
                "store `{location}`: the scheme `{}` is not supported",
                url.scheme()
            ))
            .with_hint("use a local folder or an s3:// URL")),
            _ => Store::open_local(FsPath::new(location)),
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
        std::fs::create_dir_all(path).map_err(|e| failed(&e))?;
        let path = path.canonicalize().map_err(|e| failed(&e))?;
        let url = Url::from_directory_path(&path).map_err(|()| failed(&"not an absolute path"))?;
        Ok(Store {
            url,
            root: Arc::new(LocalFileSystem::new()),
            prefix: Path::from_absolute_path(&path).map_err(|e| failed(&e))?,
            local: Some(path),
        })
    }

    fn open_s3(mut url: Url) -> Result<Store> {
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
            url,
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
            url: Url::parse("memory:///").unwrap(),
            root,
            prefix: Path::default(),
            local: None,
        }
    }

    /// Store whose root is a folder of this one.
    pub(crate) fn below(&self, folder: &str) -> Store {
        let path = self.path(folder);
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(folder.split('/')).push("");
        }
        Store {
            url,
            root: self.root.clone(),
            prefix: path,
            local: self.local.as_ref().map(|local| local.join(folder)),
        }
    }

    /// Returns true for the root of a bucket or of the file system.
    pub(crate) fn is_root(&self) -> bool {
        self.prefix.as_ref().is_empty()
    }

    /// URL of the store, ending in `/`.
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

    /// Object store whose paths start at the root of the bucket or of the file system.
    pub(crate) fn root(&self) -> Arc<dyn ObjectStore> {
        self.root.clone()
    }

    /// Path of an object in [`Store::root`].
    pub(crate) fn path(&self, relative: &str) -> Path {
        let parts = relative.split('/').filter(|part| !part.is_empty());
        parts.fold(self.prefix.clone(), |path, part| path.join(part))
    }

    /// Path relative to the store of an object in [`Store::root`].
    pub(super) fn relative(&self, path: &Path) -> Option<String> {
        let parts: Vec<_> = path.prefix_match(&self.prefix)?.collect();
        let parts: Vec<&str> = parts.iter().map(|part| part.as_ref()).collect();
        Some(parts.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_other_schemes_and_names_the_supported_ones() {
        let error = Store::open("ftp://x/y").err().unwrap();
        assert!(error.hint().unwrap().contains("s3://"));
    }

    #[test]
    fn locates_objects_below_a_folder() {
        let store = Store::in_memory().below("a/b");
        assert_eq!(store.display("c"), "memory:///a/b/c");
        assert_eq!(store.path("c").as_ref(), "a/b/c");
        assert_eq!(store.relative(&store.path("c")).as_deref(), Some("c"));
    }
}
