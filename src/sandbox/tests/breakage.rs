//! Faults, in process and over real connections.

use super::*;
use crate::sandbox::data::edge_cases::{self, ODDITIES};
use crate::sandbox::faults::Kind::{BadRecord, MissingAmount, OutsideWindow};
use crate::sandbox::faults::injection::spoiled;
use crate::sandbox::{base_url, serve};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

fn with_faults(faults: &[&str]) -> App {
    let faults = faults.iter().map(|text| text.parse().unwrap()).collect();
    App::new(Options {
        faults,
        ..options()
    })
}

#[tokio::test]
async fn status_faults_fire_as_often_as_told() {
    let kinds = [
        ("429:2:retry_after=7", 429, "retry-after", "7"),
        ("429-date", 429, "retry-after", "GMT"),
        ("429-reset:1:retry_after=4", 429, "x-ratelimit-reset", "4"),
        ("500", 500, "content-type", "json"),
        ("502-html", 502, "content-type", "html"),
        ("503:1:retry_after=2", 503, "retry-after", "2"),
        ("html-200", 200, "content-type", "html"),
        ("404", 404, "content-type", "json"),
        ("401", 401, "www-authenticate", "Basic"),
        ("403", 403, "content-type", "json"),
    ];
    for (fault, expected, name, value) in kinds {
        let app = with_faults(&[fault]);
        let (status, headers, body) = ask(&app, OCTOBER).await;
        assert_eq!(status.as_u16(), expected, "{fault}");
        assert!(
            headers[name].to_str().unwrap().contains(value),
            "{fault}: {headers:?}"
        );
        assert_eq!(body.is_empty(), expected == 429, "{fault}");
        assert_eq!(
            headers.contains_key("retry-after"),
            name == "retry-after",
            "{fault}"
        );
        if fault.contains(":2") {
            ask(&app, OCTOBER).await;
        }
        assert_eq!(ask_json(&app, OCTOBER).await["kind"], "CostList", "{fault}");
        let status = ask_json(&app, "/sandbox/status").await;
        let times = if fault.contains(":2:") { 2 } else { 1 };
        assert_eq!(status["fired"][fault.split(':').next().unwrap()], times);
        assert_eq!(status["requests"], times + 1);
        assert_eq!(status["authorization_seen"], true);
    }
}

#[tokio::test]
async fn page_faults_spoil_one_page() {
    let day_path = "/billing/v1/costs?start_date=2026-10-02&end_date=2026-10-03";
    let good = all(&App::new(options()), day_path).await;
    for (fault, sign) in [
        ("bad-record", r#""original_amount":"abc""#),
        ("outside-window", r#""start_date":"2026-10-06""#),
        ("missing-amount", ""),
    ] {
        let app = with_faults(&[fault]);
        let spoiled = all(&app, day_path).await;
        let changed: Vec<_> = spoiled.iter().zip(&good).filter(|(a, b)| a != b).collect();
        assert_eq!((spoiled.len(), changed.len()), (good.len(), 1), "{fault}");
        assert!(changed[0].0.contains(sign));
        assert_eq!(
            changed[0].0.contains(r#""original_amount""#),
            fault != "missing-amount"
        );
        assert_eq!(all(&app, day_path).await, good, "{fault}");
    }
    let app = with_faults(&["truncated-json:1:after=1"]);
    assert_eq!(all(&app, day_path).await, good);
    let (status, headers, body) = ask(&app, day_path).await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers["content-type"].to_str().unwrap().contains("json"));
    assert!(serde_json::from_slice::<Value>(&body).is_err());
    assert_eq!(all(&app, day_path).await, good);
}

#[test]
fn any_cost_can_be_spoiled() {
    let window = day("2026-10-01")..day("2026-11-01");
    for row in ODDITIES.iter().copied().flatten() {
        let cost = edge_cases::text(row, day("2026-10-09"));
        for kind in [BadRecord, MissingAmount, OutsideWindow] {
            let spoilt = spoiled(kind, &cost, &window);
            let value: Value = serde_json::from_str(&spoilt).expect(&spoilt);
            let object = value.as_object().unwrap();
            match kind {
                BadRecord => assert_eq!(object["original_amount"], "abc"),
                MissingAmount => assert!(!object.contains_key("original_amount")),
                _ => assert_eq!(object["start_date"], "2026-11-04"),
            }
        }
    }
}

#[tokio::test]
async fn a_token_can_be_repeated() {
    let app = with_faults(&["repeat-token"]);
    let first = ask_json(&app, &format!("{OCTOBER}&page_size=1000")).await;
    let next = text(&first["metadata"], "next");
    let path = next.replace("http://127.0.0.1:8900", "");
    assert_eq!(text(&ask_json(&app, &path).await["metadata"], "next"), next);
    assert_ne!(ask_json(&app, &path).await["metadata"]["next"], next);
}

#[tokio::test]
async fn a_token_can_expire() {
    let app = with_faults(&["expired-token"]);
    let first = ask_json(&app, &format!("{OCTOBER}&page_size=1000")).await;
    let path = text(&first["metadata"], "next").replace("http://127.0.0.1:8900", "");
    let (status, _, body) = ask(&app, &path).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let refused: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(refused["errors"][0]["source"]["parameter"], "page_token");
    assert!(ask_json(&app, &path).await["data"].is_array());
}

/// A served sandbox, which ends with its runtime.
async fn served(faults: &[&str]) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let faults = faults.iter().map(|text| text.parse().unwrap()).collect();
    tokio::spawn(serve(
        listener,
        Options {
            faults,
            ..options()
        },
    ));
    assert_eq!(
        base_url(&address),
        format!("http://127.0.0.1:{}", address.port())
    );
    address
}

async fn raw(address: std::net::SocketAddr, path: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let authorization = credentials("sandbox-key", "sandbox-secret");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {authorization}\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

fn announced_and_sent(answer: &[u8]) -> (usize, usize) {
    let head = answer
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .unwrap();
    let headers = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
    let length = headers
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    (length.unwrap().parse().unwrap(), answer.len() - head - 4)
}

#[tokio::test]
async fn connections_are_reset_cut_and_slowed() {
    let address = served(&["reset", "cut:1:after=1", "slow:1:secs=1:after=2"]).await;
    let error = raw(address, OCTOBER).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let (announced, sent) = announced_and_sent(&raw(address, OCTOBER).await.unwrap());
    assert_eq!(sent, announced / 2);
    let start = Instant::now();
    let (announced, sent) = announced_and_sent(&raw(address, OCTOBER).await.unwrap());
    assert_eq!(sent, announced);
    assert!(start.elapsed() >= Duration::from_secs(1));
    let (announced, sent) = announced_and_sent(&raw(address, OCTOBER).await.unwrap());
    assert_eq!(sent, announced);
    let status = raw(address, "/sandbox/status").await.unwrap();
    let status = String::from_utf8_lossy(&status).into_owned();
    assert!(
        status.contains(r#""requests":4,"in_flight_max":1"#),
        "{status}"
    );
}
