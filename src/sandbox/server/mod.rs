//! Accept loop and request pipeline: counting, rate limit, faults, common headers.
//!
//! Connections are served here rather than by axum because some faults reset them.

pub(crate) mod admin_api;
pub(crate) mod body;
pub(crate) mod response;
pub(crate) mod state;

use crate::error::{Error, Result};
use crate::sandbox::confluent::route::ConfluentRoute;
use crate::sandbox::confluent::{costs, iam, inventory};
use crate::sandbox::faults::FaultKind;
use crate::sandbox::faults::injection::{
    ResetMarker, fault_response, inject_into_response, replaces_response, too_many_requests,
};
use crate::sandbox::server::response::{api_error, not_found, set_header};
use crate::sandbox::server::state::{InFlightGuard, RateLimitDecision, RequestId, Sandbox};
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
/// # Errors
/// Kind usage when `listener` is bound to anything but loopback: the sandbox must not be reachable
/// from a network.
pub async fn serve(listener: TcpListener, options: Options) -> Result<()> {
    let address = listener
        .local_addr()
        .map_err(|e| Error::remote(format!("could not read the sandbox's address: {e}")))?;
    if !address.ip().is_loopback() {
        return Err(Error::usage(format!(
            "could not serve the sandbox on `{address}`: not a loopback address"
        ))
        .with_hint("bind it to 127.0.0.1"));
    }
    let service = SandboxService::new(options);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_connection(stream, service.clone()));
                }
                // Most likely out of file descriptors, which ending connections free.
                Err(error) => {
                    tracing::warn!(%error, "Could not accept a sandbox connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(stream: TcpStream, service: SandboxService) {
    // Avoids waiting for acknowledgements; harmless if the option cannot be set.
    let _ = stream.set_nodelay(true);
    let handler = service_fn(|request: Request<Incoming>| {
        let service = service.clone();
        Box::pin(async move { service.handle(request.map(Body::new)).await })
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), handler);
    let end = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let is_reset = |error: &hyper::Error| {
        std::error::Error::source(error).is_some_and(|source| source.is::<ConnectionReset>())
    };
    if end.is_err_and(|error| is_reset(&error)) {
        // A linger time of zero makes closing send RST instead of FIN.
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

/// Reset of the connection in place of a response.
#[derive(Debug, thiserror::Error)]
#[error("connection reset on purpose")]
pub(crate) struct ConnectionReset;

/// Sandbox with its routes.
#[derive(Clone)]
struct SandboxService {
    sandbox: Arc<Sandbox>,
    router: Router,
}

impl SandboxService {
    fn new(options: Options) -> SandboxService {
        let sandbox = Arc::new(Sandbox::new(options));
        let router = Router::new()
            .route(costs::PATH, get(costs::list))
            .merge(iam::routes())
            .merge(inventory::routes())
            .route("/sandbox/status", get(admin_api::status))
            .route("/sandbox/totals", get(admin_api::totals))
            .route("/sandbox/warm", get(admin_api::warm))
            .route("/sandbox/iam", get(iam::inspect::snapshot))
            .route("/sandbox/cloudzero/holds", get(cloudzero::inspect::holds))
            .route(
                "/sandbox/cloudzero/requests",
                get(cloudzero::inspect::requests),
            )
            .route("/sandbox/cloudzero/poll", get(cloudzero::inspect::poll))
            .route(
                "/sandbox/cloudzero/advance",
                get(cloudzero::inspect::advance),
            )
            .fallback(|Extension(request_id): Extension<RequestId>| async move {
                not_found(&request_id)
            })
            .method_not_allowed_fallback(|Extension(request_id): Extension<RequestId>| async move {
                let status = StatusCode::METHOD_NOT_ALLOWED;
                let detail = "this path does not support the method";
                api_error(&request_id, status, "method_not_allowed", detail, None)
            })
            .with_state(sandbox.clone());
        SandboxService { sandbox, router }
    }

    async fn handle(
        &self,
        request: Request<Body>,
    ) -> std::result::Result<Response<Body>, ConnectionReset> {
        if request.uri().path().starts_with("/sandbox/") {
            let request_id = RequestId {
                number: 0,
                id: "req-sandbox".to_owned(),
            };
            return Ok(self.dispatch(request, request_id).await);
        }
        if cloudzero::service::is_cloudzero_path(request.uri().path()) {
            let response = cloudzero::service::handle(self.sandbox.clone(), request).await;
            return reset_if_marked(response);
        }
        self.handle_confluent(request).await
    }

    async fn handle_confluent(
        &self,
        request: Request<Body>,
    ) -> std::result::Result<Response<Body>, ConnectionReset> {
        let route = ConfluentRoute::of(request.method(), request.uri());
        if matches!(
            route,
            ConfluentRoute::Iam { .. } | ConfluentRoute::Inventory(_)
        ) {
            let uri = request.uri().path_and_query();
            let uri = uri.map_or("/", PathAndQuery::as_str);
            let line = format!("{} {uri}", request.method());
            self.sandbox.iam.log_request(line);
        }
        let has_authorization = request.headers().contains_key(AUTHORIZATION);
        let (request_id, in_flight) = self.sandbox.count_request(route, has_authorization);
        let (id, number) = (request_id.id.clone(), request_id.number);
        let (rate_limit, faults) = (self.sandbox.apply_rate_limit(), &self.sandbox.faults);
        let mut response = if !rate_limit.is_granted {
            too_many_requests("retry-after", 1, 1)
        } else if let Some(fault) = faults.take(number, |kind| replaces_response(kind, route)) {
            fault_response(fault, &request_id, route)
        } else {
            let response = self.dispatch(request, request_id).await;
            inject_into_response(faults, number, route, response).await
        };
        tokio::time::sleep(self.sandbox.options.latency).await;
        response = reset_if_marked(response)?;
        add_common_headers(&mut response, &id, rate_limit);
        if faults
            .take(number, |kind| kind == FaultKind::WrongClock)
            .is_some()
        {
            let tomorrow = SystemTime::now() + Duration::from_secs(24 * 60 * 60);
            set_header(&mut response, "date", httpdate::fmt_http_date(tomorrow));
        }
        if faults
            .take(number, |kind| kind == FaultKind::PastClock)
            .is_some()
        {
            let past = SystemTime::now() - Duration::from_secs(400 * 24 * 60 * 60);
            set_header(&mut response, "date", httpdate::fmt_http_date(past));
        }
        Ok(response.map(|body| {
            Body::new(InFlightBody {
                body,
                _in_flight: in_flight,
            })
        }))
    }

    async fn dispatch(&self, mut request: Request<Body>, request_id: RequestId) -> Response<Body> {
        request.extensions_mut().insert(request_id);
        let Ok(response): std::result::Result<_, Infallible> =
            self.router.clone().call(request).await;
        response
    }
}

fn reset_if_marked(
    response: Response<Body>,
) -> std::result::Result<Response<Body>, ConnectionReset> {
    if response.extensions().get::<ResetMarker>().is_some() {
        return Err(ConnectionReset);
    }
    Ok(response)
}

fn add_common_headers(response: &mut Response<Body>, id: &str, rate_limit: RateLimitDecision) {
    set_header(response, "x-request-id", id);
    set_header(response, "x-ratelimit-limit", rate_limit.limit);
    for (name, value) in [
        ("x-ratelimit-remaining", rate_limit.remaining),
        ("x-ratelimit-reset", 1),
    ] {
        if !response.headers().contains_key(name) {
            set_header(response, name, value);
        }
    }
}

/// Body that keeps its request in flight until it has been sent.
struct InFlightBody {
    body: Body,
    _in_flight: InFlightGuard,
}

impl http_body::Body for InFlightBody {
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
