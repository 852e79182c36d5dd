//! Months in the forms that are sent when CloudZero refuses the usual ones.

use tempfile::tempdir;

use super::recorder::{Exchange, Recorder};
use super::{STREAM, assert_all_is_published, assert_clean, billstream_through};
use crate::support::schema::Api;
use crate::support::{MONTH, Sandbox};

/// Turns a request with the month in the other form into one in the usual form. Returns true if it was one.
fn to_usual_form(api: &Api, exchange: &mut Exchange) -> bool {
    let endpoint = api.endpoint(&exchange.method, &exchange.path);
    if api.takes(endpoint, "month") {
        let (start, month) = exchange.path.rsplit_once('/').unwrap();
        if month == MONTH {
            return false;
        }
        let found = api.check_otherwise("month in a path", &month.into());
        assert_clean("month of a path", found);
        exchange.path = format!("{start}/{MONTH}");
        return true;
    }
    if !api.takes(endpoint, "request") || exchange.request()["month"] != MONTH {
        return false;
    }
    let mut request = exchange.request();
    assert_clean(
        "month of a body",
        api.check_otherwise("month in a body", &request["month"]),
    );
    request["month"] = "2026-10-01T00:00:00Z".into();
    exchange.body = request.to_string().into_bytes();
    true
}

#[test]
fn months_in_the_other_forms_keep_to_the_published_api() {
    let forms = [
        "--months-in-bodies",
        "year-month",
        "--months-in-paths",
        "datetime",
    ];
    let (api, store, sandbox) = (Api::read(), tempdir().unwrap(), Sandbox::start(&forms));
    let recorder = Recorder::start(&sandbox);
    let billstream = billstream_through(store.path(), &sandbox, &recorder)
        .env("CLOUDZERO_CONNECTION_ID", STREAM);
    billstream.import(MONTH).ok();
    billstream.run(&["verify", "--month", MONTH]).ok();

    let mut exchanges = recorder.take();
    let mut others = Vec::new();
    for exchange in &mut exchanges {
        if to_usual_form(&api, exchange) {
            others.push(api.endpoint(&exchange.method, &exchange.path).to_string());
        }
    }
    // Two validations and posts, of which the first validation is refused; two reads of a delivery, one of `verify`.
    let expected = [
        "GET billing_drops/{month}",
        "POST validate_billing_drop",
        "POST billing_drops",
        "GET billing_drops/{month}",
        "GET billing_drops/{month}",
    ];
    assert_eq!(others, expected);
    let seen = assert_all_is_published(&api, &exchanges);
    assert!(seen.contains("GET billing_drops/{month} 400"), "{seen:?}");
    assert!(seen.contains("POST billing_drops 200"), "{seen:?}");
}
