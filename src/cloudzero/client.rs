//! Client of CloudZero's API v2 (docs: CloudZero API v2).
//!
//! The key only ever goes to the configured host, and over plain http only to this computer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderValue;
use reqwest::{Method, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::cloudzero::test_key::TestKey;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Timeouts;
use crate::http::client::{BodyReadError, HttpClient, HttpClientParts, Request, ResponseReader};
use crate::http::endpoint::Service;
use crate::http::request_error::{AttemptError, BodyProblem, RequestError, TransientError};
use crate::http::retry::{Policy, Timing};
use crate::http::sanitize::error_detail;

pub use crate::http::idempotency::{Idempotency, IdempotencyKey};

/// Root of CloudZero's API.
pub const ENDPOINT: &str = "https://api.cloudzero.com";
/// Largest accepted response: a month of a stream is 70 MB at most.
const MAX_RESPONSE_BYTES: usize = 160 << 20;
const KEY_HINT: &str = "set CLOUDZERO_API_KEY to an enabled API key (CloudZero: Settings, API Keys) with the scopes \
                        that docs/delivery.md lists";

const SERVICE: Service = Service {
    name: "CloudZero",
    endpoint_variable: "CLOUDZERO_API_URL",
    default_endpoint: ENDPOINT,
    idempotency_header: Some("cloudzero-idempotency-key"),
};

/// Access to CloudZero's API. Debug hides the key.
#[derive(Clone)]
pub struct Settings {
    /// Root of the API.
    pub endpoint: Url,
    /// API key.
    pub key: SecretString,
    /// Time limits of a request.
    pub timeouts: Timeouts,
    /// Limits of retries.
    pub policy: Policy,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

/// Client of one CloudZero organization. Callers send one request after the other: a stream accepts no two at once.
#[derive(Debug, Clone)]
pub struct Client {
    http: Arc<HttpClient>,
    /// Test namespace of the operations; `None` for the real one.
    test_key: Option<TestKey>,
}

/// Position in one of CloudZero's lists.
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
    /// Returns the cursor of the next page, if there is one. A repeated cursor ends the list.
    pub fn next(self, current: Option<String>) -> Option<String> {
        let next = self.cursor.next_cursor.filter(|_| self.cursor.has_next);
        next.filter(|next| current.as_ref() != Some(next))
    }
}

impl Client {
    /// Creates a client that has not connected yet.
    ///
    /// # Errors
    /// Kind configuration, when the endpoint is not https or the key cannot be sent.
    pub fn new(settings: Settings, timing: Timing) -> Result<Client> {
        let http = SERVICE.http_client(&settings.endpoint, settings.timeouts)?;
        let key = settings.key.expose_secret();
        let parts = HttpClientParts {
            service: SERVICE,
            http,
            authorization: authorization(key)?,
            secrets: vec![key.to_owned()],
            endpoint: settings.endpoint,
            timeouts: settings.timeouts,
            policy: settings.policy,
            requests_per_second: None,
            timing,
        };
        Ok(Client {
            http: Arc::new(HttpClient::new(parts)),
            test_key: None,
        })
    }

    /// Returns a client whose operations run in a new test namespace, where nobody sees their changes.
    ///
    /// # Errors
    /// Kind `Bug`, see [`TestKey::generate`].
    pub(crate) fn in_test_namespace(&self) -> Result<Client> {
        Ok(Client {
            http: self.http.clone(),
            test_key: Some(TestKey::generate(&*self.http.timing().random)?),
        })
    }

    /// Reads `path`. `operation` describes the request in messages.
    ///
    /// # Errors
    /// Kind configuration for a refused key, data for other refusals, remote after all retries; with the status of
    /// the last response.
    pub async fn get(
        &self,
        operation: &str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> std::result::Result<Vec<u8>, RequestError> {
        self.send(Request {
            operation,
            method: Method::GET,
            url: self.http.url(path, query),
            body: None,
            header: self.test_key.as_ref().map(TestKey::header),
            idempotency: Idempotency::Safe,
        })
        .await
    }

    /// Posts JSON to `path`.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post(
        &self,
        operation: &str,
        path: &[&str],
        body: Bytes,
        idempotency: Idempotency,
    ) -> std::result::Result<Vec<u8>, RequestError> {
        self.send(Request {
            operation,
            method: Method::POST,
            url: self.http.url(path, &[]),
            body: Some(body),
            header: self.test_key.as_ref().map(TestKey::header),
            idempotency,
        })
        .await
    }

    async fn send(&self, request: Request<'_>) -> std::result::Result<Vec<u8>, RequestError> {
        let reader = Reader {
            client: self,
            operation: request.operation,
        };
        self.http.send(request, reader).await
    }

    /// Sanitizes a text of CloudZero for display; `None` if nothing is left of it.
    pub(crate) fn sanitize(&self, text: &str) -> Option<String> {
        let redacted = self.test_key.as_ref().map(|key| key.redact(text));
        let text = redacted.as_deref().unwrap_or(text);
        self.http.sanitizer().sanitize(text)
    }

    /// Waits by the client's clock.
    pub async fn sleep(&self, wait: Duration) {
        self.http.sleep(wait).await;
    }
}

/// Value of the authorization header: the key without `Bearer`, by CloudZero's documentation.
fn authorization(key: &str) -> Result<HeaderValue> {
    let unfit = || {
        Error::config("the CloudZero API key has characters that no key has").with_hint(KEY_HINT)
    };
    if key.chars().any(char::is_whitespace) {
        return Err(unfit());
    }
    let mut value = HeaderValue::from_str(key).map_err(|_| unfit())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Reads responses as bodies of JSON.
struct Reader<'c> {
    client: &'c Client,
    operation: &'c str,
}

impl ResponseReader for Reader<'_> {
    type Output = Vec<u8>;

    async fn read(&mut self, response: Response) -> std::result::Result<Vec<u8>, AttemptError> {
        let status = response.status();
        let http = &self.client.http;
        let requested_wait = http.requested_wait(status, response.headers());
        let body = match http.read_body(response, MAX_RESPONSE_BYTES).await {
            Ok(body) => body,
            Err(BodyReadError::Interrupted(error)) => return Err(self.transport_failure(error)),
            Err(error @ BodyReadError::TooLarge { .. }) => {
                let error = Error::new(ErrorKind::Data, error).context(self.operation);
                return Err(RequestError::response(error, status).into());
            }
        };
        if status.is_success() {
            return match body.trim_ascii_start().first() {
                Some(b'<') => Err(TransientError::UnusableBody {
                    status,
                    problem: BodyProblem::Html,
                    request_id: None,
                }
                .into()),
                _ => Ok(body),
            };
        }
        let detail = error_detail(&body).and_then(|said| self.client.sanitize(&said));
        let said = match &detail {
            Some(detail) => format!("HTTP {status}: {detail}"),
            None => format!("HTTP {status}"),
        };
        if is_transient(status) {
            return Err(TransientError::Unavailable {
                status,
                said,
                request_id: None,
                requested_wait,
            }
            .into());
        }
        let error = Refusal::new(status).into_error(self.operation, &said);
        Err(RequestError::response(error, status)
            .with_detail(detail)
            .into())
    }
}

fn is_transient(status: StatusCode) -> bool {
    // A conflict is a second request of one stream at the same time; the other one ends.
    status.is_server_error()
        || [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::CONFLICT,
        ]
        .contains(&status)
}

const FIX_HINT: &str =
    "CloudZero keeps the data that it had before; fix what it reports and deliver again";

/// Meaning of a response for which repetition does not help.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("CloudZero does not accept the API key, or the key lacks a scope")]
    Key,
    #[error("CloudZero did not find it")]
    NotFound,
    #[error("the request body is too large")]
    BodyTooLarge,
    #[error("CloudZero rejected the request as invalid")]
    BadRequest,
    #[error("the endpoint redirects elsewhere")]
    Redirect,
    #[error("CloudZero refused the request")]
    Other,
}

impl Refusal {
    fn new(status: StatusCode) -> Refusal {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Refusal::Key,
            StatusCode::NOT_FOUND => Refusal::NotFound,
            StatusCode::BAD_REQUEST => Refusal::BadRequest,
            StatusCode::PAYLOAD_TOO_LARGE => Refusal::BodyTooLarge,
            status if status.is_redirection() => Refusal::Redirect,
            _ => Refusal::Other,
        }
    }

    fn into_error(self, operation: &str, said: &str) -> Error {
        let message = format!("{operation}: {self}: {said}");
        match self {
            Refusal::Key => Error::config(message).with_hint(KEY_HINT),
            Refusal::NotFound => Error::config(message).with_hint(
                "check the connection id (CLOUDZERO_CONNECTION_ID, shown on the connection's page in CloudZero) and \
                 CLOUDZERO_API_URL",
            ),
            Refusal::BodyTooLarge => Error::data(message)
                .with_hint("deliver this connection through a bucket, which has no such limit"),
            Refusal::Redirect => Error::config(message).with_hint(
                "the key is only sent to the configured endpoint: check CLOUDZERO_API_URL",
            ),
            Refusal::BadRequest => Error::refused(message).with_hint(FIX_HINT),
            Refusal::Other => Error::data(message).with_hint(FIX_HINT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_keys_are_refused_without_echoing_them() {
        for key in ["pasted\n", "two words", "\u{1}x"] {
            let error = authorization(key).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!format!("{error} {error:?}").contains(key), "{error}");
            assert!(error.hint().unwrap().contains("CLOUDZERO_API_KEY"));
        }
        assert!(authorization("key").unwrap().is_sensitive());
    }

    #[test]
    fn refusals_have_kinds_and_hints() {
        for (status, kind, hint) in [
            (401, ErrorKind::Config, "scopes"),
            (403, ErrorKind::Config, "scopes"),
            (404, ErrorKind::Config, "CLOUDZERO_CONNECTION_ID"),
            (413, ErrorKind::Data, "bucket"),
            (302, ErrorKind::Config, "CLOUDZERO_API_URL"),
            (400, ErrorKind::Refused, "deliver again"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let error = Refusal::new(status).into_error("reading x", "HTTP x: y");
            assert_eq!(error.kind(), kind, "{status}");
            assert!(error.hint().unwrap().contains(hint), "{status}");
            assert!(error.to_string().starts_with("reading x: "), "{error}");
            assert!(error.to_string().ends_with(": HTTP x: y"), "{error}");
        }
    }

    #[test]
    fn a_repeated_cursor_ends_the_list() {
        let next = |current: Option<&str>| {
            let page: Pagination =
                serde_json::from_str(r#"{"cursor":{"next_cursor":"b","has_next":true}}"#).unwrap();
            page.next(current.map(str::to_owned))
        };
        assert_eq!(next(None).as_deref(), Some("b"));
        assert_eq!(next(Some("a")).as_deref(), Some("b"));
        assert_eq!(next(Some("b")), None);
    }
}
