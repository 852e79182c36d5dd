//! The configuration file: where it is, and what it says.
//!
//! ```toml
//! store = "s3://acme-billing/confluent"
//!
//! [connections.acme]
//! key = { env = "ACME_KEY" }
//! secret = { file = "/run/secrets/acme" }      # or { keyring = "acme" }
//! ```

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, TableLike};

use crate::config::secret::{self, Place};
use crate::config::settings::{self, ALL, CONNECTION, Key, Kind};
use crate::config::value::Origin;
use crate::config::{Environment, check_name};
use crate::error::{Error, Result};
use crate::suggest::nearest;

/// The file's name.
pub const NAME: &str = "billstream.toml";

/// A configuration file that was read.
#[derive(Debug)]
pub struct ConfigFile {
    /// Where it is.
    pub path: PathBuf,
    /// Names of the connections, in their order.
    pub connections: Vec<String>,
    /// Sources: name, place, and line.
    pub sources: Vec<(String, String, usize)>,
    given: BTreeMap<String, Given>,
}

#[derive(Debug)]
struct Given {
    what: What,
    line: usize,
}

#[derive(Debug)]
enum What {
    Text(String),
    Secret(Place),
}

/// Where the file is, or would be: as named by a flag, by `BILLSTREAM_CONFIG`, else at the XDG place. The
/// second is whether somebody named it, so that it has to be there.
pub fn place(flag: Option<&Path>, environment: &Environment) -> (Option<PathBuf>, bool) {
    let named = flag
        .map(Path::to_path_buf)
        .or_else(|| environment.get("BILLSTREAM_CONFIG").map(PathBuf::from));
    if named.is_some() {
        return (named, true);
    }
    let xdg = environment.get("XDG_CONFIG_HOME").map(PathBuf::from);
    let xdg = xdg.filter(|folder| folder.is_absolute());
    let home = || {
        environment
            .get("HOME")
            .map(|home| Path::new(home).join(".config"))
    };
    let folder = xdg.or_else(home);
    (
        folder.map(|folder| folder.join("billstream").join(NAME)),
        false,
    )
}

impl ConfigFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Kind configuration, with the line: no TOML, a setting that there is not (with the nearest name), a
    /// value of the wrong kind. Others must not be able to read a file that holds a secret in plain text.
    pub fn read(path: &Path) -> Result<ConfigFile> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            Error::config(format!(
                "cannot read the configuration `{}`: {e}",
                path.display()
            ))
            .with_hint("`billstream config init` writes one")
        })?;
        let reader = Reader { path, text: &text };
        let document = Document::parse(text.as_str()).map_err(|e| {
            // The parser's own words would quote the line, which may hold a secret.
            let place = reader.place(e.span());
            Error::config(format!("{place}: {}", e.message().replace('\n', ", ")))
        })?;
        let mut file = ConfigFile {
            path: path.to_path_buf(),
            connections: Vec::new(),
            sources: Vec::new(),
            given: BTreeMap::new(),
        };
        for (name, item) in document.iter() {
            let span = item
                .span()
                .or_else(|| document.key(name).and_then(|key| key.span()));
            match name {
                "connections" => reader.connections(&mut file, item, span)?,
                "sources" => reader.sources(&mut file, item, span)?,
                _ if ALL.iter().any(|key| key.table == name) => {
                    let table = reader.table(item, name, span)?;
                    reader.settings(&mut file, table, name, None)?;
                }
                _ => {
                    let known = ALL
                        .iter()
                        .find(|key| key.table.is_empty() && key.name == name);
                    let Some(key) = known else {
                        let top = ALL.iter().filter(|key| key.table != CONNECTION);
                        let top = top.map(|key| match key.table {
                            "" => key.name,
                            table => table,
                        });
                        let key_span = document.key(name).and_then(|key| key.span());
                        let names = top.chain(["connections", "sources"]);
                        return Err(reader.unknown(name, "", names, key_span.or(span)));
                    };
                    reader.setting(&mut file, key, None, item, span)?;
                }
            }
        }
        if file.plain().next().is_some() {
            secret::refuse_public(path)?;
        }
        Ok(file)
    }

    /// What it says of a setting that is no secret.
    pub fn text(&self, key: &Key, connection: Option<&str>) -> Option<(&str, Origin)> {
        let given = self.given.get(&key.path(connection))?;
        match &given.what {
            What::Text(text) => Some((text, self.origin(given.line))),
            What::Secret(_) => None,
        }
    }

    /// Where it says that a secret is.
    pub fn secret(&self, key: &Key, connection: Option<&str>) -> Option<(&Place, Origin)> {
        let given = self.given.get(&key.path(connection))?;
        match &given.what {
            What::Secret(place) => Some((place, self.origin(given.line))),
            What::Text(_) => None,
        }
    }

    /// Settings whose secrets stand in plain text.
    pub fn plain(&self) -> impl Iterator<Item = &str> {
        let plain = self
            .given
            .iter()
            .filter(|(_, given)| matches!(given.what, What::Secret(Place::Plain(_))));
        plain.map(|(path, _)| path.as_str())
    }

    /// A line of it.
    pub fn origin(&self, line: usize) -> Origin {
        Origin::File {
            path: self.path.clone(),
            line,
        }
    }
}

/// Reads one file; errors have its lines.
struct Reader<'t> {
    path: &'t Path,
    text: &'t str,
}

type Span = Option<Range<usize>>;

impl Reader<'_> {
    fn line(&self, span: &Span) -> usize {
        let start = span
            .as_ref()
            .map_or(0, |span| span.start)
            .min(self.text.len());
        self.text.as_bytes()[..start]
            .iter()
            .filter(|b| **b == b'\n')
            .count()
            + 1
    }

    fn place(&self, span: Span) -> String {
        format!("{}, line {}", self.path.display(), self.line(&span))
    }

    fn unknown<'n>(
        &self,
        name: &str,
        table: &str,
        names: impl Iterator<Item = &'n str> + Clone,
        span: Span,
    ) -> Error {
        let inside = match table {
            "" => String::new(),
            table => format!(" in [{table}]"),
        };
        let error = Error::config(format!(
            "{}: there is no setting `{name}`{inside}",
            self.place(span)
        ));
        match nearest(name, names.clone()) {
            Some(nearest) => error.with_hint(format!("did you mean `{nearest}`?")),
            None => {
                let mut names: Vec<&str> = names.collect();
                names.dedup();
                error.with_hint(format!("there are {}", names.join(", ")))
            }
        }
    }

    fn table<'i>(&self, item: &'i Item, name: &str, span: Span) -> Result<&'i dyn TableLike> {
        item.as_table_like().ok_or_else(|| {
            Error::config(format!("{}: `{name}` is no table", self.place(span)))
                .with_hint(format!("write it as [{name}] with its settings below"))
        })
    }

    fn connections(&self, file: &mut ConfigFile, item: &Item, span: Span) -> Result<()> {
        for (name, item) in self.table(item, "connections", span)?.iter() {
            let span = item.span();
            check_name(name).map_err(|e| e.context(self.place(span.clone())))?;
            let path = format!("connections.{name}");
            let table = self.table(item, &path, span)?;
            file.connections.push(name.to_string());
            self.settings(file, table, &path, Some(name))?;
        }
        Ok(())
    }

    fn sources(&self, file: &mut ConfigFile, item: &Item, span: Span) -> Result<()> {
        for (name, item) in self.table(item, "sources", span)?.iter() {
            let place = item.as_str().ok_or_else(|| {
                let place = self.place(item.span());
                Error::config(format!("{place}: the source `{name}` is no text"))
                    .with_hint(format!("write it as {name} = \"PATH or URL\""))
            })?;
            let line = self.line(&item.span());
            file.sources
                .push((name.to_string(), self.resolve(place), line));
        }
        Ok(())
    }

    fn settings(
        &self,
        file: &mut ConfigFile,
        table: &dyn TableLike,
        path: &str,
        connection: Option<&str>,
    ) -> Result<()> {
        let wanted = match connection {
            Some(_) => CONNECTION,
            None => path,
        };
        let keys = ALL.iter().filter(|key| key.table == wanted);
        for (name, item) in table.iter() {
            let span = item.span();
            let Some(key) = keys.clone().find(|key| key.name == name) else {
                let at = table.key(name).and_then(|key| key.span()).or(span);
                return Err(self.unknown(name, path, keys.map(|key| key.name), at));
            };
            self.setting(file, key, connection, item, span)?;
        }
        Ok(())
    }

    fn setting(
        &self,
        file: &mut ConfigFile,
        key: &Key,
        connection: Option<&str>,
        item: &Item,
        span: Span,
    ) -> Result<()> {
        let what = match key.kind {
            Kind::Secret => What::Secret(self.secret(key, item, span.clone())?),
            kind => {
                let text = match (kind, item) {
                    (Kind::Whole { .. }, item) => item.as_integer().map(|n| n.to_string()),
                    (Kind::Seconds { .. }, item) => item
                        .as_integer()
                        .map(|n| n.to_string())
                        .or_else(|| item.as_float().map(|n| n.to_string())),
                    (Kind::Switch, item) => item.as_bool().map(|b| b.to_string()),
                    (Kind::Path, item) => item.as_str().map(|text| self.resolve(text)),
                    (_, item) => item.as_str().map(|text| text.trim().to_string()),
                };
                let wanted = match kind {
                    Kind::Whole { .. } => "a whole number",
                    Kind::Seconds { .. } => "a number of seconds",
                    Kind::Switch => "true or false",
                    _ => "a text in quotes",
                };
                What::Text(text.ok_or_else(|| {
                    let path = key.path(connection);
                    Error::config(format!(
                        "{}: `{path}` is not {wanted}",
                        self.place(span.clone())
                    ))
                })?)
            }
        };
        // An empty text is no value, as an empty variable is none.
        if !matches!(&what, What::Text(text) if text.is_empty()) {
            let line = self.line(&span);
            file.given
                .insert(key.path(connection), Given { what, line });
        }
        Ok(())
    }

    /// A path of the file as one of the working folder; a URL as it is.
    fn resolve(&self, text: &str) -> String {
        let text = text.trim();
        if text.is_empty() || text.contains("://") {
            return text.to_string();
        }
        let folder = self.path.parent().unwrap_or(Path::new(""));
        folder.join(text).display().to_string()
    }

    /// `"plain"`, or `{ env = … }`, `{ file = … }`, `{ keyring = … }`.
    fn secret(&self, key: &Key, item: &Item, span: Span) -> Result<Place> {
        let whole = *key == settings::CREDENTIALS;
        let wrong = || {
            let forms = match whole {
                true => "{ file = \"…\" } or { keyring = \"…\" }",
                false => "{ env = \"VARIABLE\" }, { file = \"…\" } or { keyring = \"…\" }",
            };
            Error::config(format!(
                "{}: `{}` names no place",
                self.place(span.clone()),
                key.name
            ))
            .with_hint(format!("write it as {} = {forms}", key.name))
        };
        if let Some(text) = item
            .as_str()
            .filter(|text| !whole && !text.trim().is_empty())
        {
            return Ok(Place::Plain(text.trim().to_string().into()));
        }
        let table = item.as_table_like().filter(|table| table.len() == 1);
        let entry = table
            .and_then(|table| table.iter().next())
            .ok_or_else(wrong)?;
        let text = entry
            .1
            .as_str()
            .map(str::trim)
            .filter(|text| !text.is_empty());
        match (entry.0, text) {
            ("env", Some(name)) if !whole => Ok(Place::Variable(name.to_string())),
            ("file", Some(path)) => Ok(Place::File(PathBuf::from(self.resolve(path)))),
            ("keyring", Some(entry)) => Ok(Place::Keyring(entry.to_string())),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ConfigFile> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        secret::write_private(&path, text).unwrap();
        ConfigFile::read(&path)
    }

    #[test]
    fn values_have_their_lines() {
        let file = read(
            "store = \"s3://a/b\"\ntags = \"tags.csv\"\n[import]\nsettle_days = 3\n[http]\nread_timeout_secs = 1.5\n\
             [connections.acme]\ninventory = true\nkey = { env = \"K\" }\nsecret = { file = \"s\" }\n\
             [sources]\naws = \"x.csv, y\"\n",
        )
        .unwrap();
        let text = |key: &Key, connection| {
            let (text, origin) = file.text(key, connection).unwrap();
            let Origin::File { line, .. } = origin else {
                panic!()
            };
            (text.to_string(), line)
        };
        assert_eq!(text(&settings::STORE, None), ("s3://a/b".into(), 1));
        assert_eq!(text(&settings::SETTLE_DAYS, None), ("3".into(), 4));
        assert_eq!(text(&settings::READ_TIMEOUT_SECS, None), ("1.5".into(), 6));
        assert_eq!(text(&settings::INVENTORY, Some("acme")), ("true".into(), 8));
        let (place, _) = file.secret(&settings::KEY, Some("acme")).unwrap();
        assert!(matches!(place, Place::Variable(name) if name == "K"));
        let (place, _) = file.secret(&settings::SECRET, Some("acme")).unwrap();
        let beside = file.path.with_file_name("s");
        assert!(matches!(place, Place::File(path) if *path == beside));
        assert_eq!(file.connections, ["acme"]);
        let source = file.path.with_file_name("x.csv, y").display().to_string();
        assert_eq!(file.sources, [("aws".to_string(), source, 12)]);
        assert_eq!(
            text(&settings::TAGS, None),
            (
                file.path.with_file_name("tags.csv").display().to_string(),
                2
            )
        );
    }

    #[test]
    fn mistakes_are_told_with_line_and_nearest_name() {
        for (text, message, hint) in [
            (
                "\nstor = 1",
                "line 2: there is no setting `stor`",
                "`store`",
            ),
            ("[imports]\n", "no setting `imports`", "`import`"),
            (
                "[import]\nsetle_days = 1",
                "line 2: there is no setting `setle_days` in [import]",
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
                "there are key, secret",
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
            ("store = 3", "line 1: `store` is not a text in quotes", ""),
            ("import = 3", "`import` is no table", "[import]"),
            (
                "[connections.a]\nkey = { var = \"x\" }",
                "`key` names no place",
                "{ env =",
            ),
            (
                "[connections.a]\ncredentials = \"x\"",
                "`credentials` names no place",
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
    fn a_broken_line_is_not_quoted() {
        let error = read("[connections.a]\nsecret = hush hush\n").err().unwrap();
        assert!(!error.to_string().contains("hush"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_plain_secret_must_not_be_readable_by_others() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
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
                .plain()
                .map(str::to_string)
                .collect();
            assert_eq!(plain.len(), usize::from(refused));
        }
    }
}
