//! `GET /billing/v1/costs`: query and page (spec: billing/v1 costs).

use crate::sandbox::confluent::access::{Right, authorize, header};
use crate::sandbox::confluent::query::{Query, Refusal};
use crate::sandbox::faults::Kind;
use crate::sandbox::faults::injection::{disturbed, spoiled, spoils_cost, truncated};
use crate::sandbox::server::response::{Source, failed, new_style, refusal};
use crate::sandbox::server::state::{Sandbox, Ticket};
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

/// Where costs are.
pub const PATH: &str = "/billing/v1/costs";

/// Answers a query for costs.
pub async fn costs(
    State(sandbox): State<Arc<Sandbox>>,
    Extension(ticket): Extension<Ticket>,
    headers: HeaderMap,
    uri: Uri,
) -> Response<Body> {
    if let Err(denied) = authorize(&sandbox, &headers, Right::Costs) {
        return denied.response(&ticket);
    }
    let query = match Query::read(uri.query().unwrap_or_default(), sandbox.history.first_day()) {
        Ok(query) => query,
        Err(Refusal::TooLong) => {
            return new_style(
                &ticket,
                "INVALID_DATE_RANGE",
                "the window is too long",
                PATH,
            );
        }
        Err(Refusal::Parameter(name, wrong)) => {
            let detail = format!("{name} {wrong}");
            return bad_parameter(&ticket, name, &detail);
        }
    };
    if query.token.is_some()
        && sandbox
            .faults
            .take(ticket.number, |kind| kind == Kind::ExpiredToken)
            .is_some()
    {
        return bad_parameter(&ticket, "page_token", "page_token has expired");
    }
    let host = header(&headers, HOST.as_str())
        .unwrap_or("localhost")
        .to_owned();
    let gzip = sandbox.options.gzip
        && header(&headers, ACCEPT_ENCODING.as_str()).is_some_and(|names| names.contains("gzip"));
    let number = ticket.number;
    // Making the days of a page takes a while when they are many and new.
    let page = tokio::task::spawn_blocking(move || page(&sandbox, &query, &host, gzip, number));
    page.await
        .unwrap_or_else(|_| failed(&ticket, "the sandbox failed"))
}

fn bad_parameter(ticket: &Ticket, name: &str, detail: &str) -> Response<Body> {
    let (status, source) = (StatusCode::BAD_REQUEST, Source::Parameter(name));
    refusal(ticket, status, "invalid_parameter", detail, Some(source))
}

fn page(sandbox: &Sandbox, query: &Query, host: &str, gzip: bool, number: u64) -> Response<Body> {
    let faults = &sandbox.faults;
    let mut page = sandbox
        .history
        .page(query.window.clone(), query.offset, query.page_size);
    let mut next = page
        .follows
        .then(|| query.token_at(query.offset + page.costs));
    if query.token.is_some()
        && faults
            .take(number, |kind| kind == Kind::RepeatToken)
            .is_some()
    {
        next.clone_from(&query.token);
    }
    if page.costs > 0
        && let Some(fault) = faults.take(number, spoils_cost)
    {
        page.pieces = with_spoiled_cost(sandbox, query, page.costs, fault.kind());
    }
    let mut chunks = truncated(faults, number, envelope(query, host, next, page.pieces));
    if gzip {
        chunks = vec![compressed(&chunks)];
    }
    let body = disturbed(faults, number, chunks);
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// The page with its middle cost made wrong.
fn with_spoiled_cost(sandbox: &Sandbox, query: &Query, costs: usize, kind: Kind) -> Vec<Bytes> {
    let part = |from: usize, count: usize| {
        sandbox
            .history
            .page(query.window.clone(), query.offset + from, count)
            .pieces
    };
    let middle = costs / 2;
    let cost = part(middle, 1).concat();
    let cost = spoiled(kind, &String::from_utf8_lossy(&cost), &query.window);
    let mut pieces = part(0, middle);
    pieces.push(cost.into());
    pieces.extend(part(middle + 1, costs - middle - 1));
    pieces
}

/// The list around the costs. How it says that it has no next page, how it says that it has no
/// costs, its version and the order of its keys differ from window to window: all are allowed.
fn envelope(query: &Query, host: &str, next: Option<String>, pieces: Vec<Bytes>) -> Vec<Bytes> {
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
    let metadata_last = variant % 2 == 1;
    let mut chunks: Vec<Bytes> = vec![head.into()];
    if !metadata_last {
        chunks.push((metadata.clone() + ",").into());
    }
    if pieces.is_empty() && variant.is_multiple_of(2) {
        chunks.push(Bytes::from_static(br#""data":null"#));
    } else {
        chunks.push(Bytes::from_static(br#""data":["#));
        for (index, piece) in pieces.into_iter().enumerate() {
            if index > 0 {
                chunks.push(Bytes::from_static(b","));
            }
            chunks.push(piece);
        }
        chunks.push(Bytes::from_static(b"]"));
    }
    if metadata_last {
        chunks.push(format!(",{metadata}").into());
    }
    chunks.push(Bytes::from_static(b"}"));
    chunks
}

fn compressed(chunks: &[Bytes]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory cannot fail.
    let written = chunks.iter().try_for_each(|chunk| encoder.write_all(chunk));
    written
        .and_then(|()| encoder.finish())
        .unwrap_or_default()
        .into()
}
