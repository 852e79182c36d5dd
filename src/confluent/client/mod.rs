//! Client of Confluent's API.
//!
//! Pages of costs come from `GET {endpoint}/billing/v1/costs` (docs: Cloud API reference, Costs). The credentials only
//! ever go to the configured host, and over plain http only to this computer.

mod request;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::Value;
use url::Url;

use crate::billing_period::Window;
use crate::confluent::client::request::JsonReader;
use crate::confluent::client::settings::{basic_authorization, origin};
use crate::confluent::error_response::{ErrorResponse, RefusedRequest};
use crate::error::{Error, ErrorKind, Result};
use crate::http::client::{HttpClient, HttpClientParts, Request};
use crate::http::endpoint::Service;
use crate::http::idempotency::Idempotency;
use crate::http::json::{self, JsonDefect};
use crate::http::retry::Timing;

pub(crate) use crate::confluent::client::settings::with_short_retries;
pub use crate::confluent::client::settings::{PAGE_SIZE, REQUESTS_PER_SECOND, Settings};
pub use crate::confluent::costs::tokens::next_token;
pub use crate::http::client::RequestCounts;
pub use crate::http::request_error::RequestError;

/// Largest accepted page of costs, decompressed: some ten times a full one.
const MAX_BODY_BYTES: usize = 64 << 20;
/// Largest accepted response otherwise, decompressed: a list has 99 entries, or all connectors of a cluster.
const MAX_LIST_BYTES: usize = 16 << 20;

const SERVICE: Service = Service {
    name: "Confluent",
    endpoint_variable: "CONFLUENT_CLOUD_REST_ENDPOINT",
    default_endpoint: "https://api.confluent.cloud",
    idempotency_header: None,
};

/// Reason why a successful response could not be parsed.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Cut short or not JSON: the request is repeated.
    #[error("{0}")]
    Unreadable(String),
    /// Valid JSON with wrong content: the request is not repeated.
    #[error("{0}")]
    Wrong(Error),
}

/// Client of one organization. Tasks that read from the same organization share it, as the rate limit is the client's.
#[derive(Debug)]
pub struct Client {
    http: HttpClient,
    page_size: u32,
    max_body_bytes: usize,
    clock_ahead_secs: AtomicI64,
    origin: String,
}

impl Client {
    /// Creates a client that has not connected yet.
    ///
    /// # Errors
    /// Kind configuration, when the endpoint is not https (plain http is allowed to this computer only), or the
    /// credentials are empty or cannot be sent.
    pub fn new(settings: Settings) -> Result<Client> {
        Client::with_timing(settings, Timing::real())
    }

    /// As [`Client::new`], with other clocks.
    pub(crate) fn with_timing(settings: Settings, timing: Timing) -> Result<Client> {
        let http = SERVICE.http_client(&settings.endpoint, settings.timeouts)?;
        let (authorization, encoded) = basic_authorization(&settings.key, &settings.secret)?;
        let secret = settings.secret.expose_secret().to_owned();
        let origin = origin(&settings);
        let http = HttpClient::new(HttpClientParts {
            service: SERVICE,
            endpoint: settings.endpoint,
            http,
            authorization,
            secrets: vec![settings.key, secret, encoded],
            timeouts: settings.timeouts,
            policy: settings.policy,
            requests_per_second: Some(settings.requests_per_second),
            timing,
        });
        Ok(Client {
            http,
            page_size: settings.page_size,
            max_body_bytes: MAX_BODY_BYTES,
            clock_ahead_secs: AtomicI64::new(0),
            origin,
        })
    }

    /// Digest of endpoint and key: costs of another origin may be those of another organization.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Requests so far.
    pub(crate) fn counts(&self) -> RequestCounts {
        self.http.counts()
    }

    /// Reads one page of costs and parses it with `parse`, off the async threads. `token` is the page's; `None` for
    /// the first page. Repeated after transient failures: 429, 5xx, timeouts, broken connections, cut or unreadable
    /// bodies.
    ///
    /// # Errors
    /// Kind configuration for a refused key or role, data for any other refusal and for [`BodyError::Wrong`], remote
    /// when the attempts or the time for them are used up.
    pub async fn costs_page<T, F>(
        &self,
        window: Window,
        token: Option<&str>,
        parse: F,
    ) -> std::result::Result<T, RequestError>
    where
        T: Send + 'static,
        F: Fn(&str) -> std::result::Result<T, BodyError> + Send + Clone + 'static,
    {
        let operation = self.costs_operation(window, token);
        let today = DateTime::<Utc>::from((self.http.timing().now)()).date_naive();
        let request = Request {
            operation: &operation,
            method: Method::GET,
            url: self.costs_url(window, token),
            body: None,
            header: None,
            idempotency: Idempotency::Safe,
        };
        let refusal = |response: &ErrorResponse| response.costs_refusal(window, today);
        self.send(request, self.max_body_bytes, &refusal, parse)
            .await
    }

    /// Reads JSON at `path`. `operation` describes the request in messages; `role` is the role that it takes.
    ///
    /// # Errors
    /// Kind configuration for a refused key or role, data for other refusals, remote after all retries.
    pub(crate) async fn get(
        &self,
        operation: &str,
        path: &[&str],
        query: &[(&str, &str)],
        role: &str,
    ) -> std::result::Result<Value, RequestError> {
        let request = Request {
            operation,
            method: Method::GET,
            url: self.http.url(path, query),
            body: None,
            header: None,
            idempotency: Idempotency::Safe,
        };
        self.send_json(request, role).await
    }

    /// Posts JSON to `path`, once: [`RequestError::outcome_unknown`] is true when the server may have applied it.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(crate) async fn post(
        &self,
        operation: &str,
        path: &[&str],
        body: &Value,
        role: &str,
    ) -> std::result::Result<Value, RequestError> {
        let request = Request {
            operation,
            method: Method::POST,
            url: self.http.url(path, &[]),
            body: Some(body.to_string().into()),
            header: None,
            idempotency: Idempotency::Once,
        };
        self.send_json(request, role).await
    }

    /// Deletes the resource at `path`; a missing one is not an error.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(crate) async fn delete(
        &self,
        operation: &str,
        path: &[&str],
        role: &str,
    ) -> std::result::Result<(), RequestError> {
        let request = Request {
            operation,
            method: Method::DELETE,
            url: self.http.url(path, &[]),
            body: None,
            header: None,
            idempotency: Idempotency::Safe,
        };
        match self.send_json(request, role).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    async fn send_json(
        &self,
        request: Request<'_>,
        role: &str,
    ) -> std::result::Result<Value, RequestError> {
        let refusal = |response: &ErrorResponse| response.api_refusal(role);
        let parse = |text: &str| match text {
            "" => Ok(Value::Null),
            // serde's text could quote the response.
            text => json::parse_value(text).map_err(|e| match JsonDefect::of(&e) {
                Some(defect) => BodyError::Wrong(Error::new(ErrorKind::Data, defect)),
                None => BodyError::Unreadable("the response is not JSON".to_owned()),
            }),
        };
        let max_body_bytes = self.max_body_bytes.min(MAX_LIST_BYTES);
        self.send(request, max_body_bytes, &refusal, parse).await
    }

    async fn send<T, F>(
        &self,
        request: Request<'_>,
        max_body_bytes: usize,
        refusal: &(dyn Fn(&ErrorResponse) -> RefusedRequest + Sync),
        parse: F,
    ) -> std::result::Result<T, RequestError>
    where
        T: Send + 'static,
        F: Fn(&str) -> std::result::Result<T, BodyError> + Send + Clone + 'static,
    {
        let reader = JsonReader {
            client: self,
            operation: request.operation,
            is_read: request.method == Method::GET,
            max_body_bytes,
            refusal,
            parse,
        };
        self.http.send(request, reader).await
    }

    /// Waits by the client's clock.
    pub(crate) async fn sleep(&self, wait: Duration) {
        self.http.sleep(wait).await;
    }

    /// Time since some fixed moment, by the client's clock.
    pub(crate) fn uptime(&self) -> Duration {
        self.http.uptime()
    }

    /// Lead of this computer's clock over Confluent's at the last response.
    pub(crate) fn clock_ahead(&self) -> TimeDelta {
        TimeDelta::seconds(self.clock_ahead_secs.load(Ordering::Relaxed))
    }

    /// Root of the API.
    pub(crate) fn endpoint(&self) -> &Url {
        self.http.endpoint()
    }

    /// Address of `path` below the root of the API, with `query`.
    pub(crate) fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        self.http.url(path, query)
    }

    fn costs_operation(&self, window: Window, token: Option<&str>) -> String {
        let page = match token.and_then(|token| self.http.sanitizer().sanitize(token)) {
            Some(token) => format!("page {}", token.chars().take(16).collect::<String>()),
            None => "first page".to_owned(),
        };
        format!("costs of {window}, {page}")
    }

    fn costs_url(&self, window: Window, token: Option<&str>) -> Url {
        let (start, end) = (window.start.to_string(), window.end.to_string());
        let page_size = self.page_size.to_string();
        let mut query = vec![
            ("start_date", start.as_str()),
            ("end_date", end.as_str()),
            ("page_size", page_size.as_str()),
        ];
        query.extend(token.map(|token| ("page_token", token)));
        self.http.url(&["billing", "v1", "costs"], &query)
    }
}
