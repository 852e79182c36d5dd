//! Asks CloudZero's API v2 (docs: CloudZero API v2): the key, retries, and errors in words.
//!
//! The key only ever goes to the configured host, and over plain http only to this computer.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::error::{Error, Result};
use crate::http::request_error::{AttemptError, RequestError, TransientError, exhausted};
use crate::http::retry::{self, Next, Policy, Timing};
use crate::http::sanitize::{Sanitizer, detail};
use crate::http::{Endpoint, Timeouts};

/// Where CloudZero's API is.
pub const ENDPOINT: &str = "https://api.cloudzero.com";
/// The largest answer that is taken, in bytes: a month of a stream is 70 MB at most.
const MAX_ANSWER_BYTES: usize = 160 << 20;
const KEY_HINT: &str = "CLOUDZERO_API_KEY must be an enabled API key (CloudZero: Settings, API Keys) \
                        with the scopes that the README lists";

/// How to reach CloudZero. Debug hides the key.
#[derive(Clone)]
pub struct Settings {
    /// The root of the API.
    pub endpoint: Url,
    /// The API key.
    pub key: SecretString,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// How often and how long a request is repeated.
    pub policy: Policy,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

/// A client for one CloudZero organization. Requests of one caller go one after the other: a stream
/// takes no two at once.
pub struct Client {
    http: reqwest::Client,
    settings: Settings,
    authorization: HeaderValue,
    cleaner: Sanitizer,
    timing: Timing,
}

/// The idempotency key of one body of one delivery attempt.
///
/// CloudZero replays the stored answer of a key, errors too (docs: `cloudzero-idempotency-key`). So
/// while no answer came the same key is sent again, and after an answered error another one.
#[derive(Debug)]
pub struct IdempotencyKey {
    body: String,
    answered: u32,
}

impl IdempotencyKey {
    /// The key of body number `body` of the delivery `attempt`.
    pub fn new(attempt: &str, body: usize) -> IdempotencyKey {
        IdempotencyKey {
            body: format!("{attempt}-{body}"),
            answered: 0,
        }
    }

    fn text(&self) -> String {
        match self.answered {
            0 => self.body.clone(),
            n => format!("{}-again-{n}", self.body),
        }
    }
}

/// Where CloudZero's lists go on.
#[derive(Debug, Default, Deserialize)]
pub struct Pagination {
    #[serde(default)]
    cursor: Cursor,
}

#[derive(Debug, Default, Deserialize)]
struct Cursor {
    next_cursor: Option<String>,
    #[serde(default)]
    has_next: bool,
}

impl Pagination {
    /// The cursor of the next page, if there is one; one that comes twice ends the list.
    pub fn next(self, current: Option<String>) -> Option<String> {
        let next = self.cursor.next_cursor.filter(|_| self.cursor.has_next);
        next.filter(|next| current.as_ref() != Some(next))
    }
}

impl Client {
    /// A client that has not connected yet.
    ///
    /// # Errors
    /// Kind configuration, when the endpoint is not https or the key cannot be sent.
    pub fn new(settings: Settings, timing: Timing) -> Result<Client> {
        let endpoint = Endpoint {
            url: &settings.endpoint,
            service: "CloudZero",
            variable: "CLOUDZERO_API_URL",
            usual: ENDPOINT,
        };
        let http = endpoint.client(settings.timeouts)?;
        let key = settings.key.expose_secret();
        let unfit = || Error::config("the CloudZero API key has characters that no key has");
        // No `Bearer`, by CloudZero's documentation.
        let mut authorization = HeaderValue::from_str(key).map_err(|_| unfit())?;
        authorization.set_sensitive(true);
        if key.chars().any(char::is_whitespace) {
            return Err(unfit().with_hint(KEY_HINT));
        }
        let cleaner = Sanitizer::new([key.to_owned()]);
        Ok(Client {
            http,
            settings,
            authorization,
            cleaner,
            timing,
        })
    }

    /// Reads `path`. `asked` is what for, in words.
    ///
    /// # Errors
    /// Configuration for a refused key, data for other refusals, remote after all retries; with the
    /// status of the last answer.
    pub async fn get(
        &self,
        asked: &str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> std::result::Result<Vec<u8>, RequestError> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(Method::GET, url);
        self.send(asked, request, None).await
    }

    /// Posts JSON to `path`.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post(
        &self,
        asked: &str,
        path: &[&str],
        body: Bytes,
        key: Option<IdempotencyKey>,
    ) -> std::result::Result<Vec<u8>, RequestError> {
        let request = self
            .http
            .request(Method::POST, self.url(path))
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        self.send(asked, request, key).await
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.settings.endpoint.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    async fn send(
        &self,
        asked: &str,
        request: RequestBuilder,
        mut key: Option<IdempotencyKey>,
    ) -> std::result::Result<Vec<u8>, RequestError> {
        let request = request.header(AUTHORIZATION, self.authorization.clone());
        let started = (self.timing.uptime)();
        let mut attempt = 0;
        loop {
            attempt += 1;
            // A body of bytes can always be sent again.
            let Some(mut once) = request.try_clone() else {
                let error = Error::bug(format!("{asked}: the request cannot be repeated"));
                return Err(RequestError::of(error, None));
            };
            if let Some(key) = &key {
                once = once.header("cloudzero-idempotency-key", key.text());
            }
            let fault = match self.attempt(asked, once).await {
                Ok(body) => return Ok(body),
                Err(AttemptError::Final(failure)) => return Err(failure),
                Err(AttemptError::Passing(fault)) => fault,
            };
            if let (Some(key), Some(_)) = (&mut key, fault.status) {
                key.answered += 1;
            }
            let elapsed = (self.timing.uptime)().saturating_sub(started);
            let next =
                self.settings
                    .policy
                    .next(attempt, elapsed, fault.asked, (self.timing.random)());
            match next {
                Next::Wait(wait) => {
                    tracing::warn!(
                        asked, attempt, wait_secs = wait.as_secs_f64(), cause = %fault.cause,
                        "CloudZero gave no usable answer; trying again."
                    );
                    (self.timing.sleep)(wait).await;
                }
                Next::Stop(stop) => return Err(exhausted(asked, attempt, elapsed, stop, fault)),
            }
        }
    }

    async fn attempt(
        &self,
        asked: &str,
        request: RequestBuilder,
    ) -> std::result::Result<Vec<u8>, AttemptError> {
        let passing = |cause, status, wait| {
            AttemptError::Passing(TransientError {
                cause,
                status,
                request_id: None,
                asked: wait,
            })
        };
        let timeouts = &self.settings.timeouts;
        let cause = |e: &reqwest::Error| timeouts.cause(e, &self.settings.endpoint, &self.cleaner);
        let response = request
            .send()
            .await
            .map_err(|e| passing(cause(&e), None, None))?;
        let status = response.status();
        let wait = retry::asked_wait(status, response.headers(), (self.timing.now)());
        let body = match read(response).await {
            Ok(Some(body)) => body,
            Ok(None) => {
                let limit = MAX_ANSWER_BYTES >> 20;
                let error = Error::data(format!("{asked}: the answer is larger than {limit} MB"));
                return Err(AttemptError::Final(RequestError::of(error, Some(status))));
            }
            Err(e) => return Err(passing(cause(&e), None, None)),
        };
        if status.is_success() {
            return match body.trim_ascii_start().first() {
                Some(b'<') => Err(passing(
                    format!("HTTP {status}, but an HTML page came in place of JSON"),
                    Some(status),
                    None,
                )),
                _ => Ok(body),
            };
        }
        let said = match detail(&body).and_then(|said| self.cleaner.clean(&said)) {
            Some(said) => format!("HTTP {status}: {said}"),
            None => format!("HTTP {status}"),
        };
        // Two requests of one stream at once are refused; the other one ends.
        let passes = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::CONFLICT,
        ];
        if status.is_server_error() || passes.contains(&status) {
            return Err(passing(said, Some(status), wait));
        }
        let error = refusal(asked, status, &said);
        Err(AttemptError::Final(RequestError::of(error, Some(status))))
    }

    /// Waits so long, by the client's clock.
    pub async fn sleep(&self, wait: Duration) {
        (self.timing.sleep)(wait).await;
    }
}

/// The whole body; `None` when it is too large.
async fn read(mut response: Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if chunk.len() > MAX_ANSWER_BYTES - body.len() {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// The error of an answer that asking again doesn't change.
fn refusal(asked: &str, status: StatusCode, said: &str) -> Error {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::config(format!(
            "{asked}: CloudZero refuses the API key, or it lacks a scope: {said}"
        ))
        .with_hint(KEY_HINT),
        StatusCode::NOT_FOUND => Error::config(format!(
            "{asked}: CloudZero knows no such thing: {said}"
        ))
        .with_hint(
            "check the connection id (CLOUDZERO_CONNECTION_ID, shown on the connection's page in \
                 CloudZero) and CLOUDZERO_API_URL",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => {
            Error::data(format!("{asked}: the body is too large: {said}"))
                .with_hint("deliver this connection through a bucket, which has no such limit")
        }
        status if status.is_redirection() => Error::config(format!(
            "{asked}: the endpoint redirects elsewhere: {said}"
        ))
        .with_hint("the key is only sent to the configured endpoint: check CLOUDZERO_API_URL"),
        _ => Error::data(format!("{asked}: CloudZero refuses it: {said}")).with_hint(
            "what CloudZero held before is in force; mend what it names and deliver again",
        ),
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
