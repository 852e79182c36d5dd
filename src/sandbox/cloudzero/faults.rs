//! Faults of CloudZero's API: the requests they apply to, and their responses.

use crate::sandbox::cloudzero::response::Reply;
use crate::sandbox::cloudzero::route::CloudZeroRoute;
use crate::sandbox::faults::{Fault, FaultKind};
use axum::http::StatusCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloudZeroFault {
    /// 429 with Retry-After.
    Limited,
    /// 500, stored under the idempotency key.
    Internal,
    /// 503 with Retry-After.
    Unavailable,
    /// 400, stored under the idempotency key.
    BadRequest,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 413. Waits for a drop, like all below except the last two.
    TooLarge,
    /// 409.
    Conflict,
    /// The drop is applied, or the billing connection created, and the response stored; then the network connection is
    /// reset. Waits for a drop or a new billing connection.
    LostReply,
    /// The drop becomes visible at the third read of its month, or with the next drop.
    Delayed,
    /// One row of the drop is stored with another cost.
    Corrupt,
    /// Validation of a drop fails. Waits for a validation.
    Invalid,
    /// The connection is reset before the request has any effect.
    Reset,
}

/// Returns whether a fault replaces the response to a request for `route`.
pub(crate) fn replaces_response(kind: FaultKind, route: &CloudZeroRoute) -> bool {
    use CloudZeroFault::*;
    match kind {
        FaultKind::CloudZero(TooLarge | Conflict) => matches!(route, CloudZeroRoute::AddDrop(_)),
        FaultKind::CloudZero(
            Limited | Internal | Unavailable | BadRequest | Forbidden | NotFound | Reset,
        ) => true,
        _ => false,
    }
}

/// Returns whether the response of a fault is stored under the idempotency key.
pub(crate) fn is_stored(kind: FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::CloudZero(CloudZeroFault::Internal | CloudZeroFault::BadRequest)
    )
}

/// Response of a fault that replaces the real one.
pub(crate) fn fault_reply(fault: &Fault) -> Reply {
    let text = "something went wrong on purpose";
    let message = |status| Reply::message(status, text);
    match fault.kind() {
        FaultKind::CloudZero(CloudZeroFault::Limited) => {
            message(StatusCode::TOO_MANY_REQUESTS).with_retry_after(fault.retry_after_secs())
        }
        FaultKind::CloudZero(CloudZeroFault::Unavailable) => {
            message(StatusCode::SERVICE_UNAVAILABLE).with_retry_after(fault.retry_after_secs())
        }
        FaultKind::CloudZero(CloudZeroFault::BadRequest) => Reply::bad_request(text),
        FaultKind::CloudZero(CloudZeroFault::Forbidden) => message(StatusCode::FORBIDDEN),
        FaultKind::CloudZero(CloudZeroFault::NotFound) => Reply::not_found(text),
        FaultKind::CloudZero(CloudZeroFault::TooLarge) => message(StatusCode::PAYLOAD_TOO_LARGE),
        FaultKind::CloudZero(CloudZeroFault::Conflict) => Reply::error(StatusCode::CONFLICT, text),
        FaultKind::CloudZero(CloudZeroFault::Reset) => message(StatusCode::OK).with_reset(),
        _ => message(StatusCode::INTERNAL_SERVER_ERROR),
    }
}
