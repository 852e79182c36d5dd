//! The retry loop of both clients.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use crate::http::endpoint::{Service, Timeouts, address};
use crate::http::idempotency::Idempotency;
use crate::http::pace::Pace;
use crate::http::request_error::{AttemptError, RequestError, TransientError};
use crate::http::retry::{Policy, RetryDecision, Timing};
use crate::http::retry_after::requested_wait;
use crate::http::sanitize::Sanitizer;
use crate::http::transport::TransportError;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Parts of an [`HttpClient`].
pub(crate) struct HttpClientParts {
    /// The service.
    pub service: Service,
    /// Root of its API.
    pub endpoint: Url,
    /// From [`Service::http_client`].
    pub http: reqwest::Client,
    /// Value of the `Authorization` header.
    pub authorization: HeaderValue,
    /// Texts to redact in everything that the service says.
    pub secrets: Vec<String>,
    /// Time limits of a request.
    pub timeouts: Timeouts,
    /// Limits of retries.
    pub policy: Policy,
    /// Most requests per second, where they are limited.
    pub requests_per_second: Option<u32>,
    /// Clocks.
    pub timing: Timing,
}

/// Client of one service with one credential. Its tasks share the pace.
pub(crate) struct HttpClient {
    service: Service,
    endpoint: Url,
    http: reqwest::Client,
    authorization: HeaderValue,
    sanitizer: Sanitizer,
    timeouts: Timeouts,
    policy: Policy,
    pace: Option<Pace>,
    timing: Timing,
    requests: AtomicU64,
    retries: AtomicU64,
}

/// Request to a service.
pub(crate) struct Request<'r> {
    /// Description of the operation, for messages.
    pub operation: &'r str,
    /// HTTP method.
    pub method: Method,
    /// Address, on the configured host.
    pub url: Url,
    /// JSON body.
    pub body: Option<Bytes>,
    /// Header besides those of every request.
    pub header: Option<(HeaderName, HeaderValue)>,
    /// Effect of sending it twice.
    pub idempotency: Idempotency,
}

/// Turns responses into results.
pub(crate) trait ResponseReader: Send {
    /// Result of a request.
    type Output;

    /// Reads one response.
    fn read(
        &mut self,
        response: Response,
    ) -> impl Future<Output = Result<Self::Output, AttemptError>> + Send;

    /// Classifies a failure without a response: transient, unless the service says otherwise.
    fn transport_failure(&self, error: TransportError) -> AttemptError {
        AttemptError::Transient(error.into())
    }
}

/// Requests of a client so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// Requests sent, including retries.
    pub requests: u64,
    /// Repetitions of a failed request, each after a wait.
    pub retries: u64,
}

/// Reason why there is no complete body.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyReadError {
    /// The connection broke.
    #[error(transparent)]
    Interrupted(#[from] TransportError),
    /// Larger than allowed.
    #[error("the response is larger than {} MB", limit >> 20)]
    TooLarge {
        /// Limit in bytes.
        limit: usize,
    },
}

impl HttpClient {
    /// Creates a client that has not connected yet.
    pub fn new(parts: HttpClientParts) -> HttpClient {
        HttpClient {
            service: parts.service,
            endpoint: parts.endpoint,
            http: parts.http,
            authorization: parts.authorization,
            sanitizer: Sanitizer::new(parts.secrets),
            timeouts: parts.timeouts,
            policy: parts.policy,
            pace: parts.requests_per_second.map(Pace::new),
            timing: parts.timing,
            requests: AtomicU64::new(0),
            retries: AtomicU64::new(0),
        }
    }

    /// Sends a request, repeating it after transient failures within the retry policy and its idempotency.
    ///
    /// # Errors
    /// The reader's permanent failures; kind remote when attempts or time are used up, or when the request must not
    /// be repeated.
    pub async fn send<R: ResponseReader>(
        &self,
        mut request: Request<'_>,
        mut reader: R,
    ) -> Result<R::Output, RequestError> {
        let operation = request.operation;
        let started = self.uptime();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let failure = match self.attempt(&request, &mut reader).await {
                Ok(output) => return Ok(output),
                Err(AttemptError::Permanent(error)) => return Err(error),
                Err(AttemptError::Transient(failure)) => failure,
            };
            if !request.idempotency.permits_retry(&failure) {
                return Err(RequestError::ambiguous(operation, &failure));
            }
            let elapsed = self.uptime().saturating_sub(started);
            let random = (self.timing.random)();
            let wait = match self
                .policy
                .decide(attempt, elapsed, failure.requested_wait(), random)
            {
                RetryDecision::Wait(wait) => wait,
                RetryDecision::Stop(reason) => {
                    return Err(RequestError::exhausted(
                        operation, attempt, elapsed, reason, &failure,
                    ));
                }
            };
            self.log_retry(operation, attempt, wait, &failure);
            self.retries.fetch_add(1, Ordering::Relaxed);
            self.sleep(wait).await;
        }
    }

    async fn attempt<R: ResponseReader>(
        &self,
        request: &Request<'_>,
        reader: &mut R,
    ) -> Result<R::Output, AttemptError> {
        let started = match &self.pace {
            Some(pace) => pace.wait(&self.timing).await,
            None => self.uptime(),
        };
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut builder = self
            .http
            .request(request.method.clone(), request.url.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header(ACCEPT, JSON);
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, JSON).body(body.clone());
        }
        if let Some((name, value)) = &request.header {
            builder = builder.header(name, value);
        }
        if let (Some(name), Idempotency::Key(key)) =
            (self.service.idempotency_header, &request.idempotency)
        {
            builder = builder.header(name, key.header_value());
        }
        match builder.send().await {
            Ok(response) => {
                if let Some(pace) = &self.pace {
                    pace.follow(response.status(), response.headers(), started, &self.timing);
                }
                reader.read(response).await
            }
            Err(error) => Err(reader.transport_failure(self.transport_error(&error))),
        }
    }

    fn log_retry(&self, operation: &str, attempt: u32, wait: Duration, failure: &TransientError) {
        tracing::warn!(
            service = self.service.name,
            operation,
            attempt,
            wait_secs = wait.as_secs_f64(),
            cause = %failure,
            request_id = failure.request_id(),
            "Request failed, retrying"
        );
    }

    /// Classifies an error of the HTTP library.
    fn transport_error(&self, error: &reqwest::Error) -> TransportError {
        TransportError::new(error, &self.timeouts, &self.endpoint, &self.sanitizer)
    }

    /// Reads a whole body of at most `limit` bytes, decompressed.
    pub async fn read_body(
        &self,
        mut response: Response,
        limit: usize,
    ) -> Result<Vec<u8>, BodyReadError> {
        let announced =
            usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
        if announced > limit {
            return Err(BodyReadError::TooLarge { limit });
        }
        // The announced length may be wrong, so it reserves a limited capacity only.
        let mut body = Vec::with_capacity(announced.min(16 << 20));
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if chunk.len() > limit - body.len() => {
                    return Err(BodyReadError::TooLarge { limit });
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(body),
                Err(error) => return Err(self.transport_error(&error).into()),
            }
        }
    }

    /// Reads the beginning of an error body, as far as it arrives.
    pub async fn read_error_body(&self, response: &mut Response, limit: usize) -> Vec<u8> {
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = limit - body.len();
            body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if chunk.len() >= room {
                break;
            }
        }
        body
    }

    /// The wait that a response asks for.
    pub fn requested_wait(&self, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
        requested_wait(status, headers, (self.timing.now)())
    }

    /// Sanitizes texts of the service for display.
    pub fn sanitizer(&self) -> &Sanitizer {
        &self.sanitizer
    }

    /// Clocks of this client.
    pub fn timing(&self) -> &Timing {
        &self.timing
    }

    /// Root of the API.
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// Address of `path` below the root of the API, with `query`.
    pub fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Requests so far.
    pub fn counts(&self) -> RequestCounts {
        RequestCounts {
            requests: self.requests.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
        }
    }

    /// Waits by the client's clock.
    pub async fn sleep(&self, wait: Duration) {
        (self.timing.sleep)(wait).await;
    }

    /// Time since some fixed moment, by the client's clock.
    pub fn uptime(&self) -> Duration {
        (self.timing.uptime)()
    }
}

/// Hides the credentials.
impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("service", &self.service.name)
            .field("endpoint", &address(&self.endpoint))
            .field("timeouts", &self.timeouts)
            .field("policy", &self.policy)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
