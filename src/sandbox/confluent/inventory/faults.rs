//! Faults of requests to the inventory.

use crate::sandbox::confluent::inventory::List;
use crate::sandbox::confluent::list::envelope;
use crate::sandbox::server::response::{connect_refusal, failed, forbidden, json, not_found};
use crate::sandbox::server::state::Ticket;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::json;

/// A way for such a request to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 500.
    Internal,
    /// A good list with nothing in it.
    Empty,
}

/// The answer of a fault that replaces it.
pub fn replacement(trouble: Trouble, list: List, ticket: &Ticket) -> Response<Body> {
    let text = "something went wrong on purpose";
    match (trouble, list.names()) {
        (Trouble::Empty, Some((version, kind))) => {
            let list = envelope(version, kind, json!({}), Vec::new());
            json(StatusCode::OK, &list)
        }
        (Trouble::Empty, None) => {
            let nothing = match list {
                List::Connectors { expanded: true } => json!({}),
                _ => json!([]),
            };
            json(StatusCode::OK, &nothing)
        }
        (Trouble::Forbidden, Some(_)) => forbidden(ticket, text),
        (Trouble::NotFound, Some(_)) => not_found(ticket),
        (Trouble::Internal, Some(_)) => failed(ticket, text),
        (Trouble::Forbidden, None) => connect_refusal(StatusCode::FORBIDDEN, text),
        (Trouble::NotFound, None) => connect_refusal(StatusCode::NOT_FOUND, text),
        (Trouble::Internal, None) => connect_refusal(StatusCode::INTERNAL_SERVER_ERROR, text),
    }
}
