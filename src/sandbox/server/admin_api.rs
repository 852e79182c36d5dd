//! `/sandbox/*`: exact totals, warming up, and what happened so far.

use crate::sandbox::data::money::plain;
use crate::sandbox::server::response::{answer, json};
use crate::sandbox::server::state::Sandbox;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode, Uri};
use chrono::{Months, NaiveDate};
use serde::Serialize;
use serde_json::json;
use std::ops::Range;
use std::sync::Arc;

/// Answer of `/sandbox/totals`. Amounts are plain decimal text.
#[derive(Debug, Serialize)]
struct Totals {
    month: String,
    costs: u64,
    original_amount: String,
    net_amount: String,
    /// Original minus net.
    discount_amount: String,
    by_day_product_line_type: Vec<Total>,
}

#[derive(Debug, Serialize)]
struct Total {
    day: String,
    product: Option<&'static str>,
    line_type: &'static str,
    costs: u64,
    original_amount: String,
    net_amount: String,
}

/// Requests, concurrency, faults.
pub async fn status(State(sandbox): State<Arc<Sandbox>>) -> Response<Body> {
    serialized(&sandbox.status())
}

/// Exact totals of `?month=YYYY-MM`.
pub async fn totals(State(sandbox): State<Arc<Sandbox>>, uri: Uri) -> Response<Body> {
    with_month(&uri, move |month, days| {
        serialized(&totals_of(&sandbox, month, days))
    })
    .await
}

/// Makes the days of `?month=YYYY-MM`.
pub async fn warm(State(sandbox): State<Arc<Sandbox>>, uri: Uri) -> Response<Body> {
    with_month(&uri, move |month, days| {
        let (costs, bytes) = sandbox.history.warm(days);
        json(
            StatusCode::OK,
            &json!({ "month": month, "costs": costs, "bytes": bytes }),
        )
    })
    .await
}

fn totals_of(sandbox: &Sandbox, month: String, days: Range<NaiveDate>) -> Totals {
    let (ledgers, sum) = sandbox.history.ledgers(days);
    let lines = ledgers.iter().flat_map(|(day, ledger)| {
        ledger.iter().map(|((product, line_type), sum)| Total {
            day: day.to_string(),
            product,
            line_type,
            costs: sum.costs,
            original_amount: plain(sum.original),
            net_amount: plain(sum.net),
        })
    });
    Totals {
        month,
        costs: sum.costs,
        original_amount: plain(sum.original),
        net_amount: plain(sum.net),
        discount_amount: plain(sum.original - sum.net),
        by_day_product_line_type: lines.collect(),
    }
}

/// Works on the month of the query without holding up other requests.
async fn with_month(
    uri: &Uri,
    work: impl FnOnce(String, Range<NaiveDate>) -> Response<Body> + Send + 'static,
) -> Response<Body> {
    let Some((month, days)) = month(uri.query().unwrap_or_default()) else {
        let text = "give the month as ?month=YYYY-MM\n";
        return answer(StatusCode::BAD_REQUEST, "text/plain", text);
    };
    let work = tokio::task::spawn_blocking(move || work(month, days));
    work.await.unwrap_or_else(|_| failed())
}

fn month(query: &str) -> Option<(String, Range<NaiveDate>)> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let (_, month) = pairs.find(|(name, _)| name == "month")?;
    let first = NaiveDate::parse_from_str(&format!("{month}-01"), "%Y-%m-%d").ok()?;
    let after = first.checked_add_months(Months::new(1))?;
    Some((month.into_owned(), first..after))
}

fn serialized(value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(text) => answer(StatusCode::OK, "application/json", text),
        Err(_) => failed(),
    }
}

fn failed() -> Response<Body> {
    answer(
        StatusCode::INTERNAL_SERVER_ERROR,
        "text/plain",
        "the sandbox failed\n",
    )
}
