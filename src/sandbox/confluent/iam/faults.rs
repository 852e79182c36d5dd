//! Faults of requests that change something below `/iam/`.

use crate::sandbox::server::response::{api_error, forbidden, internal_error};
use crate::sandbox::server::state::RequestId;
use axum::body::Body;
use axum::http::{Response, StatusCode};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IamFault {
    /// 402: the quota of the organization is exhausted.
    Quota,
    /// 403.
    Forbidden,
    /// 409.
    Conflict,
    /// 500.
    Internal,
    /// The change is made, then the connection is reset; the other faults change nothing. Waits for a
    /// request that would succeed.
    LostReply,
}

/// Response of a fault that replaces the real one.
pub(crate) fn iam_fault_response(fault: IamFault, request_id: &RequestId) -> Response<Body> {
    let error = |status, code, detail| api_error(request_id, status, code, detail, None);
    match fault {
        IamFault::Quota => error(
            StatusCode::PAYMENT_REQUIRED,
            "quota_exceeded",
            "the organization has reached its quota, on purpose",
        ),
        IamFault::Forbidden => forbidden(request_id, "access cannot be managed, on purpose"),
        IamFault::Conflict => error(
            StatusCode::CONFLICT,
            "resource_already_exists",
            "this object already exists, on purpose",
        ),
        IamFault::Internal | IamFault::LostReply => {
            internal_error(request_id, "something went wrong on purpose")
        }
    }
}
