//! Client of CloudZero's API v2 (docs: CloudZero API v2).
//!
//! The key only ever goes to the configured host, and over plain http only to this computer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::cloudzero::test_key::TestKey;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Timeouts;
use crate::http::client::{BodyReadError, HttpClient, HttpClientParts, Request, ResponseReader};
use crate::http::endpoint::Service;
use crate::http::json::JsonDefect;
use crate::http::page_chain::PageChain;
use crate::http::request_error::{AttemptError, BodyProblem, RequestError, TransientError};
use crate::http::retry::{Policy, Timing};
use crate::http::sanitize::{Sanitizer, error_detail};

pub use crate::http::idempotency::{Idempotency, IdempotencyKey};

/// Root of CloudZero's API.
pub const ENDPOINT: &str = "https://api.cloudzero.com";
/// Largest accepted response, decompressed.
const MAX_RESPONSE_BYTES: usize = 16 << 20;
/// Largest accepted month of a stream, decompressed: it is 70 MB at most.
const MAX_MONTH_BYTES: usize = 160 << 20;
/// Longest part of an error body that is read.
const MAX_ERROR_BODY_BYTES: usize = 64 << 10;
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
    test_namespace: Option<Arc<TestNamespace>>,
}

#[derive(Debug)]
struct TestNamespace {
    key: TestKey,
    /// Redacts the key of the namespace as well.
    sanitizer: Sanitizer,
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
    /// Returns the cursor of the next page, if there is one, and records this page with its `entries`.
    ///
    /// # Errors
    /// Kind data: there is another page, but no cursor for it; those of [`PageChain::add`].
    pub(crate) fn next(self, chain: &mut PageChain, entries: usize) -> Result<Option<String>> {
        if !self.cursor.has_next {
            return Ok(None);
        }
        let Some(next) = self.cursor.next_cursor.filter(|next| !next.is_empty()) else {
            return Err(
                Error::data("the response announces another page but names no cursor")
                    .with_hint("try again; this stopped because the list would be incomplete"),
            );
        };
        chain.add(&next, entries)?;
        Ok(Some(next))
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
            test_namespace: None,
        })
    }

    /// Returns a client whose operations run in a new test namespace, where nobody sees their changes.
    ///
    /// # Errors
    /// Kind `Bug`, see [`TestKey::generate`].
    pub(crate) fn in_test_namespace(&self) -> Result<Client> {
        let key = TestKey::generate(&*self.http.timing().random)?;
        let sanitizer = key.sanitizer(self.http.sanitizer());
        Ok(Client {
            http: self.http.clone(),
            test_namespace: Some(Arc::new(TestNamespace { key, sanitizer })),
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
        self.read(operation, path, query, MAX_RESPONSE_BYTES).await
    }

    /// As [`Client::get`], for the content of a month, which is larger than other responses.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(crate) async fn get_month(
        &self,
        operation: &str,
        path: &[&str],
    ) -> std::result::Result<Vec<u8>, RequestError> {
        self.read(operation, path, &[], MAX_MONTH_BYTES).await
    }

    async fn read(
        &self,
        operation: &str,
        path: &[&str],
        query: &[(&str, &str)],
        max_bytes: usize,
    ) -> std::result::Result<Vec<u8>, RequestError> {
        let request = Request {
            operation,
            method: Method::GET,
            url: self.http.url(path, query),
            body: None,
            header: self.test_header(),
            idempotency: Idempotency::Safe,
        };
        self.send(request, max_bytes).await
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
        let request = Request {
            operation,
            method: Method::POST,
            url: self.http.url(path, &[]),
            body: Some(body),
            header: self.test_header(),
            idempotency,
        };
        self.send(request, MAX_RESPONSE_BYTES).await
    }

    async fn send(
        &self,
        request: Request<'_>,
        max_bytes: usize,
    ) -> std::result::Result<Vec<u8>, RequestError> {
        let reader = Reader {
            client: self,
            operation: request.operation,
            max_bytes,
        };
        self.http.send(request, reader).await
    }

    /// Sanitizes a text of CloudZero for display; `None` if nothing is left of it.
    pub(crate) fn sanitize(&self, text: &str) -> Option<String> {
        match &self.test_namespace {
            Some(namespace) => namespace.sanitizer.sanitize(text),
            None => self.http.sanitizer().sanitize(text),
        }
    }

    fn test_header(&self) -> Option<(HeaderName, HeaderValue)> {
        Some(self.test_namespace.as_ref()?.key.header())
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
    /// Largest accepted body, decompressed.
    max_bytes: usize,
}

impl ResponseReader for Reader<'_> {
    type Output = Vec<u8>;

    async fn read(&mut self, mut response: Response) -> std::result::Result<Vec<u8>, AttemptError> {
        let status = response.status();
        let http = &self.client.http;
        let requested_wait = http.requested_wait(status, response.headers());
        if status.is_success() {
            return self.read_success(response, status).await;
        }
        let body = http
            .read_error_body(&mut response, MAX_ERROR_BODY_BYTES)
            .await;
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

impl Reader<'_> {
    async fn read_success(
        &self,
        response: Response,
        status: StatusCode,
    ) -> std::result::Result<Vec<u8>, AttemptError> {
        let permanent = |error: Error| {
            AttemptError::from(RequestError::response(
                error.context(self.operation),
                status,
            ))
        };
        let body = match self.client.http.read_body(response, self.max_bytes).await {
            Ok(body) => body,
            Err(BodyReadError::Interrupted(error)) => return Err(self.transport_failure(error)),
            Err(error @ BodyReadError::TooLarge { .. }) => {
                return Err(permanent(Error::new(ErrorKind::Data, error)));
            }
        };
        if let Some(defect) = JsonDefect::at_start(&body) {
            return Err(permanent(Error::new(ErrorKind::Data, defect)));
        }
        match body.trim_ascii_start().first() {
            Some(b'<') => Err(TransientError::UnusableBody {
                status,
                problem: BodyProblem::Html,
                request_id: None,
            }
            .into()),
            _ => Ok(body),
        }
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

    fn page(cursor: &str) -> Pagination {
        serde_json::from_str(&format!(r#"{{"cursor":{cursor}}}"#)).unwrap()
    }

    #[test]
    fn cursors_that_were_seen_before_are_refused() {
        let mut chain = PageChain::default();
        let mut next = |cursor: &str| {
            page(&format!(r#"{{"next_cursor":"{cursor}","has_next":true}}"#)).next(&mut chain, 1)
        };
        assert_eq!(next("a").unwrap().as_deref(), Some("a"));
        assert_eq!(next("b").unwrap().as_deref(), Some("b"));
        assert_eq!(next("a").unwrap_err().kind(), ErrorKind::Data);
    }

    #[test]
    fn a_list_ends_where_it_says_so_and_nowhere_else() {
        let mut chain = PageChain::default();
        for last in [r#"{"next_cursor":null,"has_next":false}"#, "{}"] {
            assert_eq!(page(last).next(&mut chain, 1).unwrap(), None);
        }
        for cut in [
            r#"{"next_cursor":null,"has_next":true}"#,
            r#"{"next_cursor":"","has_next":true}"#,
        ] {
            let error = page(cut).next(&mut chain, 1).unwrap_err();
            assert!(error.to_string().contains("another page"), "{error}");
        }
    }
}
