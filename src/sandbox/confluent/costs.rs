//! `GET /billing/v1/costs` (spec: billing/v1 costs).

use crate::sandbox::confluent::access::{Permission, authorize, header};
use crate::sandbox::confluent::costs_query::{CostsQuery, QueryError};
use crate::sandbox::faults::FaultKind;
use crate::sandbox::faults::injection::{
    corrupted_cost, corrupts_cost, interrupted_body, truncated,
};
use crate::sandbox::server::response::{
    ErrorSource, api_error, internal_error, newer_format_error,
};
use crate::sandbox::server::state::{RequestId, Sandbox};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use bytes::Bytes;
use chrono::Datelike;
use flate2::{Compression, write::GzEncoder};
use std::io::Write as _;
use std::sync::Arc;

pub(crate) const PATH: &str = "/billing/v1/costs";

/// Returns one page of costs.
pub(crate) async fn list(
    State(sandbox): State<Arc<Sandbox>>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    uri: Uri,
) -> Response<Body> {
    if let Err(denied) = authorize(&sandbox, &headers, Permission::Costs) {
        return denied.response(&request_id);
    }
    let query =
        match CostsQuery::parse(uri.query().unwrap_or_default(), sandbox.history.first_day()) {
            Ok(query) => query,
            Err(QueryError::WindowTooLong) => {
                return newer_format_error(
                    &request_id,
                    "INVALID_DATE_RANGE",
                    "the window is too long",
                    PATH,
                );
            }
            Err(QueryError::Parameter(name, problem)) => {
                let detail = format!("{name} {problem}");
                return bad_parameter(&request_id, name, &detail);
            }
        };
    if query.token.is_some()
        && sandbox
            .faults
            .take(request_id.number, |kind| kind == FaultKind::ExpiredToken)
            .is_some()
    {
        return bad_parameter(&request_id, "page_token", "page_token has expired");
    }
    let host = header(&headers, HOST.as_str())
        .unwrap_or("localhost")
        .to_owned();
    let gzip = sandbox.options.gzip
        && header(&headers, ACCEPT_ENCODING.as_str()).is_some_and(|names| names.contains("gzip"));
    let request_number = request_id.number;
    // Generating many days takes a while.
    let page =
        tokio::task::spawn_blocking(move || page(&sandbox, &query, &host, gzip, request_number));
    page.await
        .unwrap_or_else(|_| internal_error(&request_id, "the sandbox failed"))
}

fn bad_parameter(request_id: &RequestId, name: &str, detail: &str) -> Response<Body> {
    let (status, source) = (StatusCode::BAD_REQUEST, ErrorSource::Parameter(name));
    api_error(
        request_id,
        status,
        "invalid_parameter",
        detail,
        Some(source),
    )
}

fn page(
    sandbox: &Sandbox,
    query: &CostsQuery,
    host: &str,
    gzip: bool,
    request_number: u64,
) -> Response<Body> {
    let faults = &sandbox.faults;
    let mut slice = sandbox
        .history
        .slice(query.window.clone(), query.offset, query.page_size);
    let mut next = slice
        .has_more
        .then(|| query.token_at(query.offset + slice.costs));
    if query.token.is_some()
        && faults
            .take(request_number, |kind| kind == FaultKind::RepeatToken)
            .is_some()
    {
        next.clone_from(&query.token);
    }
    if slice.costs > 0
        && let Some(fault) = faults.take(request_number, corrupts_cost)
    {
        slice.chunks = with_corrupted_cost(sandbox, query, slice.costs, fault.kind());
    }
    let mut chunks = truncated(
        faults,
        request_number,
        envelope(query, host, next, slice.chunks),
    );
    if gzip {
        chunks = vec![compressed(&chunks)];
    }
    let body = interrupted_body(faults, request_number, chunks);
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// The page with its middle cost corrupted.
fn with_corrupted_cost(
    sandbox: &Sandbox,
    query: &CostsQuery,
    costs: usize,
    kind: FaultKind,
) -> Vec<Bytes> {
    let part = |from: usize, count: usize| {
        sandbox
            .history
            .slice(query.window.clone(), query.offset + from, count)
            .chunks
    };
    let middle = costs / 2;
    let cost = part(middle, 1).concat();
    let cost = corrupted_cost(kind, &String::from_utf8_lossy(&cost), &query.window);
    let mut chunks = part(0, middle);
    chunks.push(cost.into());
    chunks.extend(part(middle + 1, costs - middle - 1));
    chunks
}

/// List object around the costs. The forms of a last page and of an empty list, the version and the
/// key order vary by window, because Confluent may send any of them.
fn envelope(
    query: &CostsQuery,
    host: &str,
    next: Option<String>,
    records: Vec<Bytes>,
) -> Vec<Bytes> {
    let start = query.window.start;
    let variant = start.month0() + start.day0();
    let metadata = match (next, variant % 3) {
        (Some(token), _) => {
            let token: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
            format!(r#"{{"next":"http://{host}{PATH}?page_token={token}"}}"#)
        }
        (None, 0) => "{}".to_owned(),
        (None, 1) => r#"{"next":null}"#.to_owned(),
        (None, _) => r#"{"next":""}"#.to_owned(),
    };
    let version = if variant.is_multiple_of(4) {
        "v1"
    } else {
        "billing/v1"
    };
    let head = format!(r#"{{"api_version":"{version}","kind":"CostList","#);
    let metadata = format!(r#""metadata":{metadata}"#);
    let is_metadata_last = variant % 2 == 1;
    let mut chunks: Vec<Bytes> = vec![head.into()];
    if !is_metadata_last {
        chunks.push((metadata.clone() + ",").into());
    }
    if records.is_empty() && variant.is_multiple_of(2) {
        chunks.push(Bytes::from_static(br#""data":null"#));
    } else {
        chunks.push(Bytes::from_static(br#""data":["#));
        for (index, record) in records.into_iter().enumerate() {
            if index > 0 {
                chunks.push(Bytes::from_static(b","));
            }
            chunks.push(record);
        }
        chunks.push(Bytes::from_static(b"]"));
    }
    if is_metadata_last {
        chunks.push(format!(",{metadata}").into());
    }
    chunks.push(Bytes::from_static(b"}"));
    chunks
}

fn compressed(chunks: &[Bytes]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail.
    let written = chunks.iter().try_for_each(|chunk| encoder.write_all(chunk));
    written
        .and_then(|()| encoder.finish())
        .unwrap_or_default()
        .into()
}
