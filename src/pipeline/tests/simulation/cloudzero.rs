//! CloudZero as the processes see it: streams that take months by request, show them with a delay, and fail as the
//! schedule says.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::organization::cents_by_day;
use super::schedule::{Effect, ProcessId, Schedule, Service};
use crate::billing_period::BillingPeriod;
use crate::cloudzero::client::{self, Client};
use crate::http::Timeouts;
use crate::http::retry::{Policy, Timing};

/// Longest time until a stream shows what it took.
pub(super) const LONGEST_DELAY: Duration = Duration::from_secs(120);
/// Statuses of requests that have no effect.
const REFUSALS: [StatusCode; 5] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::CONFLICT,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// CloudZero's id of a connection's stream.
pub(super) fn stream_of(connection: &str) -> String {
    format!("stream-of-{connection}")
}

/// A server of CloudZero's API.
pub(super) struct CloudZero {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    schedule: Arc<Schedule>,
    streams: Vec<String>,
    /// The last row of each request is lost.
    loses_rows: bool,
    state: Mutex<Account>,
}

/// What CloudZero holds.
#[derive(Default)]
struct Account {
    /// Contents of the months of streams, in the order in which they were taken.
    months: BTreeMap<(String, String), Vec<Content>>,
    /// Bodies by their idempotency key.
    taken: BTreeMap<String, Bytes>,
    /// Requests that no client may send.
    violations: Vec<String>,
}

/// Rows of a month.
struct Content {
    shown_from: DateTime<Utc>,
    rows: Vec<Value>,
}

impl CloudZero {
    pub(super) async fn start(
        connections: &[&str],
        schedule: &Arc<Schedule>,
        loses_rows: bool,
    ) -> CloudZero {
        let shared = Arc::new(Shared {
            schedule: schedule.clone(),
            streams: connections.iter().map(|name| stream_of(name)).collect(),
            loses_rows,
            state: Mutex::default(),
        });
        let streams = "/{process}/v2/connections/billing/anycost";
        let app = Router::new()
            .route("/{process}/v2/connections/billing", get(list))
            .route(&format!("{streams}/validate_billing_drop"), post(validate))
            .route(&format!("{streams}/{{stream}}/billing_drops"), post(take))
            .route(
                &format!("{streams}/{{stream}}/billing_drops/{{month}}"),
                get(show),
            )
            .with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        CloudZero { address, shared }
    }

    /// A process's client, which gives up after some attempts and waits in simulated time.
    pub(super) fn client(&self, process: ProcessId, max_attempts: u32) -> Arc<Client> {
        let endpoint = format!("http://{}/{process}", self.address);
        let settings = client::Settings {
            endpoint: endpoint.parse().unwrap(),
            key: "key".to_owned().into(),
            // A process that sleeps in simulated time may take long in real time.
            timeouts: Timeouts {
                connect: Duration::from_secs(600),
                read: Duration::from_secs(600),
                total: Duration::from_secs(600),
            },
            policy: Policy {
                max_attempts,
                ..Policy::default()
            },
        };
        let clock = self.shared.schedule.clone();
        let start = clock.now();
        let timing = Timing {
            sleep: {
                let schedule = self.shared.schedule.clone();
                Arc::new(move |wait| {
                    let schedule = schedule.clone();
                    let wait = TimeDelta::from_std(wait).unwrap();
                    Box::pin(async move { schedule.rest(process, wait).await })
                })
            },
            random: Arc::new(|| 0.5),
            uptime: Arc::new(move || (clock.now() - start).to_std().unwrap()),
            now: Arc::new(std::time::SystemTime::now),
        };
        Arc::new(Client::new(settings, timing).unwrap())
    }

    /// Cents by day that a month of a connection's stream has.
    pub(super) fn month(&self, connection: &str, month: BillingPeriod) -> BTreeMap<NaiveDate, i64> {
        let state = self.shared.state.lock();
        let contents = state
            .months
            .get(&(stream_of(connection), month.to_string()));
        let rows = contents.and_then(|all| all.last());
        let rows = rows.iter().flat_map(|last| &last.rows);
        let text = |row: &Value, column: &str| row[column].as_str().unwrap().to_owned();
        cents_by_day(rows.map(|row| (text(row, "time/usage_start"), text(row, "cost/cost"))))
    }

    /// Requests that no client may send.
    pub(super) fn violations(&self) -> Vec<String> {
        self.shared.state.lock().violations.clone()
    }
}

impl Shared {
    /// Answers a request of a process when its turn comes.
    async fn answer(
        &self,
        process: ProcessId,
        request: &str,
        changes: bool,
        answer: impl FnOnce(&Shared) -> Response,
    ) -> Response {
        let schedule = &self.schedule;
        let turn = schedule.turn(process, Service::CloudZero, request, changes, true);
        let effect = turn.await;
        if effect == Effect::Refused {
            let status = REFUSALS[schedule.below(REFUSALS.len() as u32) as usize];
            return (status, [("retry-after", "2")]).into_response();
        }
        let answer = answer(self);
        match effect {
            Effect::ReplyLost => lost(schedule.chance(500)),
            Effect::KilledAfter => {
                schedule.kill(process).await;
                answer
            }
            _ => answer,
        }
    }
}

/// A reply that ends in the middle, or one of a proxy that gave up.
fn lost(is_cut: bool) -> Response {
    if !is_cut {
        return StatusCode::GATEWAY_TIMEOUT.into_response();
    }
    let parts = [Ok(Bytes::from("{")), Err(std::io::Error::other("cut"))];
    Body::from_stream(futures::stream::iter(parts)).into_response()
}

fn json(value: &Value) -> Response {
    value.to_string().into_response()
}

async fn list(State(shared): State<Arc<Shared>>, Path(process): Path<ProcessId>) -> Response {
    let request = "list billing connections";
    let answer = shared.answer(process, request, false, |shared| {
        let connection = |id: &String| json!({"id": id, "name": id, "connection_type": "custom"});
        let all: Vec<Value> = shared.streams.iter().map(connection).collect();
        json(&json!({"connections": all, "pagination": {"cursor": {"has_next": false}}}))
    });
    answer.await
}

async fn validate(State(shared): State<Arc<Shared>>, Path(process): Path<ProcessId>) -> Response {
    let answer = shared.answer(process, "validate a month", false, |_| {
        json(&json!({"connection": {"is_valid": true, "errors": []}}))
    });
    answer.await
}

async fn take(
    State(shared): State<Arc<Shared>>,
    Path((process, stream)): Path<(ProcessId, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let key = headers.get("cloudzero-idempotency-key");
    let key = key.map(|key| key.to_str().unwrap().to_owned());
    let drop: Value = serde_json::from_slice(&body).unwrap();
    let month = drop["month"].as_str().unwrap()[..7].to_owned();
    let request = format!("post {month} to {stream}");
    let answer = shared.answer(process, &request, true, |shared| {
        let schedule = &shared.schedule;
        let delay = match schedule.chance(200) {
            true => schedule.below(LONGEST_DELAY.as_secs() as u32),
            false => 0,
        };
        let shown_from = schedule.now() + TimeDelta::seconds(i64::from(delay));
        let mut state = shared.state.lock();
        let known = key.as_ref().and_then(|key| state.taken.get(key)).cloned();
        match (key, known) {
            (None, _) => state.violations.push(format!("{request} without a key")),
            (Some(key), Some(known)) if known != body => {
                state
                    .violations
                    .push(format!("{request}: {key} is that of another body"));
            }
            (Some(_), Some(_)) => {}
            (Some(key), None) => {
                state.taken.insert(key, body);
                let kept = state.months.entry((stream, month)).or_default();
                let mut rows = replaced(&drop, kept.last());
                rows.truncate(rows.len() - usize::from(shared.loses_rows));
                kept.push(Content { shown_from, rows });
            }
        }
        json(&json!({"connection": {}}))
    });
    answer.await
}

/// Rows of a month after a request.
fn replaced(drop: &Value, before: Option<&Content>) -> Vec<Value> {
    let hour = |row: &Value| row["time/usage_start"].as_str().unwrap()[..13].to_owned();
    let new = drop["data"].as_array().unwrap();
    let replaced: BTreeSet<String> = new.iter().map(hour).collect();
    let keeps = drop["operation"] == "replace_hourly";
    let before = before.filter(|_| keeps).into_iter().flat_map(|b| &b.rows);
    let kept = before.filter(|row| !replaced.contains(&hour(row)));
    kept.chain(new).cloned().collect()
}

async fn show(
    State(shared): State<Arc<Shared>>,
    Path((process, stream, month)): Path<(ProcessId, String, String)>,
) -> Response {
    let request = format!("get {month} of {stream}");
    let answer = shared.answer(process, &request, false, |shared| {
        let now = shared.schedule.now();
        let state = shared.state.lock();
        let contents = state.months.get(&(stream, month)).into_iter().flatten();
        let mut shown = contents.filter(|content| content.shown_from <= now);
        match shown.next_back() {
            Some(content) => json(&json!({"billing_drop": content.rows})),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    });
    answer.await
}
