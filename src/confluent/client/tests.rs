//! The client against a scripted loopback server that sends queued raw bytes.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use reqwest::StatusCode;

use super::*;
use crate::error::ErrorKind;

const KEY: &str = "ABCDEFGH12345678";
const SECRET: &str = "s3cr3t/with+signs==";
const PAGE: &str = r#"{"data":[],"metadata":{"next":null}}"#;

/// Reaction of the server to one request.
enum Reply {
    /// Sends the bytes and closes the connection.
    Bytes(Vec<u8>),
    /// Closes without reading the request, which resets the connection.
    Reset,
    /// Reads the request and never responds.
    Silence,
}

/// Loopback server that gives each connection the next reply.
struct Server {
    endpoint: Url,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(replies: Vec<Reply>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let server = Server {
            endpoint,
            replies: Arc::new(Mutex::new(replies.into())),
            heads: Arc::default(),
        };
        let (replies, heads) = (server.replies.clone(), server.heads.clone());
        tokio::spawn(async move {
            let mut silent = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let reply = replies.lock().unwrap().pop_front();
                match reply {
                    Some(Reply::Reset) => {
                        stream.readable().await.unwrap();
                        heads.lock().unwrap().push("reset".to_owned());
                    }
                    Some(Reply::Silence) => {
                        let head = read_request(&mut stream).await;
                        heads.lock().unwrap().push(head);
                        silent.push(stream);
                    }
                    Some(Reply::Bytes(bytes)) => {
                        let head = read_request(&mut stream).await;
                        heads.lock().unwrap().push(head);
                        // The client may close early on purpose.
                        let _ = stream.write_all(&bytes).await;
                    }
                    None => heads.lock().unwrap().push("unscripted request".to_owned()),
                }
            }
        });
        server
    }

    /// Returns the heads of the requests; asserts that exactly the scripted replies were used.
    fn heads(&self) -> Vec<String> {
        assert_eq!(
            self.replies.lock().unwrap().len(),
            0,
            "a scripted reply was not consumed"
        );
        let heads = self.heads.lock().unwrap().clone();
        assert!(
            !heads.iter().any(|head| head.starts_with("unscripted")),
            "{heads:?}"
        );
        heads
    }
}

/// Reads a request and returns its head.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    let head = String::from_utf8(head).unwrap();
    // An unread body would reset the connection when it is closed.
    let length = head
        .lines()
        .find_map(|line| {
            line.to_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        })
        .unwrap_or(0);
    stream.read_exact(&mut vec![0; length]).await.unwrap();
    head
}

/// Response with a content length and a request id.
fn reply(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Reply {
    let body = body.as_ref();
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\nX-Request-Id: req-42\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    Reply::Bytes(bytes)
}

fn page() -> Reply {
    reply("200 OK", "Content-Type: application/json\r\n", PAGE)
}

/// Clock that advances only by sleeping, with a record of the waits.
#[derive(Clone, Default)]
struct Waits(Arc<Mutex<Vec<Duration>>>);

impl Waits {
    fn timing(&self, random: f64) -> Timing {
        let (slept, elapsed) = (self.0.clone(), self.0.clone());
        Timing {
            sleep: Arc::new(move |wait| {
                slept.lock().unwrap().push(wait);
                Box::pin(async {})
            }),
            random: Arc::new(move || random),
            uptime: Arc::new(move || elapsed.lock().unwrap().iter().sum()),
            now: Arc::new(noon),
        }
    }

    fn all(&self) -> Vec<Duration> {
        self.0.lock().unwrap().clone()
    }
}

/// 2026-11-23 10:00:00 UTC.
fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_428_000)
}

fn settings(endpoint: &str) -> Settings {
    let mut settings = Settings::new(endpoint.parse().unwrap(), KEY, SecretString::from(SECRET));
    settings.requests_per_second = 100_000;
    settings
}

fn october() -> Window {
    Window {
        start: "2026-10-01".parse().unwrap(),
        end: "2026-11-01".parse().unwrap(),
    }
}

/// Parses JSON; the marker `"wrong"` is a page with wrong content.
fn parse(text: &str) -> std::result::Result<String, BodyError> {
    match serde_json::from_str::<serde_json::Value>(text) {
        Err(error) => Err(BodyError::Unreadable(error.to_string())),
        Ok(value) if value == "wrong" => Err(BodyError::Wrong(Error::data("row 3 has no amount"))),
        Ok(_) => Ok(text.to_owned()),
    }
}

struct Run {
    result: std::result::Result<String, RequestError>,
    heads: Vec<String>,
    waits: Vec<Duration>,
    counts: RequestCounts,
}

/// Reads the first page from a server with these replies, all of which must be used.
async fn run(replies: Vec<Reply>, random: f64, change: impl FnOnce(&mut Settings)) -> Run {
    let server = Server::start(replies).await;
    let waits = Waits::default();
    let mut settings = settings(server.endpoint.as_str());
    change(&mut settings);
    let client = Client::with_timing(settings, waits.timing(random)).unwrap();
    let result = client.costs_page(october(), None, parse).await;
    if let Err(failure) = &result {
        let error = failure.error();
        let shown = format!(
            "{error} {error:?} {} {client:?}",
            error.hint().unwrap_or_default()
        );
        let encoded = basic_authorization(KEY, &SecretString::from(SECRET))
            .unwrap()
            .1;
        for secret in [KEY, SECRET, &encoded] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(
            error
                .to_string()
                .contains("costs of 2026-10-01..2026-11-01, first page"),
            "{error}"
        );
        assert!(!error.to_string().contains(char::is_control), "{error}");
    }
    Run {
        result,
        heads: server.heads(),
        waits: waits.all(),
        counts: client.counts(),
    }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[tokio::test]
async fn requests_a_page_as_documented() {
    let server = Server::start(vec![page(), page()]).await;
    let mut settings = settings(server.endpoint.as_str());
    settings.endpoint = format!("{}base/", server.endpoint).parse().unwrap();
    let client = Client::new(settings).unwrap();
    assert_eq!(
        client.costs_page(october(), None, parse).await.unwrap(),
        PAGE
    );
    assert_eq!(
        client
            .costs_page(october(), Some("a+b/c=&x"), parse)
            .await
            .unwrap(),
        PAGE
    );
    let heads = server.heads();
    let query = "start_date=2026-10-01&end_date=2026-11-01&page_size=10000";
    assert!(
        heads[0].starts_with(&format!("GET /base/billing/v1/costs?{query} HTTP/1.1\r\n")),
        "{heads:?}"
    );
    assert!(
        heads[1].contains(&format!("?{query}&page_token=a%2Bb%2Fc%3D%26x HTTP")),
        "{heads:?}"
    );
    let head = heads[0].to_lowercase();
    assert!(head.contains("accept: application/json\r\n"), "{head}");
    assert!(head.contains("accept-encoding: gzip\r\n"), "{head}");
    assert!(
        head.contains(concat!(
            "user-agent: billstream/",
            env!("CARGO_PKG_VERSION"),
            "\r\n"
        )),
        "{head}"
    );
    let encoded = basic_authorization(KEY, &SecretString::from(SECRET))
        .unwrap()
        .1;
    assert!(heads[0].contains(&format!("Basic {encoded}\r\n")));
    assert_eq!(
        client.counts(),
        RequestCounts {
            requests: 2,
            retries: 0
        }
    );
}

#[tokio::test]
async fn reads_a_compressed_page_and_repeats_a_cut_one() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(PAGE.as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    let gzip = "Content-Encoding: gzip\r\n";
    let cut = reply("200 OK", gzip, &packed[..packed.len() / 2]);
    let run = run(vec![cut, reply("200 OK", gzip, &packed)], 0.0, |_| {}).await;
    assert_eq!(run.result.unwrap(), PAGE);
    assert_eq!(run.heads.len(), 2);
}

#[tokio::test]
async fn keeps_the_wait_that_a_429_asks_for() {
    let date = httpdate::fmt_http_date(noon() + secs(40));
    let cases = [
        ("Retry-After: 7\r\n".to_owned(), 7),
        (format!("Retry-After: {date}\r\n"), 40),
        ("X-RateLimit-Reset: 11\r\n".to_owned(), 11),
        ("RateLimit-Reset: 12\r\n".to_owned(), 12),
        ("rateLimit-reset: 13\r\n".to_owned(), 13),
        ("X-RateLimit-Reset: 1795428000000\r\n".to_owned(), 60),
    ];
    for (headers, requested) in cases {
        for random in [0.0, 0.999] {
            let limited = reply("429 Too Many Requests", &headers, "");
            let run = run(vec![limited, page()], random, |_| {}).await;
            assert_eq!(run.result.unwrap(), PAGE);
            assert_eq!(run.waits.len(), 1, "{headers}");
            assert!(run.waits[0] >= secs(requested), "{headers} {:?}", run.waits);
            assert!(
                run.waits[0] <= secs(requested + requested / 4 + 1),
                "{headers} {:?}",
                run.waits
            );
            assert_eq!(
                run.counts,
                RequestCounts {
                    requests: 2,
                    retries: 1
                }
            );
        }
    }
}

#[tokio::test]
async fn repeats_a_request_after_every_transient_failure() {
    let torn = format!("HTTP/1.1 200 OK\r\nContent-Length: 999\r\nConnection: close\r\n\r\n{PAGE}");
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\n{\"dat\r\n";
    let replies = vec![
        reply("500 Internal Server Error", "", ""),
        reply(
            "503 Service Unavailable",
            "Retry-After: 4\r\n",
            "<html>busy</html>",
        ),
        reply("408 Request Timeout", "", ""),
        Reply::Bytes(torn.into_bytes()),
        Reply::Bytes(chunked.as_bytes().to_vec()),
        Reply::Reset,
        Reply::Bytes(Vec::new()),
        reply("200 OK", "", "<html><body>Sign in</body></html>"),
        reply("200 OK", "", ""),
        reply("200 OK", "", b"{\"data\":\"\xff\xfe\"}"),
        reply("200 OK", "", r#"{"data":[{"amo"#),
        page(),
    ];
    let count = replies.len();
    let run = run(replies, 0.0, |settings| settings.policy.max_attempts = 12).await;
    assert_eq!(run.result.unwrap(), PAGE);
    assert_eq!(run.heads.len(), count);
    assert_eq!(run.waits.len(), count - 1);
    assert!(run.waits[1] >= secs(4));
    assert_eq!(
        run.counts,
        RequestCounts {
            requests: count as u64,
            retries: count as u64 - 1
        }
    );
}

#[tokio::test]
async fn repeats_a_request_after_a_timeout() {
    let run = run(vec![Reply::Silence, page()], 0.0, |settings| {
        settings.timeouts.read = Duration::from_millis(50);
    });
    assert_eq!(run.await.result.unwrap(), PAGE);
}

#[tokio::test]
async fn an_unreachable_server_is_a_remote_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let waits = Waits::default();
    let client = Client::with_timing(settings(&endpoint), waits.timing(0.0)).unwrap();
    let error = client.costs_page(october(), None, parse).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Remote);
    assert!(
        error
            .to_string()
            .contains("no connection to http://127.0.0.1"),
        "{error}"
    );
    assert_eq!(waits.all().len(), 7);
}

#[tokio::test]
async fn used_up_attempts_are_a_remote_error_with_the_last_cause() {
    let body = r#"{"errors":[{"detail":"try\n later"}]}"#;
    let replies = (0..3)
        .map(|_| reply("503 Service Unavailable", "", body))
        .collect();
    let run = run(replies, 0.0, |settings| settings.policy.max_attempts = 3).await;
    let failure = run.result.unwrap_err();
    assert_eq!(failure.status(), Some(StatusCode::SERVICE_UNAVAILABLE));
    let error = failure.into_error();
    assert_eq!(error.kind(), ErrorKind::Remote);
    assert_eq!(
        error.to_string(),
        "costs of 2026-10-01..2026-11-01, first page: gave up after 3 attempts in 1 s (no attempts \
         left); last: HTTP 503 Service Unavailable: try later (request id req-42)"
    );
    assert!(
        error
            .hint()
            .unwrap()
            .contains("BILLSTREAM_RETRY_ELAPSED_SECS")
    );
    assert_eq!(
        run.counts,
        RequestCounts {
            requests: 3,
            retries: 2
        }
    );
}

/// Captured log lines.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        std::io::Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_retry_is_logged_without_secrets_and_bodies() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let echo = format!(r#"{{"message":"slow down {KEY} {SECRET}"}}"#);
    let limited = reply("429 Too Many Requests", "Retry-After: 8\r\n", echo);
    let run = run(
        vec![limited, reply("200 OK", "", "<b>PAYLOAD</b>"), page()],
        0.0,
        |_| {},
    )
    .await;
    drop(guard);
    assert_eq!(run.result.unwrap(), PAGE);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let line = log.lines().find(|line| line.contains("attempt=1")).unwrap();
    assert!(
        line.contains("WARN") && line.contains("Request failed, retrying"),
        "{line}"
    );
    for field in [
        "service=\"Confluent\"",
        "operation=\"costs of 2026-10-01..2026-11-01, first page\"",
        "wait_secs=8",
        "request_id=\"req-42\"",
    ] {
        assert!(line.contains(field), "{line}");
    }
    assert!(
        line.contains("HTTP 429 Too Many Requests: slow down [redacted] [redacted]"),
        "{line}"
    );
    let encoded = basic_authorization(KEY, &SecretString::from(SECRET))
        .unwrap()
        .1;
    for hidden in [KEY, SECRET, &encoded, "PAYLOAD"] {
        assert!(!log.contains(hidden), "{log}");
    }
}

#[tokio::test]
async fn a_post_is_repeated_after_429_and_otherwise_has_an_unknown_outcome() {
    let post = async |replies| {
        let server = Server::start(replies).await;
        let waits = Waits::default();
        let settings = settings(server.endpoint.as_str());
        let client = Client::with_timing(settings, waits.timing(0.0)).unwrap();
        let body = serde_json::json!({ "name": "x" });
        let result = client.post("creating x", &["iam"], &body, "OrganizationAdmin");
        (result.await, server.heads().len())
    };
    let limited = || reply("429 Too Many Requests", "", "");
    let (result, requests) = post(vec![limited(), reply("201 Created", "", "{}")]).await;
    assert_eq!((result.unwrap(), requests), (serde_json::json!({}), 2));
    for last in [
        reply("503 Service Unavailable", "", ""),
        reply("200 OK", "", "<html>"),
        Reply::Reset,
    ] {
        let (result, requests) = post(vec![limited(), last]).await;
        let error = result.unwrap_err();
        assert!(error.outcome_unknown(), "{error}");
        assert_eq!((error.kind(), requests), (ErrorKind::Remote, 2), "{error}");
    }
    let (result, requests) = post(vec![reply("409 Conflict", "", "")]).await;
    let error = result.unwrap_err();
    assert!(error.is_conflict() && !error.outcome_unknown(), "{error}");
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn fails_at_once_when_the_requested_wait_exceeds_the_limit() {
    let limited = reply("429 Too Many Requests", "Retry-After: 3600\r\n", "");
    let run = run(vec![limited], 0.0, |_| {}).await;
    let error = run.result.unwrap_err().into_error();
    assert_eq!(error.kind(), ErrorKind::Remote);
    assert!(
        error
            .to_string()
            .contains("asks to wait 3600 s, past the limit of 300 s"),
        "{error}"
    );
    assert!(
        error.to_string().contains("gave up after 1 attempt in 0 s"),
        "{error}"
    );
    assert!(error.to_string().contains("req-42"), "{error}");
    assert!(run.waits.is_empty());
}

#[tokio::test]
async fn stops_retrying_when_the_time_is_used_up() {
    let replies = (0..3)
        .map(|_| reply("502 Bad Gateway", "Retry-After: 20\r\n", ""))
        .collect();
    let run = run(replies, 0.5, |settings| {
        settings.policy.max_elapsed = secs(50)
    })
    .await;
    let error = run.result.unwrap_err().into_error();
    assert_eq!(error.kind(), ErrorKind::Remote);
    assert!(
        error.to_string().contains("past the limit of 50 s"),
        "{error}"
    );
    assert!(run.waits.iter().all(|wait| *wait >= secs(20)));
    assert!(run.waits.iter().sum::<Duration>() <= secs(50));
}

#[tokio::test]
async fn a_refusal_is_permanent_after_one_request_and_names_the_request_id() {
    let cases = [
        (
            "400 Bad Request",
            r#"{"error_code":40001,"message":"bad dates"}"#,
            ErrorKind::Refused,
            "bad dates",
        ),
        (
            "401 Unauthorized",
            r#"{"error":{"code":401,"message":"invalid API key: make sure you're using a Cloud API Key"}}"#,
            ErrorKind::Config,
            "not a Cloud API key",
        ),
        ("402 Payment Required", "", ErrorKind::Data, "402"),
        (
            "403 Forbidden",
            r#"{"errors":[{"detail":"no access"}]}"#,
            ErrorKind::Config,
            "may not read costs",
        ),
        (
            "404 Not Found",
            "<html>nginx</html>",
            ErrorKind::Data,
            "no costs at this address",
        ),
        ("409 Conflict", "{}", ErrorKind::Data, "409"),
        ("204 No Content", "", ErrorKind::Data, "204"),
    ];
    for (status, body, kind, expected) in cases {
        let run = run(vec![reply(status, "", body)], 0.0, |_| {}).await;
        let failure = run.result.unwrap_err();
        assert_eq!(failure.status().unwrap().as_str(), &status[..3]);
        let error = failure.into_error();
        assert_eq!(error.kind(), kind, "{status}");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.to_string().contains("(request id req-42)"), "{error}");
        assert!(!error.to_string().contains("nginx"), "{error}");
        assert!(error.hint().is_some());
        assert_eq!(run.heads.len(), 1);
        assert!(run.waits.is_empty());
    }
}

#[tokio::test]
async fn redacts_and_cuts_a_detail_that_echoes_the_credentials() {
    let encoded = basic_authorization(KEY, &SecretString::from(SECRET))
        .unwrap()
        .1;
    let echo = format!(
        "{KEY} and {SECRET} as {encoded}\u{1b}[2J {}",
        "x".repeat(100_000)
    );
    let body = serde_json::json!({"errors": [{"detail": &echo[..2_000]}]}).to_string();
    let run = run(vec![reply("401 Unauthorized", "", body)], 0.0, |_| {}).await;
    let error = run.result.unwrap_err().into_error();
    assert!(
        error
            .to_string()
            .contains("[redacted] and [redacted] as [redacted]"),
        "{error}"
    );
    assert!(error.to_string().chars().count() < 500);
}

#[tokio::test]
async fn reads_only_the_beginning_of_a_huge_error_body() {
    let run = run(
        vec![reply("400 Bad Request", "", vec![b'x'; 1 << 20])],
        0.0,
        |_| {},
    )
    .await;
    assert_eq!(run.result.unwrap_err().kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn takes_the_request_id_of_the_body_when_the_header_is_missing() {
    let body = r#"{"status":400,"error":{"message":"no"},"requestId":"from-body"}"#;
    let bytes = format!(
        "HTTP/1.1 400 Bad\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let run = run(vec![Reply::Bytes(bytes.into_bytes())], 0.0, |_| {}).await;
    let error = run.result.unwrap_err().into_error();
    assert!(
        error
            .to_string()
            .contains("HTTP 400 Bad Request: no (request id from-body)"),
        "{error}"
    );
}

#[tokio::test]
async fn a_wrong_page_is_permanent_and_names_the_request_id() {
    let run = run(vec![reply("200 OK", "", "\"wrong\"")], 0.0, |_| {}).await;
    let error = run.result.unwrap_err().into_error();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(
        error
            .to_string()
            .ends_with("(request id req-42): row 3 has no amount"),
        "{error}"
    );
    assert!(run.waits.is_empty());
}

#[tokio::test]
async fn refuses_redirects_without_sending_credentials() {
    let other = Server::start(Vec::new()).await;
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let header = format!("Location: {}billing/v1/costs\r\n", other.endpoint);
        let run = run(vec![reply(status, &header, "")], 0.0, |_| {}).await;
        let error = run.result.unwrap_err().into_error();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(
            error.to_string().contains("redirects to 127.0.0.1"),
            "{error}"
        );
        assert_eq!(run.heads.len(), 1);
    }
    assert!(other.heads().is_empty());
}

#[tokio::test]
async fn a_page_over_the_size_limit_is_an_error_with_and_without_content_length() {
    let unannounced = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{PAGE}{PAGE}");
    let announced = reply("200 OK", "", PAGE.repeat(2));
    let server = Server::start(vec![
        announced,
        Reply::Bytes(unannounced.into_bytes()),
        page(),
    ])
    .await;
    let mut client = Client::new(settings(server.endpoint.as_str())).unwrap();
    client.max_body_bytes = PAGE.len();
    for _ in 0..2 {
        let error = client.costs_page(october(), None, parse).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(error.to_string().contains("larger than"), "{error}");
    }
    assert!(client.costs_page(october(), None, parse).await.is_ok());
    assert_eq!(server.heads().len(), 3);
}

#[tokio::test]
async fn the_size_limit_counts_what_is_unpacked() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&vec![b' '; 32 << 20]).unwrap();
    let packed = encoder.finish().unwrap();
    assert!(packed.len() < 1 << 20);
    let server = Server::start(vec![reply("200 OK", "Content-Encoding: gzip\r\n", packed)]).await;
    let client = Client::new(settings(server.endpoint.as_str())).unwrap();
    // Lists have a lower limit than pages of costs.
    let error = client
        .get("listing", &["x"], &[], "Role")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains("larger than 16 MB"), "{error}");
    assert_eq!(server.heads().len(), 1);
}

#[tokio::test]
async fn defects_of_a_complete_response_are_permanent() {
    let deep = "[".repeat(1_000) + &"]".repeat(1_000);
    for (body, words) in [
        ("\u{feff}{}", "byte order mark"),
        (r#"{"a":"\ud800"}"#, "surrogate pair"),
        (r#"{"a":1,"a":2}"#, "the same field twice"),
        (deep.as_str(), "nested too deeply"),
    ] {
        let server = Server::start(vec![reply("200 OK", "", body)]).await;
        let client = Client::new(settings(server.endpoint.as_str())).unwrap();
        let error = client
            .get("listing", &["x"], &[], "Role")
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        let error = error.into_error().to_string();
        assert!(error.contains(words) && error.contains("req-42"), "{error}");
        assert_eq!(server.heads().len(), 1);
    }
}

#[tokio::test]
async fn a_panicking_parser_is_a_bug_not_a_crash() {
    let server = Server::start(vec![page()]).await;
    let client = Client::new(settings(server.endpoint.as_str())).unwrap();
    let parse = |_: &str| -> std::result::Result<(), BodyError> { panic!("scripted") };
    let error = client.costs_page(october(), None, parse).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Bug);
}

#[tokio::test]
async fn spreads_requests_over_time() {
    // A burst of a second's requests, then one every quarter of a second.
    let waits = waits_of_pages(12, 4, "").await;
    assert_eq!(waits.len(), 8);
    assert!(waits.iter().all(|wait| *wait >= Duration::from_millis(250)));
}

#[tokio::test]
async fn waits_for_the_reset_of_a_limit_that_is_used_up() {
    let used_up = "X-RateLimit-Limit: 60\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 30\r\n";
    assert_eq!(waits_of_pages(2, 100, used_up).await, [secs(30)]);
}

/// Waits between pages that are requested one after the other from a server whose answers have `headers`.
async fn waits_of_pages(count: usize, per_second: u32, headers: &str) -> Vec<Duration> {
    let replies = (0..count).map(|_| reply("200 OK", headers, PAGE));
    let server = Server::start(replies.collect()).await;
    let mut settings = settings(server.endpoint.as_str());
    settings.requests_per_second = per_second;
    let waits = Waits::default();
    let client = Client::with_timing(settings, waits.timing(0.0)).unwrap();
    for _ in 0..count {
        client.costs_page(october(), None, parse).await.unwrap();
    }
    waits.all()
}

#[test]
fn the_future_of_a_page_can_be_spawned() {
    fn send<T: Send>(_: T) {}
    let client = Client::new(settings("http://127.0.0.1:9")).unwrap();
    let cell = std::cell::Cell::new(0);
    let parse = move |text: &str| {
        cell.set(cell.get() + 1);
        parse(text)
    };
    send(client.costs_page(october(), Some("t"), parse));
}

#[test]
fn refuses_endpoints_that_would_expose_credentials() {
    let refused = [
        "http://api.confluent.cloud",
        "http://localhost.example.com",
        "http://10.0.0.1:8080",
        "http://[::2]/",
        "ftp://localhost",
        "file:///tmp/x",
        "https://user:hunter2@api.confluent.cloud",
        "https://api.confluent.cloud/?a=b",
    ];
    for endpoint in refused {
        let error = Client::new(settings(endpoint)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{endpoint}");
        assert!(!error.to_string().contains("hunter2"));
    }
    for endpoint in [
        "http://localhost:1",
        "http://127.0.0.2:1/x",
        "http://[::1]:1",
    ] {
        assert!(Client::new(settings(endpoint)).is_ok(), "{endpoint}");
    }
    assert!(Client::new(settings("https://api.confluent.cloud")).is_ok());
}

#[test]
fn rejects_malformed_credentials_without_echoing_them() {
    for (key, secret) in [
        ("", SECRET),
        (KEY, ""),
        (KEY, "pasted\n"),
        ("two words", SECRET),
        ("a:b", SECRET),
    ] {
        let mut settings = settings("http://localhost:1");
        settings.key = key.to_owned();
        settings.secret = SecretString::from(secret);
        let error = Client::new(settings).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        for shown in ["pasted", "two words", SECRET] {
            assert!(!format!("{error} {error:?}").contains(shown));
        }
    }
}

#[test]
fn debug_shows_no_credentials() {
    let settings = settings("http://localhost:1/x");
    let client = Client::new(settings.clone()).unwrap();
    let shown = format!("{settings:?} {client:?} {client:#?}");
    assert!(shown.contains("http://localhost:1/x"));
    assert!(!shown.contains(KEY) && !shown.contains(SECRET), "{shown}");
}

proptest! {
    #[test]
    fn any_token_survives_encoding_in_an_address(token in "\\PC{1,64}") {
        let client = Client::new(settings("http://localhost:1")).unwrap();
        let url = client.costs_url(october(), Some(&token));
        prop_assert_eq!(next_token(Some(url.as_str())).unwrap(), Some(token));
    }
}
