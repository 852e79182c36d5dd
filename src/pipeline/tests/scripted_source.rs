//! Scripted source of costs: a server whose answers are a function of the time of the request.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, NaiveDate, Utc};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;

use crate::billing_period::Window;
use crate::confluent::client::{Client, Settings};
use crate::http::retry::Policy;

/// Cost of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) line_type: &'static str,
    pub(super) cents: i64,
}

/// Answers of the source.
pub(super) struct Script {
    /// Costs of a day, as the source shows them at a time.
    pub(super) costs: Box<dyn Fn(DateTime<Utc>, NaiveDate) -> Vec<Cost> + Send + Sync>,
    /// Status with which it refuses a window at a time.
    pub(super) refusal: Box<dyn Fn(DateTime<Utc>, Window) -> Option<u16> + Send + Sync>,
}

impl Script {
    /// A source that refuses nothing.
    pub(super) fn new(
        costs: impl Fn(DateTime<Utc>, NaiveDate) -> Vec<Cost> + Send + Sync + 'static,
    ) -> Script {
        Script {
            costs: Box::new(costs),
            refusal: Box::new(|_, _| None),
        }
    }

    /// Returns the source with refusals.
    pub(super) fn refusing(
        self,
        refusal: impl Fn(DateTime<Utc>, Window) -> Option<u16> + Send + Sync + 'static,
    ) -> Script {
        Script {
            refusal: Box::new(refusal),
            ..self
        }
    }
}

/// Running source.
pub(super) struct Source {
    pub(super) client: Arc<Client>,
    shared: Arc<Shared>,
}

struct Shared {
    script: Script,
    now: Mutex<DateTime<Utc>>,
    /// Windows of requests.
    requests: Mutex<Vec<Window>>,
}

impl Source {
    /// Starts a source.
    pub(super) async fn start(script: Script) -> Source {
        let shared = Arc::new(Shared {
            script,
            now: Mutex::new(DateTime::UNIX_EPOCH),
            requests: Mutex::default(),
        });
        let app = Router::new()
            .route("/billing/v1/costs", get(costs))
            .with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        let endpoint = format!("http://{address}").parse().unwrap();
        let mut settings = Settings::new(endpoint, "key", "secret".to_owned().into());
        settings.requests_per_second = 100_000;
        settings.policy = Policy {
            max_attempts: 1,
            ..Policy::default()
        };
        Source {
            client: Arc::new(Client::new(settings).unwrap()),
            shared,
        }
    }

    /// Sets the time of later requests.
    pub(super) fn set_time(&self, now: DateTime<Utc>) {
        *self.shared.now.lock() = now;
    }

    /// Returns the windows of the requests since the last call.
    pub(super) fn take_requests(&self) -> Vec<Window> {
        std::mem::take(&mut self.shared.requests.lock())
    }
}

#[derive(Deserialize)]
struct CostsQuery {
    start_date: NaiveDate,
    end_date: NaiveDate,
}

async fn costs(State(shared): State<Arc<Shared>>, Query(query): Query<CostsQuery>) -> Response {
    let now = *shared.now.lock();
    let window = Window {
        start: query.start_date,
        end: query.end_date,
    };
    shared.requests.lock().push(window);
    if let Some(status) = (shared.script.refusal)(now, window) {
        let status = StatusCode::from_u16(status).unwrap();
        let body = json!({"errors": [{"detail": "refused by the script"}]});
        return (status, body.to_string()).into_response();
    }
    let days = window.start.iter_days().take_while(|day| *day < window.end);
    let costs = days.flat_map(|day| {
        let costs = (shared.script.costs)(now, day).into_iter();
        costs.map(move |cost| record(day, &cost))
    });
    let costs: Vec<serde_json::Value> = costs.collect();
    let page = json!({"api_version": "v1", "kind": "CostList", "metadata": {}, "data": costs});
    page.to_string().into_response()
}

fn record(day: NaiveDate, cost: &Cost) -> serde_json::Value {
    let Cost { line_type, cents } = cost;
    let sign = if *cents < 0 { "-" } else { "" };
    let amount = format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100);
    let amount: serde_json::Number = amount.parse().unwrap();
    json!({
        "start_date": day,
        "end_date": day.succ_opt(),
        "granularity": "DAILY",
        "network_access_type": "INTERNET",
        "product": "KAFKA",
        "line_type": line_type,
        "price": 1,
        "unit": "GB",
        "quantity": amount,
        "original_amount": amount,
        "discount_amount": 0,
        "amount": amount,
        "resource": {
            "id": "lkc-1",
            "display_name": "orders",
            "environment": {"id": "env-1"},
        },
    })
}
