//! Injection of faults: replaced or withheld responses, aborted bodies, corrupted costs.

use crate::sandbox::confluent::iam::faults::{IamFault, iam_fault_response};
use crate::sandbox::confluent::inventory::faults::inventory_fault_response;
use crate::sandbox::confluent::route::ConfluentRoute;
use crate::sandbox::faults::{Fault, FaultBudgets, FaultKind};
use crate::sandbox::server::body::{BodyStep, ScriptedBody, split_in_half};
use crate::sandbox::server::response::{
    empty, forbidden, internal_error, not_found, set_header, unauthorized, with_body,
};
use crate::sandbox::server::state::RequestId;
use axum::body::Body;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use chrono::{Days, NaiveDate};
use std::ops::Range;
use std::time::{Duration, SystemTime};

const HTML: &str = "text/html; charset=utf-8";

const IAM_CHANGE: ConfluentRoute = ConfluentRoute::Iam { is_change: true };

/// Response extension: reset the connection instead of sending this response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResetMarker;

/// Returns whether a fault replaces the whole response to a request for `route`.
pub(crate) fn replaces_response(kind: FaultKind, route: ConfluentRoute) -> bool {
    use FaultKind::*;
    match kind {
        Limited | LimitedDate | LimitedReset | Internal | BadGateway | Unavailable | Html
        | NotFound | Unauthorized | Forbidden | Redirect | Reset => true,
        Iam(fault) => fault != IamFault::LostReply && route == IAM_CHANGE,
        Inventory(_) => matches!(route, ConfluentRoute::Inventory(_)),
        _ => false,
    }
}

/// Returns whether a fault corrupts one cost of a page.
pub(crate) fn corrupts_cost(kind: FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::BadRecord | FaultKind::MissingAmount | FaultKind::OutsideWindow
    )
}

/// Response of a fault that replaces the real one.
pub(crate) fn fault_response(
    fault: &Fault,
    request_id: &RequestId,
    route: ConfluentRoute,
) -> Response<Body> {
    match (fault.kind(), route) {
        (FaultKind::Iam(fault), _) => iam_fault_response(fault, request_id),
        (FaultKind::Inventory(fault), ConfluentRoute::Inventory(list)) => {
            inventory_fault_response(fault, list, request_id)
        }
        (kind, _) => common_fault_response(kind, fault.retry_after_secs(), request_id),
    }
}

fn common_fault_response(
    kind: FaultKind,
    retry_after_secs: u64,
    request_id: &RequestId,
) -> Response<Body> {
    match kind {
        FaultKind::Limited => too_many_requests("retry-after", retry_after_secs, retry_after_secs),
        FaultKind::LimitedDate => {
            let until = SystemTime::now() + Duration::from_secs(retry_after_secs);
            too_many_requests(
                "retry-after",
                httpdate::fmt_http_date(until),
                retry_after_secs,
            )
        }
        FaultKind::LimitedReset => {
            too_many_requests("x-ratelimit-reset", retry_after_secs, retry_after_secs)
        }
        FaultKind::BadGateway => {
            let page = "<html><head><title>502</title></head><body>Bad Gateway</body></html>";
            with_body(StatusCode::BAD_GATEWAY, HTML, page)
        }
        FaultKind::Unavailable => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let mut response = with_body(status, "text/plain", "try later");
            set_header(&mut response, "retry-after", retry_after_secs);
            response
        }
        FaultKind::Html => {
            let page = "<!DOCTYPE html><html><body><h1>Sign in to the network</h1></body></html>";
            with_body(StatusCode::OK, HTML, page)
        }
        FaultKind::NotFound => not_found(request_id),
        FaultKind::Unauthorized => unauthorized(request_id, "invalid API key"),
        FaultKind::Forbidden => forbidden(
            request_id,
            "the owner of this API key lacks a role with this permission",
        ),
        FaultKind::Redirect => {
            let mut response = empty(StatusCode::FOUND);
            set_header(&mut response, "location", "http://localhost:9/elsewhere");
            response
        }
        FaultKind::Reset => marked_for_reset(empty(StatusCode::OK)),
        _ => internal_error(request_id, "something went wrong on purpose"),
    }
}

fn marked_for_reset(mut response: Response<Body>) -> Response<Body> {
    response.extensions_mut().insert(ResetMarker);
    response
}

/// Applies body faults and lost replies to a successful IAM or inventory response.
///
/// Responses with costs inject their own, because they also compress their bodies.
pub(crate) async fn inject_into_response(
    faults: &FaultBudgets,
    request_number: u64,
    route: ConfluentRoute,
    response: Response<Body>,
) -> Response<Body> {
    if !response.status().is_success()
        || !matches!(
            route,
            ConfluentRoute::Iam { .. } | ConfluentRoute::Inventory(_)
        )
    {
        return response;
    }
    let is_lost = |kind| kind == FaultKind::Iam(IamFault::LostReply);
    if route == IAM_CHANGE && faults.take(request_number, is_lost).is_some() {
        return marked_for_reset(response);
    }
    let (mut head, body) = response.into_parts();
    // The body may be truncated below; hyper computes its length again.
    head.headers.remove(CONTENT_LENGTH);
    match axum::body::to_bytes(body, usize::MAX).await {
        Ok(text) if !text.is_empty() => {
            let chunks = truncated(faults, request_number, vec![text]);
            let body = interrupted_body(faults, request_number, chunks);
            Response::from_parts(head, Body::new(body))
        }
        _ => Response::from_parts(head, Body::empty()),
    }
}

/// Text of a body, or its first half if a fault truncates it.
pub(crate) fn truncated(
    faults: &FaultBudgets,
    request_number: u64,
    chunks: Vec<Bytes>,
) -> Vec<Bytes> {
    match faults.take(request_number, |kind| kind == FaultKind::TruncatedJson) {
        Some(_) => split_in_half(chunks).0,
        None => chunks,
    }
}

/// Body that pauses or aborts in its middle if a fault asks for it.
pub(crate) fn interrupted_body(
    faults: &FaultBudgets,
    request_number: u64,
    chunks: Vec<Bytes>,
) -> ScriptedBody {
    let interrupts = |kind| matches!(kind, FaultKind::Cut | FaultKind::Slow);
    match faults.take(request_number, interrupts) {
        None => ScriptedBody::new(chunks),
        Some(fault) if fault.kind() == FaultKind::Slow => {
            ScriptedBody::interrupted(chunks, [BodyStep::Pause(fault.pause())])
        }
        // The pause lets the first half reach the client.
        Some(_) => {
            let pause = BodyStep::Pause(Duration::from_millis(20));
            ScriptedBody::interrupted(chunks, [pause, BodyStep::Abort])
        }
    }
}

/// 429 without a body.
pub(crate) fn too_many_requests(
    header: &'static str,
    value: impl ToString,
    reset_secs: u64,
) -> Response<Body> {
    let mut response = empty(StatusCode::TOO_MANY_REQUESTS);
    set_header(&mut response, "x-ratelimit-remaining", 0);
    set_header(&mut response, "x-ratelimit-reset", reset_secs);
    set_header(&mut response, header, value);
    response
}

/// JSON text of a cost with one value corrupted.
pub(crate) fn corrupted_cost(kind: FaultKind, cost: &str, window: &Range<NaiveDate>) -> String {
    match kind {
        FaultKind::OutsideWindow => {
            let start = window.end + Days::new(3);
            let dates = [("start_date", start), ("end_date", start + Days::new(1))];
            dates.iter().fold(cost.to_owned(), |cost, (key, date)| {
                replace_value(&cost, key, Some(&format!(r#""{date}""#)))
            })
        }
        FaultKind::MissingAmount => replace_value(cost, "original_amount", None),
        _ => replace_value(cost, "original_amount", Some(r#""abc""#)),
    }
}

/// Replaces the value of a key, or removes both. Another key must follow.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::data::edge_cases::{self, EDGE_CASES};
    use serde_json::Value;

    #[test]
    fn corrupts_exactly_the_expected_field_of_every_edge_case() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let window = day("2026-10-01")..day("2026-11-01");
        for record in EDGE_CASES.iter().copied().flatten() {
            let cost = edge_cases::render(record, day("2026-10-09"));
            for kind in [
                FaultKind::BadRecord,
                FaultKind::MissingAmount,
                FaultKind::OutsideWindow,
            ] {
                let corrupted = corrupted_cost(kind, &cost, &window);
                let value: Value = serde_json::from_str(&corrupted).expect(&corrupted);
                let object = value.as_object().unwrap();
                match kind {
                    FaultKind::BadRecord => assert_eq!(object["original_amount"], "abc"),
                    FaultKind::MissingAmount => assert!(!object.contains_key("original_amount")),
                    _ => assert_eq!(object["start_date"], "2026-11-04"),
                }
            }
        }
    }
}
