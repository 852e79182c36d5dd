//! Broken and endless answers: one clear error each, at once.

use std::io::Write;

use tempfile::tempdir;

use super::server::{FakeServer, respond};
use super::{against, cost, page};
use crate::support::{
    Billstream, CLOUDZERO_KEY, Exact, MONTH, Sandbox, drop_in_force, names_below, sum,
};

/// Imports a month from a server, and asserts that it ends after this many requests with these words.
#[track_caller]
fn assert_told(server: &FakeServer, requests: usize, words: &[&str]) {
    let store = tempdir().unwrap();
    let output = against(server, store.path())
        .env("BILLSTREAM_CONCURRENCY", "1")
        .run(&["pull", "--month", MONTH]);
    let output = output.code(1).says(words).says(&[MONTH, "page "]);
    assert!(!output.stderr.contains("retrying"), "{}", output.stderr);
    assert_eq!(server.requests(), requests, "{}", output.stderr);
    let names = names_below(store.path());
    assert!(
        !names.iter().any(|name| name.starts_with("costs/")),
        "{names:?}"
    );
}

#[test]
fn defects_of_a_page_are_told_at_once() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let far = r#"{"start_date":"2026-10-01","end_date":"9999-12-31","original_amount":1}"#;
    let zero = r#"{"start_date":"0000-01-01","end_date":"0000-01-02","original_amount":1}"#;
    for (body, words) in [
        (format!("\u{feff}{}", page("")), vec!["byte order mark"]),
        (
            page(r#","product":"\ud800""#),
            vec!["row 1", "`product`", "surrogate pair"],
        ),
        (
            page(r#","new":{"a":["\udc00"]}"#),
            vec!["row 1", "`new`", "surrogate pair"],
        ),
        (
            page(&format!(r#","new":{}"#, nested(100_000))),
            vec!["row 1", "`new`", "nested too deeply"],
        ),
        (
            page(&format!(r#","resource":{{"id":{}}}"#, nested(100_000))),
            vec!["row 1", "`resource.id`"],
        ),
        (
            format!(
                r#"{{"data":[{}],"metadata":{{}},"data":[{}]}}"#,
                cost(""),
                cost("")
            ),
            vec!["`data` twice"],
        ),
        (
            r#"{"data":[],"metadata":{"next":"?page_token=a"},"metadata":{}}"#.to_string(),
            vec!["`metadata` twice"],
        ),
        (
            page("").replace(r#""data":["#, &format!(r#""data":[{far},"#)),
            vec![
                "page 1",
                "row 1",
                "`end_date`",
                "9999-12-31",
                "more than a year",
            ],
        ),
        (
            page("").replace("}]", &format!("}},{zero}]")),
            vec![
                "page 1",
                "row 2",
                "`start_date`",
                "0000-01-01",
                "outside the window",
            ],
        ),
    ] {
        let server = FakeServer::of_bodies(move |_, _| body.clone().into_bytes());
        assert_told(&server, 1, &words);
    }
}

#[test]
fn page_chains_without_end_are_told() {
    let next = |token: &str, rows: &str| {
        format!(r#"{{"data":[{rows}],"metadata":{{"next":"/x?page_token={token}"}}}}"#).into_bytes()
    };
    // The first page shows that the month has more than one; its days are pulled one after the other.
    let cycle = FakeServer::of_bodies(move |_, number| next(["a", "b"][number % 2], &cost("")));
    assert_told(&cycle, 4, &["page 3", "page_token", "earlier page"]);
    let empty = FakeServer::of_bodies(move |_, number| next(&number.to_string(), ""));
    assert_told(&empty, 101, &["100 pages in a row are empty"]);
}

#[test]
fn an_endless_body_ends_at_the_limit() {
    let server = FakeServer::start(|_, _, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"data\":[")?;
        let blanks = vec![b' '; 1 << 20];
        loop {
            stream.write_all(&blanks)?;
        }
    });
    assert_told(&server, 1, &["larger than 64 MB"]);
}

#[test]
fn a_dripping_body_ends_with_the_time_of_a_request() {
    let server = FakeServer::start(|_, _, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")?;
        loop {
            stream.write_all(b" ")?;
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    });
    let store = tempdir().unwrap();
    against(&server, store.path())
        .env("BILLSTREAM_TOTAL_TIMEOUT_SECS", "0.5")
        .env("BILLSTREAM_RETRY_ATTEMPTS", "1")
        .run(&["pull", "--month", MONTH])
        .code(7)
        .says(&["no complete response within 500ms"]);
}

#[test]
fn lists_have_the_same_limits() {
    let store = tempdir().unwrap();
    let body = r#"{"data":[],"data":[]}"#;
    let twice = FakeServer::of_bodies(move |_, _| body.as_bytes().to_vec());
    let typed = "ADMINKEY0ABCDEFG\nadmin-secret\n";
    let told = |server: &FakeServer| {
        let adding = ["connections", "add", "confluent", "--setup", "--endpoint"];
        Billstream::on(store.path()).told(&[&adding[..], &[server.url()]].concat(), typed)
    };
    told(&twice).code(1).says(&["the same field twice"]);
    assert_eq!(twice.requests(), 1);
    let empty = FakeServer::of_bodies(|_, number| {
        format!(r#"{{"data":[],"metadata":{{"next":"/x?page_token={number}"}}}}"#).into_bytes()
    });
    told(&empty).code(1).says(&["100 pages in a row are empty"]);
    assert_eq!(empty.requests(), 100);
}

#[test]
fn a_cycle_in_cloudzeros_lists_is_told() {
    let sandbox = Sandbox::start(&[]);
    let store = tempdir().unwrap();
    let cloudzero = FakeServer::start(|_, number, stream| {
        let cursor = ["a", "b"][number % 2];
        let body = format!(
            r#"{{"connections":[],"pagination":{{"cursor":{{"has_next":true,"next_cursor":"{cursor}"}}}}}}"#
        );
        respond(stream, "200 OK", body.as_bytes())
    });
    let billstream = Billstream::on(store.path())
        .from(&sandbox)
        .env("CLOUDZERO_API_URL", cloudzero.url())
        .env("CLOUDZERO_API_KEY", CLOUDZERO_KEY);
    billstream.import(MONTH).ok();
    billstream
        .run(&["destinations", "add", "cloudzero", "--stream"])
        .code(1)
        .says(&["listing CloudZero's billing connections", "earlier page"]);
    assert_eq!(cloudzero.requests(), 3);
}

#[test]
fn nul_in_texts_is_replaced_and_the_month_is_delivered() {
    let fields = r#","product":"KA\u0000FKA","line_type":"KAFKA\u0000STORAGE","description":"a\u0000b","resource":{"id":"lkc-\u00001","display_name":"n\u0000"},"tier_dimensions":{"region":"eu\u0000"},"new":"x\u0000""#;
    let body = page(fields);
    let server = FakeServer::of_bodies(move |_, _| body.clone().into_bytes());
    let store = tempdir().unwrap();
    let billstream = against(&server, store.path());
    billstream.run(&["import", "--month", MONTH]).ok();
    let costs = billstream.query("select * from costs");
    assert_eq!(costs[0]["line_type"], "KAFKA\u{fffd}STORAGE");
    assert!(costs[0]["extra"].contains("ufffd") && costs[0]["tier_dimensions"].contains("ufffd"));
    let items = billstream.query("select * from line_items");
    assert_eq!(items[0]["action/usage_type"], "KAFKA\u{fffd}STORAGE");
    assert_eq!(items[0]["resource/region"], "eu\u{fffd}");
    let delivered = drop_in_force(store.path(), "confluent", MONTH);
    for rows in [&costs, &items, &delivered] {
        let texts: Vec<&String> = rows.iter().flat_map(|row| row.values()).collect();
        assert!(!texts.iter().any(|text| text.contains('\0')), "{texts:?}");
    }
    assert_eq!(sum(&items, "cost/cost"), Exact::of("12.5"));
    assert_eq!(sum(&delivered, "cost/cost"), Exact::of("12.5"));
}
