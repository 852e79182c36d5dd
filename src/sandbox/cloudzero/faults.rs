//! Faults of CloudZero's API: which requests they wait for, and what is answered then.

use crate::sandbox::cloudzero::response::Reply;
use crate::sandbox::cloudzero::service::Route;
use crate::sandbox::faults::{Fault, Kind};
use axum::http::StatusCode;

/// A way for CloudZero's API to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// 429 with Retry-After.
    Limited,
    /// 500, which an idempotency key keeps.
    Internal,
    /// 503 with Retry-After.
    Unavailable,
    /// 400, which an idempotency key keeps.
    Refused,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 413. Waits for a drop, as all below but the last two do.
    TooLarge,
    /// 409.
    Conflict,
    /// The drop is applied and its answer stored, then the connection is reset.
    LostReply,
    /// The drop shows at the third look at its month, or with the next drop.
    Late,
    /// One row of the drop is kept with another cost.
    Corrupt,
    /// A drop to validate is found wrong. Waits for one.
    Invalid,
    /// The connection is reset before anything happens.
    Reset,
}

/// Whether a fault answers requests to `route` in place of the service.
pub fn replaces(kind: Kind, route: &Route) -> bool {
    use Trouble::*;
    match kind {
        Kind::CloudZero(TooLarge | Conflict) => matches!(route, Route::AddDrop(_)),
        Kind::CloudZero(
            Limited | Internal | Unavailable | Refused | Forbidden | NotFound | Reset,
        ) => true,
        _ => false,
    }
}

/// Whether an idempotency key keeps the answer of a fault that replaces it.
pub fn is_stored(kind: Kind) -> bool {
    matches!(kind, Kind::CloudZero(Trouble::Internal | Trouble::Refused))
}

/// The answer of a fault that replaces it.
pub fn replacement(fault: &Fault) -> Reply {
    let text = "something went wrong on purpose";
    let message = |status| Reply::message(status, text);
    match fault.kind() {
        Kind::CloudZero(Trouble::Limited) => {
            message(StatusCode::TOO_MANY_REQUESTS).after(fault.retry_after())
        }
        Kind::CloudZero(Trouble::Unavailable) => {
            message(StatusCode::SERVICE_UNAVAILABLE).after(fault.retry_after())
        }
        Kind::CloudZero(Trouble::Refused) => Reply::bad(text),
        Kind::CloudZero(Trouble::Forbidden) => message(StatusCode::FORBIDDEN),
        Kind::CloudZero(Trouble::NotFound) => Reply::missing(text),
        Kind::CloudZero(Trouble::TooLarge) => message(StatusCode::PAYLOAD_TOO_LARGE),
        Kind::CloudZero(Trouble::Conflict) => Reply::error(StatusCode::CONFLICT, text),
        Kind::CloudZero(Trouble::Reset) => message(StatusCode::OK).unsent(),
        _ => message(StatusCode::INTERNAL_SERVER_ERROR),
    }
}
