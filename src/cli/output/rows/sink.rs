//! Sinks of encoded rows: stdout, a file that appears when it is complete, or an object in a bucket.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use object_store::path::Path as ObjectPath;
use tempfile::NamedTempFile;

use crate::cli::file_modes;
use crate::cli::output::rows::is_gzip;
use crate::cli::output::rows::unfinished::{UnfinishedFile, UnfinishedUpload};
use crate::cli::output::stdout::{self, print};
use crate::error::{Error, Result};
use crate::store::upload::Upload;
use crate::store::{Operation, StorageError, remote};

/// Sink of encoded rows. Unfinished files and objects are discarded.
pub(crate) struct RowSink {
    name: String,
    target: Target,
    /// Compresses the bytes of an output that ends in `.gz`.
    gzip: Option<GzEncoder<Vec<u8>>>,
}

enum Target {
    Stdout,
    File(UnfinishedFile, PathBuf),
    /// An existing path that is not a regular file: a pipe or a device.
    Device(std::fs::File),
    Object(UnfinishedUpload),
    Buffer(Vec<u8>),
}

impl RowSink {
    /// Stdout.
    pub(crate) fn stdout() -> RowSink {
        RowSink {
            name: "stdout".to_string(),
            target: Target::Stdout,
            gzip: None,
        }
    }

    /// Memory, for a pager.
    pub(crate) fn buffer() -> RowSink {
        RowSink {
            name: "memory".to_string(),
            target: Target::Buffer(Vec::new()),
            gzip: None,
        }
    }

    /// Returns the bytes of a [`RowSink::buffer`].
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        match self.target {
            Target::Buffer(bytes) => bytes,
            _ => Vec::new(),
        }
    }

    /// Opens a file, or an object at an `s3://`, `gs://` or `az://` URL. A symbolic link stays one: its file is replaced.
    pub(crate) fn open(location: &str) -> Result<RowSink> {
        let url = remote::url_of(location)?;
        let target = match url.to_file_path() {
            Ok(path) if path.exists() && !path.is_file() => {
                let device = std::fs::OpenOptions::new().write(true).open(&path);
                Target::Device(device.map_err(|e| {
                    Error::config(format!("could not write to `{}`: {e}", path.display()))
                })?)
            }
            Ok(path) if url.scheme() == "file" => {
                let path = followed(path).map_err(|e| {
                    Error::config(format!("could not follow the link `{location}`: {e}"))
                })?;
                let folder = path.parent().unwrap_or(Path::new("/"));
                let file = temporary_file(folder).map_err(|e| {
                    Error::config(format!("could not write in `{}`: {e}", folder.display()))
                })?;
                Target::File(UnfinishedFile::new(file), path)
            }
            _ => {
                let path = ObjectPath::from_url_path(url.path())
                    .map_err(|e| Error::config(format!("`{location}`: {e}")))?;
                let store = remote::object_store(&url)?;
                Target::Object(UnfinishedUpload::new(|uploads| {
                    Upload::new(store, path, uploads)
                }))
            }
        };
        // Without time and file name in the header the same rows give the same bytes.
        let gzip =
            is_gzip(location).then(|| GzBuilder::new().write(Vec::new(), Compression::default()));
        Ok(RowSink {
            name: location.to_string(),
            target,
            gzip,
        })
    }

    /// Writes bytes.
    pub(crate) async fn write(&mut self, mut bytes: Vec<u8>) -> Result<()> {
        if let Some(gzip) = &mut self.gzip {
            let compressed = gzip.write_all(&bytes);
            compressed.map_err(|e| write_error(&self.name, &e))?;
            bytes = std::mem::take(gzip.get_mut());
        }
        self.write_plain(bytes).await
    }

    /// Writes bytes as they are.
    async fn write_plain(&mut self, bytes: Vec<u8>) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let written = match &mut self.target {
            Target::Stdout => return print(&bytes),
            Target::Buffer(buffer) => {
                buffer.extend(bytes);
                return Ok(());
            }
            Target::File(file, _) => file.file().write_all(&bytes),
            Target::Device(device) => device.write_all(&bytes),
            Target::Object(object) => {
                let mut upload = object.take().ok_or_else(|| aborted(&self.name))?;
                let written = upload.write(bytes.into()).await;
                written.map_err(|e| upload_error(&self.name, &e))?;
                object.put_back(upload);
                return Ok(());
            }
        };
        written.map_err(|e| write_error(&self.name, &e))
    }

    /// Returns true if nobody reads the rows any more.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.target, Target::Stdout) && stdout::is_closed()
    }

    /// Makes a file or an object visible.
    pub(crate) async fn finish(mut self) -> Result<()> {
        if let Some(gzip) = self.gzip.take() {
            let rest = gzip.finish().map_err(|e| write_error(&self.name, &e))?;
            self.write_plain(rest).await?;
        }
        let finished = match self.target {
            Target::Stdout | Target::Buffer(_) | Target::Device(_) => Ok(()),
            Target::File(file, path) => file.persist(&path),
            Target::Object(object) => {
                let upload = object.take().ok_or_else(|| aborted(&self.name))?;
                let finished = upload.finish().await;
                return finished.map_err(|e| upload_error(&self.name, &e));
            }
        };
        finished.map_err(|e| write_error(&self.name, &e))
    }
}

fn write_error(name: &str, error: &std::io::Error) -> Error {
    Error::config(format!("could not write `{name}`: {error}"))
        .with_hint("check the path or URL, its permissions and credentials, and the free space")
}

fn upload_error(name: &str, error: &object_store::Error) -> Error {
    StorageError::new(Operation::Write, name.to_string(), false, error).into()
}

/// Error of an upload that was aborted because the process ends.
fn aborted(name: &str) -> Error {
    Error::partial(format!("could not write `{name}`: the command was stopped"))
}

/// Most links that lead to a file, as in operating systems.
const MAX_LINKS: usize = 40;

/// The file that a chain of symbolic links leads to, which need not exist; the path itself without links.
fn followed(path: PathBuf) -> std::io::Result<PathBuf> {
    let mut path = path;
    for _ in 0..MAX_LINKS {
        if !path.is_symlink() {
            return Ok(path);
        }
        let target = std::fs::read_link(&path)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        path = folder.join(target);
    }
    Err(std::io::Error::other("too many symbolic links"))
}

/// Creates a temporary file with the mode of a new file instead of the default for temporary ones, 0600.
fn temporary_file(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The operating system applies the umask.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder)?;
    file_modes::apply_user_mode(file.as_file())?;
    Ok(file)
}
