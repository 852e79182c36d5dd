//! The configuration file: its location and the values it sets.
//!
//! ```toml
//! store = "s3://acme-billing/confluent"
//!
//! [connections.acme]
//! key = { env = "ACME_KEY" }
//! secret = { file = "/run/secrets/acme" }      # or { keyring = "acme" }
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::file_parser;
use crate::config::secret::SecretRef;
use crate::config::settings::Setting;
use crate::config::value::Origin;
use crate::config::{Environment, private_file};
use crate::error::{Error, Result};
use crate::store::path_or_url::expand_home;

pub(crate) const FILE_NAME: &str = "billstream.toml";

/// A parsed configuration file.
#[derive(Debug)]
pub(crate) struct ConfigFile {
    pub path: PathBuf,
    /// Names of the connections in file order.
    pub connections: Vec<String>,
    /// Other cost data for queries.
    pub sources: Vec<SourceEntry>,
    /// Keyed by setting path.
    pub(super) entries: BTreeMap<String, Entry>,
}

/// Entry of the table `sources`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceEntry {
    pub name: String,
    /// Path, pattern or URL.
    pub location: String,
    pub line: usize,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub value: EntryValue,
    pub line: usize,
}

#[derive(Debug)]
pub(super) enum EntryValue {
    Text(String),
    Secret(SecretRef),
}

/// Path of the configuration file, which may not exist.
pub(crate) struct FileLocation {
    /// `None` if neither a name nor a home folder is known.
    pub path: Option<PathBuf>,
    /// Set if the path was given by a flag or by `BILLSTREAM_CONFIG`, so that the file must exist.
    pub is_explicit: bool,
}

/// Path of a text, with a leading `~/` as the home folder; one of another user stays as it is.
pub(super) fn home_path(text: &str) -> PathBuf {
    expand_home(text).unwrap_or_else(|_| PathBuf::from(text))
}

/// Locates the file: the flag, else `BILLSTREAM_CONFIG`, else the XDG configuration folder.
pub(crate) fn locate(flag: Option<&Path>, environment: &Environment) -> FileLocation {
    let explicit = flag
        .map(Path::to_path_buf)
        .or_else(|| environment.get("BILLSTREAM_CONFIG").map(home_path));
    if explicit.is_some() {
        return FileLocation {
            path: explicit,
            is_explicit: true,
        };
    }
    // The XDG specification says to ignore a relative path.
    let xdg = environment.path("XDG_CONFIG_HOME");
    let xdg = xdg.filter(|folder| folder.is_absolute());
    let home = || Some(environment.path("HOME")?.join(".config"));
    let folder = xdg.or_else(home);
    FileLocation {
        path: folder.map(|folder| folder.join("billstream").join(FILE_NAME)),
        is_explicit: false,
    }
}

impl ConfigFile {
    /// Reads and parses a file.
    ///
    /// # Errors
    /// Kind configuration, with the line: invalid TOML, an unknown setting (with the nearest name), a value of
    /// the wrong type. Also a file with a plain-text secret that others can read.
    pub(crate) fn read(path: &Path) -> Result<ConfigFile> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            Error::config(format!(
                "could not read the configuration file `{}`: {e}",
                path.display()
            ))
            .with_hint("create one with `billstream config init`")
        })?;
        let file = file_parser::parse(path, &text)?;
        if file.plain_text_secrets().next().is_some() {
            private_file::refuse_public(path)?;
        }
        Ok(file)
    }

    /// Value of a setting that is not a secret.
    pub(crate) fn text(
        &self,
        setting: &Setting,
        connection: Option<&str>,
    ) -> Option<(&str, Origin)> {
        let entry = self.entries.get(&setting.path(connection))?;
        match &entry.value {
            EntryValue::Text(text) => Some((text, self.origin(entry.line))),
            EntryValue::Secret(_) => None,
        }
    }

    /// Location of a secret.
    pub(crate) fn secret(
        &self,
        setting: &Setting,
        connection: Option<&str>,
    ) -> Option<(&SecretRef, Origin)> {
        let entry = self.entries.get(&setting.path(connection))?;
        match &entry.value {
            EntryValue::Secret(secret) => Some((secret, self.origin(entry.line))),
            EntryValue::Text(_) => None,
        }
    }

    /// Paths of settings whose secrets are in plain text.
    pub(crate) fn plain_text_secrets(&self) -> impl Iterator<Item = &str> {
        let plain = self
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry.value, EntryValue::Secret(SecretRef::Plain(_))));
        plain.map(|(path, _)| path.as_str())
    }

    /// Origin of a value on a line of this file.
    pub(crate) fn origin(&self, line: usize) -> Origin {
        Origin::File {
            path: self.path.clone(),
            line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings;

    fn read(text: &str) -> Result<ConfigFile> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        private_file::write(&path, text).unwrap();
        ConfigFile::read(&path)
    }

    #[test]
    fn values_carry_their_lines() {
        let file = read(
            "store = \"s3://a/b\"\ntags = \"tags.csv\"\n[import]\nsettle_days = 3\n[http]\nread_timeout_secs = 1.5\n\
             [connections.acme]\ninventory = true\nkey = { env = \"K\" }\nsecret = { file = \"s\" }\n\
             [sources]\naws = \"x.csv, y\"\n",
        )
        .unwrap();
        let text = |setting: &Setting, connection| {
            let (text, origin) = file.text(setting, connection).unwrap();
            let Origin::File { line, .. } = origin else {
                panic!()
            };
            (text.to_string(), line)
        };
        assert_eq!(text(&settings::STORE, None), ("s3://a/b".into(), 1));
        assert_eq!(text(&settings::SETTLE_DAYS, None), ("3".into(), 4));
        assert_eq!(text(&settings::READ_TIMEOUT_SECS, None), ("1.5".into(), 6));
        assert_eq!(text(&settings::INVENTORY, Some("acme")), ("true".into(), 8));
        let (key, _) = file.secret(&settings::KEY, Some("acme")).unwrap();
        assert!(matches!(key, SecretRef::Variable(name) if name == "K"));
        let (secret, _) = file.secret(&settings::SECRET, Some("acme")).unwrap();
        let beside = file.path.with_file_name("s");
        assert!(matches!(secret, SecretRef::File(path) if *path == beside));
        assert_eq!(file.connections, ["acme"]);
        let source = file.path.with_file_name("x.csv, y").display().to_string();
        let aws = SourceEntry {
            name: "aws".to_string(),
            location: source,
            line: 12,
        };
        assert_eq!(file.sources, [aws]);
        assert_eq!(
            text(&settings::TAGS, None),
            (
                file.path.with_file_name("tags.csv").display().to_string(),
                2
            )
        );
    }

    #[test]
    fn errors_name_the_line_and_the_nearest_setting() {
        for (text, message, hint) in [
            ("\nstor = 1", "line 2: unknown setting `stor`", "`store`"),
            ("[imports]\n", "unknown setting `imports`", "`import`"),
            (
                "[import]\nsetle_days = 1",
                "line 2: unknown setting `setle_days` in [import]",
                "`settle_days`",
            ),
            (
                "[connections.a]\nsecrt = \"x\"",
                "in [connections.a]",
                "`secret`",
            ),
            (
                "[connections.a]\nqqqqqq = 1",
                "`qqqqqq`",
                "expected one of: key, secret",
            ),
            (
                "[connections.\"A b\"]\n",
                "`A b` cannot name a connection",
                "lower-case",
            ),
            (
                "[import]\nsettle_days = \"soon\"",
                "line 2: `import.settle_days` is not a whole number",
                "",
            ),
            (
                "[http]\nread_timeout_secs = true",
                "is not a number of seconds",
                "",
            ),
            (
                "[connections.a]\ninventory = 1",
                "`connections.a.inventory` is not true or false",
                "",
            ),
            ("store = 3", "line 1: `store` is not a quoted string", ""),
            ("import = 3", "`import` is not a table", "[import]"),
            (
                "[connections.a]\nkey = { var = \"x\" }",
                "`key` is not a secret reference",
                "{ env =",
            ),
            (
                "[connections.a]\ncredentials = \"x\"",
                "`credentials` is not a secret reference",
                "{ file =",
            ),
            ("store = \"a\nb", "line ", ""),
            ("store = \"a\"\nstore = \"b\"", "line 2: ", ""),
        ] {
            let error = read(text).err().unwrap_or_else(|| panic!("{text}"));
            assert!(error.to_string().contains(message), "{text}: {error}");
            assert!(
                error.hint().unwrap_or_default().contains(hint),
                "{text}: {:?}",
                error.hint()
            );
        }
    }

    #[test]
    fn does_not_quote_a_broken_line() {
        let error = read("[connections.a]\nsecret = hush hush\n").err().unwrap();
        assert!(!error.to_string().contains("hush"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn refuses_a_plain_text_secret_that_others_can_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        for (text, refused) in [
            ("[connections.a]\nsecret = \"hush\"", true),
            ("[connections.a]\nsecret = { env = \"A\" }", false),
        ] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
            let read = ConfigFile::read(&path);
            assert_eq!(read.is_err(), refused);
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            let plain: Vec<String> = ConfigFile::read(&path)
                .unwrap()
                .plain_text_secrets()
                .map(str::to_string)
                .collect();
            assert_eq!(plain.len(), usize::from(refused));
        }
    }
}
