//! Pipeline of CloudZero requests: log, faults, credentials, idempotency, handlers.

use crate::sandbox::cloudzero::request_log::LoggedRequest;
use crate::sandbox::cloudzero::response::Reply;
use crate::sandbox::cloudzero::route::CloudZeroRoute;
use crate::sandbox::cloudzero::upload::{self, DropUpload};
use crate::sandbox::cloudzero::{connections, costs, faults, period, stream};
use crate::sandbox::server::state::{Sandbox, lock};
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use secrecy::ExposeSecret as _;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Maximum bytes of an uncompressed body; larger ones result in 413.
const MAX_BODY_BYTES: usize = 5_000_000;
/// Maximum bytes read of any body. Reading large bodies to the end lets their sender read the reply.
const MAX_READ_BYTES: usize = 256 << 20;
/// Header that names a test namespace.
const TEST_KEY: &str = "cloudzero-test-key";
/// API key that may not list, create and read connections.
const KEY_WITHOUT_CONNECTION_SCOPE: &str = "no-scope-connections";

/// Request whose body has been read.
struct CloudZeroRequest {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    route: CloudZeroRoute,
    /// `None` for a body above [`MAX_READ_BYTES`].
    body: Option<Bytes>,
    /// Slot of the stream for a new drop; `None` if another drop of the stream is in flight.
    stream_slot: Option<StreamSlot>,
}

/// Exclusive right to add a drop to a stream of a namespace, until it is dropped.
struct StreamSlot(Arc<Sandbox>, String);

impl StreamSlot {
    fn take(sandbox: &Arc<Sandbox>, stream: &str) -> Option<StreamSlot> {
        let is_free = lock(&sandbox.cloudzero.busy_streams).insert(stream.to_owned());
        is_free.then(|| StreamSlot(sandbox.clone(), stream.to_owned()))
    }
}

impl std::ops::Drop for StreamSlot {
    fn drop(&mut self) {
        lock(&self.0.cloudzero.busy_streams).remove(&self.1);
    }
}

/// Returns whether a path belongs to CloudZero's API.
pub(crate) fn is_cloudzero_path(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/")
}

pub(crate) async fn handle(sandbox: Arc<Sandbox>, request: Request<Body>) -> Response<Body> {
    let request_number = sandbox.cloudzero.requests.fetch_add(1, Ordering::AcqRel) + 1;
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let route = CloudZeroRoute::of(&head.method, &path);
    // Taken before the body is read: a second drop is refused while the first is still being sent.
    let stream_slot = match &route {
        CloudZeroRoute::AddDrop(stream) => {
            let namespace = header(&head.headers, TEST_KEY).unwrap_or_default();
            StreamSlot::take(&sandbox, &format!("{namespace}/{stream}"))
        }
        _ => None,
    };
    let body = axum::body::to_bytes(body, MAX_READ_BYTES).await.ok();
    let request = CloudZeroRequest {
        method: head.method,
        path,
        query: head.uri.query().unwrap_or_default().to_owned(),
        body: body.and_then(|body| decompressed(&head.headers, body)),
        headers: head.headers,
        route,
        stream_slot,
    };
    // Spawned, because a server finishes a received request even if the client disconnects.
    let work = tokio::spawn(async move { reply_to(&sandbox, request_number, request).await });
    let reply = work.await.unwrap_or_else(|_| {
        Reply::message(StatusCode::INTERNAL_SERVER_ERROR, "the sandbox failed")
    });
    reply.into_response()
}

fn decompressed(headers: &HeaderMap, body: Bytes) -> Option<Bytes> {
    if headers
        .get(CONTENT_ENCODING)
        .is_none_or(|value| value != "gzip")
    {
        return Some(body);
    }
    let mut plain = Vec::new();
    let limit = MAX_BODY_BYTES as u64 + 1;
    // A body that is not gzip is returned unchanged, and refused later because it is not JSON.
    match MultiGzDecoder::new(&*body)
        .take(limit)
        .read_to_end(&mut plain)
    {
        Ok(_) => Some(plain.into()),
        Err(_) => Some(body),
    }
}

/// Applies faults first, like a gateway; then credentials, stored replies and the handlers.
async fn reply_to(sandbox: &Arc<Sandbox>, request_number: u64, request: CloudZeroRequest) -> Reply {
    let cloudzero = &sandbox.cloudzero;
    let body = request
        .body
        .as_ref()
        .filter(|body| body.len() <= MAX_BODY_BYTES);
    let upload = match (&request.route, body) {
        (CloudZeroRoute::AddDrop(_) | CloudZeroRoute::ValidateDrop, Some(body)) => {
            Some(upload::parse(body))
        }
        _ => None,
    };
    let logged_request = logged_request(&request, upload.as_ref());
    let key = logged_request.key();
    let log_index = lock(&cloudzero.request_log).start(logged_request);
    let fault = sandbox.faults.take(request_number, |kind| {
        faults::replaces_response(kind, &request.route)
    });
    let stored = key
        .as_ref()
        .and_then(|key| lock(&cloudzero.request_log).stored(key));
    let authorized = authorize(sandbox, &request);
    let (reply, should_store, replayed) = match (fault, authorized, stored) {
        (Some(fault), ..) => {
            let is_stored = faults::is_stored(fault.kind());
            (faults::fault_reply(fault), is_stored, false)
        }
        (None, Err(refused), _) => (refused, false, false),
        (None, Ok(()), Some(stored)) => (stored, false, true),
        (None, Ok(()), None) => {
            let is_concurrent = matches!(request.route, CloudZeroRoute::AddDrop(_))
                && request.stream_slot.is_none();
            let reply = dispatch(sandbox, request_number, &request, body, upload).await;
            // A refused concurrent request must not store its reply under the key of the one in flight.
            let has_pending = key
                .as_ref()
                .is_some_and(|key| lock(&cloudzero.request_log).has_pending(key, log_index));
            (reply, !(is_concurrent && has_pending), false)
        }
    };
    let mut request_log = lock(&cloudzero.request_log);
    if let Some(key) = key.filter(|_| should_store) {
        request_log.store(&key, &reply);
    }
    request_log.finish(log_index, &reply, replayed);
    reply
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

fn logged_request(
    request: &CloudZeroRequest,
    upload: Option<&Result<DropUpload, String>>,
) -> LoggedRequest {
    let upload = upload.and_then(|upload| upload.as_ref().ok());
    let (mut month, operation) = upload
        .map(DropUpload::month_and_operation)
        .unwrap_or_default();
    let mut month_sent = upload.and_then(DropUpload::month_text);
    if let CloudZeroRoute::Drop(_, text) = &request.route {
        month_sent = Some(text.clone());
        month = period::Month::parse(text).map(|month| month.to_string());
    }
    LoggedRequest {
        method: request.method.to_string(),
        path: request.path.clone(),
        operation,
        month,
        month_sent,
        rows: upload.map(DropUpload::row_count),
        bytes: request.body.as_ref().map_or(MAX_READ_BYTES, Bytes::len),
        idempotency_key: header(&request.headers, "cloudzero-idempotency-key"),
        test_key: header(&request.headers, TEST_KEY),
        ..LoggedRequest::default()
    }
}

/// Checks the Authorization header, which contains the key without a scheme.
fn authorize(sandbox: &Sandbox, request: &CloudZeroRequest) -> Result<(), Reply> {
    let forbidden = |text| Err(Reply::message(StatusCode::FORBIDDEN, text));
    let key = header(&request.headers, AUTHORIZATION.as_str()).unwrap_or_default();
    if key == KEY_WITHOUT_CONNECTION_SCOPE && request.route.needs_connection_scope() {
        return forbidden("this API key lacks the scope for connections");
    }
    if key == KEY_WITHOUT_CONNECTION_SCOPE || key == sandbox.cloudzero.key.expose_secret() {
        return Ok(());
    }
    forbidden("the Authorization header does not contain a known API key")
}

async fn dispatch(
    sandbox: &Arc<Sandbox>,
    request_number: u64,
    request: &CloudZeroRequest,
    body: Option<&Bytes>,
    upload: Option<Result<DropUpload, String>>,
) -> Reply {
    let Some(body) = body else {
        let text = "Request Entity Too Large: a body has at most 5 MB";
        return Reply::message(StatusCode::PAYLOAD_TOO_LARGE, text);
    };
    let dialect = sandbox.options.dialect;
    let test_key = header(&request.headers, TEST_KEY).filter(|_| !dialect.ignores_test_keys);
    let makes_change = request.route.makes_change();
    let namespace = &sandbox
        .cloudzero
        .namespace(test_key.as_deref(), makes_change);
    match &request.route {
        CloudZeroRoute::Connections => connections::list(namespace, &request.query),
        CloudZeroRoute::AddConnection => {
            connections::create(sandbox, namespace, request_number, body)
        }
        CloudZeroRoute::Connection(id) => connections::get(namespace, id),
        CloudZeroRoute::UpdateConnection(id) => connections::update(namespace, id, body),
        CloudZeroRoute::Drops(id) => stream::list(namespace, id),
        CloudZeroRoute::Drop(id, month) => {
            stream::rows(namespace, id, month, dialect.months_in_paths)
        }
        CloudZeroRoute::AddDrop(id) => {
            let is_free = request.stream_slot.is_some();
            stream::add(sandbox, namespace, request_number, id, is_free, upload).await
        }
        CloudZeroRoute::ValidateDrop => stream::validate(sandbox, request_number, upload),
        CloudZeroRoute::Costs => costs::list(namespace, &request.query, sandbox.options.today),
        CloudZeroRoute::Unknown => Reply::message(StatusCode::NOT_FOUND, "Not Found"),
    }
}
