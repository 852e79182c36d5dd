//! Secrets, by the place that holds them: an environment variable, a file, the system's keyring.
//!
//! A secret may also stand in plain text in the configuration file, with a warning. A file that holds one
//! and that others can read is refused.

use std::fmt;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::config::{Environment, keyring};
use crate::error::{Error, Result};

/// The place of a secret. Debug hides one that stands in plain text.
#[derive(Clone)]
pub enum Place {
    /// The configuration file itself.
    Plain(SecretString),
    /// An environment variable.
    Variable(String),
    /// A file that holds nothing else.
    File(PathBuf),
    /// An entry of the system's keyring.
    Keyring(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Plain(_) => f.write_str("plain text"),
            Place::Variable(name) => write!(f, "environment variable {name}"),
            Place::File(path) => write!(f, "file {}", path.display()),
            Place::Keyring(entry) => write!(f, "keyring entry {entry}"),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Place {
    /// Reads the secret; `what` is it, in words.
    ///
    /// # Errors
    /// Kind configuration: it is not there, or a file that others can read.
    pub fn read(&self, environment: &Environment, what: &str) -> Result<SecretString> {
        let text = match self {
            Place::Plain(secret) => return Ok(secret.clone()),
            Place::Variable(name) => environment
                .get(name)
                .map(str::to_string)
                .ok_or_else(|| Error::config(format!("{what}: {name} is not set")))?,
            Place::File(path) => read_private(path).map_err(|e| e.context(what))?,
            Place::Keyring(entry) => keyring::read(entry)
                .map_err(|e| e.context(what))?
                .ok_or_else(|| {
                    Error::config(format!("{what}: the keyring has no entry `{entry}`"))
                })?,
        };
        match text.trim() {
            "" => Err(Error::config(format!("{what}: {self} is empty"))),
            text => Ok(text.into()),
        }
    }
}

/// A Cloud API key and its secret.
#[derive(Clone)]
pub struct Credentials {
    /// The id of the key.
    pub key: String,
    /// Its secret.
    pub secret: SecretString,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl Credentials {
    /// From the text that [`Credentials::text`] made.
    ///
    /// # Errors
    /// Kind configuration. The text is in no error.
    pub fn parse(text: &SecretString, what: &str) -> Result<Credentials> {
        let unreadable = || {
            Error::config(format!("{what}: there is no `key` and `secret` in it"))
                .with_hint("it should have two lines: key = \"…\" and secret = \"…\"")
        };
        let document = text.expose_secret().parse::<toml_edit::DocumentMut>();
        let document = document.map_err(|_| unreadable())?;
        let value = |name: &str| Some(document.get(name)?.as_str()?.trim().to_string());
        match (value("key"), value("secret")) {
            (Some(key), Some(secret)) if !key.is_empty() && !secret.is_empty() => Ok(Credentials {
                key,
                secret: secret.into(),
            }),
            _ => Err(unreadable()),
        }
    }

    /// Both in one text, so that they change at once.
    pub fn text(&self) -> SecretString {
        let mut document = toml_edit::DocumentMut::new();
        document["key"] = toml_edit::value(self.key.as_str());
        document["secret"] = toml_edit::value(self.secret.expose_secret());
        document.to_string().into()
    }
}

/// The text of a file that only its owner may read.
///
/// # Errors
/// Kind configuration: it cannot be read, or others can.
pub fn read_private(path: &Path) -> Result<String> {
    refuse_public(path)?;
    std::fs::read_to_string(path)
        .map_err(|e| Error::config(format!("cannot read `{}`: {e}", path.display())))
}

/// Refuses a file that others than its owner can read.
///
/// # Errors
/// Kind configuration, with the command that mends it.
pub fn refuse_public(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata = std::fs::metadata(path)
            .map_err(|e| Error::config(format!("cannot read `{}`: {e}", path.display())))?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Error::config(format!(
                "`{}` holds a secret, and others than its owner can read or change it (mode {mode:04o})",
                path.display()
            ))
            .with_hint(format!("chmod 600 '{}'", path.display())));
        }
    }
    Ok(())
}

/// Writes a file that only its owner may read, whole or not at all.
///
/// # Errors
/// Kind configuration.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    let failed =
        |e: &dyn fmt::Display| Error::config(format!("cannot write `{}`: {e}", path.display()));
    let folder = folder_of(path);
    private_folder(folder)?;
    // A file of tempfile's is made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| failed(&e))?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(|e| failed(&e))?;
    file.as_file().sync_all().map_err(|e| failed(&e))?;
    file.persist(path).map(|_| ()).map_err(|e| failed(&e.error))
}

/// Keeps other commands from changing a file until it is dropped, as two at once would lose what one of them
/// wrote. Its folder is made and locked, because the file itself comes and goes.
///
/// # Errors
/// Kind configuration.
pub fn lock_beside(path: &Path) -> Result<Option<File>> {
    let Some(folder) = open_folder_of(path)? else {
        return Ok(None);
    };
    folder.lock().map_err(|e| cannot_lock(path, &e))?;
    Ok(Some(folder))
}

/// As [`lock_beside`], without waiting for the other command.
///
/// # Errors
/// Kind locked while another command has it; class configuration.
pub fn try_lock_beside(path: &Path) -> Result<Option<File>> {
    let Some(folder) = open_folder_of(path)? else {
        return Ok(None);
    };
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(TryLockError::WouldBlock) => Err(Error::locked(format!(
            "another command sets up or changes a connection in `{}`",
            folder_of(path).display()
        ))
        .with_hint("run this one when the other has ended")),
        Err(TryLockError::Error(e)) => Err(cannot_lock(path, &e)),
    }
}

fn open_folder_of(path: &Path) -> Result<Option<File>> {
    let folder = folder_of(path);
    private_folder(folder)?;
    if cfg!(not(unix)) {
        return Ok(None);
    }
    let opened = File::open(folder).map_err(|e| cannot_lock(path, &e))?;
    Ok(Some(opened))
}

fn cannot_lock(path: &Path, error: &std::io::Error) -> Error {
    let folder = folder_of(path).display();
    Error::config(format!("cannot lock the folder `{folder}`: {error}"))
}

/// The folder of a file; a bare name is in the working folder.
fn folder_of(path: &Path) -> &Path {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Whether [`write_private`] could write a file; nothing but its folder is made.
///
/// # Errors
/// Kind configuration.
pub fn writable_beside(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    private_folder(folder)?;
    match tempfile::NamedTempFile::new_in(folder) {
        Ok(_) => Ok(()),
        Err(e) => Err(Error::config(format!(
            "cannot write `{}`: {e}",
            path.display()
        ))),
    }
}

/// Makes a folder that only its owner may enter, if it is not there.
fn private_folder(folder: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|e| {
        Error::config(format!(
            "cannot make the folder `{}`: {e}",
            folder.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_are_read() {
        let environment: Environment = [("A", " secret\n"), ("EMPTY", "")].into_iter().collect();
        let read = |place: Place| place.read(&environment, "the secret of `x`");
        let exposed = |place| read(place).unwrap().expose_secret().to_string();
        assert_eq!(exposed(Place::Variable("A".into())), "secret");
        assert_eq!(exposed(Place::Plain("p".to_string().into())), "p");
        for missing in ["EMPTY", "B"] {
            let error = read(Place::Variable(missing.into())).unwrap_err();
            assert!(
                error.to_string().contains("the secret of `x`")
                    && error.to_string().contains(missing)
            );
        }
        let place = Place::Plain("hush".to_string().into());
        assert!(!format!("{place:?} {place}").contains("hush"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/secret");
        write_private(&path, "hush\n").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let environment = Environment::default();
        let place = Place::File(path.clone());
        let read = place.read(&environment, "it").unwrap();
        assert_eq!(read.expose_secret(), "hush");
        for mode in [0o640, 0o604, 0o620] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let error = place.read(&environment, "it").unwrap_err();
            assert_eq!(
                error.hint(),
                Some(format!("chmod 600 '{}'", path.display()))
            );
            assert!(error.to_string().contains(&format!("{mode:04o}")));
        }
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
        assert!(place.read(&environment, "it").is_ok());
    }

    #[test]
    fn what_is_no_pair_is_refused_without_being_shown() {
        for text in [
            "",
            "hush",
            "key = \"hush\"",
            "key = \"\"\nsecret = \"hush\"",
        ] {
            let error = Credentials::parse(&text.to_string().into(), "x").unwrap_err();
            assert!(!format!("{error} {:?}", error.hint()).contains("hush"));
        }
    }

    proptest! {
        #[test]
        fn a_pair_comes_back_as_it_was(key in "[!-~]{1,40}", secret in "[!-~]{1,80}") {
            let pair = Credentials { key: key.clone(), secret: secret.clone().into() };
            let read = Credentials::parse(&pair.text(), "x").unwrap();
            prop_assert_eq!(read.key, key);
            prop_assert_eq!(read.secret.expose_secret(), secret.as_str());
        }
    }
}
