//! Asks Confluent's Costs API for pages: credentials, limits, retries, and errors in words.
//!
//! `GET {endpoint}/billing/v1/costs` (docs: Cloud API reference, Costs). The credentials only ever
//! go to the configured host, and over plain http only to this computer.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Response, StatusCode};
use secrecy::ExposeSecret;
use url::Url;

use super::answer::{self, Answer};
use super::windows::Window;
use crate::error::{Error, Result};
use crate::http::Endpoint;
use crate::http::failure::{Failed, Fault, exhausted};
use crate::http::retry::{self, Next, Policy, Timing};
use crate::http::words::{Cleaner, detail, with_request_id};

mod settings;
#[cfg(test)]
mod tests;
mod tokens;

pub use crate::http::failure::Failure;
pub use settings::{
    CONNECT_TIMEOUT, MAX_ATTEMPTS, PAGE_SIZE, READ_TIMEOUT, REQUESTS_PER_SECOND, RETRY_ELAPSED,
    Settings, TOTAL_TIMEOUT,
};
pub use tokens::{TokenGuard, next_token};

use settings::basic;

/// The largest body that is taken, in bytes, decompressed: some fifty times a full page.
pub const MAX_BODY_BYTES: usize = 256 << 20;
/// The most that is read of an error body, in bytes.
const MAX_ERROR_BODY_BYTES: usize = 64 << 10;

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
    cleaner: Cleaner,
    limiter: DefaultDirectRateLimiter,
    timing: Timing,
    max_body: usize,
    requests: AtomicU64,
    retries: AtomicU64,
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
        let http = endpoint.client(settings.timeouts())?;
        let (authorization, encoded) = basic(&settings.key, &settings.secret)?;
        // No bursts: at most so many requests in any second.
        let rate = NonZeroU32::new(settings.requests_per_second).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(rate).allow_burst(NonZeroU32::MIN);
        let secret = settings.secret.expose_secret().to_owned();
        Ok(Client {
            http,
            cleaner: Cleaner::new([settings.key.clone(), secret, encoded]),
            limiter: RateLimiter::direct(quota),
            settings,
            authorization,
            timing,
            max_body: MAX_BODY_BYTES,
            requests: AtomicU64::new(0),
            retries: AtomicU64::new(0),
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
    ) -> std::result::Result<T, Failure>
    where
        T: Send + 'static,
        F: Fn(&str) -> std::result::Result<T, BodyError> + Send + Clone + 'static,
    {
        let url = self.costs_url(window, token);
        let asked = self.asked(window, token);
        let policy = Policy {
            max_attempts: self.settings.max_attempts,
            max_elapsed: self.settings.retry_elapsed,
        };
        let started = (self.timing.uptime)();
        let mut attempt = 0;
        loop {
            attempt += 1;
            self.limiter.until_ready().await;
            self.requests.fetch_add(1, Ordering::Relaxed);
            let fault = match self
                .attempt(url.clone(), window, &asked, parse.clone())
                .await
            {
                Ok(page) => return Ok(page),
                Err(Failed::Final(failure)) => return Err(failure),
                Err(Failed::Passing(fault)) => fault,
            };
            let elapsed = (self.timing.uptime)().saturating_sub(started);
            match policy.next(attempt, elapsed, fault.asked, (self.timing.random)()) {
                Next::Wait(wait) => {
                    tracing::warn!(
                        window = %window,
                        attempt,
                        wait_secs = wait.as_secs_f64(),
                        cause = %fault.cause,
                        request_id = fault.request_id.as_deref(),
                        "Confluent gave no page; trying again."
                    );
                    self.retries.fetch_add(1, Ordering::Relaxed);
                    (self.timing.sleep)(wait).await;
                }
                Next::Stop(stop) => return Err(exhausted(&asked, attempt, elapsed, stop, fault)),
            }
        }
    }

    /// One request, one answer.
    async fn attempt<T, F>(
        &self,
        url: Url,
        window: Window,
        asked: &str,
        parse: F,
    ) -> std::result::Result<T, Failed>
    where
        T: Send + 'static,
        F: Fn(&str) -> std::result::Result<T, BodyError> + Send + 'static,
    {
        let request = self
            .http
            .get(url)
            .header(AUTHORIZATION, self.authorization.clone())
            .header(ACCEPT, HeaderValue::from_static("application/json"));
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Err(self.not_sent(asked, &error)),
        };
        let status = response.status();
        if status != StatusCode::OK {
            return Err(self.no_page(response, window, asked).await);
        }
        let request_id = self.request_id(response.headers());
        let passing = |cause: String| {
            Failed::Passing(Fault {
                cause: format!("HTTP {status}, but {cause}"),
                status: Some(status),
                request_id: request_id.clone(),
                asked: None,
            })
        };
        let wrong = |error: Error| {
            let error = error.context(format!("{asked}{}", with_request_id(request_id.as_deref())));
            Failed::Final(Failure {
                error,
                status: Some(status),
            })
        };
        let body = match self.read_body(response).await {
            Ok(body) => body,
            Err(Body::Cut(why)) => return Err(passing(why)),
            Err(Body::TooLarge) => {
                return Err(wrong(
                    Error::data(format!(
                        "the page is larger than {} MB",
                        self.max_body >> 20
                    ))
                    .with_hint("ask for fewer records a page"),
                ));
            }
        };
        let Ok(text) = String::from_utf8(body) else {
            return Err(passing("the page is not UTF-8".to_owned()));
        };
        match text.trim_start().as_bytes().first() {
            None => return Err(passing("the page is empty".to_owned())),
            Some(b'<') => return Err(passing("an HTML page came in place of JSON".to_owned())),
            Some(_) => {}
        }
        match tokio::task::spawn_blocking(move || parse(&text)).await {
            Ok(Ok(page)) => Ok(page),
            Ok(Err(BodyError::Wrong(error))) => Err(wrong(error)),
            Ok(Err(BodyError::Unreadable(why))) => Err(passing(
                self.cleaner
                    .clean(&why)
                    .unwrap_or_else(|| "the page is unreadable".to_owned()),
            )),
            // Its text could quote the page.
            Err(_) => Err(wrong(Error::bug("reading the page was broken off"))),
        }
    }

    /// The answer was none: no connection, a broken one, a timeout.
    fn not_sent(&self, asked: &str, error: &reqwest::Error) -> Failed {
        let cause = self.cause(error);
        // No answer gets better by asking again when the certificate isn't trusted.
        if cause.contains("invalid peer certificate") {
            let error = Error::config(format!("{asked}: {cause}")).with_hint(
                "if a proxy opens TLS connections, make its certificate known with SSL_CERT_FILE",
            );
            return Failed::Final(Failure {
                error,
                status: None,
            });
        }
        Failed::Passing(Fault {
            cause,
            status: None,
            request_id: None,
            asked: None,
        })
    }

    /// The answer was no page: a passing one, or a refusal.
    async fn no_page(&self, response: Response, window: Window, asked: &str) -> Failed {
        let status = response.status();
        let now = (self.timing.now)();
        let wait = retry::asked_wait(status, response.headers(), now);
        let answer = self.read_answer(response).await;
        let passes = status.is_server_error()
            || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status);
        if passes {
            return Failed::Passing(Fault {
                cause: answer.said(),
                status: Some(status),
                request_id: answer.request_id,
                asked: wait,
            });
        }
        let error = answer.refusal(asked, window, DateTime::<Utc>::from(now).date_naive());
        Failed::Final(Failure {
            error,
            status: Some(status),
        })
    }

    async fn read_answer(&self, mut response: Response) -> Answer {
        let mut body = Vec::new();
        // What can be read of the reason is enough.
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = MAX_ERROR_BODY_BYTES - body.len();
            body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if chunk.len() >= room {
                break;
            }
        }
        let location = response
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok());
        let target = location.and_then(|to| self.settings.endpoint.join(to).ok());
        let request_id = self.request_id(response.headers());
        Answer {
            status: response.status(),
            request_id: request_id
                .or_else(|| answer::request_id(&body).and_then(|id| self.cleaner.clean(&id))),
            detail: detail(&body).and_then(|detail| self.cleaner.clean(&detail)),
            redirect_host: target.and_then(|url| self.cleaner.clean(url.host_str()?)),
        }
    }

    async fn read_body(&self, mut response: Response) -> std::result::Result<Vec<u8>, Body> {
        let announced =
            usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
        if announced > self.max_body {
            return Err(Body::TooLarge);
        }
        // The announcement is only a hint.
        let mut body = Vec::with_capacity(announced.min(16 << 20));
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if chunk.len() > self.max_body - body.len() => {
                    return Err(Body::TooLarge);
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(body),
                Err(error) => return Err(Body::Cut(self.cause(&error))),
            }
        }
    }

    /// What broke a request, without its address.
    fn cause(&self, error: &reqwest::Error) -> String {
        self.settings
            .timeouts()
            .cause(error, &self.settings.endpoint, &self.cleaner)
    }

    fn request_id(&self, headers: &HeaderMap) -> Option<String> {
        let id = headers.get("x-request-id")?.to_str().ok()?;
        self.cleaner.clean(id)
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
        let mut url = self.settings.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["billing", "v1", "costs"]);
        }
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

/// Why there is no body.
enum Body {
    Cut(String),
    TooLarge,
}
