//! Faults of requests that change something below `/iam/`.

use crate::sandbox::server::response::{failed, forbidden, refusal};
use crate::sandbox::server::state::Ticket;
use axum::body::Body;
use axum::http::{Response, StatusCode};

/// A way for such a request to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// 402: the quota of the organization is used up.
    Quota,
    /// 403.
    Forbidden,
    /// 409.
    Conflict,
    /// 500.
    Internal,
    /// What was asked is done, then the connection is reset. All others do nothing. Waits for a
    /// request that would succeed.
    LostReply,
}

/// The answer of a fault that replaces it.
pub fn replacement(trouble: Trouble, ticket: &Ticket) -> Response<Body> {
    let refused = |status, code, detail| refusal(ticket, status, code, detail, None);
    match trouble {
        Trouble::Quota => refused(
            StatusCode::PAYMENT_REQUIRED,
            "quota_exceeded",
            "the organization has as many of these as its quota allows",
        ),
        Trouble::Forbidden => forbidden(ticket, "access cannot be managed, on purpose"),
        Trouble::Conflict => refused(
            StatusCode::CONFLICT,
            "resource_already_exists",
            "there is one already, on purpose",
        ),
        Trouble::Internal | Trouble::LostReply => failed(ticket, "something went wrong on purpose"),
    }
}
