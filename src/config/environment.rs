//! Snapshot of the environment variables at process start.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::PathBuf;

use crate::error::{Error, Result};

/// Beginnings of the names of variables that are settings.
const OWN_PREFIXES: [&str; 3] = ["BILLSTREAM_", "CONFLUENT_CLOUD_", "CLOUDZERO_"];
/// Beginnings of the names of variables that the object stores read.
const STORE_PREFIXES: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];
/// Variables with paths, which need not be UTF-8.
const PATHS: [&str; 2] = ["HOME", "XDG_CONFIG_HOME"];

/// Environment variables by name.
///
/// All lookups go through this type, so that the demo can hide variables and tests need no process-wide
/// state. It has no `Debug`, because some values are secrets.
#[derive(Clone, Default)]
pub(crate) struct Environment {
    variables: HashMap<String, String>,
    paths: HashMap<&'static str, OsString>,
    /// Variables whose values are not UTF-8.
    unreadable: BTreeSet<String>,
}

impl Environment {
    /// Variables of this process.
    ///
    /// # Errors
    /// Kind configuration, naming the variable: a setting, or a variable of an object store, that is not UTF-8. Without
    /// it, a default would apply silently.
    pub(crate) fn process() -> Result<Environment> {
        let environment = Environment::of(std::env::vars_os());
        let prefixes = || OWN_PREFIXES.iter().chain(&STORE_PREFIXES);
        let is_read = |name: &&String| prefixes().any(|prefix| name.starts_with(prefix));
        match environment.unreadable.iter().find(is_read) {
            Some(name) => Err(not_utf8(name)),
            None => Ok(environment),
        }
    }

    fn of(variables: impl Iterator<Item = (OsString, OsString)>) -> Environment {
        let mut environment = Environment::default();
        for (name, value) in variables {
            let Ok(name) = name.into_string() else {
                continue;
            };
            if let Some(path) = PATHS.into_iter().find(|path| *path == name) {
                environment.paths.insert(path, value.clone());
            }
            match value.into_string() {
                Ok(value) => {
                    environment.variables.insert(name, value);
                }
                Err(_) => {
                    environment.unreadable.insert(name);
                }
            }
        }
        environment
    }

    /// Trimmed value of a variable; an empty one counts as unset.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// As [`Environment::get`], for a variable that somebody chose.
    ///
    /// # Errors
    /// Kind configuration, if the value is not UTF-8.
    pub(crate) fn get_utf8(&self, name: &str) -> Result<Option<&str>> {
        match self.unreadable.contains(name) {
            true => Err(not_utf8(name)),
            false => Ok(self.get(name)),
        }
    }

    /// Value of `HOME` or `XDG_CONFIG_HOME`; an empty one counts as unset.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        let path = self.paths.get(name).filter(|path| !path.is_empty());
        path.map(PathBuf::from)
            .or_else(|| self.get(name).map(PathBuf::from))
    }
}

fn not_utf8(name: &str) -> Error {
    Error::config(format!(
        "the value of the environment variable {name} is not UTF-8"
    ))
    .with_hint("set it again, as UTF-8 text, or unset it")
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Environment {
        let pairs = pairs.into_iter();
        Environment {
            variables: pairs.map(|(n, v)| (n.into(), v.into())).collect(),
            ..Environment::default()
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn values_that_are_not_utf8_are_errors_except_in_paths() {
        let latin = || OsString::from_vec(b"/home/j\xf6rg".to_vec());
        let variables = [
            ("MY_KEY", latin()),
            ("HOME", latin()),
            ("OTHER", "x".into()),
        ];
        let environment = Environment::of(
            variables
                .into_iter()
                .map(|(name, value)| (OsString::from(name), value)),
        );
        let error = environment.get_utf8("MY_KEY").unwrap_err();
        assert!(error.to_string().contains("MY_KEY is not UTF-8"), "{error}");
        assert_eq!(environment.get_utf8("OTHER").unwrap(), Some("x"));
        assert_eq!(environment.get_utf8("UNSET").unwrap(), None);
        assert_eq!(environment.path("HOME"), Some(PathBuf::from(latin())));
    }
}
