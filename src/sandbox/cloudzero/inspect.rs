//! `/sandbox/cloudzero/*`: exact totals of the stored line items, the request log, polling the bucket, and the clock of
//! test namespaces.

use crate::sandbox::cloudzero::line_item::{LineItem, LineItemCosts};
use crate::sandbox::cloudzero::period::{Month, day_of};
use crate::sandbox::cloudzero::{DEFAULT_STREAM_ID, poller};
use crate::sandbox::data::money::to_plain_string;
use crate::sandbox::server::response::json;
use crate::sandbox::server::state::{Sandbox, lock};
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode, Uri};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Handles `GET /sandbox/cloudzero/holds?month=YYYY-MM&connection=ID`: exact totals of the stored line
/// items, by default those of the stream.
pub(crate) async fn holds(State(sandbox): State<Arc<Sandbox>>, uri: Uri) -> Response<Body> {
    let (mut month, mut connection) = (None, DEFAULT_STREAM_ID.to_owned());
    let query = uri.query().unwrap_or_default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "month" => month = Month::parse(&value),
            "connection" => connection = value.into_owned(),
            _ => {}
        }
    }
    let Some(month) = month else {
        let text = json!({ "message": "give the month as ?month=YYYY-MM" });
        return json(StatusCode::BAD_REQUEST, &text);
    };
    let stored = lock(&sandbox.cloudzero.real.ledger).visible(&connection, month);
    let line_items = stored
        .as_ref()
        .map_or(&[][..], |stored| &stored.line_items[..]);
    json(StatusCode::OK, &totals(line_items))
}

/// Handles `GET /sandbox/cloudzero/requests`: all requests to CloudZero's API, in order.
pub(crate) async fn requests(State(sandbox): State<Arc<Sandbox>>) -> Response<Body> {
    let request_log = lock(&sandbox.cloudzero.request_log);
    json(StatusCode::OK, &json!(request_log.requests()))
}

/// Handles `GET /sandbox/cloudzero/poll`: polls the bucket once, as CloudZero does periodically.
pub(crate) async fn poll(State(sandbox): State<Arc<Sandbox>>) -> Response<Body> {
    match poller::poll(&sandbox.cloudzero).await {
        Some(poll) => json(StatusCode::OK, &json!(poll)),
        None => {
            let text = json!({ "message": "this sandbox has no bucket" });
            json(StatusCode::NOT_FOUND, &text)
        }
    }
}

/// Handles `GET /sandbox/cloudzero/advance?minutes=N`: moves the clock of the test namespaces.
pub(crate) async fn advance(State(sandbox): State<Arc<Sandbox>>, uri: Uri) -> Response<Body> {
    let query = uri.query().unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let minutes = pairs.find(|(name, _)| name == "minutes");
    let Some(minutes) = minutes.and_then(|(_, value)| value.parse::<u32>().ok()) else {
        let text = json!({ "message": "give the time as ?minutes=N" });
        return json(StatusCode::BAD_REQUEST, &text);
    };
    let time = Duration::from_secs(u64::from(minutes) * 60);
    lock(&sandbox.cloudzero.test_namespaces).advance(time);
    json(StatusCode::OK, &json!({ "minutes": minutes }))
}

#[derive(Default)]
struct LineItemTotals {
    line_items: usize,
    costs: LineItemCosts,
}

impl LineItemTotals {
    fn add(&mut self, line_item: &LineItem) {
        self.line_items += 1;
        self.costs.billed += line_item.costs.billed;
        self.costs.discounted += line_item.costs.discounted;
        self.costs.on_demand += line_item.costs.on_demand;
        self.costs.amortized += line_item.costs.amortized;
        self.costs.discounted_amortized += line_item.costs.discounted_amortized;
    }

    fn to_json(&self) -> Value {
        json!({
            "rows": self.line_items,
            "cost": to_plain_string(self.costs.billed),
            "discounted_cost": to_plain_string(self.costs.discounted),
            "on_demand_cost": to_plain_string(self.costs.on_demand),
            "amortized_cost": to_plain_string(self.costs.amortized),
            "discounted_amortized_cost": to_plain_string(self.costs.discounted_amortized),
        })
    }
}

fn totals(line_items: &[LineItem]) -> Value {
    let mut total = LineItemTotals::default();
    let mut groups: BTreeMap<_, LineItemTotals> = BTreeMap::new();
    let mut hours = BTreeSet::new();
    for line_item in line_items {
        total.add(line_item);
        groups
            .entry((day_of(line_item.hour), line_item.line_item_type()))
            .or_default()
            .add(line_item);
        hours.insert(line_item.hour);
    }
    let groups = groups.into_iter().map(|((day, line_item_type), sum)| {
        let mut group = sum.to_json();
        group["day"] = day.to_string().into();
        group["type"] = line_item_type.into();
        group
    });
    let groups: Vec<Value> = groups.collect();
    let mut value = total.to_json();
    value["by_day_type"] = groups.into();
    value["hours"] = hours.len().into();
    value
}
