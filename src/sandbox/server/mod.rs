//! The accept loop, and what every request passes: counting, limits, faults, common headers.
//!
//! Connections are held here rather than by axum, because some faults reset them.

pub(crate) mod admin_api;
pub(crate) mod body;
pub(crate) mod response;
pub(crate) mod route;
pub(crate) mod state;

use crate::error::{Error, Result};
use crate::sandbox::confluent::{costs, iam, inventory};
use crate::sandbox::faults::Kind;
use crate::sandbox::faults::injection::{
    ResetConnection, limited, replacement, replaces_answer, spoiled_answer,
};

use crate::sandbox::server::response::{not_found, refusal, set};
use crate::sandbox::server::route::Area;
use crate::sandbox::server::state::{Allowance, InFlight, Sandbox, Ticket};
use crate::sandbox::{Options, cloudzero};
use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use axum::http::uri::PathAndQuery;
use axum::http::{Request, Response, StatusCode};
use axum::routing::get;
use axum::{Extension, Router};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower_service::Service as _;

/// Serves a sandbox until the future is dropped, which also closes its connections.
///
/// Fails when `listener` is bound to anything but loopback: a sandbox is not for a network.
pub async fn serve(listener: TcpListener, options: Options) -> Result<()> {
    let address = listener.local_addr().map_err(|error| {
        Error::remote(format!("cannot tell where the sandbox listens: {error}"))
    })?;
    if !address.ip().is_loopback() {
        return Err(
            Error::usage(format!("a sandbox cannot listen on {address}"))
                .with_hint("bind it to 127.0.0.1"),
        );
    }
    let app = App::new(options);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(hold(stream, app.clone()));
                }
                // Out of file descriptors, most likely: connections that end free some.
                Err(error) => {
                    tracing::warn!(%error, "sandbox cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves one connection until it ends.
async fn hold(stream: TcpStream, app: App) {
    // Without it small answers wait for acknowledgements; no loss if it is refused.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: Request<Incoming>| {
        let app = app.clone();
        Box::pin(async move { app.answer(request.map(Body::new)).await })
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let end = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let on_purpose = |error: &hyper::Error| {
        std::error::Error::source(error).is_some_and(|source| source.is::<Reset>())
    };
    if end.is_err_and(|error| on_purpose(&error)) {
        // Closing with no time to linger sends RST rather than an orderly end.
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

/// The connection is to be reset without an answer.
#[derive(Debug)]
pub struct Reset;

impl std::fmt::Display for Reset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("connection reset on purpose")
    }
}

impl std::error::Error for Reset {}

/// A sandbox with its routes.
#[derive(Clone)]
pub struct App {
    sandbox: Arc<Sandbox>,
    router: Router,
}

impl App {
    /// Prepares a sandbox without serving it.
    pub fn new(options: Options) -> App {
        let sandbox = Arc::new(Sandbox::new(options));
        let router = Router::new()
            .route(costs::PATH, get(costs::costs))
            .merge(iam::routes())
            .merge(inventory::routes())
            .route("/sandbox/status", get(admin_api::status))
            .route("/sandbox/totals", get(admin_api::totals))
            .route("/sandbox/warm", get(admin_api::warm))
            .route("/sandbox/iam", get(iam::inspect))
            .route("/sandbox/cloudzero/holds", get(cloudzero::inspect::holds))
            .route(
                "/sandbox/cloudzero/requests",
                get(cloudzero::inspect::requests),
            )
            .route("/sandbox/cloudzero/poll", get(cloudzero::inspect::poll))
            .fallback(|Extension(ticket): Extension<Ticket>| async move { not_found(&ticket) })
            .method_not_allowed_fallback(|Extension(ticket): Extension<Ticket>| async move {
                let status = StatusCode::METHOD_NOT_ALLOWED;
                let detail = "this path takes other methods";
                refusal(&ticket, status, "method_not_allowed", detail, None)
            })
            .with_state(sandbox.clone());
        App { sandbox, router }
    }

    /// Answers one request.
    pub async fn answer(
        &self,
        request: Request<Body>,
    ) -> std::result::Result<Response<Body>, Reset> {
        if request.uri().path().starts_with("/sandbox/") {
            let ticket = Ticket {
                number: 0,
                id: "req-sandbox".to_owned(),
            };
            return Ok(self.route(request, ticket).await);
        }
        if cloudzero::owns(request.uri().path()) {
            let response = cloudzero::answer(self.sandbox.clone(), request).await;
            return unless_reset(response);
        }
        let area = Area::of(request.method(), request.uri());
        if matches!(area, Area::Iam { .. } | Area::Inventory(_)) {
            let uri = request.uri().path_and_query();
            let uri = uri.map_or("/", PathAndQuery::as_str);
            let line = format!("{} {uri}", request.method());
            self.sandbox.iam.note(line);
        }
        let authorized = request.headers().contains_key(AUTHORIZATION);
        let (ticket, in_flight) = self.sandbox.admit(area, authorized);
        let (id, number) = (ticket.id.clone(), ticket.number);
        let (allowance, faults) = (self.sandbox.allow(), &self.sandbox.faults);
        let replaces = |kind| replaces_answer(kind, area);
        let mut response = if !allowance.granted {
            limited("retry-after", 1, 1)
        } else if let Some(fault) = faults.take(number, replaces) {
            replacement(fault, &ticket, area)
        } else {
            let response = self.route(request, ticket).await;
            spoiled_answer(faults, number, area, response).await
        };
        response = unless_reset(response)?;
        add_common_headers(&mut response, &id, allowance);
        if faults
            .take(number, |kind| kind == Kind::WrongClock)
            .is_some()
        {
            let tomorrow = SystemTime::now() + Duration::from_secs(24 * 60 * 60);
            set(&mut response, "date", httpdate::fmt_http_date(tomorrow));
        }
        Ok(response.map(|body| {
            Body::new(Counted {
                body,
                _in_flight: in_flight,
            })
        }))
    }

    async fn route(&self, mut request: Request<Body>, ticket: Ticket) -> Response<Body> {
        request.extensions_mut().insert(ticket);
        let answered: std::result::Result<_, Infallible> = self.router.clone().call(request).await;
        let Ok(response) = answered;
        response
    }
}

fn unless_reset(response: Response<Body>) -> std::result::Result<Response<Body>, Reset> {
    match response.extensions().get::<ResetConnection>() {
        Some(_) => Err(Reset),
        None => Ok(response),
    }
}

fn add_common_headers(response: &mut Response<Body>, id: &str, allowance: Allowance) {
    set(response, "x-request-id", id);
    set(response, "x-ratelimit-limit", allowance.limit);
    for (name, value) in [
        ("x-ratelimit-remaining", allowance.remaining),
        ("x-ratelimit-reset", 1),
    ] {
        if !response.headers().contains_key(name) {
            set(response, name, value);
        }
    }
}

/// A body that keeps its request in flight until it has been sent.
struct Counted {
    body: Body,
    _in_flight: InFlight,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
