//! Faults of the Costs API.

use super::*;
use std::time::{Duration, Instant};

async fn with_faults(faults: &[&str]) -> Server {
    let faults = faults.iter().map(|text| text.parse().unwrap()).collect();
    Server::start(Options {
        faults,
        ..options()
    })
    .await
}

#[tokio::test]
async fn status_faults_fire_the_requested_number_of_times() {
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
        let server = with_faults(&[fault]).await;
        let (status, headers, body) = ask(&server, OCTOBER).await;
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
            ask(&server, OCTOBER).await;
        }
        assert_eq!(
            ask_json(&server, OCTOBER).await["kind"],
            "CostList",
            "{fault}"
        );
        let status = ask_json(&server, "/sandbox/status").await;
        let times = if fault.contains(":2:") { 2 } else { 1 };
        assert_eq!(status["fired"][fault.split(':').next().unwrap()], times);
        assert_eq!(status["requests"], times + 1);
        assert_eq!(status["authorization_seen"], true);
    }
}

#[tokio::test]
async fn page_faults_corrupt_one_cost_of_one_page() {
    let day_path = "/billing/v1/costs?start_date=2026-10-02&end_date=2026-10-03";
    let good = all(&Server::start(options()).await, day_path).await;
    for (fault, sign) in [
        ("bad-record", r#""original_amount":"abc""#),
        ("outside-window", r#""start_date":"2026-10-06""#),
        ("missing-amount", ""),
    ] {
        let server = with_faults(&[fault]).await;
        let corrupted = all(&server, day_path).await;
        let changed: Vec<_> = corrupted
            .iter()
            .zip(&good)
            .filter(|(a, b)| a != b)
            .collect();
        assert_eq!((corrupted.len(), changed.len()), (good.len(), 1), "{fault}");
        assert!(changed[0].0.contains(sign));
        assert_eq!(
            changed[0].0.contains(r#""original_amount""#),
            fault != "missing-amount"
        );
        assert_eq!(all(&server, day_path).await, good, "{fault}");
    }
    let server = with_faults(&["truncated-json:1:after=1"]).await;
    assert_eq!(all(&server, day_path).await, good);
    let (status, headers, body) = ask(&server, day_path).await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers["content-type"].to_str().unwrap().contains("json"));
    assert!(serde_json::from_slice::<Value>(&body).is_err());
    assert_eq!(all(&server, day_path).await, good);
}

#[tokio::test]
async fn repeats_a_page_token_once() {
    let server = with_faults(&["repeat-token"]).await;
    let first = ask_json(&server, &format!("{OCTOBER}&page_size=1000")).await;
    let next = text(&first["metadata"], "next");
    let path = server.path_of(&next);
    assert_eq!(
        text(&ask_json(&server, &path).await["metadata"], "next"),
        next
    );
    assert_ne!(ask_json(&server, &path).await["metadata"]["next"], next);
}

#[tokio::test]
async fn expires_a_page_token_once() {
    let server = with_faults(&["expired-token"]).await;
    let first = ask_json(&server, &format!("{OCTOBER}&page_size=1000")).await;
    let path = server.path_of(&text(&first["metadata"], "next"));
    let (status, _, body) = ask(&server, &path).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let refused: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(refused["errors"][0]["source"]["parameter"], "page_token");
    assert!(ask_json(&server, &path).await["data"].is_array());
}

#[tokio::test]
async fn resets_cuts_and_slows_connections() {
    let server = with_faults(&["reset", "cut:1:after=1", "slow:1:secs=1:after=2"]).await;
    let authorization = credentials("sandbox-key", "sandbox-secret");
    let headers = [("authorization", authorization.as_str())];
    let get = async |path: &str| server.send("GET", path, &headers, b"").await;
    let error = get(OCTOBER)
        .await
        .map(|response| response.status)
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let cut = get(OCTOBER).await.unwrap();
    assert_eq!(cut.body.len(), cut.announced_len() / 2);
    let start = Instant::now();
    let slow = get(OCTOBER).await.unwrap();
    assert_eq!(slow.body.len(), slow.announced_len());
    assert!(start.elapsed() >= Duration::from_secs(1));
    let complete = get(OCTOBER).await.unwrap();
    assert_eq!(complete.body.len(), complete.announced_len());
    let status = get("/sandbox/status").await.unwrap();
    let status = String::from_utf8_lossy(&status.body).into_owned();
    assert!(
        status.contains(r#""requests":4,"in_flight_max":1"#),
        "{status}"
    );
}
