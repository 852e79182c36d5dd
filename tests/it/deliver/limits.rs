//! What the stream does not take is refused before the first request, with the bucket as advice.

use super::{Scene, deliver};
use crate::support::{BUCKET, MONTH, Sandbox, expected};

#[test]
fn an_hour_too_large_for_a_request_is_refused_before_anything_is_sent() {
    // The second of the month: it has one day, in one hour.
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
    assert!(scene.cloudzero.asked_for("POST", "").is_empty());

    // The bucket has no such limit.
    let to_bucket = scene.to_bucket().at("2026-11-02T06:00:00Z");
    deliver(&to_bucket, &month).ok().delivery("delivered");
    scene.cloudzero.poll().months();
    let expected = expected(&billstream, &confluent.totals("2026-11"));
    let holds = scene.cloudzero.holds(BUCKET, "2026-11");
    holds.assert_is(&expected, "the poller holds");
}

#[test]
fn a_month_of_more_than_70_mb_is_refused_before_anything_is_sent() {
    // By hours a small month becomes a large one.
    let scene = Scene::of(&["--costs-per-day", "130"], &[]);
    let hourly = scene.to_stream().env("BILLSTREAM_GRANULARITY", "hourly");
    deliver(&hourly, &[])
        .code(1)
        .says(&[MONTH, "70 MB", "bucket"]);
    assert!(scene.cloudzero.asked_for("POST", "").is_empty());
    // What was refused is no reason not to deliver days.
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
}

#[test]
fn another_currency_is_published_and_not_delivered() {
    let scene = Scene::new(&[]);
    let euros = scene.to_stream().env("BILLSTREAM_CURRENCY", "EUR");
    deliver(&euros, &[]).code(3).says(&["US dollars", "EUR"]);
    assert!(scene.cloudzero.asked_for("POST", "").is_empty());
}

#[test]
fn two_deliveries_of_a_connection_do_not_run_at_once() {
    let scene = Scene::new(&[]);
    let mut first = scene.to_bucket().spawn(&["deliver"]);
    while first.is_running() {
        let output = deliver(&scene.to_bucket(), &[]);
        assert!([0, 6].contains(&output.code), "{output:?}");
    }
    let first = first.wait();
    assert!([0, 6].contains(&first.code), "{first:?}");
    // One of them has done it.
    deliver(&scene.to_bucket(), &[]).ok().delivery("unchanged");
    scene.assert_polled(&scene.month.holding);
}
