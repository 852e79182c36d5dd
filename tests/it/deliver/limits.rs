//! Limits of the stream: refused before the first request, with a hint to use a bucket.

use super::{Scene, deliver};
use crate::support::{BUCKET, MONTH, Sandbox, expected};

#[test]
fn refuses_an_hour_larger_than_a_request_before_sending() {
    // On the second of a month it has one day, in one hour.
    let options = ["--today", "2026-11-02", "--costs-per-day", "9000"];
    let confluent = Sandbox::start(&options);
    let scene = Scene::new(&[]);
    let billstream = scene
        .to_stream()
        .from(&confluent)
        .at("2026-11-02T06:00:00Z");
    billstream
        .run(&["import", "--month", "2026-11", "--no-deliver"])
        .ok();
    let month = ["--month", "2026-11"];
    deliver(&billstream, &month)
        .code(1)
        .says(&["2026-11-01T00:00:00Z", "bucket"]);
    deliver(&billstream, &[&month[..], &["--dry-run"]].concat()).code(1);
    assert!(scene.cloudzero.cloudzero_requests_to("POST", "").is_empty());

    // The bucket has no such limit.
    let to_bucket = scene.to_bucket().at("2026-11-02T06:00:00Z");
    deliver(&to_bucket, &month).ok().delivery("delivered");
    scene.cloudzero.poll().months();
    let expected = expected(&billstream, &confluent.totals("2026-11"));
    let holds = scene.cloudzero.holds(BUCKET, "2026-11");
    holds.assert_is(&expected, "the poller holds");
}

#[test]
fn refuses_a_month_over_70_mb_before_sending() {
    // Hourly granularity makes a small month large.
    let scene = Scene::of(&["--costs-per-day", "130"], &[]);
    let hourly = scene.to_stream().env("BILLSTREAM_GRANULARITY", "hourly");
    deliver(&hourly, &[])
        .code(1)
        .says(&[MONTH, "70 MB", "bucket"]);
    assert!(scene.cloudzero.cloudzero_requests_to("POST", "").is_empty());
    // Daily granularity still works afterwards.
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
}

#[test]
fn refuses_to_deliver_other_currencies() {
    let scene = Scene::new(&[]);
    let euros = scene.to_stream().env("BILLSTREAM_CURRENCY", "EUR");
    deliver(&euros, &[]).code(3).says(&["US dollars", "EUR"]);
    assert!(scene.cloudzero.cloudzero_requests_to("POST", "").is_empty());
}

#[test]
fn deliveries_of_a_connection_exclude_each_other() {
    let scene = Scene::new(&[]);
    let mut first = scene.to_bucket().spawn(&["deliver"]);
    while first.is_running() {
        let output = deliver(&scene.to_bucket(), &[]);
        assert!([0, 6].contains(&output.code), "{output:?}");
    }
    let first = first.wait();
    assert!([0, 6].contains(&first.code), "{first:?}");
    // One of them has delivered.
    deliver(&scene.to_bucket(), &[]).ok().delivery("unchanged");
    scene.assert_polled(&scene.month.holding);
}
