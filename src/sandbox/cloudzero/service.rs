//! What every CloudZero request passes: its route, faults, credentials, idempotency.

use crate::sandbox::cloudzero::request_log::Entry;
use crate::sandbox::cloudzero::response::Reply;
use crate::sandbox::cloudzero::upload::{self, Upload};
use crate::sandbox::cloudzero::{connections, costs, faults, lock, period, stream};
use crate::sandbox::server::state::Sandbox;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use secrecy::ExposeSecret as _;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes of a body, uncompressed, after which 413 is answered.
const LARGEST_BODY: usize = 5_000_000;
/// Bytes that are read of any body, so that its sender gets to read the answer.
const READ_AT_MOST: usize = 256 << 20;
/// A key that may not list, create and read connections.
const SCOPELESS_KEY: &str = "no-scope-connections";

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// All connections.
    Connections,
    /// A new connection.
    AddConnection,
    /// One connection.
    Connection(String),
    /// Changes to a connection.
    ChangeConnection(String),
    /// All drops of a stream.
    Drops(String),
    /// A new drop for a stream.
    AddDrop(String),
    /// The rows of a stream's month.
    Drop(String, String),
    /// A drop to check.
    Validate,
    /// Costs.
    Costs,
    /// Nothing that is there.
    Nothing,
}

impl Route {
    fn of(method: &Method, path: &str) -> Route {
        let parts: Vec<String> = path.split('/').skip(2).map(decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match (method.as_str(), &parts[..]) {
            ("GET", ["billing", "costs"]) => Route::Costs,
            ("GET", ["connections", "billing"]) => Route::Connections,
            ("POST", ["connections", "billing"]) => Route::AddConnection,
            ("GET", ["connections", "billing", id]) => Route::Connection((*id).to_owned()),
            ("PATCH", ["connections", "billing", id]) => Route::ChangeConnection((*id).to_owned()),
            (_, ["connections", "billing", "anycost", rest @ ..]) => Route::stream(method, rest),
            _ => Route::Nothing,
        }
    }

    fn stream(method: &Method, parts: &[&str]) -> Route {
        match (method.as_str(), parts) {
            ("POST", ["validate_billing_drop"]) => Route::Validate,
            ("GET", [id, "billing_drops"]) => Route::Drops((*id).to_owned()),
            ("POST", [id, "billing_drops"]) => Route::AddDrop((*id).to_owned()),
            ("GET", [id, "billing_drops", month]) => {
                Route::Drop((*id).to_owned(), (*month).to_owned())
            }
            _ => Route::Nothing,
        }
    }

    fn needs_connection_scope(&self) -> bool {
        use Route::*;
        matches!(self, Connections | AddConnection | Connection(_))
    }
}

/// A part of a path without percent escapes.
fn decoded(part: &str) -> String {
    let query = format!("part={}", part.replace('+', "%2B").replace('&', "%26"));
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// A request whose body has been read.
struct Call {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    route: Route,
    /// `None` for one that is far too large.
    body: Option<Bytes>,
    /// For a new drop: whether the stream had no other in flight, until this is dropped.
    turn: Option<Turn>,
}

/// The right to send to a stream.
struct Turn(Arc<Sandbox>, String);

impl Turn {
    fn take(sandbox: &Arc<Sandbox>, stream: &str) -> Option<Turn> {
        let free = lock(&sandbox.cloudzero.busy).insert(stream.to_owned());
        free.then(|| Turn(sandbox.clone(), stream.to_owned()))
    }
}

impl std::ops::Drop for Turn {
    fn drop(&mut self) {
        lock(&self.0.cloudzero.busy).remove(&self.1);
    }
}

/// Whether a path is CloudZero's.
pub fn owns(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/")
}

/// Answers a request to CloudZero's API.
pub async fn answer(sandbox: Arc<Sandbox>, request: Request<Body>) -> Response<Body> {
    let number = sandbox.cloudzero.requests.fetch_add(1, Ordering::AcqRel) + 1;
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let route = Route::of(&head.method, &path);
    // From the first byte on: a second request is refused while the first is still being sent.
    let turn = match &route {
        Route::AddDrop(stream) => Turn::take(&sandbox, stream),
        _ => None,
    };
    let body = axum::body::to_bytes(body, READ_AT_MOST).await.ok();
    let call = Call {
        method: head.method,
        path,
        query: head.uri.query().unwrap_or_default().to_owned(),
        body: body.and_then(|body| uncompressed(&head.headers, body)),
        headers: head.headers,
        route,
        turn,
    };
    // A service goes on with what it has received, whether or not its client waits.
    let work = tokio::spawn(async move { respond(&sandbox, number, call).await });
    let reply = work.await.unwrap_or_else(|_| {
        Reply::message(StatusCode::INTERNAL_SERVER_ERROR, "the sandbox failed")
    });
    reply.response()
}

fn uncompressed(headers: &HeaderMap, body: Bytes) -> Option<Bytes> {
    if headers
        .get(CONTENT_ENCODING)
        .is_none_or(|value| value != "gzip")
    {
        return Some(body);
    }
    let mut plain = Vec::new();
    let limit = LARGEST_BODY as u64 + 1;
    // What is not gzip stays as it is, and is refused as JSON then.
    match MultiGzDecoder::new(&*body)
        .take(limit)
        .read_to_end(&mut plain)
    {
        Ok(_) => Some(plain.into()),
        Err(_) => Some(body),
    }
}

/// Faults come first, as those of a gateway do; then credentials, stored answers, the service.
async fn respond(sandbox: &Arc<Sandbox>, number: u64, call: Call) -> Reply {
    let cloudzero = &sandbox.cloudzero;
    let body = call.body.as_ref().filter(|body| body.len() <= LARGEST_BODY);
    let upload = match (&call.route, body) {
        (Route::AddDrop(_) | Route::Validate, Some(body)) => Some(upload::read(body)),
        _ => None,
    };
    let entry = entry(&call, upload.as_ref());
    let key = entry.idempotency_key.clone();
    let line = lock(&cloudzero.journal).open(entry);
    let fault = sandbox
        .faults
        .take(number, |kind| faults::replaces(kind, &call.route));
    let stored = key
        .as_ref()
        .and_then(|key| lock(&cloudzero.journal).stored(key));
    let allowed = authorized(sandbox, &call);
    let (reply, store, replayed) = match (fault, allowed, stored) {
        (Some(fault), ..) => {
            let kept = faults::is_stored(fault.kind());
            (faults::replacement(fault), kept, false)
        }
        (None, Err(refused), _) => (refused, false, false),
        (None, Ok(()), Some(stored)) => (stored, false, true),
        (None, Ok(()), None) => {
            let waits = matches!(call.route, Route::AddDrop(_)) && call.turn.is_none();
            let reply = handle(sandbox, number, &call, body, upload).await;
            // The answer to a key is that of the request in flight, which may have the same key.
            let awaited = key
                .as_ref()
                .is_some_and(|key| lock(&cloudzero.journal).awaits(key, line));
            (reply, !(waits && awaited), false)
        }
    };
    let mut journal = lock(&cloudzero.journal);
    if let Some(key) = key.filter(|_| store) {
        journal.store(&key, &reply);
    }
    journal.close(line, &reply, replayed);
    reply
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

fn entry(call: &Call, upload: Option<&Result<Upload, String>>) -> Entry {
    let upload = upload.and_then(|upload| upload.as_ref().ok());
    let (mut month, operation) = upload.map(Upload::shown).unwrap_or_default();
    if let Route::Drop(_, text) = &call.route {
        month = period::Month::read(text).map(|month| month.to_string());
    }
    Entry {
        method: call.method.to_string(),
        path: call.path.clone(),
        operation,
        month,
        rows: upload.map(Upload::rows),
        bytes: call.body.as_ref().map_or(READ_AT_MOST, Bytes::len),
        idempotency_key: header(&call.headers, "cloudzero-idempotency-key"),
        ..Entry::default()
    }
}

/// The key alone, without `Bearer`.
fn authorized(sandbox: &Sandbox, call: &Call) -> Result<(), Reply> {
    let refused = |text| Err(Reply::message(StatusCode::FORBIDDEN, text));
    let key = header(&call.headers, AUTHORIZATION.as_str()).unwrap_or_default();
    if key == SCOPELESS_KEY && call.route.needs_connection_scope() {
        return refused("this API key lacks the scope for connections");
    }
    if key == SCOPELESS_KEY || key == sandbox.cloudzero.key.expose_secret() {
        return Ok(());
    }
    refused("the Authorization header does not hold a known API key")
}

async fn handle(
    sandbox: &Arc<Sandbox>,
    number: u64,
    call: &Call,
    body: Option<&Bytes>,
    upload: Option<Result<Upload, String>>,
) -> Reply {
    let Some(body) = body else {
        let text = "Request Entity Too Large: a body has at most 5 MB";
        return Reply::message(StatusCode::PAYLOAD_TOO_LARGE, text);
    };
    let cloudzero = &sandbox.cloudzero;
    match &call.route {
        Route::Connections => connections::list(cloudzero, &call.query),
        Route::AddConnection => connections::create(cloudzero, body),
        Route::Connection(id) => connections::one(cloudzero, id),
        Route::ChangeConnection(id) => connections::change(cloudzero, id, body),
        Route::Drops(id) => stream::list(cloudzero, id),
        Route::Drop(id, month) => stream::contents(cloudzero, id, month),
        Route::AddDrop(id) => {
            let free = call.turn.is_some();
            stream::add(sandbox, number, id, free, upload).await
        }
        Route::Validate => stream::validate(sandbox, number, upload),
        Route::Costs => costs::costs(cloudzero, &call.query, sandbox.options.today),
        Route::Nothing => Reply::message(StatusCode::NOT_FOUND, "Not Found"),
    }
}
