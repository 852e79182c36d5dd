//! One request to Confluent, repeated while that may help, and the answer to it.

use std::sync::atomic::Ordering;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION,
};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use crate::confluent::client::{BodyError, Client};
use crate::confluent::error_response::{self, Answer};
use crate::error::Error;
use crate::http::request_error::{AttemptError, RequestError, TransientError, exhausted};
use crate::http::retry::{self, Next};
use crate::http::sanitize::{detail, with_request_id};

/// The most that is read of an error body, in bytes.
const MAX_ERROR_BODY_BYTES: usize = 64 << 10;

/// A request, and what answers to it mean.
pub struct Request<'r> {
    /// What is asked for, in words.
    pub asked: &'r str,
    /// The method.
    pub method: Method,
    /// The address, on the configured host.
    pub url: Url,
    /// A JSON body.
    pub body: Option<String>,
    /// Whether it must not be sent again when it may have been carried out: after a broken connection or a
    /// 5xx. What the server refused for now (429) is sent again all the same.
    pub once: bool,
    /// The error of an answer that asking again doesn't change.
    pub refusal: &'r (dyn Fn(&Answer) -> Error + Sync),
}

/// Why there is no body.
enum Body {
    Cut(String),
    TooLarge,
}

impl Client {
    /// Sends a request until there is an answer, and reads its body with `parse`, off the async threads.
    /// What may pass is tried again: 429, 5xx, timeouts, broken connections, cut or unreadable bodies.
    ///
    /// # Errors
    /// What `refusal` makes of an answer, what `parse` calls wrong, class remote when the attempts or the
    /// time for them are used up.
    pub(super) async fn exchange<T, F>(
        &self,
        request: Request<'_>,
        parse: F,
    ) -> std::result::Result<T, RequestError>
    where
        T: Send + 'static,
        F: Fn(&str) -> std::result::Result<T, BodyError> + Send + Clone + 'static,
    {
        let policy = self.settings.policy;
        let started = (self.timing.uptime)();
        let mut attempt = 0;
        loop {
            attempt += 1;
            self.limiter.until_ready().await;
            self.requests.fetch_add(1, Ordering::Relaxed);
            let fault = match self.attempt(&request, parse.clone()).await {
                Ok(read) => return Ok(read),
                Err(AttemptError::Final(failure)) => return Err(failure),
                Err(AttemptError::Passing(fault)) => fault,
            };
            if request.once && fault.status != Some(StatusCode::TOO_MANY_REQUESTS) {
                return Err(ambiguous(request.asked, fault));
            }
            let elapsed = (self.timing.uptime)().saturating_sub(started);
            match policy.next(attempt, elapsed, fault.asked, (self.timing.random)()) {
                Next::Wait(wait) => {
                    tracing::warn!(
                        asked = request.asked,
                        attempt,
                        wait_secs = wait.as_secs_f64(),
                        cause = %fault.cause,
                        request_id = fault.request_id.as_deref(),
                        "Confluent gave no usable answer; trying again."
                    );
                    self.retries.fetch_add(1, Ordering::Relaxed);
                    (self.timing.sleep)(wait).await;
                }
                Next::Stop(stop) => {
                    return Err(exhausted(request.asked, attempt, elapsed, stop, fault));
                }
            }
        }
    }

    /// One request, one answer.
    async fn attempt<T, F>(
        &self,
        request: &Request<'_>,
        parse: F,
    ) -> std::result::Result<T, AttemptError>
    where
        T: Send + 'static,
        F: Fn(&str) -> std::result::Result<T, BodyError> + Send + 'static,
    {
        let asked = request.asked;
        let mut sent = self
            .http
            .request(request.method.clone(), request.url.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(body) = &request.body {
            let json = HeaderValue::from_static("application/json");
            sent = sent.header(CONTENT_TYPE, json).body(body.clone());
        }
        let response = match sent.send().await {
            Ok(response) => response,
            Err(error) => return Err(self.not_sent(asked, &error)),
        };
        self.look_at_clock(response.headers());
        let status = response.status();
        // What was asked for is in a 200; other successes are of what was made or deleted.
        let read_well = status == StatusCode::OK || request.method != Method::GET;
        if !(status.is_success() && read_well) {
            return Err(self.refused(response, request).await);
        }
        let request_id = self.request_id(response.headers());
        let passing = |cause: String| {
            AttemptError::Passing(TransientError {
                cause: format!("HTTP {status}, but {cause}"),
                status: Some(status),
                request_id: request_id.clone(),
                asked: None,
            })
        };
        let wrong = |error: Error| {
            let error = error.context(format!("{asked}{}", with_request_id(request_id.as_deref())));
            AttemptError::Final(RequestError::of(error, Some(status)))
        };
        let body = match self.read_body(response).await {
            Ok(body) => body,
            Err(Body::Cut(why)) => return Err(passing(why)),
            Err(Body::TooLarge) => {
                let limit = self.max_body >> 20;
                return Err(wrong(
                    Error::data(format!("the answer is larger than {limit} MB"))
                        .with_hint("ask for fewer records a page"),
                ));
            }
        };
        let Ok(text) = String::from_utf8(body) else {
            return Err(passing("the answer is not UTF-8".to_owned()));
        };
        match text.trim_start().as_bytes().first() {
            // What was deleted leaves nothing to say.
            None if status == StatusCode::NO_CONTENT => {}
            None => return Err(passing("the answer is empty".to_owned())),
            Some(b'<') => return Err(passing("an HTML page came in place of JSON".to_owned())),
            Some(_) => {}
        }
        match tokio::task::spawn_blocking(move || parse(&text)).await {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(BodyError::Wrong(error))) => Err(wrong(error)),
            Ok(Err(BodyError::Unreadable(why))) => Err(passing(
                self.cleaner
                    .clean(&why)
                    .unwrap_or_else(|| "the answer is unreadable".to_owned()),
            )),
            // Its text could quote the answer.
            Err(_) => Err(wrong(Error::bug("reading the answer was broken off"))),
        }
    }

    /// The answer was none: no connection, a broken one, a timeout.
    fn not_sent(&self, asked: &str, error: &reqwest::Error) -> AttemptError {
        let cause = self.cause(error);
        match permanent_transport_error(&cause) {
            Some(hint) => {
                let error = Error::config(format!("{asked}: {cause}")).with_hint(hint);
                AttemptError::Final(RequestError::of(error, None))
            }
            None => AttemptError::Passing(TransientError {
                cause,
                status: None,
                request_id: None,
                asked: None,
            }),
        }
    }

    /// The answer was no success: a passing one, or a refusal.
    async fn refused(&self, response: Response, request: &Request<'_>) -> AttemptError {
        let status = response.status();
        let wait = retry::asked_wait(status, response.headers(), (self.timing.now)());
        let answer = self.read_answer(response).await;
        let passes = status.is_server_error()
            || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status);
        if passes {
            return AttemptError::Passing(TransientError {
                cause: answer.said(),
                status: Some(status),
                request_id: answer.request_id,
                asked: wait,
            });
        }
        AttemptError::Final(RequestError {
            maybe_inactive_key: answer.key_may_be_new(),
            ..RequestError::of((request.refusal)(&answer), Some(status))
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
            request_id: request_id.or_else(|| {
                error_response::request_id(&body).and_then(|id| self.cleaner.clean(&id))
            }),
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
        let Self { settings, .. } = self;
        settings
            .timeouts
            .cause(error, &settings.endpoint, &self.cleaner)
    }

    fn request_id(&self, headers: &HeaderMap) -> Option<String> {
        let id = headers.get("x-request-id")?.to_str().ok()?;
        self.cleaner.clean(id)
    }

    /// Takes note of how far this computer's clock is ahead of the server's.
    fn look_at_clock(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        if let Some(theirs) = date.and_then(|date| httpdate::parse_http_date(date).ok()) {
            let ours = DateTime::<Utc>::from(SystemTime::now());
            let ahead = (ours - DateTime::<Utc>::from(theirs)).num_seconds();
            self.clock_ahead_secs.store(ahead, Ordering::Relaxed);
        }
    }
}

/// What to do about a connection that does not come about by trying again.
fn permanent_transport_error(cause: &str) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    if cause.contains("invalid peer certificate") {
        return Some(if says(&["xpired", "NotValidYet", "not valid yet"]) {
            "the certificate is not valid at this computer's time: check its clock (`date -u`)"
        } else {
            "if a proxy opens TLS connections, make its certificate known with SSL_CERT_FILE"
        });
    }
    says(&["proxy auth", "tunnel"]).then_some(
        "the proxy does not let it through: check HTTPS_PROXY, its user and password, and NO_PROXY",
    )
}

/// The error of a request that may have been carried out or not.
fn ambiguous(asked: &str, fault: TransientError) -> RequestError {
    let said = format!(
        "{asked}: {}{}",
        fault.cause,
        with_request_id(fault.request_id.as_deref())
    );
    RequestError {
        outcome_unknown: true,
        ..RequestError::of(Error::remote(said), fault.status)
    }
}
