//! Ways in which an answer can fail to come.

use std::time::Duration;

use reqwest::StatusCode;

use crate::error::Error;
use crate::http::retry::Stop;
use crate::http::sanitize::with_request_id;

/// An answer that could not be had, with the status by which callers may tell refusals apart. Turns
/// into its [`Error`] with `?`.
#[derive(Debug)]
pub struct RequestError {
    /// The error to show.
    pub error: Error,
    /// The HTTP status of the last answer, if there was one.
    pub status: Option<StatusCode>,
    /// The key is not known, which it may be in a moment if it was just made.
    pub maybe_inactive_key: bool,
    /// Nobody knows whether the request was carried out.
    pub outcome_unknown: bool,
}

impl RequestError {
    /// An error, and the status of the answer that it comes from.
    pub fn of(error: Error, status: Option<StatusCode>) -> RequestError {
        RequestError {
            error,
            status,
            maybe_inactive_key: false,
            outcome_unknown: false,
        }
    }
}

impl RequestError {
    /// An error that is not caused by a response of the server.
    pub fn internal(error: Error) -> RequestError {
        RequestError::of(error, None)
    }
}

impl From<RequestError> for Error {
    fn from(failure: RequestError) -> Error {
        failure.error
    }
}

/// A failure that may pass.
#[derive(Debug)]
pub struct TransientError {
    /// What went wrong.
    pub cause: String,
    /// The HTTP status, if there was an answer.
    pub status: Option<StatusCode>,
    /// The server's name for the request.
    pub request_id: Option<String>,
    /// The wait that the server asks for.
    pub asked: Option<Duration>,
}

/// How an attempt failed.
#[derive(Debug)]
pub enum AttemptError {
    /// Asking again may help.
    Passing(TransientError),
    /// Asking again doesn't help.
    Final(RequestError),
}

/// The error after the last attempt.
pub fn exhausted(
    asked: &str,
    attempts: u32,
    elapsed: Duration,
    stop: Stop,
    fault: TransientError,
) -> RequestError {
    let times = if attempts == 1 { "attempt" } else { "attempts" };
    let error = Error::remote(format!(
        "{asked}: gave up after {attempts} {times} in {} s ({stop}); last: {}{}",
        elapsed.as_secs(),
        fault.cause,
        with_request_id(fault.request_id.as_deref())
    ))
    .with_hint(
        "what is published in the store is untouched; run the same command again later, or allow \
         retries more time with BILLSTREAM_RETRY_ELAPSED_SECS",
    );
    RequestError::of(error, fault.status)
}
