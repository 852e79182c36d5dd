//! Names of connections and runs: distinct types, so that one is never passed for the other.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl PartialEq<$name> for String {
            fn eq(&self, name: &$name) -> bool {
                *self == name.0
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                $name(name)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                $name(name.to_string())
            }
        }
    )*};
}

names! {
    /// Name of a connection, which is also its partition value in every table.
    ConnectionName;
    /// Identifier of a run: its start and a suffix that makes it unique.
    RunId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serializes_as_plain_text() {
        let id = RunId::from("20261123T060000Z-0a1b");
        assert_eq!(
            serde_json::to_string(&id).unwrap(),
            "\"20261123T060000Z-0a1b\""
        );
        assert_eq!(format!("{id:>24}").len(), 24);
    }
}
