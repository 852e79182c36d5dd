//! Responses without paging: the error formats of Confluent's specification, and JSON.

use crate::sandbox::server::state::RequestId;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};

/// Response with one body.
pub(crate) fn with_body(
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

/// Response without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// JSON response.
pub(crate) fn json(status: StatusCode, value: &Value) -> Response<Body> {
    with_body(status, "application/json", value.to_string())
}

/// Sets a header; ignores values that are not legal in a header.
pub(crate) fn set_header(response: &mut Response<Body>, name: &'static str, value: impl ToString) {
    if let Ok(value) = HeaderValue::from_str(&value.to_string()) {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
}

/// Part of a request that an error points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorSource<'a> {
    /// Name of a query parameter.
    Parameter(&'a str),
    /// JSON pointer into the body.
    Pointer(&'a str),
}

/// Error in the common format: a list with one entry.
pub(crate) fn api_error(
    request_id: &RequestId,
    status: StatusCode,
    code: &str,
    detail: &str,
    source: Option<ErrorSource>,
) -> Response<Body> {
    let mut error = json!({
        "id": request_id.id,
        "status": status.as_u16().to_string(),
        "code": code,
        "title": status.canonical_reason(),
        "detail": detail,
    });
    match source {
        Some(ErrorSource::Parameter(name)) => error["source"] = json!({ "parameter": name }),
        Some(ErrorSource::Pointer(pointer)) => error["source"] = json!({ "pointer": pointer }),
        None => {}
    }
    json(status, &json!({ "errors": [error] }))
}

/// 401 with a `WWW-Authenticate` header.
pub(crate) fn unauthorized(request_id: &RequestId, detail: &str) -> Response<Body> {
    let mut response = api_error(
        request_id,
        StatusCode::UNAUTHORIZED,
        "user_unauthenticated",
        detail,
        None,
    );
    add_challenge(&mut response);
    response
}

fn add_challenge(response: &mut Response<Body>) {
    let value = r#"Basic error="invalid_key", error_description="The API key is invalid""#;
    response
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static(value));
}

/// 403: the key is valid, but its owner lacks the role.
pub(crate) fn forbidden(request_id: &RequestId, detail: &str) -> Response<Body> {
    api_error(
        request_id,
        StatusCode::FORBIDDEN,
        "user_unauthorized",
        detail,
        None,
    )
}

/// 404 for an unknown path.
pub(crate) fn not_found(request_id: &RequestId) -> Response<Body> {
    api_error(
        request_id,
        StatusCode::NOT_FOUND,
        "not_found",
        "unknown path",
        None,
    )
}

/// 500.
pub(crate) fn internal_error(request_id: &RequestId, detail: &str) -> Response<Body> {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    api_error(request_id, status, "internal_error", detail, None)
}

/// Error in the format of the Connect API.
pub(crate) fn connect_error(status: StatusCode, message: &str) -> Response<Body> {
    let error = json!({ "code": status.as_u16(), "message": message });
    let mut response = json(status, &json!({ "error": error }));
    if status == StatusCode::UNAUTHORIZED {
        add_challenge(&mut response);
    }
    response
}

/// 400 in the newer format: one object with a numeric `status`.
pub(crate) fn newer_format_error(
    request_id: &RequestId,
    code: &str,
    message: &str,
    path: &str,
) -> Response<Body> {
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
        "requestId": request_id.id,
        "doc_url": "https://docs.confluent.io/cloud/current/api.html",
    });
    json(StatusCode::BAD_REQUEST, &body)
}
