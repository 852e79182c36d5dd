//! Parser of the configuration file; errors name the line and, for unknown names, the nearest setting.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, TableLike};

use crate::config::check_name;
use crate::config::file::{ConfigFile, Entry, EntryValue, SourceEntry, home_path};
use crate::config::secret::SecretRef;
use crate::config::settings::{self, ALL, CONNECTION, Setting, ValueType};
use crate::error::{Error, Result};
use crate::suggest::nearest;

/// Parses the text of the file at `path`.
pub(super) fn parse(path: &Path, text: &str) -> Result<ConfigFile> {
    let parser = Parser { path, text };
    let document = Document::parse(text).map_err(|e| {
        // The error's Display would quote the line, which may hold a secret.
        let position = parser.position(e.span());
        Error::config(format!("{position}: {}", e.message().replace('\n', ", ")))
    })?;
    let mut file = ConfigFile {
        path: path.to_path_buf(),
        connections: Vec::new(),
        sources: Vec::new(),
        entries: BTreeMap::new(),
    };
    for (name, item) in document.iter() {
        let key_span = document.key(name).and_then(|key| key.span());
        let span = item.span().or_else(|| key_span.clone());
        match name {
            "connections" => parser.connections(&mut file, item, span)?,
            "sources" => parser.sources(&mut file, item, span)?,
            _ if ALL.iter().any(|setting| setting.table == name) => {
                let table = parser.table(item, name, span)?;
                parser.settings(&mut file, table, name, None)?;
            }
            _ => {
                let top_level = ALL
                    .iter()
                    .find(|setting| setting.table.is_empty() && setting.name == name);
                let Some(setting) = top_level else {
                    return Err(parser.unknown_top_level(name, key_span.or(span)));
                };
                parser.setting(&mut file, setting, None, item, span)?;
            }
        }
    }
    Ok(file)
}

struct Parser<'t> {
    path: &'t Path,
    text: &'t str,
}

type Span = Option<Range<usize>>;

impl Parser<'_> {
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

    fn position(&self, span: Span) -> String {
        format!("{}, line {}", self.path.display(), self.line(&span))
    }

    fn unknown_top_level(&self, name: &str, span: Span) -> Error {
        let names = ALL.iter().filter(|setting| setting.table != CONNECTION);
        let names = names.map(|setting| match setting.table {
            "" => setting.name,
            table => table,
        });
        self.unknown(name, "", names.chain(["connections", "sources"]), span)
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
        let position = self.position(span);
        let error = Error::config(format!("{position}: unknown setting `{name}`{inside}"));
        match nearest(name, names.clone()) {
            Some(nearest) => error.with_hint(format!("did you mean `{nearest}`?")),
            None => {
                let mut names: Vec<&str> = names.collect();
                names.dedup();
                error.with_hint(format!("expected one of: {}", names.join(", ")))
            }
        }
    }

    fn table<'i>(&self, item: &'i Item, name: &str, span: Span) -> Result<&'i dyn TableLike> {
        item.as_table_like().ok_or_else(|| {
            Error::config(format!("{}: `{name}` is not a table", self.position(span)))
                .with_hint(format!("write [{name}] and its settings below"))
        })
    }

    fn connections(&self, file: &mut ConfigFile, item: &Item, span: Span) -> Result<()> {
        for (name, item) in self.table(item, "connections", span)?.iter() {
            let span = item.span();
            check_name(name).map_err(|e| e.context(self.position(span.clone())))?;
            let path = format!("connections.{name}");
            let table = self.table(item, &path, span)?;
            file.connections.push(name.to_string());
            self.settings(file, table, &path, Some(name))?;
        }
        Ok(())
    }

    fn sources(&self, file: &mut ConfigFile, item: &Item, span: Span) -> Result<()> {
        for (name, item) in self.table(item, "sources", span)?.iter() {
            let location = item.as_str().ok_or_else(|| {
                let position = self.position(item.span());
                Error::config(format!(
                    "{position}: source `{name}` is not a quoted string"
                ))
                .with_hint(format!("write {name} = \"PATH or URL\""))
            })?;
            file.sources.push(SourceEntry {
                name: name.to_string(),
                location: self.resolve(location),
                line: self.line(&item.span()),
            });
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
        let registry_table = match connection {
            Some(_) => CONNECTION,
            None => path,
        };
        let settings = ALL.iter().filter(|setting| setting.table == registry_table);
        for (name, item) in table.iter() {
            let span = item.span();
            let Some(setting) = settings.clone().find(|setting| setting.name == name) else {
                let span = table.key(name).and_then(|key| key.span()).or(span);
                return Err(self.unknown(name, path, settings.map(|s| s.name), span));
            };
            self.setting(file, setting, connection, item, span)?;
        }
        Ok(())
    }

    fn setting(
        &self,
        file: &mut ConfigFile,
        setting: &Setting,
        connection: Option<&str>,
        item: &Item,
        span: Span,
    ) -> Result<()> {
        let value = if setting.value_type == ValueType::Secret {
            EntryValue::Secret(self.secret(setting, item, span.clone())?)
        } else {
            let text = self.text(setting.value_type, item).ok_or_else(|| {
                let (position, path) = (self.position(span.clone()), setting.path(connection));
                let expected = expected(setting.value_type);
                Error::config(format!("{position}: `{path}` is not {expected}"))
            })?;
            // As for variables, an empty value counts as unset.
            if text.is_empty() {
                return Ok(());
            }
            EntryValue::Text(text)
        };
        let line = self.line(&span);
        file.entries
            .insert(setting.path(connection), Entry { value, line });
        Ok(())
    }

    /// Text of an item, or `None` if it has the wrong type.
    fn text(&self, value_type: ValueType, item: &Item) -> Option<String> {
        match value_type {
            ValueType::Integer { .. } => item.as_integer().map(|n| n.to_string()),
            ValueType::Seconds { .. } => item
                .as_integer()
                .map(|n| n.to_string())
                .or_else(|| item.as_float().map(|n| n.to_string())),
            ValueType::Boolean => item.as_bool().map(|b| b.to_string()),
            ValueType::Path => item.as_str().map(|text| self.resolve(text)),
            ValueType::Text | ValueType::OneOf(_) | ValueType::Secret => {
                item.as_str().map(|text| text.trim().to_string())
            }
        }
    }

    /// Makes a relative path start at the file's folder, and one that begins with `~/` at the home folder; leaves
    /// URLs as they are.
    fn resolve(&self, text: &str) -> String {
        let text = text.trim();
        if text.is_empty() || text.contains("://") {
            return text.to_string();
        }
        if text.starts_with('~') {
            return home_path(text).display().to_string();
        }
        let folder = self.path.parent().unwrap_or(Path::new(""));
        folder.join(text).display().to_string()
    }

    /// Parses `"plain"`, `{ env = … }`, `{ file = … }` or `{ keyring = … }`.
    fn secret(&self, setting: &Setting, item: &Item, span: Span) -> Result<SecretRef> {
        // Credentials hold key and secret together, which one variable or string cannot.
        let is_pair = *setting == settings::CREDENTIALS;
        let invalid = || {
            let forms = if is_pair {
                "{ file = \"…\" } or { keyring = \"…\" }"
            } else {
                "{ env = \"VARIABLE\" }, { file = \"…\" } or { keyring = \"…\" }"
            };
            let (position, name) = (self.position(span.clone()), setting.name);
            Error::config(format!("{position}: `{name}` is not a secret reference"))
                .with_hint(format!("write {name} = {forms}"))
        };
        let plain = item.as_str().map(str::trim);
        if let Some(text) = plain.filter(|text| !is_pair && !text.is_empty()) {
            return Ok(SecretRef::Plain(text.to_string().into()));
        }
        let table = item.as_table_like().filter(|table| table.len() == 1);
        let (kind, item) = table
            .and_then(|table| table.iter().next())
            .ok_or_else(invalid)?;
        let text = item.as_str().map(str::trim).filter(|text| !text.is_empty());
        match (kind, text) {
            ("env", Some(name)) if !is_pair => SecretRef::variable(name).ok_or_else(|| {
                // The text may be the secret itself.
                let (position, setting) = (self.position(span.clone()), setting.name);
                Error::config(format!(
                    "{position}: the `env` of `{setting}` is not the name of an environment variable"
                ))
                .with_hint(format!(
                    "write {setting} = {{ env = \"VARIABLE\" }}, and put the {setting} into that variable"
                ))
            }),
            ("file", Some(path)) => Ok(SecretRef::File(PathBuf::from(self.resolve(path)))),
            ("keyring", Some(entry)) => Ok(SecretRef::Keyring(entry.to_string())),
            _ => Err(invalid()),
        }
    }
}

/// Expected type with its article, for "is not …".
fn expected(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Integer { .. } => "a whole number",
        ValueType::Seconds { .. } => "a number of seconds",
        ValueType::Boolean => "true or false",
        ValueType::Text | ValueType::Path | ValueType::OneOf(_) | ValueType::Secret => {
            "a quoted string"
        }
    }
}
