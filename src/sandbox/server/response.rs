//! Answers that are not pages: the error shapes of Confluent's specification, and JSON.

use crate::sandbox::server::state::Ticket;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};

/// An answer of `status` with one body.
pub fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An answer of `status` without a body.
pub fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// A JSON answer.
pub fn json(status: StatusCode, value: &Value) -> Response<Body> {
    answer(status, "application/json", value.to_string())
}

/// Sets a header; a value that no header can have is left out.
pub fn set(response: &mut Response<Body>, name: &'static str, value: impl ToString) {
    if let Ok(value) = HeaderValue::from_str(&value.to_string()) {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
}

/// What of a request is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source<'a> {
    /// A query parameter.
    Parameter(&'a str),
    /// A place in the body, as a JSON pointer.
    Pointer(&'a str),
}

/// The usual error: a list with one entry.
pub fn refusal(
    ticket: &Ticket,
    status: StatusCode,
    code: &str,
    detail: &str,
    source: Option<Source>,
) -> Response<Body> {
    let mut error = json!({
        "id": ticket.id,
        "status": status.as_u16().to_string(),
        "code": code,
        "title": status.canonical_reason(),
        "detail": detail,
    });
    match source {
        Some(Source::Parameter(name)) => error["source"] = json!({ "parameter": name }),
        Some(Source::Pointer(place)) => error["source"] = json!({ "pointer": place }),
        None => {}
    }
    json(status, &json!({ "errors": [error] }))
}

/// 401, which also says how to authenticate.
pub fn unauthorized(ticket: &Ticket, detail: &str) -> Response<Body> {
    let mut response = refusal(
        ticket,
        StatusCode::UNAUTHORIZED,
        "user_unauthenticated",
        detail,
        None,
    );
    challenge(&mut response);
    response
}

/// Says how to authenticate.
fn challenge(response: &mut Response<Body>) {
    let value = r#"Basic error="invalid_key", error_description="The API key is invalid""#;
    response
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static(value));
}

/// 403: the key is good, its owner lacks the role.
pub fn forbidden(ticket: &Ticket, detail: &str) -> Response<Body> {
    refusal(
        ticket,
        StatusCode::FORBIDDEN,
        "user_unauthorized",
        detail,
        None,
    )
}

/// 404 for anything that is not there.
pub fn not_found(ticket: &Ticket) -> Response<Body> {
    refusal(
        ticket,
        StatusCode::NOT_FOUND,
        "not_found",
        "there is nothing at this path",
        None,
    )
}

/// 500.
pub fn failed(ticket: &Ticket, detail: &str) -> Response<Body> {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    refusal(ticket, status, "internal_error", detail, None)
}

/// The error of the Connect API, which says little.
pub fn connect_refusal(status: StatusCode, message: &str) -> Response<Body> {
    let error = json!({ "code": status.as_u16(), "message": message });
    let mut response = json(status, &json!({ "error": error }));
    if status == StatusCode::UNAUTHORIZED {
        challenge(&mut response);
    }
    response
}

/// The newer error: one object, `status` as a number.
pub fn new_style(ticket: &Ticket, code: &str, message: &str, path: &str) -> Response<Body> {
    let body = json!({
        "status": 400,
        "error": {
            "code": code,
            "message": message,
            "details": null,
            "timestamp": "2026-01-01T00:00:00Z",
            "path": path,
            "suggestion": "ask for at most one month",
        },
        "requestId": ticket.id,
        "doc_url": "https://docs.confluent.io/cloud/current/api.html",
    });
    json(StatusCode::BAD_REQUEST, &body)
}
