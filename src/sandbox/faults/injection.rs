//! Faults carried out: answers sent instead of the real one or kept back, bodies that end early,
//! costs made wrong.

use crate::sandbox::confluent::iam::faults::{self, Trouble};
use crate::sandbox::confluent::inventory;
use crate::sandbox::faults::{Fault, Faults, Kind};
use crate::sandbox::server::body::{Piece, Pieces, halves};
use crate::sandbox::server::response::{
    answer, empty, failed, forbidden, not_found, set, unauthorized,
};
use crate::sandbox::server::route::Area;
use crate::sandbox::server::state::Ticket;
use axum::body::Body;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use chrono::{Days, NaiveDate};
use std::ops::Range;
use std::time::{Duration, SystemTime};

const HTML: &str = "text/html; charset=utf-8";

/// What changes something below `/iam/`.
const CHANGE: Area = Area::Iam { changes: true };

/// Mark on an answer that is not to be sent: the connection is reset.
#[derive(Debug, Clone, Copy)]
pub struct ResetConnection;

/// Whether a fault takes the place of the whole answer to a request for `area`.
pub fn replaces_answer(kind: Kind, area: Area) -> bool {
    use Kind::*;
    match kind {
        Limited | LimitedDate | LimitedReset | Internal | BadGateway | Unavailable | Html
        | NotFound | Unauthorized | Forbidden | Redirect | Reset => true,
        Iam(trouble) => trouble != Trouble::LostReply && area == CHANGE,
        Inventory(_) => matches!(area, Area::Inventory(_)),
        _ => false,
    }
}

/// Whether a fault makes one cost of a page wrong.
pub fn spoils_cost(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::BadRecord | Kind::MissingAmount | Kind::OutsideWindow
    )
}

/// The answer of a fault that replaces it.
pub fn replacement(fault: &Fault, ticket: &Ticket, area: Area) -> Response<Body> {
    let seconds = fault.retry_after();
    match (fault.kind(), area) {
        (Kind::Iam(trouble), _) => faults::replacement(trouble, ticket),
        (Kind::Inventory(trouble), Area::Inventory(list)) => {
            inventory::faults::replacement(trouble, list, ticket)
        }
        (kind, _) => anywhere(kind, seconds, ticket),
    }
}

fn anywhere(kind: Kind, seconds: u64, ticket: &Ticket) -> Response<Body> {
    match kind {
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
        Kind::Forbidden => {
            let detail = "the owner of this API key lacks a role that may do this";
            forbidden(ticket, detail)
        }
        Kind::Redirect => {
            let mut response = empty(StatusCode::FOUND);
            set(&mut response, "location", "http://localhost:9/elsewhere");
            response
        }
        Kind::Reset => reset(empty(StatusCode::OK)),
        _ => failed(ticket, "something went wrong on purpose"),
    }
}

fn reset(mut response: Response<Body>) -> Response<Body> {
    response.extensions_mut().insert(ResetConnection);
    response
}

/// What faults leave of the good answer to request number `number`: its body may be spoiled, and
/// a change may have been made without anybody hearing of it. Costs see to their bodies
/// themselves.
pub async fn spoiled_answer(
    faults: &Faults,
    number: u64,
    area: Area,
    response: Response<Body>,
) -> Response<Body> {
    if !response.status().is_success() || !matches!(area, Area::Iam { .. } | Area::Inventory(_)) {
        return response;
    }
    let is_lost = |kind| kind == Kind::Iam(Trouble::LostReply);
    if area == CHANGE && faults.take(number, is_lost).is_some() {
        return reset(response);
    }
    let (mut head, body) = response.into_parts();
    // What is left of the body announces its own.
    head.headers.remove(CONTENT_LENGTH);
    match axum::body::to_bytes(body, usize::MAX).await {
        Ok(text) if !text.is_empty() => {
            let chunks = truncated(faults, number, vec![text]);
            Response::from_parts(head, Body::new(disturbed(faults, number, chunks)))
        }
        _ => Response::from_parts(head, Body::empty()),
    }
}

/// The text of a body, or its first half.
pub fn truncated(faults: &Faults, number: u64, chunks: Vec<Bytes>) -> Vec<Bytes> {
    match faults.take(number, |kind| kind == Kind::TruncatedJson) {
        Some(_) => halves(chunks).0,
        None => chunks,
    }
}

/// A body that may pause or break off in its middle.
pub fn disturbed(faults: &Faults, number: u64, chunks: Vec<Bytes>) -> Pieces {
    let disturbs = |kind| matches!(kind, Kind::Cut | Kind::Slow);
    match faults.take(number, disturbs) {
        None => Pieces::new(chunks),
        Some(fault) if fault.kind() == Kind::Slow => {
            Pieces::interrupted(chunks, [Piece::Pause(fault.pause())])
        }
        // The pause lets the first half reach the client.
        Some(_) => {
            let pause = Piece::Pause(Duration::from_millis(20));
            Pieces::interrupted(chunks, [pause, Piece::Break])
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
