//! Environment variables, as they were when the process began.

use std::collections::HashMap;

/// Variables by name. They are looked up here alone, so that the demo can leave them out and tests need
/// no process-wide state. There is no Debug: some of them are secrets.
#[derive(Clone, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// The process's own. Variables that are no text are left out.
    pub fn process() -> Environment {
        let all = std::env::vars_os();
        let texts = all.filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Environment(texts.collect())
    }

    /// A set value; an empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
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
