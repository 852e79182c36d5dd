//! Stream destination: requests of a month, and the content of the stream after months change.

use serde_json::Value;

use super::{LARGE, Scene, assert_unchanged, deliver, published};
use crate::support::{Exact, MONTH, STREAM, Sandbox, names_below};

const RESTATED: [&str; 2] = ["--revision", "1"];
const LOST_DAY: &str = "2026-10-15";
/// Largest request in bytes, below 5 MB.
const MAX_REQUEST_BYTES: u64 = 4_999_999;

/// Asserts the operation, size, response and a unique key of requests with line items.
#[track_caller]
fn assert_requests(requests: &[Value], operation: &str) {
    let mut keys = Vec::new();
    for request in requests {
        assert_eq!(request["operation"], operation, "{request}");
        assert_eq!(request["month"], MONTH, "{request}");
        assert_eq!(request["status"], 200, "{request}");
        assert_eq!(request["replayed"], false, "{request}");
        assert!(
            request["bytes"].as_u64().unwrap() <= MAX_REQUEST_BYTES,
            "{request}"
        );
        keys.push(request["idempotency_key"].as_str().unwrap().to_string());
    }
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count, "every request has a unique key");
}

fn rows(requests: &[Value]) -> u64 {
    let rows = requests.iter().map(|r| r["rows"].as_u64().unwrap());
    rows.sum()
}

#[test]
fn month_of_one_request_replaces_the_drop() {
    let scene = Scene::new(&[]);
    let delivery = deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
    let sent = scene.cloudzero.sent();
    assert_requests(&sent, "replace_drop");
    assert_eq!(sent.len(), 1);
    assert_eq!(delivery["target"], "stream");
    assert_eq!(delivery["place"], STREAM);
    assert_eq!(delivery["parts"], 1);
    assert_eq!(delivery["rows"], scene.month.holding.total().rows);
    assert_eq!(delivery["bytes"], sent[0]["bytes"]);
    // The same body was validated before.
    let validated = scene.cloudzero.validated();
    assert_eq!(validated.len(), 1);
    assert_eq!(validated[0]["bytes"], sent[0]["bytes"]);
    assert!(validated[0]["idempotency_key"].is_null());
    assert!(
        names_below(scene.bucket.path()).is_empty(),
        "the stream is the only destination"
    );
}

#[test]
fn every_value_is_a_non_empty_string() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_stream(), &[]).ok();
    let rows = scene.cloudzero.rows(MONTH);
    assert_eq!(rows.len() as u64, scene.month.holding.total().rows);
    for row in &rows {
        for (name, value) in row.as_object().unwrap() {
            let text = value.as_str().unwrap_or_else(|| panic!("{name}: {value}"));
            assert!(!text.is_empty(), "{name} of {row}");
            if name.starts_with("cost/") || name == "usage/amount" {
                Exact::of(text);
            }
        }
        for needed in [
            "lineitem/id",
            "lineitem/type",
            "time/usage_start",
            "cost/cost",
        ] {
            assert!(row[needed].is_string(), "{needed} of {row}");
        }
    }
    let some = |name: &str| rows.iter().filter(|row| row.get(name).is_some()).count();
    assert!((1..rows.len()).contains(&some("usage/amount")));
}

#[test]
fn unchanged_month_is_not_sent_again() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&[]));
    deliver(&scene.to_stream(), &[]).ok();
    let later = scene.to_stream().at("2026-11-24T06:00:00Z");
    assert_unchanged(later, &confluent);
    assert_eq!(scene.cloudzero.sent().len(), 1);
    assert_eq!(scene.cloudzero.validated().len(), 1);
}

#[test]
fn larger_month_is_replaced_by_hours() {
    let scene = Scene::of(&["--costs-per-day", "400"], &[]);
    let delivery = deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
    let sent = scene.cloudzero.sent();
    assert_requests(&sent, "replace_hourly");
    assert!(sent.len() > 2, "{sent:?}");
    assert_eq!(delivery["parts"], sent.len());
    assert_eq!(rows(&sent), scene.month.holding.total().rows);
    let sum: u64 = sent.iter().map(|r| r["bytes"].as_u64().unwrap()).sum();
    assert_eq!(delivery["bytes"], sum);

    // Every request was validated before the first was sent.
    let asked = scene.cloudzero.cloudzero_requests();
    let posts = asked.iter().filter(|r| r["method"] == "POST");
    let validations: Vec<bool> = posts
        .map(|r| {
            r["path"]
                .as_str()
                .unwrap()
                .ends_with("/validate_billing_drop")
        })
        .collect();
    let expected: Vec<bool> = [vec![true; sent.len()], vec![false; sent.len()]].concat();
    assert_eq!(validations, expected);
}

#[test]
fn restated_month_replaces_the_previous_one() {
    for options in [&[][..], &LARGE] {
        let scene = Scene::of(options, &[]);
        deliver(&scene.to_stream(), &[]).ok();
        let restated = scene.publish(&[options, &RESTATED].concat());
        assert_ne!(restated, scene.month.holding);
        deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
        assert_eq!(scene.assert_streamed(&restated), 0);
        deliver(&scene.to_stream(), &[]).ok().delivery("unchanged");
    }
}

#[test]
fn import_delivers_to_the_stream() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&RESTATED));
    let importing = scene.to_stream().from(&confluent);
    importing.import(MONTH).ok().status("published");
    scene.assert_streamed(&published(&RESTATED).holding);
    assert_eq!(scene.cloudzero.sent().len(), 1);
    importing.import(MONTH).ok().status("unchanged");
    assert_eq!(scene.cloudzero.sent().len(), 1);
}

#[test]
fn month_can_return_to_earlier_content() {
    for options in [&[][..], &LARGE] {
        let scene = Scene::of(options, &[]);
        deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
        for again in [&RESTATED[..], &[]] {
            let month = scene.publish(&[options, again].concat());
            deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
            assert_eq!(scene.assert_streamed(&month), 0);
        }
        let operation = if options.is_empty() {
            "replace_drop"
        } else {
            "replace_hourly"
        };
        assert_requests(&scene.cloudzero.sent(), operation);
    }
}

#[test]
fn removes_a_lost_day_of_a_small_month_from_the_stream() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_stream(), &[]).ok();
    let shrunk = scene.publish(&["--drop-day", LOST_DAY]);
    assert!(!shrunk.has_day(LOST_DAY));
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&shrunk), 0);
}

#[test]
fn clears_a_lost_day_of_a_larger_month_with_zero_costs() {
    let scene = Scene::of(&LARGE, &[]);
    deliver(&scene.to_stream(), &[]).ok();
    let shrunk = scene.publish(&[LARGE[0], LARGE[1], "--drop-day", LOST_DAY]);
    assert!(!shrunk.has_day(LOST_DAY));
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_requests(&scene.cloudzero.sent(), "replace_hourly");
    assert_eq!(scene.assert_streamed(&shrunk), 1, "one hour is emptied");
    deliver(&scene.to_stream(), &[]).ok().delivery("unchanged");

    // The adjustment disappears when the day is back.
    let whole = scene.publish(&LARGE);
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&whole), 0);
}

#[test]
fn month_can_grow_beyond_a_request_and_shrink_again() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_stream(), &[]).ok();
    let large = scene.publish(&LARGE);
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&large), 0);
    let small = scene.publish(&["--drop-day", LOST_DAY]);
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&small), 0);
    let operations: Vec<Value> = scene
        .cloudzero
        .sent()
        .iter()
        .map(|request| request["operation"].clone())
        .collect();
    let expected = [
        "replace_drop",
        "replace_hourly",
        "replace_hourly",
        "replace_drop",
    ];
    assert_eq!(operations, expected);
}

#[test]
fn validation_can_be_skipped() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_stream(), &["--no-validate"])
        .ok()
        .delivery("delivered");
    scene.assert_streamed(&scene.month.holding);
    assert!(scene.cloudzero.validated().is_empty());
    let confluent = Sandbox::start(&RESTATED);
    let importing = scene.to_stream().from(&confluent);
    importing
        .run(&["import", "--month", MONTH, "--no-validate"])
        .ok();
    scene.assert_streamed(&published(&RESTATED).holding);
    assert!(scene.cloudzero.validated().is_empty());
}

#[test]
fn dry_run_counts_without_sending() {
    for options in [&[][..], &LARGE] {
        let scene = Scene::of(options, &[]);
        let dry = deliver(&scene.to_stream(), &["--dry-run"])
            .ok()
            .delivery("dry-run");
        let posts = scene.cloudzero.cloudzero_requests_to("POST", "");
        assert!(posts.is_empty(), "{posts:?}");
        let real = deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
        for key in ["rows", "bytes", "parts"] {
            assert_eq!(dry[key], real[key], "{key}");
        }
    }
}

#[test]
fn delivery_to_one_destination_leaves_the_other_unchanged() {
    let scene = Scene::new(&[]);
    let both = scene.to_stream().on_bucket(scene.bucket.path());
    deliver(&both, &["--destination", "bucket"])
        .ok()
        .delivery("delivered");
    assert!(scene.cloudzero.sent().is_empty());
    scene.assert_polled(&scene.month.holding);
    let restated = scene.publish(&RESTATED);
    deliver(&both, &["--destination", "stream"])
        .ok()
        .delivery("delivered");
    scene.assert_streamed(&restated);
    assert_eq!(scene.cloudzero.poll().months(), 0);
    let output = deliver(&both, &[]).ok();
    let deliveries = output.json()["deliveries"].clone();
    assert_eq!(deliveries[0]["status"], "delivered");
    assert_eq!(deliveries[1]["status"], "unchanged");
    scene.assert_polled(&restated);
}

#[test]
fn rejects_missing_and_wrong_credentials() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_stream().without("CLOUDZERO_API_KEY"), &[])
        .code(3)
        .says(&["CLOUDZERO_API_KEY"]);
    let unknown = scene.to_stream().env("CLOUDZERO_CONNECTION_ID", "unknown");
    deliver(&unknown, &[])
        .code(3)
        .says(&["CLOUDZERO_CONNECTION_ID"]);
    let wrong = scene.to_stream().env("CLOUDZERO_API_KEY", "wrong-key-here");
    let output = deliver(&wrong, &[]).code(3).says(&["CLOUDZERO_API_KEY"]);
    assert!(!output.stderr.contains("wrong-key-here"));
    assert!(scene.cloudzero.holds(STREAM, MONTH).0.is_empty());
}
