//! `BILLSTREAM_GRANULARITY=hourly`: spreads the costs of a day over its hours, with unchanged sums.

use std::collections::{BTreeMap, BTreeSet};

use super::{Scene, active_drop, deliver};
use crate::support::{BUCKET, Billstream, Exact, MONTH, Row, STREAM, csv_gz_rows, files_below};

fn hourly(billstream: Billstream) -> Billstream {
    billstream.env("BILLSTREAM_GRANULARITY", "hourly")
}

/// Rows of the active drop.
fn delivered(scene: &Scene) -> Vec<Row> {
    let drop_id = active_drop(scene.bucket.path()).unwrap();
    let folder = scene.bucket.path().join("20261001-20261101").join(drop_id);
    let files = files_below(&folder);
    files
        .values()
        .flat_map(|bytes| csv_gz_rows(bytes))
        .collect()
}

#[test]
fn bucket_has_24_hours_per_day_with_equal_sums() {
    let scene = Scene::new(&[]);
    deliver(&hourly(scene.to_bucket()), &[])
        .ok()
        .delivery("delivered");
    scene.cloudzero.poll().months();
    let holds = scene.cloudzero.holds(BUCKET, MONTH).without_rows();
    holds.assert_is(
        &scene.month.holding.clone().without_rows(),
        "the poller holds",
    );
    assert_eq!(scene.cloudzero.hours(BUCKET, MONTH), 31 * 24);

    let rows = delivered(&scene);
    let mut hours: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for row in &rows {
        let (day, hour) = row["time/usage_start"].split_at(11);
        let kind = row["lineitem/type"].clone();
        hours
            .entry((day.to_string(), kind))
            .or_default()
            .insert(hour.to_string());
    }
    for ((day, kind), hours) in hours {
        let count = match kind.as_str() {
            "Credit" | "Adjustment" => 1,
            _ => 24,
        };
        assert_eq!(hours.len(), count, "{day} {kind}");
        assert!(hours.contains("00:00:00Z"), "{day} {kind}");
    }
    let ids: BTreeSet<&String> = rows.iter().map(|row| &row["lineitem/id"]).collect();
    assert_eq!(ids.len(), rows.len(), "line item ids are unique");
}

#[test]
fn usage_is_spread_over_hours_with_equal_sums() {
    let scene = Scene::new(&[]);
    deliver(&hourly(scene.to_bucket()), &[]).ok();
    let sums = |rows: &[Row]| {
        let mut sums: BTreeMap<(String, String), Exact> = BTreeMap::new();
        for row in rows {
            let key = (
                row["time/usage_start"][..10].to_string(),
                row["resource/id"].clone(),
            );
            *sums.entry(key).or_default() += Exact::of(&row["usage/amount"]);
        }
        sums
    };
    let daily = scene.to_bucket().line_items(MONTH);
    assert_eq!(sums(&delivered(&scene)), sums(&daily));
}

#[test]
fn stream_holds_24_hours_per_day_with_equal_sums() {
    let scene = Scene::new(&[]);
    let billstream = hourly(scene.to_stream());
    let delivery = deliver(&billstream, &[]).ok().delivery("delivered");
    assert!(delivery["parts"].as_u64().unwrap() > 1, "{delivery}");
    let sent = scene.cloudzero.sent();
    assert!(sent.iter().all(|r| r["operation"] == "replace_hourly"));
    let holds = scene.cloudzero.holds(STREAM, MONTH).without_rows();
    holds.assert_is(
        &scene.month.holding.clone().without_rows(),
        "the stream holds",
    );
    assert_eq!(scene.cloudzero.hours(STREAM, MONTH), 31 * 24);
    deliver(&billstream, &[]).ok().delivery("unchanged");
    let verify = billstream.run(&["verify", "--format", "json"]).ok();
    verify.status("equal");
}

#[test]
fn bucket_switches_from_daily_to_hourly_and_back() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    scene.assert_polled(&scene.month.holding);
    let hours = hourly(scene.to_bucket());
    deliver(&hours, &[]).ok().delivery("delivered");
    assert_eq!(scene.cloudzero.poll().months(), 1);
    assert_eq!(scene.cloudzero.hours(BUCKET, MONTH), 31 * 24);
    deliver(&hours, &[]).ok().delivery("unchanged");
    hours.run(&["verify"]).ok();
    deliver(&scene.to_bucket(), &[]).ok().delivery("delivered");
    scene.assert_polled(&scene.month.holding);
}

#[test]
fn stream_switches_from_hourly_to_daily() {
    let scene = Scene::new(&[]);
    deliver(&hourly(scene.to_stream()), &[]).ok();
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
    scene.to_stream().run(&["verify"]).ok();
}

#[test]
fn rejects_other_granularities() {
    let scene = Scene::new(&[]);
    let weekly = scene.to_bucket().env("BILLSTREAM_GRANULARITY", "weekly");
    deliver(&weekly, &[])
        .code(3)
        .says(&["BILLSTREAM_GRANULARITY", "weekly"]);
}
