//! Files that only their owner may read, and locks on the folders that hold them.

use std::fmt;
use std::fs::{File, TryLockError};
use std::path::Path;

use crate::error::{Error, Result};

/// Reads a file after checking that only its owner may.
///
/// # Errors
/// Kind configuration: unreadable, or readable by others.
pub(crate) fn read(path: &Path) -> Result<String> {
    refuse_public(path)?;
    std::fs::read_to_string(path).map_err(|e| could_not("read", path, &e))
}

/// Refuses a file that others than its owner can read or change.
///
/// # Errors
/// Kind configuration, with the command that corrects the mode.
pub(crate) fn refuse_public(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let metadata = std::fs::metadata(path).map_err(|e| could_not("read", path, &e))?;
        let mode = metadata.permissions().mode() & 0o777;
        if public_bits(mode, metadata.uid(), crate::os::effective_user()) != 0 {
            return Err(Error::config(format!(
                "`{}` holds a secret, but others than its owner can read or change it (mode {mode:04o})",
                path.display()
            ))
            .with_hint(format!("chmod 600 '{}'", path.display())));
        }
    }
    Ok(())
}

/// Bits of a mode that let others than a process read or change a file.
///
/// Root lets another user read a secret through the group's bits: Kubernetes with `fsGroup`, and systemd with an access
/// control list, whose mask these bits show. Neither has another way.
#[cfg(unix)]
fn public_bits(mode: u32, owner: u32, process: u32) -> u32 {
    let is_granted_by_root = owner == 0 && process != 0;
    let forbidden = if is_granted_by_root { 0o037 } else { 0o077 };
    mode & forbidden
}

/// Writes a file atomically with mode 0600, creating its folder with mode 0700.
///
/// # Errors
/// Kind configuration.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    let failed = |e: &dyn fmt::Display| could_not("write", path, e);
    let folder = folder_of(path);
    create_folder(folder)?;
    // Temporary files are created with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| failed(&e))?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(|e| failed(&e))?;
    file.as_file().sync_all().map_err(|e| failed(&e))?;
    file.persist(path).map(|_| ()).map_err(|e| failed(&e.error))
}

/// Deletes a file if it exists.
///
/// # Errors
/// Kind configuration.
pub(crate) fn delete(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(could_not("delete", path, &e)),
        _ => Ok(()),
    }
}

/// Checks that [`write()`] could write a file; creates at most its folder.
///
/// # Errors
/// Kind configuration.
pub(crate) fn check_writable(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    create_folder(folder)?;
    match tempfile::NamedTempFile::new_in(folder) {
        Ok(_) => Ok(()),
        Err(e) => Err(could_not("write", path, &e)),
    }
}

/// Locks the folder of a file until the result is dropped, so that concurrent commands do not lose each
/// other's changes. The folder is locked because the file itself is replaced and deleted.
///
/// # Errors
/// Kind configuration.
pub(crate) fn lock_folder(path: &Path) -> Result<Option<File>> {
    let Some(folder) = open_folder(path)? else {
        return Ok(None);
    };
    folder.lock().map_err(|e| could_not_lock(path, &e))?;
    Ok(Some(folder))
}

/// Like [`lock_folder`], but fails instead of waiting.
///
/// # Errors
/// Kind locked while another command holds the lock; kind configuration.
pub(crate) fn try_lock_folder(path: &Path) -> Result<Option<File>> {
    let Some(folder) = open_folder(path)? else {
        return Ok(None);
    };
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(TryLockError::WouldBlock) => Err(Error::locked(format!(
            "another command is changing a connection in `{}`",
            folder_of(path).display()
        ))
        .with_hint("run this command again when the other one has ended")),
        Err(TryLockError::Error(e)) => Err(could_not_lock(path, &e)),
    }
}

fn open_folder(path: &Path) -> Result<Option<File>> {
    let folder = folder_of(path);
    create_folder(folder)?;
    if cfg!(not(unix)) {
        return Ok(None);
    }
    let opened = File::open(folder).map_err(|e| could_not_lock(path, &e))?;
    Ok(Some(opened))
}

fn could_not_lock(path: &Path, error: &std::io::Error) -> Error {
    could_not("lock", folder_of(path), error)
}

fn could_not(verb: &str, path: &Path, error: &dyn fmt::Display) -> Error {
    Error::config(format!("could not {verb} `{}`: {error}", path.display()))
}

/// Folder of a file; the working folder for a bare name.
fn folder_of(path: &Path) -> &Path {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Creates a folder that only its owner may enter.
fn create_folder(folder: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|e| could_not("create", folder, &e))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_root_lets_another_user_read_through_a_group() {
        let (root, user, other) = (0, 10_001, 10_002);
        for (mode, owner, process, is_private) in [
            (0o400, user, user, true),
            (0o440, user, user, false),
            (0o440, root, user, true),
            (0o640, root, user, true),
            (0o660, root, user, false),
            (0o444, root, user, false),
            (0o440, root, root, false),
            (0o440, other, user, false),
        ] {
            let bits = public_bits(mode, owner, process);
            assert_eq!(bits == 0, is_private, "{mode:o} {owner} {process}");
        }
    }
}
