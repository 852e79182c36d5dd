//! Where rows go: stdout, a file that appears when it is whole, or an object in a bucket.

use std::io::Write;
use std::path::{Path, PathBuf};

use object_store::buffered::BufWriter;
use object_store::path::Path as ObjectPath;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

use crate::cli::print;
use crate::error::{Error, Result};
use crate::store::remote;

/// A destination. What is not finished leaves nothing behind, but on stdout.
pub struct Destination {
    name: String,
    kind: Kind,
}

enum Kind {
    Stdout,
    File(NamedTempFile, PathBuf),
    /// A pipe or a device: what is there already and is no file.
    Device(std::fs::File),
    Object(Box<BufWriter>),
    Pager(Vec<u8>),
}

impl Destination {
    /// Stdout.
    pub fn stdout() -> Destination {
        Destination {
            name: "stdout".to_string(),
            kind: Kind::Stdout,
        }
    }

    /// Memory, to be shown through a pager.
    pub fn held() -> Destination {
        Destination {
            name: "memory".to_string(),
            kind: Kind::Pager(Vec::new()),
        }
    }

    /// What [`Destination::held`] holds.
    pub fn into_held(self) -> Vec<u8> {
        match self.kind {
            Kind::Pager(bytes) => bytes,
            _ => Vec::new(),
        }
    }

    /// A file, or an object at an `s3://`, `gs://` or `az://` URL.
    pub fn open(place: &str) -> Result<Destination> {
        let url = remote::url_of(place)?;
        let kind = match url.to_file_path() {
            Ok(path) if path.exists() && !path.is_file() => {
                let device = std::fs::OpenOptions::new().write(true).open(&path);
                Kind::Device(device.map_err(|e| {
                    Error::config(format!("cannot write to `{}`: {e}", path.display()))
                })?)
            }
            Ok(path) if url.scheme() == "file" => {
                let folder = path.parent().unwrap_or(Path::new("/"));
                let file = NamedTempFile::new_in(folder).map_err(|e| {
                    Error::config(format!("cannot write in `{}`: {e}", folder.display()))
                })?;
                Kind::File(file, path)
            }
            _ => {
                let path = ObjectPath::from_url_path(url.path())
                    .map_err(|e| Error::config(format!("`{place}`: {e}")))?;
                Kind::Object(Box::new(BufWriter::new(remote::object_store(&url)?, path)))
            }
        };
        Ok(Destination {
            name: place.to_string(),
            kind,
        })
    }

    /// Writes bytes.
    pub async fn write(&mut self, bytes: Vec<u8>) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let written = match &mut self.kind {
            Kind::Stdout => return print(&bytes),
            Kind::Pager(held) => {
                held.extend(bytes);
                return Ok(());
            }
            Kind::File(file, _) => file.write_all(&bytes),
            Kind::Device(device) => device.write_all(&bytes),
            Kind::Object(object) => object
                .put(bytes.into())
                .await
                .map_err(std::io::Error::other),
        };
        written.map_err(|e| self.failed(&e))
    }

    /// Makes what was written visible.
    pub async fn finish(self) -> Result<()> {
        let failed = |e: std::io::Error| Error::config(format!("cannot write {}: {e}", self.name));
        match self.kind {
            Kind::Stdout | Kind::Pager(_) | Kind::Device(_) => Ok(()),
            Kind::File(file, path) => {
                open_to_readers(file.path());
                file.persist(path).map(|_| ()).map_err(|e| failed(e.error))
            }
            Kind::Object(mut object) => object.shutdown().await.map_err(failed),
        }
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        Error::config(format!("cannot write {}: {error}", self.name))
            .with_hint("check the place, its permissions and credentials, and the free space")
    }
}

/// A temporary file is its owner's alone; a result has the mode that new files have.
fn open_to_readers(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // SAFETY: `umask` only sets and gives the process's mask; it is set back at once.
        let mask = unsafe {
            let mask = libc::umask(0o022);
            libc::umask(mask);
            mask
        };
        let mode = 0o666 & !mask;
        let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = path;
}
