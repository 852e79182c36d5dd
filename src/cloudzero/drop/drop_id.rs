//! Identifier of a drop.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Name of a drop's folder, such as `20261105T061530Z`. CloudZero's manifests may name any folder, so it is
/// opaque.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct DropId(String);

impl DropId {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for DropId {
    fn from(id: String) -> DropId {
        DropId(id)
    }
}

impl From<&str> for DropId {
    fn from(id: &str) -> DropId {
        DropId(id.to_string())
    }
}

impl fmt::Display for DropId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
