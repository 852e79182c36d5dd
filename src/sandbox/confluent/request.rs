//! A request to the IAM or inventory endpoints, and what its answers have in common.

use crate::sandbox::confluent::access::{Caller, Right, authorize, header};
use crate::sandbox::faults::Kind;
use crate::sandbox::server::response::{Source, refusal};
use crate::sandbox::server::state::{Sandbox, Ticket};
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

/// A request without its body.
pub struct Call {
    /// Whom it is sent to.
    pub sandbox: Arc<Sandbox>,
    /// Its number and id.
    pub ticket: Ticket,
    /// Its path and query.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
}

/// An answer that says no.
#[derive(Debug)]
pub struct Refused(Box<Response<Body>>);

/// What a handler comes to.
pub type Answer = Result<Response<Body>, Refused>;

impl From<Response<Body>> for Refused {
    fn from(response: Response<Body>) -> Self {
        Refused(Box::new(response))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response<Body> {
        *self.0
    }
}

impl FromRequestParts<Arc<Sandbox>> for Call {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        sandbox: &Arc<Sandbox>,
    ) -> Result<Self, Infallible> {
        Ok(Call {
            sandbox: sandbox.clone(),
            ticket: parts.extensions.get().cloned().unwrap_or_default(),
            uri: parts.uri.clone(),
            headers: parts.headers.clone(),
        })
    }
}

impl Call {
    /// Who sent it, if they may have what they ask for.
    pub fn authorize(&self, right: Right) -> Result<Caller, Refused> {
        authorize(&self.sandbox, &self.headers, right)
            .map_err(|denied| denied.response(&self.ticket).into())
    }

    /// Uses up a fault that is `wanted`, if there is one.
    pub fn fires(&self, wanted: impl Fn(Kind) -> bool) -> bool {
        self.sandbox
            .faults
            .take(self.ticket.number, wanted)
            .is_some()
    }

    /// A refusal in the usual shape.
    pub fn refuse(
        &self,
        status: StatusCode,
        code: &str,
        detail: &str,
        source: Option<Source>,
    ) -> Refused {
        refusal(&self.ticket, status, code, detail, source).into()
    }

    /// 400 for a query parameter.
    pub fn bad_parameter(&self, name: &str, wrong: &str) -> Refused {
        self.refuse(
            StatusCode::BAD_REQUEST,
            "invalid_parameter",
            &format!("{name} {wrong}"),
            Some(Source::Parameter(name)),
        )
    }

    /// 400 for a part of the body.
    pub fn bad_field(&self, pointer: &str, detail: &str) -> Refused {
        let status = StatusCode::BAD_REQUEST;
        let source = Some(Source::Pointer(pointer));
        self.refuse(status, "invalid_request", detail, source)
    }

    /// 404 for a thing with an id.
    pub fn missing(&self, what: &str, id: &str) -> Refused {
        let detail = format!("there is no {what} {id}");
        self.refuse(StatusCode::NOT_FOUND, "not_found", &detail, None)
    }

    /// 409 for a thing that is there already.
    pub fn conflict(&self, detail: &str) -> Refused {
        let status = StatusCode::CONFLICT;
        self.refuse(status, "resource_already_exists", detail, None)
    }

    /// Reads a JSON body; 400 when it is something else.
    pub fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Refused> {
        serde_json::from_slice(body).map_err(|error| {
            let detail = format!("the body cannot be read: {error}");
            self.refuse(StatusCode::BAD_REQUEST, "invalid_request", &detail, None)
        })
    }

    /// An address of the sandbox, as the sender wrote its host.
    pub fn url(&self, path: &str) -> String {
        let host = header(&self.headers, HOST.as_str()).unwrap_or("localhost");
        format!("http://{host}{path}")
    }

    /// `metadata` of an object: `path` and `name` (its name below the organization) end with its
    /// id, `made` is when it was made.
    pub fn metadata(&self, path: &str, name: &str, made: &str) -> Value {
        let home = &self.sandbox.iam.home;
        json!({
            "self": self.url(path),
            "resource_name": format!("crn://confluent.cloud/organization={home}{name}"),
            "created_at": made,
            "updated_at": made,
        })
    }
}
