//! Faults of CloudZero's API.

use super::*;

const H0: &str = "2026-10-01T00:00:00Z";

async fn with_faults(faults: &[&str]) -> Server {
    let faults = faults.iter().map(|text| text.parse().unwrap()).collect();
    Server::start(Options {
        faults,
        ..options()
    })
    .await
}

fn one() -> Value {
    october("sum", &[(H0, "1")])
}

#[tokio::test]
async fn status_faults_apply_nothing() {
    for (fault, expected, is_stored) in [
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
        let server = with_faults(&[fault]).await;
        let headers = [("cloudzero-idempotency-key", "k")];
        let (status, headers, _) = call(&server, "POST", DROPS, &headers, one().to_string()).await;
        assert_eq!(status, expected, "{fault}");
        if fault.contains("retry_after") {
            assert_eq!(headers["retry-after"], "7");
        }
        assert_eq!(stored(&server).await, rows_and_cost(0, "0"), "{fault}");
        let again = if is_stored { expected } else { 200 };
        assert_eq!(post_as(&server, "k", &one()).await.0, again, "{fault}");
        assert_eq!(post_as(&server, "other", &one()).await.0, 200, "{fault}");
        let (_, requests) = get(&server, "/sandbox/cloudzero/requests").await;
        let noted = if expected == 0 {
            Value::Null
        } else {
            json!(expected)
        };
        assert_eq!(requests[0]["status"], noted);
        assert_eq!(requests[0]["rows"], 1);
        let (_, status) = get(&server, "/sandbox/status").await;
        assert_eq!(status["fired"][fault.split(':').next().unwrap()], 1);
    }
}

#[tokio::test]
async fn faults_apply_to_their_api_only() {
    let server = with_faults(&["500", "cz-503:1:after=1", "cz-413"]).await;
    assert_eq!(get(&server, DROPS).await.0, 200);
    assert_eq!(ask(&server, OCTOBER).await.0, 500);
    assert_eq!(ask(&server, OCTOBER).await.0, 200);
    assert_eq!(get(&server, DROPS).await.0, 503);
    assert_eq!(post(&server, VALIDATE, &one()).await.0, 200);
    assert_eq!(post(&server, DROPS, &one()).await.0, 413);
    assert_eq!(post(&server, DROPS, &one()).await.0, 200);
}

#[tokio::test]
async fn lost_replies_are_applied_and_stored() {
    let server = with_faults(&["cz-lost-reply"]).await;
    assert_eq!(get(&server, DROPS).await.0, 200);
    assert_eq!(
        post_as(&server, "k", &october("sum", &[(H0, "x")])).await.0,
        400
    );
    assert_eq!(post_as(&server, "l", &one()).await.0, 0);
    assert_eq!(stored(&server).await, rows_and_cost(1, "1"));
    let (status, body) = post_as(&server, "l", &one()).await;
    assert_eq!((status, &body["connection"]["row_count"]), (200, &json!(1)));
    assert_eq!(stored(&server).await, rows_and_cost(1, "1"));
}

#[tokio::test]
async fn delayed_drops_become_visible_at_the_third_read() {
    let server = with_faults(&["cz-late:2:after=1"]).await;
    post(&server, DROPS, &one()).await;
    let two = october("replace_drop", &[(H0, "2"), (H0, "3")]);
    assert_eq!(
        post(&server, DROPS, &two).await.1["connection"]["row_count"],
        2
    );
    let path = format!("{DROPS}/2026-10");
    let rows = async || {
        get(&server, &path).await.1["billing_drop"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(stored(&server).await, rows_and_cost(1, "1"));
    assert_eq!((rows().await, rows().await, rows().await), (1, 1, 2));
    assert_eq!(stored(&server).await, rows_and_cost(2, "5"));
    // The second delayed drop becomes visible with the next drop, which adds to it.
    post(&server, DROPS, &october("replace_drop", &[(H0, "9")])).await;
    assert_eq!(stored(&server).await, rows_and_cost(2, "5"));
    assert_eq!(
        post(&server, DROPS, &one()).await.1["connection"]["row_count"],
        2
    );
    assert_eq!(stored(&server).await, rows_and_cost(2, "10"));
}

#[tokio::test]
async fn corrupt_drops_differ_in_one_row() {
    let server = with_faults(&["cz-corrupt"]).await;
    let three = october("replace_drop", &[(H0, "0.5"), (H0, "1.5"), (H0, "2.5")]);
    assert_eq!(post(&server, DROPS, &three).await.0, 200);
    assert_eq!(stored(&server).await, rows_and_cost(3, "5.5"));
    let (_, month) = get(&server, &format!("{DROPS}/2026-10")).await;
    assert_eq!(month["billing_drop"][1]["cost/cost"], "2.5");
    assert_eq!(post(&server, DROPS, &three).await.0, 200);
    assert_eq!(stored(&server).await, rows_and_cost(3, "4.5"));
}

#[tokio::test]
async fn fails_one_validation() {
    let server = with_faults(&["cz-invalid"]).await;
    assert_eq!(post(&server, DROPS, &one()).await.0, 200);
    let (status, body) = post(&server, VALIDATE, &one()).await;
    assert_eq!(
        (status, &body["connection"]["is_valid"]),
        (200, &json!(false))
    );
    assert!(body["connection"]["errors"][0].is_string());
    let (_, body) = post(&server, VALIDATE, &one()).await;
    assert_eq!(body["connection"]["is_valid"], true);
}

#[tokio::test]
async fn a_lost_reply_resets_the_connection_and_is_replayed() {
    let server = with_faults(&["cz-lost-reply"]).await;
    let headers = [("authorization", KEY), ("cloudzero-idempotency-key", "k")];
    let body = one().to_string();
    let send = async || server.send("POST", DROPS, &headers, body.as_bytes()).await;
    let lost = send().await.map(|response| response.status);
    assert_eq!(
        lost.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
    let replayed = send().await.unwrap();
    let text = String::from_utf8(replayed.body).unwrap();
    assert!(
        replayed.status == 200 && text.contains(r#""row_count":1"#),
        "{text}"
    );
}
