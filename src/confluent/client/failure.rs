//! Ways in which a page can fail to come.

use std::time::Duration;

use reqwest::StatusCode;

use super::super::answer::with_request_id;
use super::super::retry::Stop;
use crate::error::Error;

/// A page that could not be had, with the status by which the caller may tell a refused oldest month
/// (400) from other errors. Turns into its [`Error`] with `?`.
#[derive(Debug)]
pub struct Failure {
    /// The error to show.
    pub error: Error,
    /// The HTTP status of the last answer, if there was one.
    pub status: Option<StatusCode>,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        failure.error
    }
}

/// A failure that may pass.
pub(super) struct Fault {
    pub cause: String,
    pub status: Option<StatusCode>,
    pub request_id: Option<String>,
    pub asked: Option<Duration>,
}

/// How an attempt failed.
pub(super) enum Failed {
    Passing(Fault),
    Final(Failure),
}

/// The error after the last attempt.
pub(super) fn exhausted(
    asked: &str,
    attempts: u32,
    elapsed: Duration,
    stop: Stop,
    fault: Fault,
) -> Failure {
    let times = if attempts == 1 { "attempt" } else { "attempts" };
    let error = Error::remote(format!(
        "{asked}: gave up after {attempts} {times} in {} s ({stop}); last: {}{}",
        elapsed.as_secs(),
        fault.cause,
        with_request_id(fault.request_id.as_deref())
    ))
    .with_hint(
        "nothing that is published was changed; run the same command again later, or allow retries \
         more time with BILLSTREAM_RETRY_ELAPSED_SECS",
    );
    Failure {
        error,
        status: fault.status,
    }
}

/// The innermost cause, which says most and holds no address.
pub(super) fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if std::ptr::addr_eq(cause, error) {
        "unknown cause".to_owned()
    } else {
        cause.to_string()
    }
}
