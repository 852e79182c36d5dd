//! Requests to the IAM and inventory endpoints, and helpers for their responses.

use crate::sandbox::confluent::access::{Caller, Permission, authorize, header};
use crate::sandbox::faults::FaultKind;
use crate::sandbox::server::response::{ErrorSource, api_error};
use crate::sandbox::server::state::{RequestId, Sandbox};
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;

/// Request without its body.
pub(crate) struct ApiRequest {
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) request_id: RequestId,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
}

/// Response with an error. Boxed to keep results small.
#[derive(Debug)]
pub(crate) struct ErrorResponse(Box<Response<Body>>);

pub(crate) type HandlerResult = Result<Response<Body>, ErrorResponse>;

impl From<Response<Body>> for ErrorResponse {
    fn from(response: Response<Body>) -> Self {
        ErrorResponse(Box::new(response))
    }
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response<Body> {
        *self.0
    }
}

impl FromRequestParts<Arc<Sandbox>> for ApiRequest {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        sandbox: &Arc<Sandbox>,
    ) -> Result<Self, Infallible> {
        Ok(ApiRequest {
            sandbox: sandbox.clone(),
            request_id: parts.extensions.get().cloned().unwrap_or_default(),
            uri: parts.uri.clone(),
            headers: parts.headers.clone(),
        })
    }
}

impl ApiRequest {
    /// Returns the sender if it has the permission.
    pub(crate) fn authorize(&self, permission: Permission) -> Result<Caller, ErrorResponse> {
        authorize(&self.sandbox, &self.headers, permission)
            .map_err(|denied| denied.response(&self.request_id).into())
    }

    /// Takes one use of a fault that `applies`, and returns whether there was one.
    pub(crate) fn takes_fault(&self, applies: impl Fn(FaultKind) -> bool) -> bool {
        self.sandbox
            .faults
            .take(self.request_id.number, applies)
            .is_some()
    }

    /// Error in the common format.
    pub(crate) fn error(
        &self,
        status: StatusCode,
        code: &str,
        detail: &str,
        source: Option<ErrorSource>,
    ) -> ErrorResponse {
        api_error(&self.request_id, status, code, detail, source).into()
    }

    /// 400 for a query parameter; `problem` follows its name.
    pub(crate) fn bad_parameter(&self, name: &str, problem: &str) -> ErrorResponse {
        self.error(
            StatusCode::BAD_REQUEST,
            "invalid_parameter",
            &format!("{name} {problem}"),
            Some(ErrorSource::Parameter(name)),
        )
    }

    /// 400 for a field of the body.
    pub(crate) fn bad_field(&self, pointer: &str, detail: &str) -> ErrorResponse {
        let status = StatusCode::BAD_REQUEST;
        let source = Some(ErrorSource::Pointer(pointer));
        self.error(status, "invalid_request", detail, source)
    }

    /// 404 for an object.
    pub(crate) fn missing(&self, object: &str, id: &str) -> ErrorResponse {
        let detail = format!("{object} {id} does not exist");
        self.error(StatusCode::NOT_FOUND, "not_found", &detail, None)
    }

    /// 409 for an object that already exists.
    pub(crate) fn conflict(&self, detail: &str) -> ErrorResponse {
        let status = StatusCode::CONFLICT;
        self.error(status, "resource_already_exists", detail, None)
    }

    /// Parses a JSON body; 400 if it is not of type `T`.
    pub(crate) fn parse_body<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ErrorResponse> {
        serde_json::from_slice(body).map_err(|error| {
            let detail = format!("could not parse the body: {error}");
            self.error(StatusCode::BAD_REQUEST, "invalid_request", &detail, None)
        })
    }

    /// URL of a path of the sandbox, with the host as the sender wrote it.
    pub(crate) fn url(&self, path: &str) -> String {
        let host = header(&self.headers, HOST.as_str()).unwrap_or("localhost");
        format!("http://{host}{path}")
    }

    /// `metadata` of an object. Both `path` and `name` (its name below the organization) end with the
    /// object's id.
    pub(crate) fn metadata(&self, path: &str, name: &str, created_at: &str) -> Value {
        let organization = &self.sandbox.iam.home_organization;
        json!({
            "self": self.url(path),
            "resource_name": format!("crn://confluent.cloud/organization={organization}{name}"),
            "created_at": created_at,
            "updated_at": created_at,
        })
    }
}
