//! Answers in the two error shapes of CloudZero's specification, and as they are stored.

use crate::sandbox::faults::injection::ResetConnection;
use crate::sandbox::server::response;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};

/// An answer that can be sent again.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    body: Bytes,
    retry_after: Option<u64>,
    reset: bool,
}

impl Reply {
    /// 200 with JSON.
    pub fn ok(value: &Value) -> Reply {
        Reply::text(StatusCode::OK, value.to_string())
    }

    /// JSON text.
    pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Reply {
        Reply {
            status,
            body: body.into(),
            retry_after: None,
            reset: false,
        }
    }

    /// An error of the shape `{"message"}`.
    pub fn message(status: StatusCode, message: &str) -> Reply {
        Reply::text(status, json!({ "message": message }).to_string())
    }

    /// An error of the shape `{"error": {"message", "type"}}`.
    pub fn error(status: StatusCode, message: impl AsRef<str>) -> Reply {
        let kind = match status {
            StatusCode::NOT_FOUND => "NotFoundError",
            StatusCode::CONFLICT => "ConflictError",
            StatusCode::GONE => "ExpiredCacheError",
            StatusCode::TOO_MANY_REQUESTS => "RateLimitError",
            _ => "BadRequestError",
        };
        let error = json!({ "error": { "message": message.as_ref(), "type": kind } });
        Reply::text(status, error.to_string())
    }

    /// 400.
    pub fn bad(message: impl AsRef<str>) -> Reply {
        Reply::error(StatusCode::BAD_REQUEST, message)
    }

    /// 404.
    pub fn missing(message: impl AsRef<str>) -> Reply {
        Reply::error(StatusCode::NOT_FOUND, message)
    }

    /// The same with Retry-After.
    pub fn after(self, seconds: u64) -> Reply {
        Reply {
            retry_after: Some(seconds),
            ..self
        }
    }

    /// The same, but the connection is reset in place of sending it.
    pub fn unsent(self) -> Reply {
        Reply {
            reset: true,
            ..self
        }
    }

    /// The same, to be sent in any case.
    pub fn sent(self) -> Reply {
        Reply {
            reset: false,
            ..self
        }
    }

    /// Whether it is sent.
    pub fn is_sent(&self) -> bool {
        !self.reset
    }

    /// The answer to send.
    pub fn response(self) -> Response<Body> {
        let mut response = response::answer(self.status, "application/json", self.body);
        if let Some(seconds) = self.retry_after {
            response::set(&mut response, "retry-after", seconds);
        }
        if self.reset {
            response.extensions_mut().insert(ResetConnection);
        }
        response
    }
}
