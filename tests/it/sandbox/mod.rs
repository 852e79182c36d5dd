//! The sandbox itself, through HTTP. Shared helpers.

mod cloudzero;
mod confluent;
mod costs;
mod data;
mod faults;
mod server;

use std::collections::BTreeMap;

use base64::Engine as _;
use billstream::sandbox::Options;
use chrono::{Months, NaiveDate};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use self::server::Server;

const OCTOBER: &str = "/billing/v1/costs?start_date=2026-10-01&end_date=2026-11-01";

fn options() -> Options {
    Options {
        today: day("2026-11-23"),
        ..Options::default()
    }
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// First days of the complete months whose days are all available.
fn months() -> impl Iterator<Item = NaiveDate> {
    (0..11).map(|back| day("2026-10-01") - Months::new(back))
}

fn credentials(key: &str, secret: &str) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{key}:{secret}"));
    format!("Basic {encoded}")
}

async fn send(
    server: &Server,
    path: &str,
    authorization: &str,
) -> (StatusCode, HeaderMap, Vec<u8>) {
    let headers = [
        ("authorization", authorization),
        ("accept-encoding", "gzip"),
    ];
    let response = server.send("GET", path, &headers, b"").await.unwrap();
    let status = StatusCode::from_u16(response.status).unwrap();
    (status, response.headers, response.body)
}

async fn ask(server: &Server, path: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
    send(server, path, &credentials("sandbox-key", "sandbox-secret")).await
}

async fn ask_json(server: &Server, path: &str) -> Value {
    let (status, _, body) = ask(server, path).await;
    assert_eq!(
        status,
        StatusCode::OK,
        "{path}: {}",
        String::from_utf8_lossy(&body)
    );
    serde_json::from_slice(&body).unwrap()
}

#[derive(Deserialize)]
struct List {
    metadata: Metadata,
    data: Option<Vec<Box<RawValue>>>,
}

#[derive(Deserialize)]
struct Metadata {
    next: Option<String>,
}

/// JSON text of all costs of a window, page by page.
async fn all(server: &Server, first: &str) -> Vec<String> {
    let mut path = first.to_owned();
    let mut costs = Vec::new();
    loop {
        let (status, _, body) = ask(server, &path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        let list: List = serde_json::from_slice(&body).unwrap();
        costs.extend(
            list.data
                .unwrap_or_default()
                .iter()
                .map(|cost| cost.get().to_owned()),
        );
        match list.metadata.next.filter(|next| !next.is_empty()) {
            Some(next) => path = server.path_of(&next),
            None => return costs,
        }
    }
}

fn month_path(first: NaiveDate) -> String {
    let next = first + Months::new(1);
    format!("/billing/v1/costs?start_date={first}&end_date={next}&page_size=10000")
}

#[derive(Deserialize)]
struct Cost {
    start_date: String,
    #[serde(default)]
    product: Option<String>,
    line_type: String,
    original_amount: Box<RawValue>,
    discount_amount: Option<Box<RawValue>>,
    amount: Option<Box<RawValue>>,
}

/// Exact value of the text of a JSON number, in units of 1e-24.
fn exact(text: &str) -> i128 {
    let text = text.to_ascii_lowercase();
    let (number, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().unwrap();
    let places = 24 + exponent.parse::<i32>().unwrap() - fraction.len() as i32;
    match u32::try_from(places) {
        Ok(places) => digits * 10i128.pow(places),
        Err(_) => {
            let step = 10i128.pow(places.unsigned_abs());
            assert_eq!(digits % step, 0, "{text} has more than 24 places");
            digits / step
        }
    }
}

type Sums = BTreeMap<(String, Option<String>, String), (u64, i128, i128)>;

fn sums_of(costs: &[String]) -> Sums {
    let mut sums = Sums::new();
    for text in costs {
        let cost: Cost = serde_json::from_str(text).unwrap();
        let original = exact(cost.original_amount.get());
        let discount = cost.discount_amount.map_or(0, |raw| exact(raw.get()));
        let net = cost
            .amount
            .map_or(original - discount, |raw| exact(raw.get()));
        let day = cost.start_date[..10].to_owned();
        let sum = sums.entry((day, cost.product, cost.line_type)).or_default();
        *sum = (sum.0 + 1, sum.1 + original, sum.2 + net);
    }
    sums
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap().to_owned()
}
