//! Permissions of new files: billing data is for its owner, or for the owner's group; files that the user names with
//! `-o` have the permissions that the user's umask leaves.

#[cfg(unix)]
use std::sync::OnceLock;

#[cfg(unix)]
use crate::os;

/// Mask of files and folders that only their owner may read.
#[cfg(unix)]
const PRIVATE: u32 = 0o077;
/// Mask of those that the owner's group may read and write as well.
#[cfg(unix)]
const GROUP: u32 = 0o007;

/// The umask that the process was started with.
#[cfg(unix)]
static USER: OnceLock<u32> = OnceLock::new();

/// Makes new files private. Call it before any other thread starts.
pub(crate) fn make_private() {
    #[cfg(unix)]
    {
        let user = os::set_umask(PRIVATE);
        let _ = USER.set(user);
    }
}

/// Opens new files to the group, if the store is shared with it.
pub(crate) fn share_with_group(is_shared: bool) {
    #[cfg(unix)]
    if is_shared && USER.get().is_some() {
        os::set_umask(GROUP);
    }
}

/// Gives a file that the user named the permissions of a file that the user creates.
///
/// # Errors
/// Those of the file system.
pub(crate) fn apply_user_mode(file: &std::fs::File) -> std::io::Result<()> {
    #[cfg(unix)]
    if let Some(user) = USER.get() {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o666 & !user))?;
    }
    let _ = file;
    Ok(())
}
