//! The Costs API: pages, credentials, validation, rate limit.

use super::*;
use billstream::sandbox::serve;
use std::collections::BTreeSet;
use tokio::net::TcpListener;

#[tokio::test]
async fn pages_tile_the_window() {
    let server = Server::start(options()).await;
    let whole = all(&server, &month_path(day("2026-10-01"))).await;
    for size in [1, 7, 60, 61, 1_859, 1_860, 1_861] {
        let paged = all(&server, &format!("{OCTOBER}&page_size={size}")).await;
        assert_eq!(paged, whole, "{size}");
    }
}

#[tokio::test]
async fn last_pages_and_empty_lists_have_all_allowed_forms() {
    let server = Server::start(options()).await;
    let mut ends = BTreeSet::new();
    for first in months() {
        let list = ask_json(&server, &month_path(first)).await;
        ends.insert(list["metadata"].to_string());
    }
    assert_eq!(
        Vec::from_iter(ends),
        [r#"{"next":""}"#, r#"{"next":null}"#, "{}"]
    );
    let mut empty = BTreeSet::new();
    for first in ["2026-12-01", "2026-12-02"] {
        let path = month_path(day(first)).replace("2027-01-02", "2027-01-01");
        empty.insert(ask_json(&server, &path).await["data"].to_string());
    }
    assert_eq!(Vec::from_iter(empty), ["[]", "null"]);
}

#[tokio::test]
async fn rejects_invalid_credentials() {
    let server = Server::start(options()).await;
    let cases = [
        ("sandbox-key", "wrong", 401, "invalid API key"),
        ("wrong", "sandbox-secret", 401, "invalid API key"),
        (
            "cluster-key",
            "any",
            401,
            "make sure you're using a Cloud API Key",
        ),
        ("no-role", "any", 403, "lacks a role"),
    ];
    for (key, secret, expected, detail) in cases {
        let (status, headers, body) = send(&server, OCTOBER, &credentials(key, secret)).await;
        let error: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(status.as_u16(), expected);
        assert_eq!(error["errors"][0]["status"], expected.to_string());
        assert!(
            text(&error["errors"][0], "detail").contains(detail),
            "{error}"
        );
        assert_eq!(headers.contains_key("www-authenticate"), expected == 401);
        assert!(headers.contains_key("x-request-id"));
    }
    let (status, ..) = send(&server, OCTOBER, "Bearer x").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (status, _, body) = ask(&server, "/billing/v1/cost").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(serde_json::from_slice::<Value>(&body).unwrap()["errors"][0]["id"].is_string());
}

#[tokio::test]
async fn invalid_queries_are_400_in_both_formats() {
    let server = Server::start(options()).await;
    let long = "/billing/v1/costs?start_date=2026-10-01&end_date=2026-11-02";
    let (status, headers, body) = ask(&server, long).await;
    let error: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status.as_u16(), &error["status"]), (400, &400.into()));
    assert_eq!(
        text(&error, "requestId"),
        headers["x-request-id"].to_str().unwrap()
    );
    let early = "/billing/v1/costs?start_date=2025-11-22&end_date=2025-12-01";
    let (status, _, body) = ask(&server, early).await;
    let error: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(status.as_u16(), 400);
    assert_eq!(error["errors"][0]["source"]["parameter"], "start_date");
}

#[tokio::test]
async fn exceeding_the_rate_limit_is_429() {
    let server = Server::start(Options {
        rate_limit: Some(2),
        ..options()
    })
    .await;
    let path = "/billing/v1/costs?start_date=2026-10-02&end_date=2026-10-03";
    let mut answers = Vec::new();
    for _ in 0..3 {
        let (status, headers, _) = ask(&server, path).await;
        answers.push((
            status.as_u16(),
            headers["x-ratelimit-remaining"]
                .to_str()
                .unwrap()
                .to_owned(),
        ));
        assert_eq!(headers["x-ratelimit-limit"], "2");
        assert_eq!(
            headers.contains_key("retry-after"),
            status != StatusCode::OK
        );
    }
    let expected = [(200, "1"), (200, "0"), (429, "0")];
    assert_eq!(
        answers,
        expected.map(|(status, left)| (status, left.to_owned()))
    );
}

#[tokio::test]
async fn compresses_only_if_enabled() {
    let (_, headers, plain) = ask(&Server::start(options()).await, OCTOBER).await;
    assert!(!headers.contains_key("content-encoding"));
    let (_, headers, body) = ask(
        &Server::start(Options {
            gzip: true,
            ..options()
        })
        .await,
        OCTOBER,
    )
    .await;
    assert_eq!(headers["content-encoding"], "gzip");
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*body), &mut text).unwrap();
    assert_eq!(text, plain);
}

#[test]
fn debug_output_hides_secrets() {
    let shown = format!(
        "{:?}",
        Options {
            secret: "hush-hush".into(),
            ..options()
        }
    );
    assert!(!shown.contains("hush"), "{shown}");
}

#[tokio::test]
async fn refuses_to_serve_beyond_loopback() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    assert!(serve(listener, options()).await.is_err());
}
