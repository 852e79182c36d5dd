//! Faults of CloudZero's API.

use super::*;
use crate::sandbox::{base_url, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const H0: &str = "2026-10-01T00:00:00Z";

fn with_faults(faults: &[&str]) -> App {
    let faults = faults.iter().map(|text| text.parse().unwrap()).collect();
    App::new(Options {
        faults,
        ..options()
    })
}

fn one() -> Value {
    october("sum", &[(H0, "1")])
}

#[tokio::test]
async fn status_faults_apply_nothing() {
    for (fault, expected, stored) in [
        ("cz-429:1:retry_after=7", 429, false),
        ("cz-500", 500, true),
        ("cz-503:1:retry_after=7", 503, false),
        ("cz-400", 400, true),
        ("cz-403", 403, false),
        ("cz-404", 404, false),
        ("cz-413", 413, false),
        ("cz-409", 409, false),
        ("cz-reset", 0, false),
    ] {
        let app = with_faults(&[fault]);
        let headers = [("cloudzero-idempotency-key", "k")];
        let (status, headers, _) = call(&app, "POST", DROPS, &headers, one().to_string()).await;
        assert_eq!(status, expected, "{fault}");
        if fault.contains("retry_after") {
            assert_eq!(headers["retry-after"], "7");
        }
        assert_eq!(held(&app).await, held_is(0, "0"), "{fault}");
        let again = if stored { expected } else { 200 };
        assert_eq!(post_as(&app, "k", &one()).await.0, again, "{fault}");
        assert_eq!(post_as(&app, "other", &one()).await.0, 200, "{fault}");
        let (_, requests) = get(&app, "/sandbox/cloudzero/requests").await;
        let noted = if expected == 0 {
            Value::Null
        } else {
            json!(expected)
        };
        assert_eq!(requests[0]["status"], noted);
        assert_eq!(requests[0]["rows"], 1);
        let (_, status) = get(&app, "/sandbox/status").await;
        assert_eq!(status["fired"][fault.split(':').next().unwrap()], 1);
    }
}

#[tokio::test]
async fn faults_keep_to_their_api_and_wait_their_turn() {
    let app = with_faults(&["500", "cz-503:1:after=1", "cz-413"]);
    assert_eq!(get(&app, DROPS).await.0, 200);
    assert_eq!(ask(&app, OCTOBER).await.0, 500);
    assert_eq!(ask(&app, OCTOBER).await.0, 200);
    assert_eq!(get(&app, DROPS).await.0, 503);
    assert_eq!(post(&app, VALIDATE, &one()).await.0, 200);
    assert_eq!(post(&app, DROPS, &one()).await.0, 413);
    assert_eq!(post(&app, DROPS, &one()).await.0, 200);
}

#[tokio::test]
async fn a_lost_reply_is_applied_and_stored() {
    let app = with_faults(&["cz-lost-reply"]);
    assert_eq!(get(&app, DROPS).await.0, 200);
    assert_eq!(
        post_as(&app, "k", &october("sum", &[(H0, "x")])).await.0,
        400
    );
    assert_eq!(post_as(&app, "l", &one()).await.0, 0);
    assert_eq!(held(&app).await, held_is(1, "1"));
    let (status, body) = post_as(&app, "l", &one()).await;
    assert_eq!((status, &body["connection"]["row_count"]), (200, &json!(1)));
    assert_eq!(held(&app).await, held_is(1, "1"));
}

#[tokio::test]
async fn a_late_drop_shows_at_the_third_look() {
    let app = with_faults(&["cz-late:2:after=1"]);
    post(&app, DROPS, &one()).await;
    let two = october("replace_drop", &[(H0, "2"), (H0, "3")]);
    assert_eq!(
        post(&app, DROPS, &two).await.1["connection"]["row_count"],
        2
    );
    let path = format!("{DROPS}/2026-10");
    let rows = async || {
        get(&app, &path).await.1["billing_drop"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(held(&app).await, held_is(1, "1"));
    assert_eq!((rows().await, rows().await, rows().await), (1, 1, 2));
    assert_eq!(held(&app).await, held_is(2, "5"));
    // The second late one comes out with the next drop, which adds to it.
    post(&app, DROPS, &october("replace_drop", &[(H0, "9")])).await;
    assert_eq!(held(&app).await, held_is(2, "5"));
    assert_eq!(
        post(&app, DROPS, &one()).await.1["connection"]["row_count"],
        2
    );
    assert_eq!(held(&app).await, held_is(2, "10"));
}

#[tokio::test]
async fn a_corrupt_drop_differs_in_one_row() {
    let app = with_faults(&["cz-corrupt"]);
    let three = october("replace_drop", &[(H0, "0.5"), (H0, "1.5"), (H0, "2.5")]);
    assert_eq!(post(&app, DROPS, &three).await.0, 200);
    assert_eq!(held(&app).await, held_is(3, "5.5"));
    let (_, month) = get(&app, &format!("{DROPS}/2026-10")).await;
    assert_eq!(month["billing_drop"][1]["cost/cost"], "2.5");
    assert_eq!(post(&app, DROPS, &three).await.0, 200);
    assert_eq!(held(&app).await, held_is(3, "4.5"));
}

#[tokio::test]
async fn a_validation_can_fail_without_reason() {
    let app = with_faults(&["cz-invalid"]);
    assert_eq!(post(&app, DROPS, &one()).await.0, 200);
    let (status, body) = post(&app, VALIDATE, &one()).await;
    assert_eq!(
        (status, &body["connection"]["is_valid"]),
        (200, &json!(false))
    );
    assert!(body["connection"]["errors"][0].is_string());
    let (_, body) = post(&app, VALIDATE, &one()).await;
    assert_eq!(body["connection"]["is_valid"], true);
}

#[tokio::test]
async fn resets_and_replies_over_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    assert!(base_url(&address).starts_with("http://127.0.0.1:"));
    let faults = vec!["cz-lost-reply".parse().unwrap()];
    let server = tokio::spawn(serve(
        listener,
        Options {
            faults,
            ..options()
        },
    ));
    let exchange = async || {
        let body = one().to_string();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST {DROPS} HTTP/1.1\r\nhost: {address}\r\nauthorization: {KEY}\r\nconnection: close\r\n\
             cloudzero-idempotency-key: k\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map(|_| answer)
    };
    assert_eq!(
        exchange().await.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
    let answer = exchange().await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains(r#""row_count":1"#),
        "{answer}"
    );
    server.abort();
}
