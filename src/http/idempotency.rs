//! Which failed requests may be repeated.

use reqwest::StatusCode;

use crate::http::request_error::TransientError;

/// Effect of sending a request twice, which decides when it may be repeated.
#[derive(Debug)]
pub enum Idempotency {
    /// Sending it twice does no harm: repeated after every transient failure.
    Safe,
    /// Must not be applied twice: repeated only after a 429, with which the server certainly did not apply it.
    Once,
    /// The server recognizes repetitions by a key: repeated after every transient failure.
    Key(IdempotencyKey),
}

impl Idempotency {
    /// Prepares a repetition after `failure`. Returns false when the request must not be repeated.
    pub(crate) fn permits_retry(&mut self, failure: &TransientError) -> bool {
        match self {
            Idempotency::Safe => true,
            Idempotency::Once => failure.status() == Some(StatusCode::TOO_MANY_REQUESTS),
            Idempotency::Key(key) => {
                if failure.status().is_some() {
                    key.error_responses += 1;
                }
                true
            }
        }
    }
}

/// Idempotency key of one request body of one delivery attempt.
///
/// CloudZero replays the stored response of a key, errors included (docs: `cloudzero-idempotency-key`). So the same
/// key is sent again while there was no response, and another one after an error response.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    body: String,
    error_responses: u32,
}

impl IdempotencyKey {
    /// Key of body number `body` of the delivery attempt `attempt`.
    pub fn new(attempt: &str, body: usize) -> IdempotencyKey {
        IdempotencyKey {
            body: format!("{attempt}-{body}"),
            error_responses: 0,
        }
    }

    /// Key of the same rows with the month in another form, which is another request to CloudZero.
    pub(crate) fn with_other_month_form(&self) -> IdempotencyKey {
        IdempotencyKey {
            body: format!("{}-other-month-form", self.body),
            error_responses: 0,
        }
    }

    /// Header value of the next request.
    pub(crate) fn header_value(&self) -> String {
        match self.error_responses {
            0 => self.body.clone(),
            n => format!("{}-again-{n}", self.body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::transport::TransportError;

    fn response(status: StatusCode) -> TransientError {
        TransientError::Unavailable {
            status,
            said: String::new(),
            request_id: None,
            requested_wait: None,
        }
    }

    fn no_response() -> TransientError {
        TransientError::Transport(TransportError::Broken("reset".to_owned()))
    }

    #[test]
    fn safe_requests_are_repeated_after_every_transient_failure() {
        assert!(Idempotency::Safe.permits_retry(&no_response()));
        assert!(Idempotency::Safe.permits_retry(&response(StatusCode::BAD_GATEWAY)));
    }

    #[test]
    fn once_requests_are_repeated_only_after_429() {
        assert!(Idempotency::Once.permits_retry(&response(StatusCode::TOO_MANY_REQUESTS)));
        for status in [
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::REQUEST_TIMEOUT,
        ] {
            assert!(
                !Idempotency::Once.permits_retry(&response(status)),
                "{status}"
            );
        }
        assert!(!Idempotency::Once.permits_retry(&no_response()));
    }

    #[test]
    fn key_changes_after_an_error_response_and_stays_without_a_response() {
        let mut idempotency = Idempotency::Key(IdempotencyKey::new("attempt", 2));
        let mut next = |failure: &TransientError| {
            assert!(idempotency.permits_retry(failure));
            match &idempotency {
                Idempotency::Key(key) => key.header_value(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(next(&no_response()), "attempt-2");
        let unavailable = response(StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(next(&unavailable), "attempt-2-again-1");
        assert_eq!(next(&no_response()), "attempt-2-again-1");
        assert_eq!(next(&unavailable), "attempt-2-again-2");
    }
}
