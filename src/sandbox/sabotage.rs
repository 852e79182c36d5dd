//! Faults carried out: answers sent instead of the real one, and costs made wrong.

use super::answers::{answer, empty, forbidden, not_found, refusal, set, unauthorized};
use super::faults::{Fault, Kind};
use super::state::Ticket;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use chrono::{Days, NaiveDate};
use std::ops::Range;
use std::time::{Duration, SystemTime};

const HTML: &str = "text/html; charset=utf-8";

/// Mark on an answer that is not to be sent: the connection is reset.
#[derive(Debug, Clone, Copy)]
pub struct ResetConnection;

/// Whether a fault takes the place of the whole answer.
pub fn replaces_answer(kind: Kind) -> bool {
    use Kind::*;
    matches!(
        kind,
        Limited
            | LimitedDate
            | LimitedReset
            | Internal
            | BadGateway
            | Unavailable
            | Html
            | NotFound
            | Unauthorized
            | Forbidden
            | Reset
    )
}

/// Whether a fault makes one cost of a page wrong.
pub fn spoils_cost(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::BadRecord | Kind::MissingAmount | Kind::OutsideWindow
    )
}

/// The answer of a fault that replaces it.
pub fn replacement(fault: &Fault, ticket: &Ticket) -> Response<Body> {
    let seconds = fault.retry_after();
    match fault.kind() {
        Kind::Limited => limited("retry-after", seconds, seconds),
        Kind::LimitedDate => {
            let until = SystemTime::now() + Duration::from_secs(seconds);
            limited("retry-after", httpdate::fmt_http_date(until), seconds)
        }
        Kind::LimitedReset => limited("x-ratelimit-reset", seconds, seconds),
        Kind::BadGateway => {
            let page = "<html><head><title>502</title></head><body>Bad Gateway</body></html>";
            answer(StatusCode::BAD_GATEWAY, HTML, page)
        }
        Kind::Unavailable => {
            let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "try later");
            set(&mut response, "retry-after", seconds);
            response
        }
        Kind::Html => {
            let page = "<!DOCTYPE html><html><body><h1>Sign in to the network</h1></body></html>";
            answer(StatusCode::OK, HTML, page)
        }
        Kind::NotFound => not_found(ticket),
        Kind::Unauthorized => unauthorized(ticket, "invalid API key"),
        Kind::Forbidden => forbidden(ticket),
        Kind::Reset => {
            let mut response = empty(StatusCode::OK);
            response.extensions_mut().insert(ResetConnection);
            response
        }
        _ => {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            refusal(
                ticket,
                status,
                "internal_error",
                "something went wrong on purpose",
                None,
            )
        }
    }
}

/// 429, which has no body.
pub fn limited(header: &'static str, value: impl ToString, reset: u64) -> Response<Body> {
    let mut response = empty(StatusCode::TOO_MANY_REQUESTS);
    set(&mut response, "x-ratelimit-remaining", 0);
    set(&mut response, "x-ratelimit-reset", reset);
    set(&mut response, header, value);
    response
}

/// One cost (JSON text) made wrong.
pub fn spoiled(kind: Kind, cost: &str, window: &Range<NaiveDate>) -> String {
    match kind {
        Kind::OutsideWindow => {
            let start = window.end + Days::new(3);
            let dates = [("start_date", start), ("end_date", start + Days::new(1))];
            dates.iter().fold(cost.to_owned(), |cost, (key, date)| {
                replace_value(&cost, key, Some(&format!(r#""{date}""#)))
            })
        }
        Kind::MissingAmount => replace_value(cost, "original_amount", None),
        _ => replace_value(cost, "original_amount", Some(r#""abc""#)),
    }
}

/// Replaces the value of a key that is followed by another one, or takes both out.
fn replace_value(cost: &str, key: &str, value: Option<&str>) -> String {
    let quoted = format!(r#""{key}""#);
    let Some(start) = cost.find(&quoted) else {
        return cost.to_owned();
    };
    let length = cost[start..].find([',', '}']).unwrap_or(cost.len() - start);
    let (before, after) = (&cost[..start], &cost[start + length..]);
    match value {
        Some(value) => format!("{before}{quoted}:{value}{after}"),
        // Costs end with the resource or another amount, so a comma follows.
        None => format!("{before}{}", after.trim_start_matches(',')),
    }
}
