//! Failures of attempts and of whole requests.

use std::time::Duration;

use reqwest::StatusCode;

use crate::error::{Error, ErrorKind};
use crate::http::retry::StopReason;
use crate::http::sanitize::request_id_suffix;
use crate::http::transport::TransportError;

/// Failed request. Callers handle conditions by its methods; `?` turns it into its [`Error`].
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct RequestError {
    error: Error,
    status: Option<StatusCode>,
    detail: Option<String>,
    maybe_inactive_key: bool,
    outcome_unknown: bool,
    is_html_response: bool,
}

impl RequestError {
    /// An error caused by a response with `status`.
    pub(crate) fn response(error: Error, status: StatusCode) -> RequestError {
        RequestError {
            status: Some(status),
            ..RequestError::internal(error)
        }
    }

    /// An error without a response behind it.
    pub(crate) fn internal(error: Error) -> RequestError {
        RequestError {
            error,
            status: None,
            detail: None,
            maybe_inactive_key: false,
            outcome_unknown: false,
            is_html_response: false,
        }
    }

    /// The error after the last attempt.
    pub(crate) fn exhausted(
        operation: &str,
        attempts: u32,
        elapsed: Duration,
        reason: StopReason,
        last: &TransientError,
    ) -> RequestError {
        let noun = if attempts == 1 { "attempt" } else { "attempts" };
        let error = Error::remote(format!(
            "{operation}: gave up after {attempts} {noun} in {} s ({reason}); last: {}",
            elapsed.as_secs(),
            last.with_request_id()
        ))
        .with_hint(
            "what is published in the store is untouched; run the same command again later, or allow \
             more time for retries with BILLSTREAM_RETRY_ELAPSED_SECS",
        );
        RequestError::transient(error, last)
    }

    /// The error of a request that the server may or may not have applied.
    pub(crate) fn ambiguous(operation: &str, failure: &TransientError) -> RequestError {
        let error = Error::remote(format!("{operation}: {}", failure.with_request_id()));
        RequestError {
            outcome_unknown: true,
            ..RequestError::transient(error, failure)
        }
    }

    fn transient(error: Error, failure: &TransientError) -> RequestError {
        RequestError {
            status: failure.status(),
            is_html_response: failure.is_html_response(),
            ..RequestError::internal(error)
        }
    }

    /// Adds the sanitized message of the response.
    pub(crate) fn with_detail(mut self, detail: Option<String>) -> RequestError {
        self.detail = detail;
        self
    }

    /// Marks the refusal of an unknown key: one created moments ago may still become active.
    pub(crate) fn with_maybe_inactive_key(mut self, maybe_inactive_key: bool) -> RequestError {
        self.maybe_inactive_key = maybe_inactive_key;
        self
    }

    /// Prefixes the message with what was being done.
    pub(crate) fn context(mut self, context: impl std::fmt::Display) -> RequestError {
        self.error = self.error.context(context);
        self
    }

    /// The error to show.
    pub(crate) fn error(&self) -> &Error {
        &self.error
    }

    /// The error to show, without the conditions.
    pub fn into_error(self) -> Error {
        self.error
    }

    /// Kind of the error.
    pub(crate) fn kind(&self) -> ErrorKind {
        self.error.kind()
    }

    /// HTTP status of the last response, if there was one.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// Status 400.
    pub(crate) fn is_bad_request(&self) -> bool {
        self.status == Some(StatusCode::BAD_REQUEST)
    }

    /// Status 400 or 422: the server does not accept the content of the request.
    pub(crate) fn is_invalid_request(&self) -> bool {
        self.is_bad_request() || self.status == Some(StatusCode::UNPROCESSABLE_ENTITY)
    }

    /// Sanitized message of the response, for callers that interpret what the server objects to.
    pub(crate) fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// Status 403.
    pub(crate) fn is_forbidden(&self) -> bool {
        self.status == Some(StatusCode::FORBIDDEN)
    }

    /// Status 404.
    pub(crate) fn is_not_found(&self) -> bool {
        self.status == Some(StatusCode::NOT_FOUND)
    }

    /// Status 409.
    pub(crate) fn is_conflict(&self) -> bool {
        self.status == Some(StatusCode::CONFLICT)
    }

    /// Status 5xx.
    pub(crate) fn is_server_error(&self) -> bool {
        self.status.is_some_and(|status| status.is_server_error())
    }

    /// The key is unknown; one created moments ago may still become active.
    pub(crate) fn maybe_inactive_key(&self) -> bool {
        self.maybe_inactive_key
    }

    /// The server may or may not have applied the request.
    pub(crate) fn outcome_unknown(&self) -> bool {
        self.outcome_unknown
    }

    /// The last response was an HTML page: it came from a proxy or another server.
    pub(crate) fn is_html_response(&self) -> bool {
        self.is_html_response
    }
}

impl From<RequestError> for Error {
    fn from(failure: RequestError) -> Error {
        failure.error
    }
}

/// Failure of one attempt.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttemptError {
    /// Repetition may help.
    #[error(transparent)]
    Transient(#[from] TransientError),
    /// Repetition does not help.
    #[error(transparent)]
    Permanent(#[from] RequestError),
}

/// Failure of one attempt that a later one may not meet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransientError {
    /// No complete response.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Temporary refusal: 429, 408, 5xx.
    #[error("{said}")]
    Unavailable {
        /// Status of the response.
        status: StatusCode,
        /// Status and sanitized detail.
        said: String,
        /// The server's id of the request.
        request_id: Option<String>,
        /// The wait that the server asks for.
        requested_wait: Option<Duration>,
    },
    /// A success without a usable body.
    #[error("HTTP {status}, but {problem}")]
    UnusableBody {
        /// Status of the response.
        status: StatusCode,
        /// Problem of the body.
        problem: BodyProblem,
        /// The server's id of the request.
        request_id: Option<String>,
    },
}

/// Problem of the body of a successful response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyProblem {
    /// The connection broke within the body.
    #[error(transparent)]
    Interrupted(TransportError),
    /// Not text.
    #[error("the response is not UTF-8")]
    NotUtf8,
    /// Nothing but white space.
    #[error("the response is empty")]
    Empty,
    /// A page for people, from a proxy or a sign-in page.
    #[error("the response is an HTML page instead of JSON")]
    Html,
    /// Not the expected JSON.
    #[error("{0}")]
    Unreadable(String),
}

impl TransientError {
    /// HTTP status, if there was a response.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            TransientError::Transport(_) => None,
            TransientError::Unavailable { status, .. }
            | TransientError::UnusableBody { status, .. } => Some(*status),
        }
    }

    /// The server's id of the request.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            TransientError::Transport(_) => None,
            TransientError::Unavailable { request_id, .. }
            | TransientError::UnusableBody { request_id, .. } => request_id.as_deref(),
        }
    }

    /// The wait that the server asks for.
    pub fn requested_wait(&self) -> Option<Duration> {
        match self {
            TransientError::Unavailable { requested_wait, .. } => *requested_wait,
            _ => None,
        }
    }

    fn is_html_response(&self) -> bool {
        matches!(
            self,
            TransientError::UnusableBody {
                problem: BodyProblem::Html,
                ..
            }
        )
    }

    fn with_request_id(&self) -> String {
        format!("{self}{}", request_id_suffix(self.request_id()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_html_page_is_recognized_without_its_text() {
        let page = TransientError::UnusableBody {
            status: StatusCode::OK,
            problem: BodyProblem::Html,
            request_id: Some("r-1".to_owned()),
        };
        let error = RequestError::ambiguous("creating x", &page);
        assert!(error.is_html_response() && error.outcome_unknown());
        assert_eq!(
            error.to_string(),
            "creating x: HTTP 200 OK, but the response is an HTML page instead of JSON (request id r-1)"
        );
        assert_eq!(error.status(), Some(StatusCode::OK));
        assert!(!RequestError::internal(Error::bug("x")).is_html_response());
    }
}
