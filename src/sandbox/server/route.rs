//! Which part of Confluent's API a request is for.

use crate::sandbox::confluent::costs;
use crate::sandbox::confluent::iam::ORGANIZATIONS;
use crate::sandbox::confluent::inventory::List;
use axum::http::{Method, Uri};

/// A part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// Costs.
    Costs,
    /// Organizations, and what is below `/iam/`.
    Iam {
        /// Whether the request changes something there.
        changes: bool,
    },
    /// A list of resources.
    Inventory(List),
    /// Nothing that is there.
    Elsewhere,
}

impl Area {
    /// The part that a request is for.
    pub fn of(method: &Method, uri: &Uri) -> Area {
        let path = uri.path();
        if path == costs::PATH {
            return Area::Costs;
        }
        if path.starts_with("/iam/") {
            let changes = !matches!(*method, Method::GET | Method::HEAD);
            return Area::Iam { changes };
        }
        if path == ORGANIZATIONS {
            return Area::Iam { changes: false };
        }
        List::of(uri).map_or(Area::Elsewhere, Area::Inventory)
    }
}
