//! The folder of this process's spill files, which is removed at every end of the process.
//!
//! ```text
//! <temporary folder>/billstream-spill-XXXXXX/lock          locked while the process lives
//!                                           /datafusion-*  files of the engine
//! ```
//! The system unlocks the file even when the process is killed, so a later process deletes the folder.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tempfile::TempDir;

const PREFIX: &str = "billstream-spill-";
/// Prefix of a folder whose lock is not taken yet. Only its creator knows it.
const PREPARED_PREFIX: &str = "billstream-prepared-";
const LOCK: &str = "lock";
/// Age from which a folder whose creator died before it took the lock is deleted.
const PREPARED_FOR: std::time::Duration = std::time::Duration::from_secs(3600);

/// Folder of spill files, deleted with its last user.
#[derive(Debug)]
pub(crate) struct SpillFolder {
    path: PathBuf,
    /// Holds the lock.
    _lock: File,
}

/// The folder of this process, once a session needs it.
static CURRENT: Mutex<Option<Arc<SpillFolder>>> = Mutex::new(None);

/// Returns the folder of this process. Creates it, and deletes those of processes that were killed, on first use.
///
/// # Errors
/// Those of the file system.
pub(super) fn folder() -> std::io::Result<PathBuf> {
    let mut current = CURRENT.lock();
    if let Some(folder) = &*current {
        return Ok(folder.path.clone());
    }
    let parent = std::env::temp_dir();
    delete_orphans(&parent);
    let folder = SpillFolder::create(&parent)?;
    let path = folder.path.clone();
    *current = Some(Arc::new(folder));
    Ok(path)
}

/// Deletes the folder of this process. Statements that still run fail.
pub(crate) fn delete_folder() {
    // Not blocking: a signal or a panic may end the process while a session takes the folder.
    if let Some(mut current) = CURRENT.try_lock() {
        *current = None;
    }
}

impl SpillFolder {
    fn create(parent: &Path) -> std::io::Result<SpillFolder> {
        // Readable by its owner alone.
        let prepared = tempfile::Builder::new()
            .prefix(PREPARED_PREFIX)
            .tempdir_in(parent)?;
        let lock = File::create(prepared.path().join(LOCK))?;
        lock.lock()?;
        let path = final_path(parent, &prepared);
        std::fs::rename(prepared.path(), &path)?;
        // Nothing is left to delete under the old name.
        let _ = prepared.keep();
        Ok(SpillFolder { path, _lock: lock })
    }
}

fn final_path(parent: &Path, prepared: &TempDir) -> PathBuf {
    let name = prepared.path().file_name().unwrap_or_default();
    let name = name.to_string_lossy();
    let random = name.strip_prefix(PREPARED_PREFIX).unwrap_or(&name);
    parent.join(format!("{PREFIX}{random}"))
}

impl Drop for SpillFolder {
    fn drop(&mut self) {
        // A later process tries again.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Deletes the folders of processes that were killed. Errors, such as those of another user's folders, are ignored.
fn delete_orphans(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let path = entry.path();
        let is_orphan = if !is_folder {
            false
        } else if name.starts_with(PREFIX) {
            is_unlocked(&path)
        } else {
            name.starts_with(PREPARED_PREFIX) && is_older(&path, PREPARED_FOR)
        };
        if is_orphan {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

/// Returns true if no process holds the lock of a folder.
fn is_unlocked(folder: &Path) -> bool {
    match File::open(folder.join(LOCK)) {
        Ok(lock) => !matches!(
            lock.try_lock(),
            Err(TryLockError::WouldBlock | TryLockError::Error(_))
        ),
        // Deleted in part.
        Err(e) => e.kind() == std::io::ErrorKind::NotFound,
    }
}

fn is_older(path: &Path, age: std::time::Duration) -> bool {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|elapsed| elapsed > age))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_is_deleted_with_its_files() {
        let parent = tempfile::tempdir().unwrap();
        let folder = SpillFolder::create(parent.path()).unwrap();
        std::fs::write(folder.path.join("file"), "x").unwrap();
        drop(folder);
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn deletes_orphans_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let in_use = SpillFolder::create(parent.path()).unwrap();
        let orphan = parent.path().join(format!("{PREFIX}dead"));
        for folder in [
            &orphan,
            &parent.path().join("other"),
            &parent.path().join("billstream-prepared-x"),
        ] {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join(LOCK), "").unwrap();
        }
        let without_lock = parent.path().join(format!("{PREFIX}half"));
        std::fs::create_dir(&without_lock).unwrap();
        delete_orphans(parent.path());
        assert!(in_use.path.exists());
        assert!(!orphan.exists() && !without_lock.exists());
        assert!(parent.path().join("other").exists());
        assert!(
            parent.path().join("billstream-prepared-x").exists(),
            "its creator may take the lock"
        );
    }
}
