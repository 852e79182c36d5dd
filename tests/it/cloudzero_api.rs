//! billstream's requests to CloudZero and the sandbox's responses, checked against the published API.
//!
//! The facts are in `fixtures/cloudzero-api.json`; where CloudZero's schema and its guide disagree, its `followed` has
//! the choice and the reason. A proxy between the two records the exchanges.

#[path = "cloudzero_api/checker.rs"]
mod checker;
#[path = "cloudzero_api/other_forms.rs"]
mod other_forms;
#[path = "cloudzero_api/recorder.rs"]
mod recorder;
#[path = "cloudzero_api/rehearsal.rs"]
mod rehearsal;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::schema::{Api, Findings};
use crate::support::{Billstream, MONTH, Sandbox};
use recorder::{Exchange, Recorder, SHOWN_KEY};

const KEY: &str = "sandbox-cloudzero-key";
const STREAM: &str = "sandbox-stream";
const IDEMPOTENCY_KEY: &str = "cloudzero-idempotency-key";

/// Parses a query into an object.
fn pairs(query: &str) -> Value {
    let decode = |text: &str| {
        let bytes = text.replace('+', " ").into_bytes();
        let mut decoded = Vec::new();
        let mut rest = bytes.as_slice();
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            if byte != b'%' {
                decoded.push(byte);
                continue;
            }
            let (digits, after) = rest.split_at(2);
            let digits = std::str::from_utf8(digits).unwrap();
            decoded.push(u8::from_str_radix(digits, 16).unwrap());
            rest = after;
        }
        String::from_utf8(decoded).unwrap()
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        (decode(name), Value::from(decode(value)))
    };
    Value::Object(pairs.map(pair).collect())
}

/// Asserts that a part of a request breaks no rule and has no unpublished field.
fn assert_clean(what: &str, found: Findings) {
    let Findings { wrong, unnamed } = found;
    assert!(
        wrong.is_empty(),
        "{what}: {:?}",
        &wrong[..wrong.len().min(5)]
    );
    assert!(unnamed.is_empty(), "{what} has {unnamed:?}");
}

/// Asserts that a response breaks no rule; returns `ENDPOINT STATUS`.
fn assert_response_is_published(api: &Api, exchange: &Exchange) -> String {
    let endpoint = api.endpoint(&exchange.method, &exchange.path);
    let status = exchange.status;
    let mut found = api.check_answer(endpoint, status, &exchange.response());
    // Unpublished fields of lists, which billstream must not need.
    if endpoint == "GET billing/costs" {
        for extra in ["/sorting", "/filtering", "/total_count"] {
            found.unnamed.remove(extra);
        }
    }
    assert_clean(&format!("response {endpoint} {status}"), found);
    format!("{endpoint} {status}")
}

/// Asserts that billstream kept to the published API; returns `ENDPOINT STATUS` of all responses.
fn assert_all_is_published(api: &Api, exchanges: &[Exchange]) -> BTreeSet<String> {
    let (mut seen, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for exchange in exchanges {
        let endpoint = api.endpoint(&exchange.method, &exchange.path);
        let header = |name: &str| exchange.headers.get(name).map(String::as_str);
        assert_eq!(header("authorization"), Some(SHOWN_KEY), "{endpoint}");
        assert_eq!(header("cloudzero-test-key"), None, "{endpoint}");
        match header(IDEMPOTENCY_KEY) {
            Some(key) => assert!(keys.insert(key.to_string()), "{key} twice"),
            None => assert_ne!(endpoint, "POST billing_drops"),
        }
        if api.takes(endpoint, "request") {
            assert_eq!(header("content-type"), Some("application/json"));
            assert!(exchange.body.len() < api.limit("body_bytes"), "{endpoint}");
            let found = api.check_request(endpoint, "request", &exchange.request());
            assert_clean(&format!("request {endpoint}"), found);
        } else {
            assert!(exchange.body.is_empty(), "{endpoint} has a body");
        }
        if api.takes(endpoint, "query") {
            let found = api.check_request(endpoint, "query", &pairs(&exchange.query));
            assert_clean(&format!("query of {endpoint}"), found);
        } else {
            assert_eq!(exchange.query, "", "{endpoint}");
        }
        if api.takes(endpoint, "month") {
            let month = exchange.path.rsplit('/').next().unwrap();
            let found = api.check_request(endpoint, "month", &month.into());
            assert_clean(&format!("month of {endpoint}"), found);
        }
        seen.insert(assert_response_is_published(api, exchange));
    }
    seen
}

/// Request bodies sent to an endpoint.
fn uploads(api: &Api, exchanges: &[Exchange], endpoint: &str) -> Vec<Value> {
    let matching = exchanges
        .iter()
        .filter(|e| api.endpoint(&e.method, &e.path) == endpoint);
    matching.map(Exchange::request).collect()
}

fn rows(upload: &Value) -> &Vec<Value> {
    upload["data"].as_array().unwrap()
}

/// A billstream that delivers through a recorder.
fn billstream_through(folder: &Path, sandbox: &Sandbox, recorder: &Recorder) -> Billstream {
    Billstream::on(folder)
        .from(sandbox)
        .env("CLOUDZERO_API_URL", &recorder.url())
        .env("CLOUDZERO_API_KEY", KEY)
        .env("BILLSTREAM_READ_BACK_SECS", "1")
}

fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_string).collect()
}

/// Request body with one row.
fn upload() -> Value {
    json!({
        "month": "2026-10-01T00:00:00Z",
        "operation": "replace_drop",
        "data": [{ "time/usage_start": "2026-10-01T00:00:00Z", "cost/cost": "12.5" }],
    })
}

#[test]
fn setup_delivery_clearing_and_verification_keep_to_the_published_api() {
    let (api, store, sandbox) = (Api::read(), tempdir().unwrap(), Sandbox::start(&[]));
    let recorder = Recorder::start(&sandbox);
    let billstream = billstream_through(store.path(), &sandbox, &recorder);
    billstream
        .run(&["targets", "add", "cloudzero", "--stream"])
        .ok();
    billstream.import(MONTH).ok();
    billstream.run(&["verify", "--month", MONTH]).ok();
    billstream
        .run(&["deliver", "--month", MONTH, "--empty", "--yes"])
        .ok();
    billstream.run(&["deliver", "--month", MONTH]).ok();

    let exchanges = recorder.take();
    let seen = assert_all_is_published(&api, &exchanges);
    let expected = [
        "GET connections/billing 200",
        "POST connections/billing 200",
        "POST validate_billing_drop 200",
        "POST billing_drops 200",
        "GET billing_drops/{month} 404",
        "GET billing_drops/{month} 200",
        "GET billing/costs 200",
    ];
    assert_eq!(seen, names(expected));
    assert_eq!(recorder.most_in_flight(), 1);

    let sent = uploads(&api, &exchanges, "POST billing_drops");
    let sizes: Vec<usize> = sent.iter().map(|upload| rows(upload).len()).collect();
    assert!(
        sizes[0] > 1_000 && sizes == [sizes[0], 1, sizes[0]],
        "{sizes:?}"
    );
    for upload in &sent {
        assert_eq!(upload["operation"], "replace_drop");
        assert_eq!(upload["month"], "2026-10-01T00:00:00Z");
    }
    let types = rows(&sent[0])
        .iter()
        .map(|row| row["lineitem/type"].as_str().unwrap());
    assert_eq!(
        names(types),
        names(["Usage", "Discount", "Support", "Credit", "Adjustment"])
    );
    // The published pattern has no sign; this month can only be delivered by following the guide.
    let negative = rows(&sent[0])
        .iter()
        .filter(|row| row["cost/cost"].as_str().unwrap().starts_with('-'));
    assert!(negative.count() > 100);
}

#[test]
fn a_month_of_several_request_bodies_keeps_to_the_published_api() {
    let sandbox = Sandbox::start(&["--costs-per-day", "200"]);
    let (api, store) = (Api::read(), tempdir().unwrap());
    let recorder = Recorder::start(&sandbox);
    let billstream = billstream_through(store.path(), &sandbox, &recorder)
        .env("CLOUDZERO_CONNECTION_ID", STREAM);
    let imported = billstream.import(MONTH).ok().status("published");

    let exchanges = recorder.take();
    let seen = assert_all_is_published(&api, &exchanges);
    let needed = [
        "POST validate_billing_drop 200",
        "POST billing_drops 200",
        "GET billing_drops/{month} 200",
    ];
    assert!(seen.is_superset(&names(needed)), "{seen:?}");
    assert_eq!(recorder.most_in_flight(), 1);

    let validated = uploads(&api, &exchanges, "POST validate_billing_drop");
    let sent = uploads(&api, &exchanges, "POST billing_drops");
    assert!(sent.len() > 1, "one body");
    assert!(validated == sent, "other bodies were validated than sent");
    let mut hours = BTreeSet::new();
    for upload in &sent {
        assert_eq!(upload["operation"], "replace_hourly");
        let starts = rows(upload)
            .iter()
            .map(|row| row["time/usage_start"].as_str().unwrap());
        for hour in names(starts) {
            assert!(hour.starts_with(MONTH), "{hour}");
            assert!(hours.insert(hour.clone()), "{hour} is in two bodies");
        }
    }
    let sent: usize = sent.iter().map(|upload| rows(upload).len()).sum();
    assert_eq!(imported["line_items"], sent);
}

#[test]
fn the_sandbox_returns_every_published_status_in_its_published_shape() {
    let (api, sandbox) = (Api::read(), Sandbox::start(&["--native-confluent"]));
    let recorder = Recorder::start(&sandbox);
    let send = |method: &str, path: &str, body: &str| recorder.send(method, path, KEY, body);
    let streams = "/v2/connections/billing/anycost";
    let drops = format!("{streams}/{STREAM}/billing_drops");
    let validate = format!("{streams}/validate_billing_drop");
    let month = format!("{drops}/{MONTH}");
    let connections = "/v2/connections/billing";
    let costs = "/v2/billing/costs";
    let upload = upload().to_string();
    let too_large = " ".repeat(api.limit("body_bytes") + 1);

    send("GET", &month, "");
    for to in [&drops, &validate] {
        for body in [&*upload, r#"{"data":[{}]}"#, "{", &too_large] {
            send("POST", to, body);
        }
    }
    send("GET", &month, "");
    send("GET", &drops, "");
    send("GET", &format!("{drops}/october"), "");
    for connection in ["native-confluent", "unknown"] {
        let drops = format!("{streams}/{connection}/billing_drops");
        send("GET", &drops, "");
        send("POST", &drops, &upload);
    }
    send("GET", &format!("{connections}?limit=1&sort_key=name"), "");
    send("GET", &format!("{connections}?limit=0"), "");
    let connection = json!({"name": "a", "cloud_provider": "b", "s3_bucket_info": null});
    send("POST", connections, &connection.to_string());
    let bucket = json!({"bucket_name": "b", "bucket_path": "p"});
    let connection = json!({"name": "c", "cloud_provider": "d", "s3_bucket_info": bucket});
    send("POST", connections, &connection.to_string());
    send("POST", connections, "{}");
    send("GET", &format!("{costs}?cursor=x"), "");
    send("GET", costs, "");
    for _ in 0..api.limit("costs_requests_per_day") {
        let query = "start_date=2026-10-01T00:00:00Z&group_by=LineItemType";
        send("GET", &format!("{costs}?{query}"), "");
    }
    for (method, path) in [
        ("GET", &*drops),
        ("POST", &drops),
        ("GET", &month),
        ("POST", &validate),
        ("GET", connections),
        ("POST", connections),
        ("GET", costs),
    ] {
        recorder.send(method, path, "another-key", "");
        recorder.send(method, path, &format!("Bearer {KEY}"), "");
    }

    let exchanges = recorder.take();
    let check = |exchange| assert_response_is_published(&api, exchange);
    let seen: BTreeSet<String> = exchanges.iter().map(check).collect();
    let missing: Vec<_> = api.published().difference(&seen).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
    let verdicts: BTreeSet<bool> = exchanges
        .iter()
        .filter_map(|e| e.response()["connection"]["is_valid"].as_bool())
        .collect();
    assert_eq!(verdicts.len(), 2, "one valid and one invalid body");
}

#[test]
fn faults_of_the_sandbox_have_a_published_or_assumed_shape() {
    let faults = ["cz-429", "cz-500", "cz-503", "cz-409", "cz-413"];
    let options: Vec<&str> = faults.iter().flat_map(|fault| ["--fault", fault]).collect();
    let (api, sandbox) = (Api::read(), Sandbox::start(&options));
    let recorder = Recorder::start(&sandbox);
    for _ in 0..3 {
        recorder.send("GET", "/v2/connections/billing", KEY, "");
    }
    let drops = format!("/v2/connections/billing/anycost/{STREAM}/billing_drops");
    for _ in 0..2 {
        recorder.send("POST", &drops, KEY, &upload().to_string());
    }
    let check = |exchange: &Exchange| {
        assert_response_is_published(&api, exchange);
        exchange.status
    };
    let statuses: Vec<u16> = recorder.take().iter().map(check).collect();
    assert_eq!(statuses, [429, 500, 503, 409, 413]);
}
