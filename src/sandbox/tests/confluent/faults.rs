//! Faults of IAM and inventory requests.

use super::*;
use crate::sandbox::serve;
use chrono::{DateTime, Utc};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const CONNECTORS: &str = "/connect/v1/environments/env-k2m9d/clusters/lkc-7aa01x/connectors";
const LISTS: [&str; 5] = [
    "/org/v2/environments",
    "/cmk/v2/clusters?environment=env-k2m9d",
    "/ksqldbcm/v2/clusters?environment=env-k2m9d",
    "/fcpm/v2/compute-pools?environment=env-an9ly",
    "/srcm/v3/clusters?environment=env-k2m9d",
];

async fn fired(app: &App, fault: &str) -> u64 {
    let (_, status) = get(app, "/sandbox/status").await;
    status["fired"][fault].as_u64().unwrap()
}

async fn iam(app: &App) -> Value {
    let (_, mut all) = get(app, "/sandbox/iam").await;
    all.as_object_mut().unwrap().remove("requests");
    all
}

#[tokio::test]
async fn changes_can_be_refused() {
    for (fault, expected) in [
        ("iam-402", 402),
        ("iam-403", 403),
        ("iam-409", 409),
        ("iam-500", 500),
    ] {
        let app = with_faults(&[&format!("{fault}:4")]);
        let before = iam(&app).await;
        get(&app, ACCOUNTS).await;
        get(&app, LISTS[0]).await;
        assert_eq!(fired(&app, fault).await, 0);
        for (method, path, body) in [
            ("POST", ACCOUNTS, r#"{"display_name":"a"}"#),
            ("POST", KEYS, r#"{"spec":{"owner":{"id":"sa-sandbox"}}}"#),
            ("DELETE", "/iam/v2/api-keys/sandbox-key", ""),
            ("DELETE", "/iam/v2/service-accounts/sa-sandbox", ""),
        ] {
            let (status, _, answer) = call(&app, method, path, ADMIN, body).await;
            assert_eq!(error(&(status, answer)).0, expected, "{method} {path}");
        }
        assert_eq!((fired(&app, fault).await, iam(&app).await), (4, before));
        account(&app, "a").await;
    }
}

#[tokio::test]
async fn a_reply_can_be_lost() {
    let app = with_faults(&["iam-lost-reply:3"]);
    // What fails is answered.
    assert_eq!(post(&app, ACCOUNTS, json!({})).await.0, 422);
    assert_eq!(fired(&app, "iam-lost-reply").await, 0);
    assert_eq!(
        post(&app, ACCOUNTS, json!({ "display_name": "a" })).await.0,
        0
    );
    let id = text(
        &items(&app, &format!("{ACCOUNTS}?display_name=a")).await[0],
        "id",
    );
    let wish = json!({ "spec": { "owner": { "id": id } } });
    assert_eq!(post(&app, KEYS, wish).await.0, 0);
    assert_eq!(
        items(&app, &format!("{KEYS}?spec.owner={id}")).await.len(),
        1
    );
    assert_eq!(delete(&app, &format!("{ACCOUNTS}/{id}")).await.0, 0);
    assert_eq!(get(&app, &format!("{ACCOUNTS}/{id}")).await.0, 404);
    assert_eq!(fired(&app, "iam-lost-reply").await, 3);
    account(&app, "a").await;
}

#[tokio::test]
async fn lists_of_resources_can_be_refused() {
    for (fault, expected) in [
        ("inventory-403", 403),
        ("inventory-404", 404),
        ("inventory-500", 500),
    ] {
        let app = with_faults(&[&format!("{fault}:6")]);
        for path in [COSTS, ACCOUNTS, ORGANIZATIONS] {
            assert_eq!(get(&app, path).await.0, 200, "{fault} {path}");
        }
        for path in LISTS {
            assert_eq!(error(&get(&app, path).await).0, expected, "{path}");
        }
        let (status, refused) = get(&app, CONNECTORS).await;
        assert_eq!(
            (status, &refused["error"]["code"]),
            (expected, &json!(expected))
        );
        assert_eq!(fired(&app, fault).await, 6);
        for path in LISTS.into_iter().chain([CONNECTORS]) {
            assert_eq!(get(&app, path).await.0, 200, "{path}");
        }
    }
}

#[tokio::test]
async fn lists_of_resources_can_be_empty() {
    let app = with_faults(&["inventory-empty:7"]);
    for path in LISTS {
        let (status, list) = get(&app, path).await;
        assert_eq!((status, &list["data"]), (200, &json!([])), "{path}");
        assert!(text(&list, "kind").ends_with("List") && list["metadata"].is_object());
    }
    assert_eq!(get(&app, CONNECTORS).await, (200, json!([])));
    assert_eq!(
        get(&app, &format!("{CONNECTORS}?expand=id,info")).await,
        (200, json!({}))
    );
    assert_eq!(fired(&app, "inventory-empty").await, 7);
    for path in LISTS {
        assert_ne!(get(&app, path).await.1["data"], json!([]), "{path}");
    }
}

#[tokio::test]
async fn faults_wait_for_their_request() {
    let app = with_faults(&["inventory-500:1:after=2", "429:1:retry_after=7:after=3"]);
    for (path, expected) in [
        (COSTS, 200),
        (LISTS[0], 200),
        (LISTS[0], 500),
        (KEYS, 429),
        (KEYS, 200),
    ] {
        assert_eq!(get(&app, path).await.0, expected, "{path}");
    }
    let (_, status) = get(&app, "/sandbox/status").await;
    assert_eq!(
        (&status["requests"], &status["inventory_requests"]),
        (&json!(5), &json!(2))
    );
}

#[tokio::test]
async fn clocks_can_be_wrong_and_answers_elsewhere() {
    let app = with_faults(&["wrong-clock:2", "redirect:1:after=1"]);
    let ahead = |headers: &HeaderMap| {
        let date = DateTime::parse_from_rfc2822(headers["date"].to_str().unwrap()).unwrap();
        (date.to_utc() - Utc::now()).num_minutes()
    };
    let (status, headers, _) = call(&app, "GET", COSTS, ADMIN, "").await;
    assert_eq!(status, 200);
    assert!((1_438..=1_440).contains(&ahead(&headers)), "{headers:?}");
    let (status, headers, _) = call(&app, "GET", LISTS[0], ADMIN, "").await;
    assert_eq!(
        (status, headers["location"].to_str().unwrap()),
        (302, "http://localhost:9/elsewhere")
    );
    assert!(ahead(&headers) >= 1_438);
    let (status, headers, _) = call(&app, "GET", KEYS, ADMIN, "").await;
    assert_eq!((status, headers.get("date")), (200, None));
    assert_eq!(
        (
            fired(&app, "wrong-clock").await,
            fired(&app, "redirect").await
        ),
        (2, 1)
    );
}

#[tokio::test]
async fn tokens_of_lists_can_be_repeated_and_expire() {
    let app = with_faults(&["repeat-token", "expired-token:1:after=2"]);
    let (_, first) = get(&app, "/org/v2/environments?page_size=2").await;
    let next = text(&first["metadata"], "next");
    let path = next.replace("http://127.0.0.1:8900", "");
    assert_eq!(get(&app, &path).await.1["metadata"]["next"], next);
    assert_eq!(error(&get(&app, &path).await).1, "page_token has expired");
    let (_, second) = get(&app, &path).await;
    assert_ne!(second["metadata"]["next"], next);
}

#[tokio::test]
async fn bodies_of_lists_can_be_truncated() {
    let app = with_faults(&["truncated-json:2"]);
    let paths = [LISTS[1], KEYS];
    for path in paths {
        assert_eq!(get(&app, path).await, (200, Value::Null), "{path}");
    }
    for path in paths {
        assert!(get(&app, path).await.1["data"].is_array(), "{path}");
    }
    assert_eq!(fired(&app, "truncated-json").await, 2);
}

#[tokio::test]
async fn connections_are_cut_and_reset_on_any_endpoint() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let faults = ["cut", "reset:1:after=1", "iam-lost-reply"];
    let faults = faults.map(|fault| fault.parse().unwrap()).to_vec();
    tokio::spawn(serve(
        listener,
        Options {
            faults,
            ..options()
        },
    ));
    let exchange = async |line: &str, body: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let authorization = credentials(ADMIN.0, ADMIN.1);
        let head = format!(
            "{line} HTTP/1.1\r\nhost: {address}\r\nauthorization: {authorization}\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map(|_| answer)
    };
    let cut = exchange(&format!("GET {ORGANIZATIONS}"), "").await.unwrap();
    let (head, body) = cut.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines().map(str::to_ascii_lowercase);
    let announced = lines.find_map(|line| Some(line.strip_prefix("content-length: ")?.to_owned()));
    assert_eq!(body.len(), announced.unwrap().parse::<usize>().unwrap() / 2);
    let reset = exchange(&format!("GET {ORGANIZATIONS}"), "")
        .await
        .unwrap_err();
    assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset);
    let make = format!("POST {ACCOUNTS}");
    let lost = exchange(&make, r#"{"display_name":"a"}"#)
        .await
        .unwrap_err();
    assert_eq!(lost.kind(), std::io::ErrorKind::ConnectionReset);
    let again = exchange(&make, r#"{"display_name":"a"}"#).await.unwrap();
    assert!(again.starts_with("HTTP/1.1 409"), "{again}");
}
