//! Routes of CloudZero's API.

use axum::http::Method;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CloudZeroRoute {
    /// Lists connections.
    Connections,
    AddConnection,
    /// Returns the connection with an id.
    Connection(String),
    UpdateConnection(String),
    /// Lists the drops of a stream.
    Drops(String),
    /// Adds a drop to a stream.
    AddDrop(String),
    /// Returns the rows of a stream and month.
    Drop(String, String),
    /// Validates a drop without applying it.
    ValidateDrop,
    /// Queries costs.
    Costs,
    Unknown,
}

impl CloudZeroRoute {
    pub(crate) fn of(method: &Method, path: &str) -> CloudZeroRoute {
        let parts: Vec<String> = path.split('/').skip(2).map(percent_decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match (method.as_str(), &parts[..]) {
            ("GET", ["billing", "costs"]) => CloudZeroRoute::Costs,
            ("GET", ["connections", "billing"]) => CloudZeroRoute::Connections,
            ("POST", ["connections", "billing"]) => CloudZeroRoute::AddConnection,
            ("GET", ["connections", "billing", id]) => CloudZeroRoute::Connection((*id).to_owned()),
            ("PATCH", ["connections", "billing", id]) => {
                CloudZeroRoute::UpdateConnection((*id).to_owned())
            }
            (_, ["connections", "billing", "anycost", rest @ ..]) => {
                CloudZeroRoute::of_stream(method, rest)
            }
            _ => CloudZeroRoute::Unknown,
        }
    }

    fn of_stream(method: &Method, parts: &[&str]) -> CloudZeroRoute {
        match (method.as_str(), parts) {
            ("POST", ["validate_billing_drop"]) => CloudZeroRoute::ValidateDrop,
            ("GET", [id, "billing_drops"]) => CloudZeroRoute::Drops((*id).to_owned()),
            ("POST", [id, "billing_drops"]) => CloudZeroRoute::AddDrop((*id).to_owned()),
            ("GET", [id, "billing_drops", month]) => {
                CloudZeroRoute::Drop((*id).to_owned(), (*month).to_owned())
            }
            _ => CloudZeroRoute::Unknown,
        }
    }

    /// Returns whether the operation changes something.
    pub(crate) fn makes_change(&self) -> bool {
        use CloudZeroRoute::*;
        matches!(self, AddConnection | UpdateConnection(_) | AddDrop(_))
    }

    /// Returns whether the API key needs the scope for connections.
    pub(crate) fn needs_connection_scope(&self) -> bool {
        use CloudZeroRoute::*;
        matches!(self, Connections | AddConnection | Connection(_))
    }
}

/// Decodes the percent escapes of a path segment. In a path `+` and `&` have no special meaning.
fn percent_decoded(segment: &str) -> String {
    let query = format!(
        "segment={}",
        segment.replace('+', "%2B").replace('&', "%26")
    );
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
