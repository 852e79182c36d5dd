//! Lease of a local folder: a file lock, which ends with the process.

use std::fs::File;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::store::lease::LeaseError;

/// Locked lease file.
pub(super) struct FileLock {
    path: PathBuf,
    /// The lock lives as long as the file is open.
    file: Mutex<Option<File>>,
}

impl FileLock {
    /// Creates and locks the lease file.
    ///
    /// # Errors
    /// [`LeaseError::Held`] while another run has locked it; kind configuration for an unusable folder.
    pub(super) fn take(path: PathBuf, connection: &str) -> Result<FileLock> {
        let failed = |e: std::io::Error| {
            Error::config(format!(
                "could not lock the lease file `{}`: {e}",
                path.display()
            ))
            .with_hint(
                "runs keep leases and records in the store: run the command as a user who may write there; `query`, `report` \
                 and `status` only read",
            )
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(FileLock {
                path,
                file: Mutex::new(Some(file)),
            }),
            Err(std::fs::TryLockError::WouldBlock) => Err(LeaseError::Held {
                connection: connection.to_string(),
            }
            .into()),
            Err(std::fs::TryLockError::Error(e)) => Err(failed(e)),
        }
    }

    /// Returns true while the locked file is the one that another run would lock.
    pub(super) fn is_held(&self) -> bool {
        let file = self.file.lock();
        file.as_ref()
            .is_some_and(|file| is_same_file(file, &self.path))
    }

    pub(super) fn unlock(&self) {
        self.file.lock().take();
    }
}

/// Returns false if the path now names another file, or none: the folder was deleted or moved.
#[cfg(unix)]
fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(there)) => id(ours) == id(there),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_same_file(_file: &File, path: &Path) -> bool {
    path.exists()
}
