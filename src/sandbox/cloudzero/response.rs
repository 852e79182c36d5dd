//! Replies of CloudZero's API: JSON, and the two error formats of its specification.

use crate::sandbox::faults::injection::ResetMarker;
use crate::sandbox::server::response;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};

/// Response that can be stored and sent again.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    body: Bytes,
    retry_after_secs: Option<u64>,
    is_reset: bool,
}

impl Reply {
    /// 200 with a JSON value.
    pub(crate) fn ok(value: &Value) -> Reply {
        Reply::json_text(StatusCode::OK, value.to_string())
    }

    /// Reply with JSON text.
    pub(crate) fn json_text(status: StatusCode, body: impl Into<Bytes>) -> Reply {
        Reply {
            status,
            body: body.into(),
            retry_after_secs: None,
            is_reset: false,
        }
    }

    /// Error in the format `{"message"}`.
    pub(crate) fn message(status: StatusCode, message: &str) -> Reply {
        Reply::json_text(status, json!({ "message": message }).to_string())
    }

    /// Error in the format `{"error": {"message", "type"}}`.
    pub(crate) fn error(status: StatusCode, message: impl AsRef<str>) -> Reply {
        let error_type = match status {
            StatusCode::NOT_FOUND => "NotFoundError",
            StatusCode::CONFLICT => "ConflictError",
            StatusCode::GONE => "ExpiredCacheError",
            StatusCode::TOO_MANY_REQUESTS => "RateLimitError",
            _ => "BadRequestError",
        };
        let error = json!({ "error": { "message": message.as_ref(), "type": error_type } });
        Reply::json_text(status, error.to_string())
    }

    pub(crate) fn bad_request(message: impl AsRef<str>) -> Reply {
        Reply::error(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn not_found(message: impl AsRef<str>) -> Reply {
        Reply::error(StatusCode::NOT_FOUND, message)
    }

    /// Adds a Retry-After header.
    pub(crate) fn with_retry_after(self, seconds: u64) -> Reply {
        Reply {
            retry_after_secs: Some(seconds),
            ..self
        }
    }

    /// Resets the connection instead of sending the reply.
    pub(crate) fn with_reset(self) -> Reply {
        Reply {
            is_reset: true,
            ..self
        }
    }

    /// Sends the reply even if it was lost before.
    pub(crate) fn without_reset(self) -> Reply {
        Reply {
            is_reset: false,
            ..self
        }
    }

    pub(crate) fn is_reset(&self) -> bool {
        self.is_reset
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = response::with_body(self.status, "application/json", self.body);
        if let Some(seconds) = self.retry_after_secs {
            response::set_header(&mut response, "retry-after", seconds);
        }
        if self.is_reset {
            response.extensions_mut().insert(ResetMarker);
        }
        response
    }
}
