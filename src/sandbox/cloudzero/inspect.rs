//! `/sandbox/cloudzero/*`: what is held, exactly; what was asked; and polling the bucket.

use crate::sandbox::cloudzero::period::{Month, day_of};
use crate::sandbox::cloudzero::rows::{Costs, Row};
use crate::sandbox::cloudzero::{DEFAULT_STREAM_ID, lock, poller};
use crate::sandbox::data::money::plain;
use crate::sandbox::server::response::json;
use crate::sandbox::server::state::Sandbox;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode, Uri};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Exact totals of `?month=YYYY-MM&connection=ID`; without an id those of the stream.
pub async fn holds(State(sandbox): State<Arc<Sandbox>>, uri: Uri) -> Response<Body> {
    let (mut month, mut connection) = (None, DEFAULT_STREAM_ID.to_owned());
    let query = uri.query().unwrap_or_default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "month" => month = Month::read(&value),
            "connection" => connection = value.into_owned(),
            _ => {}
        }
    }
    let Some(month) = month else {
        let text = json!({ "message": "give the month as ?month=YYYY-MM" });
        return json(StatusCode::BAD_REQUEST, &text);
    };
    let held = lock(&sandbox.cloudzero.holdings).shown(&connection, month);
    let rows = held.as_ref().map_or(&[][..], |held| &held.rows[..]);
    json(StatusCode::OK, &totals(rows))
}

/// Every request to CloudZero's API, in order.
pub async fn requests(State(sandbox): State<Arc<Sandbox>>) -> Response<Body> {
    let journal = lock(&sandbox.cloudzero.journal);
    json(StatusCode::OK, &json!(journal.entries()))
}

/// Polls the bucket once, as CloudZero does on its own.
pub async fn poll(State(sandbox): State<Arc<Sandbox>>) -> Response<Body> {
    match poller::poll(&sandbox.cloudzero).await {
        Some(poll) => json(StatusCode::OK, &json!(poll)),
        None => {
            let text = json!({ "message": "this sandbox polls no bucket" });
            json(StatusCode::NOT_FOUND, &text)
        }
    }
}

#[derive(Default)]
struct Sum {
    rows: usize,
    costs: Costs,
}

impl Sum {
    fn add(&mut self, row: &Row) {
        self.rows += 1;
        self.costs.billed += row.costs.billed;
        self.costs.discounted += row.costs.discounted;
        self.costs.on_demand += row.costs.on_demand;
    }

    fn shown(&self) -> Value {
        json!({
            "rows": self.rows,
            "cost": plain(self.costs.billed),
            "discounted_cost": plain(self.costs.discounted),
            "on_demand_cost": plain(self.costs.on_demand),
        })
    }
}

fn totals(rows: &[Row]) -> Value {
    let mut total = Sum::default();
    let mut groups: BTreeMap<_, Sum> = BTreeMap::new();
    let mut hours = BTreeSet::new();
    for row in rows {
        total.add(row);
        groups
            .entry((day_of(row.hour), row.kind()))
            .or_default()
            .add(row);
        hours.insert(row.hour);
    }
    let groups = groups.into_iter().map(|((day, kind), sum)| {
        let mut group = sum.shown();
        group["day"] = day.to_string().into();
        group["type"] = kind.into();
        group
    });
    let groups: Vec<Value> = groups.collect();
    let mut shown = total.shown();
    shown["by_day_type"] = groups.into();
    shown["hours"] = hours.len().into();
    shown
}
