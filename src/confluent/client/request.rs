//! Reading of Confluent's responses.

use std::sync::atomic::Ordering;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, LOCATION};
use reqwest::{Response, StatusCode};

use crate::confluent::client::{BodyError, Client};
use crate::confluent::error_response::{self, ErrorResponse, RefusedRequest};
use crate::error::{Error, ErrorKind};
use crate::http::client::{BodyReadError, ResponseReader};
use crate::http::json::JsonDefect;
use crate::http::request_error::{AttemptError, BodyProblem, RequestError, TransientError};
use crate::http::sanitize::{error_detail, request_id_suffix};
use crate::http::transport::TransportError;

/// Longest part of an error body that is read.
const MAX_ERROR_BODY_BYTES: usize = 64 << 10;

/// Parses the JSON of successful responses, and names the refusals of others.
pub(super) struct JsonReader<'r, F> {
    pub client: &'r Client,
    /// Description of the operation, for messages.
    pub operation: &'r str,
    /// Reads need status 200. Requests that change something take any success.
    pub is_read: bool,
    /// Largest accepted body, decompressed.
    pub max_body_bytes: usize,
    /// Meaning of an error response for which repetition does not help.
    pub refusal: &'r (dyn Fn(&ErrorResponse) -> RefusedRequest + Sync),
    /// Parser of the body, run off the async threads.
    pub parse: F,
}

impl<T, F> ResponseReader for JsonReader<'_, F>
where
    T: Send + 'static,
    F: Fn(&str) -> Result<T, BodyError> + Send + Clone + 'static,
{
    type Output = T;

    async fn read(&mut self, response: Response) -> Result<T, AttemptError> {
        let JsonReader {
            client,
            operation,
            refusal,
            ..
        } = *self;
        let parse = self.parse.clone();
        client.record_clock_difference(response.headers());
        let status = response.status();
        if !status.is_success() || (self.is_read && status != StatusCode::OK) {
            return Err(client.refused(operation, response, refusal).await);
        }
        let request_id = client.request_id(response.headers());
        let unusable = |problem| TransientError::UnusableBody {
            status,
            problem,
            request_id: request_id.clone(),
        };
        let permanent = |error: Error| {
            let id = request_id_suffix(request_id.as_deref());
            RequestError::response(error.context(format!("{operation}{id}")), status)
        };
        let body = match client.http.read_body(response, self.max_body_bytes).await {
            Ok(body) => body,
            Err(BodyReadError::Interrupted(error)) => {
                return Err(unusable(BodyProblem::Interrupted(error)).into());
            }
            Err(error @ BodyReadError::TooLarge { .. }) => {
                let error = Error::new(ErrorKind::Data, error)
                    .with_hint("configure fewer records per page");
                return Err(permanent(error).into());
            }
        };
        if let Some(defect) = JsonDefect::at_start(&body) {
            return Err(permanent(Error::new(ErrorKind::Data, defect)).into());
        }
        let Ok(text) = String::from_utf8(body) else {
            return Err(unusable(BodyProblem::NotUtf8).into());
        };
        match text.trim_start().as_bytes().first() {
            // Deletions have no body.
            None if status == StatusCode::NO_CONTENT => {}
            None => return Err(unusable(BodyProblem::Empty).into()),
            Some(b'<') => return Err(unusable(BodyProblem::Html).into()),
            Some(_) => {}
        }
        match tokio::task::spawn_blocking(move || parse(&text)).await {
            Ok(Ok(parsed)) => Ok(parsed),
            Ok(Err(BodyError::Wrong(error))) => Err(permanent(error).into()),
            Ok(Err(BodyError::Unreadable(reason))) => {
                let reason = client.http.sanitizer().sanitize(&reason);
                let reason = reason.unwrap_or_else(|| "the response is unreadable".to_owned());
                Err(unusable(BodyProblem::Unreadable(reason)).into())
            }
            // The panic's text could quote the response.
            Err(_) => Err(permanent(Error::bug("the parser of the response panicked")).into()),
        }
    }

    fn transport_failure(&self, error: TransportError) -> AttemptError {
        match error.obstacle() {
            Some(obstacle) => {
                let error = Error::new(ErrorKind::Config, error)
                    .context(self.operation)
                    .with_hint(obstacle.hint());
                RequestError::internal(error).into()
            }
            None => TransientError::from(error).into(),
        }
    }
}

impl Client {
    /// Returns the failure of an error response: a transient one, or a refusal.
    async fn refused(
        &self,
        operation: &str,
        response: Response,
        refusal: &(dyn Fn(&ErrorResponse) -> RefusedRequest + Sync),
    ) -> AttemptError {
        let status = response.status();
        let requested_wait = self.http.requested_wait(status, response.headers());
        let response = self.read_error_response(response).await;
        let is_transient = status.is_server_error()
            || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status);
        if is_transient {
            return AttemptError::Transient(TransientError::Unavailable {
                status,
                said: response.to_string(),
                request_id: response.request_id,
                requested_wait,
            });
        }
        let refused = refusal(&response);
        let maybe_inactive_key = refused.maybe_inactive_key();
        let error = RequestError::response(refused.into_error(operation), status)
            .with_maybe_inactive_key(maybe_inactive_key);
        AttemptError::Permanent(error)
    }

    async fn read_error_response(&self, mut response: Response) -> ErrorResponse {
        let body = self
            .http
            .read_error_body(&mut response, MAX_ERROR_BODY_BYTES)
            .await;
        let sanitizer = self.http.sanitizer();
        let location = response
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok());
        let redirect = location.and_then(|to| self.http.endpoint().join(to).ok());
        ErrorResponse {
            status: response.status(),
            request_id: self.request_id(response.headers()).or_else(|| {
                error_response::request_id(&body).and_then(|id| sanitizer.sanitize(&id))
            }),
            detail: error_detail(&body).and_then(|detail| sanitizer.sanitize(&detail)),
            redirect_host: redirect.and_then(|url| sanitizer.sanitize(url.host_str()?)),
        }
    }

    fn request_id(&self, headers: &HeaderMap) -> Option<String> {
        let id = headers.get("x-request-id")?.to_str().ok()?;
        self.http.sanitizer().sanitize(id)
    }

    fn record_clock_difference(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        if let Some(theirs) = date.and_then(|date| httpdate::parse_http_date(date).ok()) {
            let ours = DateTime::<Utc>::from(SystemTime::now());
            let ahead = (ours - DateTime::<Utc>::from(theirs)).num_seconds();
            self.clock_ahead_secs.store(ahead, Ordering::Relaxed);
        }
    }
}
