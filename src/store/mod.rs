//! The store: the root on object storage under which everything lies.
//!
//! ```text
//! costs/        Delta table, as received          tables.rs
//! line_items/   Delta table, CBF columns          tables.rs
//! resources/    Delta table, names and regions    resources.rs
//! cloudzero/    drops                             crate::cloudzero
//! runs/         records, states, leases, marks    runs.rs, connections.rs, lease.rs, staging.rs
//! targets/      where connections deliver to      targets.rs
//! ```
//! The Delta log decides which Parquet files are current; the files themselves are written and
//! scanned by this crate, because delta-rs' own scan and decimal statistics return wrong rows.

pub(crate) mod connection_state;
mod delta;
pub mod destinations;
pub mod lease;
pub mod remote;
pub mod resources;
pub mod runs;
pub mod staging;
mod stats;
pub mod tables;
pub mod writer;

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion,
};
use url::Url;

use crate::error::{Error, Result};
use crate::store::remote::S3_CREDENTIALS;

/// An opened store.
#[derive(Debug, Clone)]
pub struct Store {
    url: Url,
    root: Arc<dyn ObjectStore>,
    prefix: Path,
    local: Option<PathBuf>,
}

impl Store {
    /// Opens the store at a folder or an `s3://bucket/path` URL. Nothing is read yet; a local
    /// folder is created.
    ///
    /// S3 takes credentials, region and endpoint from the standard `AWS_…` environment variables.
    ///
    /// # Errors
    /// Kind configuration, for a URL of another kind or an unusable folder.
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
            Error::config(format!("store folder `{}`: {e}", path.display()))
                .with_hint("choose a folder that can be written, with --store or BILLSTREAM_STORE")
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
        let plain = url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        let bucket = url.host_str().unwrap_or_default().to_string();
        if !plain || !anonymous || bucket.is_empty() || url.path().contains("//") {
            // The rest of it may be a secret.
            return Err(Error::config(format!(
                "the location in bucket `{bucket}` is no plain URL such as s3://bucket/path"
            ))
            .with_hint(
                "credentials belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, not in a URL",
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

    /// The part of the store below a folder, as a store of its own.
    pub fn below(&self, folder: &str) -> Store {
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

    /// Whether the store is the root of its bucket, or of the file system.
    pub fn is_root(&self) -> bool {
        self.prefix.as_ref().is_empty()
    }

    /// The store's URL, ending in `/`.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The folder, when the store is a local one.
    pub fn local(&self) -> Option<&FsPath> {
        self.local.as_deref()
    }

    /// How people write the place of something in the store.
    pub fn display(&self, relative: &str) -> String {
        match &self.local {
            Some(folder) => folder.join(relative).display().to_string(),
            None => format!("{}{relative}", self.url),
        }
    }

    /// The object store whose paths start at the bucket or the file system's root.
    pub fn root(&self) -> Arc<dyn ObjectStore> {
        self.root.clone()
    }

    /// The full path of something in the store.
    pub fn path(&self, relative: &str) -> Path {
        let parts = relative.split('/').filter(|part| !part.is_empty());
        parts.fold(self.prefix.clone(), |path, part| path.join(part))
    }

    /// Reads an object, or `None` where there is none.
    pub async fn get(&self, relative: &str) -> Result<Option<bytes::Bytes>> {
        Ok(self.get_seen(relative).await?.map(|(bytes, _)| bytes))
    }

    /// Reads an object with what [`Store::put_if_unchanged`] needs, or `None` where there is none.
    pub async fn get_seen(&self, relative: &str) -> Result<Option<(bytes::Bytes, ObjectMeta)>> {
        match self.root.get(&self.path(relative)).await {
            Ok(found) => {
                let seen = found.meta.clone();
                let bytes = found.bytes().await;
                let bytes = bytes.map_err(|e| self.failed("read", relative, e))?;
                Ok(Some((bytes, seen)))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.failed("read", relative, e)),
        }
    }

    /// Writes an object, replacing one that is there.
    pub async fn put(&self, relative: &str, bytes: impl Into<bytes::Bytes>) -> Result<()> {
        let payload = PutPayload::from_bytes(bytes.into());
        self.root
            .put(&self.path(relative), payload)
            .await
            .map(|_| ())
            .map_err(|e| self.failed("write", relative, e))
    }

    /// Replaces an object only if it is still the one seen as `seen` (`None`: not there).
    ///
    /// A local folder has no conditional update: there the caller's lease must keep others out,
    /// and the replacement is an atomic rename.
    ///
    /// # Errors
    /// Kind locked when another writer was first.
    pub async fn put_if_unchanged(
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
        match self
            .root
            .put_opts(&self.path(relative), bytes.into(), options)
            .await
        {
            Ok(_) => Ok(()),
            Err(
                object_store::Error::Precondition { .. }
                | object_store::Error::AlreadyExists { .. },
            ) => Err(Error::locked(format!(
                "{} was changed by another writer meanwhile",
                self.display(relative)
            ))
            .with_hint("run the command again")),
            Err(e) => Err(self.failed("write", relative, e)),
        }
    }

    /// Size, time and tag of an object, or `None` where there is none.
    pub async fn head(&self, relative: &str) -> Result<Option<ObjectMeta>> {
        match self.root.head(&self.path(relative)).await {
            Ok(meta) => Ok(Some(meta)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.failed("read", relative, e)),
        }
    }

    /// Removes an object; one that is not there is no error.
    pub async fn delete(&self, relative: &str) -> Result<()> {
        match self.root.delete(&self.path(relative)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.failed("delete", relative, e)),
        }
    }

    /// Whether anything lies under a folder.
    pub async fn has_any(&self, folder: &str) -> Result<bool> {
        match self.root.list(Some(&self.path(folder))).try_next().await {
            Ok(first) => Ok(first.is_some()),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(e) => Err(self.failed("list", folder, e)),
        }
    }

    /// All objects under a folder, at any depth, as paths relative to the store.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = self.path(folder);
        let found: Vec<ObjectMeta> = match self.root.list(Some(&prefix)).try_collect().await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => Vec::new(),
            Err(e) => return Err(self.failed("list", folder, e)),
        };
        let mut names: Vec<String> = found
            .iter()
            .filter_map(|meta| self.relative(&meta.location))
            .collect();
        names.sort();
        Ok(names)
    }

    /// The objects directly in a folder, as paths relative to the store.
    pub async fn list_flat(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = self.path(folder);
        let found = match self.root.list_with_delimiter(Some(&prefix)).await {
            Ok(found) => found.objects,
            Err(object_store::Error::NotFound { .. }) => Vec::new(),
            Err(e) => return Err(self.failed("list", folder, e)),
        };
        let mut names: Vec<String> = found
            .iter()
            .filter_map(|meta| self.relative(&meta.location))
            .collect();
        names.sort();
        Ok(names)
    }

    fn relative(&self, path: &Path) -> Option<String> {
        let parts: Vec<_> = path.prefix_match(&self.prefix)?.collect();
        let parts: Vec<&str> = parts.iter().map(|part| part.as_ref()).collect();
        Some(parts.join("/"))
    }

    /// An object-store error in our words and class.
    pub fn failed(&self, verb: &str, relative: &str, error: object_store::Error) -> Error {
        let what = format!("cannot {verb} {}", self.display(relative));
        let said = error.to_string();
        if self.local.is_some() {
            return Error::config(format!("{what}: {said}"))
                .with_hint("check the folder, its permissions and the free space");
        }
        let missing = matches!(error, object_store::Error::NotFound { .. });
        let refused = matches!(
            error,
            object_store::Error::PermissionDenied { .. }
                | object_store::Error::Unauthenticated { .. }
        );
        if said.contains("NoSuchBucket") || (missing && verb != "read") {
            return Error::config(format!("{what}: there is no such bucket"))
                .with_hint("check the bucket's name, AWS_REGION and AWS_ENDPOINT_URL");
        }
        if missing {
            return Error::data(format!("{what}: it is not there"));
        }
        // Without keys in the environment the machine's own role is asked for, at 169.254.169.254.
        let marks = [
            "/latest/api/token",
            "169.254.169.254",
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "AccessDenied",
        ];
        if refused || marks.iter().any(|mark| said.contains(mark)) {
            return Error::config(format!(
                "{what}: the credentials are missing or refused ({})",
                brief(&said)
            ))
            .with_hint(S3_CREDENTIALS);
        }
        Error::remote(format!("{what}: {}", brief(&said)))
            .with_hint("check endpoint, region, bucket and network, then run it again")
    }
}

/// What an answer says, without the rest of its XML.
fn brief(said: &str) -> String {
    let element = |name: &str| {
        let (_, rest) = said.split_once(&format!("<{name}>"))?;
        rest.split_once('<').map(|(text, _)| text.to_string())
    };
    match (element("Code"), element("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code,
        _ => said
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(300)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_local_store_lists_what_it_holds_by_relative_path() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("a b%c").display().to_string()).unwrap();
        store.put("runs/x/1.json", "{}").await.unwrap();
        assert_eq!(store.list("runs").await.unwrap(), ["runs/x/1.json"]);
        assert_eq!(store.list("nothing").await.unwrap(), Vec::<String>::new());
        assert!(store.head("runs/x/1.json").await.unwrap().is_some());
        store.delete("runs/x/1.json").await.unwrap();
        store.delete("runs/x/1.json").await.unwrap();
        assert!(store.get("runs/x/1.json").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn creating_twice_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().display().to_string()).unwrap();
        store.put_if_unchanged("m", "1".into(), None).await.unwrap();
        let error = store
            .put_if_unchanged("m", "2".into(), None)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::Locked);
    }

    #[test]
    fn other_schemes_are_refused_with_the_ones_that_work() {
        let error = Store::open("ftp://x/y").err().unwrap();
        assert!(error.hint().unwrap().contains("s3://"));
    }
}
