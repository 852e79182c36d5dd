//! Faults of requests to the inventory.

use crate::sandbox::confluent::inventory::ResourceList;
use crate::sandbox::confluent::paged_list::envelope;
use crate::sandbox::server::response::{connect_error, forbidden, internal_error, json, not_found};
use crate::sandbox::server::state::RequestId;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::json;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InventoryFault {
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 500.
    Internal,
    /// Valid list without items.
    Empty,
}

/// Response of a fault that replaces the real one.
pub(crate) fn inventory_fault_response(
    fault: InventoryFault,
    list: ResourceList,
    request_id: &RequestId,
) -> Response<Body> {
    let text = "something went wrong on purpose";
    match (fault, list.version_and_kind()) {
        (InventoryFault::Empty, Some((version, kind))) => {
            let list = envelope(version, kind, json!({}), Vec::new());
            json(StatusCode::OK, &list)
        }
        (InventoryFault::Empty, None) => {
            let empty = match list {
                ResourceList::Connectors { is_expanded: true } => json!({}),
                _ => json!([]),
            };
            json(StatusCode::OK, &empty)
        }
        (InventoryFault::Forbidden, Some(_)) => forbidden(request_id, text),
        (InventoryFault::NotFound, Some(_)) => not_found(request_id),
        (InventoryFault::Internal, Some(_)) => internal_error(request_id, text),
        (InventoryFault::Forbidden, None) => connect_error(StatusCode::FORBIDDEN, text),
        (InventoryFault::NotFound, None) => connect_error(StatusCode::NOT_FOUND, text),
        (InventoryFault::Internal, None) => connect_error(StatusCode::INTERNAL_SERVER_ERROR, text),
    }
}
