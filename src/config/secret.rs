//! References to secrets: an environment variable, a file, or an entry of the system's keyring.
//!
//! The configuration file can also hold a secret in plain text, which logs a warning. A file that holds a
//! secret and that others can read is refused.

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use crate::config::{Environment, keyring, private_file};
use crate::error::{Error, Result};

/// Location of a secret. Neither `Debug` nor `Display` shows one in plain text.
#[derive(Clone)]
pub(crate) enum SecretRef {
    /// The secret itself, from the configuration file.
    Plain(SecretString),
    /// Name of an environment variable.
    Variable(String),
    /// A file that holds nothing else.
    File(PathBuf),
    /// Name of an entry of the system's keyring.
    Keyring(String),
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::Plain(_) => f.write_str("plain text"),
            SecretRef::Variable(name) => {
                write!(f, "environment variable {}", displayed_variable(name))
            }
            SecretRef::File(path) => write!(f, "file {}", path.display()),
            SecretRef::Keyring(entry) => write!(f, "keyring entry {entry}"),
        }
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Longest displayed name of a variable; secrets are often longer.
const MAX_DISPLAYED_NAME: usize = 40;

/// Name of a variable for display. One that could be a secret, given by mistake, is not shown: with capital and small
/// letters in a word, or long.
pub(crate) fn displayed_variable(name: &str) -> &str {
    let is_mixed = name.split('_').any(|word| {
        let has = |is: fn(&char) -> bool| word.chars().any(|c| is(&c));
        has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase)
    });
    if is_variable_name(name) && !is_mixed && name.len() <= MAX_DISPLAYED_NAME {
        name
    } else {
        "a variable whose name is hidden, as it may be a secret"
    }
}

/// Returns true for letters, digits and underscores that do not start with a digit.
fn is_variable_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(is_part) && !name.starts_with(|c: char| c.is_ascii_digit())
}

impl SecretRef {
    /// Returns the reference to an environment variable; `None` for a text that names none, which may be the secret
    /// itself.
    pub(crate) fn variable(name: &str) -> Option<SecretRef> {
        is_variable_name(name).then(|| SecretRef::Variable(name.to_string()))
    }

    /// Reads the secret; `description` names it in errors.
    ///
    /// # Errors
    /// Kind configuration: missing, empty, or in a file that others can read.
    pub(crate) fn read(
        &self,
        environment: &Environment,
        description: &str,
    ) -> Result<SecretString> {
        let text = match self {
            SecretRef::Plain(secret) => return Ok(secret.clone()),
            SecretRef::Variable(name) => environment
                .get_utf8(name)
                .map_err(|e| e.context(description))?
                .map(str::to_string)
                .ok_or_else(|| {
                    let shown = displayed_variable(name);
                    Error::config(format!("{description}: {shown} is not set"))
                })?,
            SecretRef::File(path) => {
                private_file::read(path).map_err(|e| e.context(description))?
            }
            SecretRef::Keyring(entry) => keyring::read(entry)
                .map_err(|e| e.context(description))?
                .ok_or_else(|| {
                    Error::config(format!("{description}: the keyring has no entry `{entry}`"))
                })?,
        };
        match text.trim() {
            "" => Err(Error::config(format!("{description}: {self} is empty"))),
            text => Ok(text.into()),
        }
    }
}

/// A Cloud API key and its secret.
#[derive(Clone)]
pub(crate) struct Credentials {
    /// Id of the key; not a secret.
    pub key: String,
    pub secret: SecretString,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl Credentials {
    /// Parses the text of [`Credentials::to_text`]; `description` names it in errors.
    ///
    /// # Errors
    /// Kind configuration. No error quotes the text.
    pub(crate) fn parse(text: &SecretString, description: &str) -> Result<Credentials> {
        let invalid = || {
            Error::config(format!("{description}: `key` or `secret` is missing"))
                .with_hint("write two lines: key = \"…\" and secret = \"…\"")
        };
        let document = text.expose_secret().parse::<toml_edit::DocumentMut>();
        let document = document.map_err(|_| invalid())?;
        let value = |name: &str| Some(document.get(name)?.as_str()?.trim().to_string());
        match (value("key"), value("secret")) {
            (Some(key), Some(secret)) if !key.is_empty() && !secret.is_empty() => Ok(Credentials {
                key,
                secret: secret.into(),
            }),
            _ => Err(invalid()),
        }
    }

    /// Formats key and secret as one text, so that they are replaced together.
    pub(crate) fn to_text(&self) -> SecretString {
        let mut document = toml_edit::DocumentMut::new();
        document["key"] = toml_edit::value(self.key.as_str());
        document["secret"] = toml_edit::value(self.secret.expose_secret());
        document.to_string().into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_variables_and_plain_text() {
        let environment: Environment = [("A", " secret\n"), ("EMPTY", "")].into_iter().collect();
        let read = |secret: SecretRef| secret.read(&environment, "the secret of `x`");
        let exposed = |secret| read(secret).unwrap().expose_secret().to_string();
        assert_eq!(exposed(SecretRef::Variable("A".into())), "secret");
        assert_eq!(exposed(SecretRef::Plain("p".to_string().into())), "p");
        for missing in ["EMPTY", "B"] {
            let error = read(SecretRef::Variable(missing.into())).unwrap_err();
            assert!(
                error.to_string().contains("the secret of `x`")
                    && error.to_string().contains(missing)
            );
        }
        let plain = SecretRef::Plain("hush".to_string().into());
        assert!(!format!("{plain:?} {plain}").contains("hush"));
    }

    #[test]
    fn a_secret_in_the_place_of_a_variable_is_not_displayed() {
        for secret in [
            "hush/with+signs==",
            "hush-hush",
            "9hush",
            "hushHUSH4567890",
            &"hush0".repeat(10),
        ] {
            if let Some(variable) = SecretRef::variable(secret) {
                let error = variable
                    .read(&Environment::default(), "the secret")
                    .unwrap_err();
                let shown = format!("{variable} {variable:?} {error} {:?}", error.hint());
                assert!(!shown.contains("hush"), "{shown}");
            }
        }
        for name in ["ACME_KEY", "acme_key", "acme_KEY", "_K9"] {
            let shown = SecretRef::variable(name).unwrap().to_string();
            assert_eq!(shown, format!("environment variable {name}"));
        }
        assert!(SecretRef::variable("a b").is_none() && SecretRef::variable("").is_none());
    }

    #[cfg(unix)]
    #[test]
    fn refuses_a_file_that_others_can_read_and_hints_at_chmod() {
        use std::os::unix::fs::PermissionsExt;
        use std::path::Path;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/secret");
        private_file::write(&path, "hush\n").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let environment = Environment::default();
        let secret = SecretRef::File(path.clone());
        let read = secret.read(&environment, "it").unwrap();
        assert_eq!(read.expose_secret(), "hush");
        for mode in [0o640, 0o604, 0o620] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let error = secret.read(&environment, "it").unwrap_err();
            assert_eq!(
                error.hint(),
                Some(format!("chmod 600 '{}'", path.display()))
            );
            assert!(error.to_string().contains(&format!("{mode:04o}")));
        }
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
        assert!(secret.read(&environment, "it").is_ok());
    }

    #[test]
    fn rejects_malformed_credentials_without_echoing_them() {
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
        fn credentials_round_trip(key in "[!-~]{1,40}", secret in "[!-~]{1,80}") {
            let credentials = Credentials { key: key.clone(), secret: secret.clone().into() };
            let read = Credentials::parse(&credentials.to_text(), "x").unwrap();
            prop_assert_eq!(read.key, key);
            prop_assert_eq!(read.secret.expose_secret(), secret.as_str());
        }
    }
}
