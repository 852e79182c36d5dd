//! Asks Confluent's API: credentials, limits, retries, and errors in words.
//!
//! Pages of costs come from `GET {endpoint}/billing/v1/costs` (docs: Cloud API reference, Costs). The credentials only ever
//! go to the configured host, and over plain http only to this computer.

mod request;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::Value;
use url::Url;

use crate::billing_period::Window;
use crate::confluent::client::request::Request;
use crate::confluent::client::settings::basic;
use crate::error::{Error, Result};
use crate::http::Endpoint;
use crate::http::retry::Timing;
use crate::http::sanitize::Sanitizer;

pub use crate::confluent::client::settings::{
    PAGE_SIZE, REQUESTS_PER_SECOND, Settings, with_short_retries,
};
pub use crate::confluent::costs::tokens::{TokenGuard, next_token};
pub use crate::http::request_error::RequestError;

/// The largest body that is taken, in bytes, decompressed: some fifty times a full page.
pub const MAX_BODY_BYTES: usize = 256 << 20;

/// Why the body of a 200 gave no page.
#[derive(Debug)]
pub enum BodyError {
    /// Cut short or not JSON, and why: asked for again.
    Unreadable(String),
    /// Read well, but its content is wrong: not asked for again.
    Wrong(Error),
}

/// What the client did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests sent, retries included.
    pub requests: u64,
    /// Requests that repeated a failed one, each after a wait.
    pub retries: u64,
}

/// A client for one organization. Share it between the tasks that read from that organization: the
/// rate limit is the client's.
pub struct Client {
    http: reqwest::Client,
    settings: Settings,
    authorization: HeaderValue,
    cleaner: Sanitizer,
    limiter: DefaultDirectRateLimiter,
    timing: Timing,
    max_body: usize,
    requests: AtomicU64,
    retries: AtomicU64,
    clock_ahead_secs: AtomicI64,
}

impl Client {
    /// A client that has not connected yet.
    ///
    /// # Errors
    /// A configuration error when the endpoint is not https (plain http is for this computer only), or
    /// the credentials are empty or can't be sent.
    pub fn new(settings: Settings) -> Result<Client> {
        Client::with_timing(settings, Timing::real())
    }

    /// As [`Client::new`], with other clocks: for tests.
    pub fn with_timing(settings: Settings, timing: Timing) -> Result<Client> {
        let endpoint = Endpoint {
            url: &settings.endpoint,
            service: "Confluent",
            variable: "CONFLUENT_CLOUD_REST_ENDPOINT",
            usual: "https://api.confluent.cloud",
        };
        let http = endpoint.client(settings.timeouts)?;
        let (authorization, encoded) = basic(&settings.key, &settings.secret)?;
        // No bursts: at most so many requests in any second.
        let rate = NonZeroU32::new(settings.requests_per_second).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(rate).allow_burst(NonZeroU32::MIN);
        let secret = settings.secret.expose_secret().to_owned();
        Ok(Client {
            http,
            cleaner: Sanitizer::new([settings.key.clone(), secret, encoded]),
            limiter: RateLimiter::direct(quota),
            settings,
            authorization,
            timing,
            max_body: MAX_BODY_BYTES,
            requests: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            clock_ahead_secs: AtomicI64::new(0),
        })
    }

    /// What this client did so far.
    pub fn stats(&self) -> Stats {
        Stats {
            requests: self.requests.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
        }
    }

    /// Gets one page of costs and reads it with `parse`, off the async threads. `token` is the page's,
    /// `None` for the first one. What may pass is tried again: 429, 5xx, timeouts, broken connections,
    /// cut or unreadable bodies.
    ///
    /// # Errors
    /// Configuration for a refused key or role, data for any other refusal and for what `parse` calls
    /// wrong, remote when the attempts or the time for them are used up.
    pub async fn costs_page<T, F>(&self, window: Window, token: Option<&str>, parse: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&str) -> std::result::Result<T, BodyError> + Send + Clone + 'static,
    {
        Ok(self.try_costs_page(window, token, parse).await?)
    }

    /// As [`Client::costs_page`], for callers that go by the status.
    ///
    /// # Errors
    /// As [`Client::costs_page`].
    pub async fn try_costs_page<T, F>(
        &self,
        window: Window,
        token: Option<&str>,
        parse: F,
    ) -> std::result::Result<T, RequestError>
    where
        T: Send + 'static,
        F: Fn(&str) -> std::result::Result<T, BodyError> + Send + Clone + 'static,
    {
        let asked = self.asked(window, token);
        let today = DateTime::<Utc>::from((self.timing.now)()).date_naive();
        let request = Request {
            asked: &asked,
            method: Method::GET,
            url: self.costs_url(window, token),
            body: None,
            once: false,
            refusal: &|answer| answer.refusal(&asked, window, today),
        };
        self.exchange(request, parse).await
    }

    /// Reads JSON at `path` of the API. `asked` is what for, in words; `right` is what the key's owner needs
    /// for it.
    ///
    /// # Errors
    /// Configuration for a refused key or right, data for other refusals, remote after all retries.
    pub async fn get(
        &self,
        asked: &str,
        path: &[&str],
        query: &[(&str, &str)],
        right: &str,
    ) -> std::result::Result<Value, RequestError> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.call(asked, Method::GET, url, None, right).await
    }

    /// Posts JSON to `path`, once: a failure says whether it may have been carried out.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post(
        &self,
        asked: &str,
        path: &[&str],
        body: &Value,
        right: &str,
    ) -> std::result::Result<Value, RequestError> {
        let body = Some(body.to_string());
        self.call(asked, Method::POST, self.url(path), body, right)
            .await
    }

    /// Deletes what is at `path`; what is not there is no error.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn delete(
        &self,
        asked: &str,
        path: &[&str],
        right: &str,
    ) -> std::result::Result<(), RequestError> {
        let url = self.url(path);
        match self.call(asked, Method::DELETE, url, None, right).await {
            Err(failure) if failure.status != Some(StatusCode::NOT_FOUND) => Err(failure),
            _ => Ok(()),
        }
    }

    async fn call(
        &self,
        asked: &str,
        method: Method,
        url: Url,
        body: Option<String>,
        right: &str,
    ) -> std::result::Result<Value, RequestError> {
        let request = Request {
            asked,
            once: method == Method::POST,
            method,
            url,
            body,
            refusal: &|answer| answer.api_error(asked, right),
        };
        let parse = |text: &str| match text {
            "" => Ok(Value::Null),
            // serde's text could quote the answer.
            text => serde_json::from_str(text)
                .map_err(|_| BodyError::Unreadable("the answer is not JSON".to_owned())),
        };
        self.exchange(request, parse).await
    }

    /// Waits so long, by the client's clock.
    pub async fn sleep(&self, wait: Duration) {
        (self.timing.sleep)(wait).await;
    }

    /// The time since some fixed moment, by the client's clock.
    pub fn uptime(&self) -> Duration {
        (self.timing.uptime)()
    }

    /// How far this computer's clock was ahead of Confluent's at the last answer.
    pub fn clock_ahead(&self) -> TimeDelta {
        TimeDelta::seconds(self.clock_ahead_secs.load(Ordering::Relaxed))
    }

    /// The root of the API.
    pub fn endpoint(&self) -> &Url {
        &self.settings.endpoint
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.settings.endpoint.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    /// Window and page, in words.
    fn asked(&self, window: Window, token: Option<&str>) -> String {
        let page = match token.and_then(|token| self.cleaner.clean(token)) {
            Some(token) => format!("page {}", token.chars().take(16).collect::<String>()),
            None => "first page".to_owned(),
        };
        format!("costs of {window}, {page}")
    }

    fn costs_url(&self, window: Window, token: Option<&str>) -> Url {
        let mut url = self.url(&["billing", "v1", "costs"]);
        let mut query = url.query_pairs_mut();
        query
            .append_pair("start_date", &window.start.to_string())
            .append_pair("end_date", &window.end.to_string())
            .append_pair("page_size", &self.settings.page_size.to_string());
        if let Some(token) = token {
            query.append_pair("page_token", token);
        }
        drop(query);
        url
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("settings", &self.settings)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
