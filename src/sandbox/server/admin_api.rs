//! `/sandbox/*` endpoints for the whole sandbox: request counts, exact totals, warming up.

use crate::sandbox::data::money::to_plain_string;
use crate::sandbox::server::response::{json, with_body};
use crate::sandbox::server::state::Sandbox;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode, Uri};
use chrono::{Months, NaiveDate};
use serde::Serialize;
use serde_json::json;
use std::ops::Range;
use std::sync::Arc;

/// Response of `/sandbox/totals`. Amounts are plain decimal text.
#[derive(Debug, Serialize)]
struct MonthTotals {
    month: String,
    costs: u64,
    original_amount: String,
    net_amount: String,
    /// Original minus net.
    discount_amount: String,
    by_day_product_line_type: Vec<GroupTotals>,
}

#[derive(Debug, Serialize)]
struct GroupTotals {
    day: String,
    product: Option<&'static str>,
    line_type: &'static str,
    costs: u64,
    original_amount: String,
    net_amount: String,
}

/// Handles `GET /sandbox/status`: requests, concurrency, fired faults.
pub(crate) async fn status(State(sandbox): State<Arc<Sandbox>>) -> Response<Body> {
    serialized(&sandbox.status())
}

/// Handles `GET /sandbox/totals?month=YYYY-MM`: exact totals of a month.
pub(crate) async fn totals(State(sandbox): State<Arc<Sandbox>>, uri: Uri) -> Response<Body> {
    with_month(&uri, move |month, days| {
        serialized(&month_totals(&sandbox, month, days))
    })
    .await
}

/// Handles `GET /sandbox/warm?month=YYYY-MM`: generates the days of a month ahead of time.
pub(crate) async fn warm(State(sandbox): State<Arc<Sandbox>>, uri: Uri) -> Response<Body> {
    with_month(&uri, move |month, days| {
        let (costs, bytes) = sandbox.history.warm(days);
        json(
            StatusCode::OK,
            &json!({ "month": month, "costs": costs, "bytes": bytes }),
        )
    })
    .await
}

fn month_totals(sandbox: &Sandbox, month: String, days: Range<NaiveDate>) -> MonthTotals {
    let (daily, total) = sandbox.history.daily_totals(days);
    let groups = daily.iter().flat_map(|(day, totals)| {
        totals
            .iter()
            .map(|((product, line_type), group)| GroupTotals {
                day: day.to_string(),
                product,
                line_type,
                costs: group.costs,
                original_amount: to_plain_string(group.original),
                net_amount: to_plain_string(group.net),
            })
    });
    MonthTotals {
        month,
        costs: total.costs,
        original_amount: to_plain_string(total.original),
        net_amount: to_plain_string(total.net),
        discount_amount: to_plain_string(total.original - total.net),
        by_day_product_line_type: groups.collect(),
    }
}

/// Runs `work` on the month of the query, on a blocking thread because generating days takes a while.
async fn with_month(
    uri: &Uri,
    work: impl FnOnce(String, Range<NaiveDate>) -> Response<Body> + Send + 'static,
) -> Response<Body> {
    let Some((month, days)) = parse_month(uri.query().unwrap_or_default()) else {
        let text = "give the month as ?month=YYYY-MM\n";
        return with_body(StatusCode::BAD_REQUEST, "text/plain", text);
    };
    let work = tokio::task::spawn_blocking(move || work(month, days));
    work.await.unwrap_or_else(|_| failed())
}

fn parse_month(query: &str) -> Option<(String, Range<NaiveDate>)> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let (_, month) = pairs.find(|(name, _)| name == "month")?;
    let first = NaiveDate::parse_from_str(&format!("{month}-01"), "%Y-%m-%d").ok()?;
    let end = first.checked_add_months(Months::new(1))?;
    Some((month.into_owned(), first..end))
}

fn serialized(value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(text) => with_body(StatusCode::OK, "application/json", text),
        Err(_) => failed(),
    }
}

fn failed() -> Response<Body> {
    with_body(
        StatusCode::INTERNAL_SERVER_ERROR,
        "text/plain",
        "the sandbox failed\n",
    )
}
