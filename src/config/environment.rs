//! Snapshot of the environment variables at process start.

use std::collections::HashMap;

/// Environment variables by name.
///
/// All lookups go through this type, so that the demo can hide variables and tests need no process-wide
/// state. It has no `Debug`, because some values are secrets.
#[derive(Clone, Default)]
pub(crate) struct Environment(HashMap<String, String>);

impl Environment {
    /// Variables of this process; those that are not UTF-8 are left out.
    pub(crate) fn process() -> Environment {
        let variables = std::env::vars_os();
        let utf8 = variables.filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Environment(utf8.collect())
    }

    /// Trimmed value of a variable; an empty one counts as unset.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Environment {
        let pairs = pairs.into_iter();
        Environment(pairs.map(|(n, v)| (n.into(), v.into())).collect())
    }
}
