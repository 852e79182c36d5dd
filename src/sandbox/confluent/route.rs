//! Classification of requests by the part of Confluent's API that they address.

use crate::sandbox::confluent::costs;
use crate::sandbox::confluent::iam::ORGANIZATIONS;
use crate::sandbox::confluent::inventory::ResourceList;
use axum::http::{Method, Uri};

/// Part of Confluent's API. Faults and request counts depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConfluentRoute {
    Costs,
    /// Organizations, and all paths below `/iam/`.
    Iam {
        is_change: bool,
    },
    Inventory(ResourceList),
    Unknown,
}

impl ConfluentRoute {
    pub(crate) fn of(method: &Method, uri: &Uri) -> ConfluentRoute {
        let path = uri.path();
        if path == costs::PATH {
            return ConfluentRoute::Costs;
        }
        if path.starts_with("/iam/") {
            let is_change = !matches!(*method, Method::GET | Method::HEAD);
            return ConfluentRoute::Iam { is_change };
        }
        if path == ORGANIZATIONS {
            return ConfluentRoute::Iam { is_change: false };
        }
        ResourceList::of(uri).map_or(ConfluentRoute::Unknown, ConfluentRoute::Inventory)
    }
}
