//! What a set-up writes down while it is on its way, beside the configuration file, for its owner alone.
//!
//! ```text
//! setup/<connection>.json               what was found and made, without secrets
//! credentials/<connection>.new.toml     the new key, until it is proven; or an entry of the keyring
//! ```

use std::path::{Path, PathBuf};

use super::edit::{self, Keep};
use super::secret::{self, Credentials, Place};
use crate::confluent::set_up::Progress;
use crate::error::{Error, Result};

/// The notes of a connection.
#[derive(Debug)]
pub struct Notebook {
    path: PathBuf,
    new: Place,
}

impl Notebook {
    /// Beside the configuration `file`; the new key is held as `keep` says.
    pub fn beside(file: &Path, connection: &str, keep: Keep) -> Notebook {
        let folder = file.parent().unwrap_or(Path::new(""));
        Notebook {
            path: folder.join(format!("setup/{connection}.json")),
            new: edit::credentials_place(file, &format!("{connection}.new"), keep),
        }
    }

    /// What was written down; nothing when there is nothing.
    ///
    /// # Errors
    /// Class configuration.
    pub fn load(&self) -> Result<Option<Progress>> {
        if !self.path.exists() {
            return Ok(None);
        }
        let text = secret::read_private(&self.path)?;
        serde_json::from_str(&text).map(Some).map_err(|e| {
            Error::config(format!("`{}` cannot be read: {e}", self.path.display())).with_hint(
                "it says what a set-up made: delete it if you have looked after that yourself",
            )
        })
    }

    /// Writes down how far a set-up came.
    ///
    /// # Errors
    /// Class configuration.
    pub fn save(&self, progress: &Progress) -> Result<()> {
        let text =
            serde_json::to_string_pretty(progress).map_err(|e| Error::bug(format!("JSON: {e}")))?;
        secret::write_private(&self.path, &text)
    }

    /// Holds the new key.
    ///
    /// # Errors
    /// Class configuration.
    pub fn hold(&self, credentials: &Credentials) -> Result<()> {
        edit::keep(&self.new, credentials)
    }

    /// The key that is held.
    ///
    /// # Errors
    /// Class configuration.
    pub fn held(&self) -> Result<Option<Credentials>> {
        edit::kept(&self.new)
    }

    /// Lets the held key go.
    ///
    /// # Errors
    /// Class configuration.
    pub fn let_go(&self) -> Result<()> {
        edit::forget(&self.new)
    }

    /// Throws the notes away.
    ///
    /// # Errors
    /// Class configuration.
    pub fn discard(&self) -> Result<()> {
        self.let_go()?;
        edit::forget(&Place::File(self.path.clone()))
    }
}
