//! `verify`: compares Confluent, the store, the active drop, the stream and CloudZero's totals.

use serde_json::{Value, json};

use super::tags::{tag, transform};
use super::{Published, Scene, active_drop, deliver};
use crate::support::{
    BUCKET, Billstream, Exact, MONTH, Output, STREAM, Sandbox, files_below, names_below,
};

const WEEK_LATER: &str = "2026-11-30T06:00:00Z";
const RESTATED: [&str; 2] = ["--revision", "1"];

/// Verifies [`MONTH`]; without a month, others that Confluent has would be missing.
fn verify(billstream: &Billstream) -> Output {
    billstream.run(&["verify", "--month", MONTH, "--format", "json"])
}

/// Asserts that `sides` of a period equal the month to the last digit, and that the others are absent.
#[track_caller]
fn assert_sides(period: &Value, sides: &[&str], month: &Published) {
    let total = month.holding.total();
    for side in ["confluent", "store", "bucket", "stream"] {
        let found = &period[side];
        if !sides.contains(&side) {
            assert!(found.is_null(), "{side}: {found}");
            continue;
        }
        let of = |name: &str| Exact::of(found[name].as_str().unwrap());
        assert_eq!(of("cost"), total.cost, "{side}");
        assert_eq!(of("discounted_cost"), total.discounted, "{side}");
        assert_eq!(of("on_demand_cost"), total.on_demand, "{side}");
        let rows = match side {
            "confluent" => month.totals.costs,
            _ => total.rows,
        };
        assert_eq!(found["rows"], rows, "{side}");
    }
}

/// Asserts equality within a cent: CloudZero's totals are floats.
#[track_caller]
fn assert_near(text: &Value, exact: Exact) {
    let found = Exact::of(text.as_str().unwrap());
    assert!((found - exact).0.abs() < 10i128.pow(22), "{found} {exact}");
}

#[test]
fn compares_store_and_bucket_without_credentials() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    let output = verify(&scene.to_bucket()).ok();
    let period = output.status("equal");
    assert_sides(&period, &["store", "bucket"], &scene.month);
    assert!(period["cloudzero"].is_null());
    assert_eq!(period["notes"], json!([]));
    assert!(scene.cloudzero.cloudzero_requests().is_empty());
}

#[test]
fn all_sides_are_equal_after_a_delivery() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&[]));
    let both = scene
        .to_stream()
        .on_bucket(scene.bucket.path())
        .from(&confluent);
    deliver(&both, &[]).ok();
    let period = verify(&both).ok().status("equal");
    let sides = ["confluent", "store", "bucket", "stream"];
    assert_sides(&period, &sides, &scene.month);
    let total = scene.month.holding.total();
    let shown = &period["cloudzero"];
    assert_near(&shown["cost"], total.cost);
    assert_near(&shown["discounted_cost"], total.discounted);
    assert_near(&shown["on_demand_cost"], total.on_demand);

    let net = &scene.month.totals.net;
    let shown = Exact::of(net).shown();
    for (arguments, net) in [(&[][..], &shown), (&["--exact"], net)] {
        let arguments = [&["verify", "--month", MONTH], arguments].concat();
        let table = both.run(&arguments).ok();
        for word in [MONTH, "equal", net] {
            assert!(table.stdout.contains(word), "{}", table.stdout);
        }
    }
}

#[test]
fn sends_one_request_per_cost_type() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&[]));
    let billstream = scene.to_stream().from(&confluent);
    billstream
        .run(&["import", "--from", "2026-09", "--to", MONTH])
        .ok();
    let both = [
        "verify", "--from", "2026-09", "--to", MONTH, "--format", "json",
    ];
    let output = billstream.run(&both).ok();
    let statuses = output.statuses();
    let equal = |month: &str| (month.to_string(), "equal".to_string());
    assert_eq!(statuses, [equal("2026-09"), equal(MONTH)]);
    assert_eq!(
        scene
            .cloudzero
            .cloudzero_requests_to("GET", "/v2/billing/costs")
            .len(),
        3
    );
}

#[test]
fn verify_changes_nothing() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&RESTATED));
    let both = scene.to_stream().on_bucket(scene.bucket.path());
    deliver(&both, &[]).ok();
    let published = || {
        let mut files = files_below(scene.store.path());
        // Runs record their outcome.
        let of_runs = ["runs/2", "runs/leases", "runs/connections"];
        files.retain(|name, _| !of_runs.iter().any(|start| name.starts_with(start)));
        files
    };
    let (store, bucket) = (published(), files_below(scene.bucket.path()));
    let sent = scene.cloudzero.cloudzero_requests_to("POST", "").len();
    verify(&both.from(&confluent));
    let after = published();
    assert!(after == store, "{:?} {:?}", after.keys(), store.keys());
    assert!(files_below(scene.bucket.path()) == bucket);
    assert_eq!(
        scene.cloudzero.cloudzero_requests_to("POST", "").len(),
        sent
    );
}

#[test]
fn undelivered_month_differs() {
    let scene = Scene::new(&[]);
    verify(&scene.to_bucket()).code(5).status("differs");
    let period = verify(&scene.to_stream()).code(5).status("differs");
    assert_eq!(period["stream"]["cost"], "0");
}

/// The last file of the active drop.
fn active_file(scene: &Scene) -> std::path::PathBuf {
    let drop_id = active_drop(scene.bucket.path()).unwrap();
    let folder = scene.bucket.path().join("20261001-20261101").join(drop_id);
    let name = names_below(&folder).pop().unwrap();
    folder.join(name)
}

#[test]
fn missing_file_differs() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    std::fs::remove_file(active_file(&scene)).unwrap();
    let output = verify(&scene.to_bucket()).code(5);
    assert!(output.stderr.contains("2026-10"), "{}", output.stderr);
}

#[test]
fn truncated_file_differs() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    let file = active_file(&scene);
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 20]).unwrap();
    verify(&scene.to_bucket()).code(5).says(&["csv.gz"]);
}

/// Replaces the text of a drop file.
fn edit(file: &std::path::Path, change: impl Fn(&str) -> String) {
    use std::io::{Read, Write};
    let mut text = String::new();
    let bytes = std::fs::read(file).unwrap();
    flate2::read::GzDecoder::new(&bytes[..])
        .read_to_string(&mut text)
        .unwrap();
    let edited = change(&text);
    assert_ne!(edited, text, "the change applies");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(edited.as_bytes()).unwrap();
    std::fs::write(file, gzip.finish().unwrap()).unwrap();
}

#[test]
fn edited_cost_differs() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    edit(&active_file(&scene), |text| {
        // The last digit of a number: the smallest possible difference.
        let edited = text.replacen(",136.8,", ",136.800000000000000000000001,", 1);
        match edited == text {
            true => text
                .lines()
                .take(text.lines().count() - 1)
                .collect::<Vec<_>>()
                .join("\n"),
            false => edited,
        }
    });
    verify(&scene.to_bucket()).code(5).status("differs");
}

#[test]
fn one_character_of_one_tag_in_one_row_differs() {
    let scene = Scene::new(&[]);
    transform(&scene, MONTH, &[tag("team", "payments")]);
    deliver(&scene.to_bucket(), &[]).ok();
    // The mapping with the tag is not the one in effect.
    verify(&scene.to_bucket()).ok().status("outdated");
    edit(&active_file(&scene), |text| {
        let rows = text.matches(",payments").count();
        assert!(rows > 1000, "{rows} rows have the tag");
        text.replacen(",payments", ",paymemts", 1)
    });
    let period = verify(&scene.to_bucket()).code(5).status("differs");
    assert_eq!(period["bucket"], period["store"], "all sums are equal");
    let notes = period["notes"].to_string();
    assert!(notes.contains("rows of 2026-10-"), "{notes}");
    assert!(notes.contains("delete the files"), "{notes}");
    std::fs::remove_file(active_file(&scene)).unwrap();
    deliver(&scene.to_bucket(), &[]).ok().delivery("delivered");
    verify(&scene.to_bucket()).ok().status("outdated");
}

#[test]
fn outdated_drop_differs() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    scene.publish(&RESTATED);
    verify(&scene.to_bucket()).code(5).status("differs");
    deliver(&scene.to_bucket(), &[]).ok();
    verify(&scene.to_bucket()).ok().status("equal");
}

/// Changes one hour of the stream without billstream.
fn change_stream(scene: &Scene) {
    scene.cloudzero.send(&json!({
        "month": "2026-10-01T00:00:00Z",
        "operation": "sum",
        "data": [{
            "time/usage_start": "2026-10-03T00:00:00Z",
            "cost/cost": "0.000000000000000000000001",
        }],
    }));
}

#[test]
fn changed_stream_is_pending_for_a_day_and_differs_then() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_stream(), &[]).ok();
    change_stream(&scene);
    let period = verify(&scene.to_stream()).ok().status("pending");
    assert!(period["notes"][0].as_str().unwrap().contains("2026-10-03"));
    let later = scene.to_stream().at(WEEK_LATER);
    verify(&later).code(5).status("differs");
    // The next delivery corrects it.
    deliver(&later, &[]).ok().delivery("delivered");
    scene.assert_streamed(&scene.month.holding);
    verify(&later).ok().status("equal");
}

#[test]
fn settling_month_that_changed_at_confluent_is_behind() {
    // Restated months settle 17 days after their end.
    let early = "2026-11-10T06:00:00Z";
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&["--today", "2026-11-10"]));
    let other = tempfile::tempdir().unwrap();
    let billstream = Billstream::on(other.path())
        .on_bucket(scene.bucket.path())
        .at(early);
    let importing = billstream.from(&confluent);
    importing.import(MONTH).ok();
    verify(&importing).ok().status("equal");
    let restated = Sandbox::start(&["--today", "2026-11-10", RESTATED[0], RESTATED[1]]);
    let moved = importing.from(&restated);
    let period = verify(&moved).ok().status("behind");
    assert_ne!(period["confluent"]["cost"], period["store"]["cost"]);
    assert_eq!(period["bucket"], period["store"]);
    moved.import(MONTH).ok();
    verify(&moved).ok().status("equal");
}

#[test]
fn settled_month_that_changed_at_confluent_differs() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&RESTATED));
    let billstream = scene.to_bucket().from(&confluent);
    deliver(&billstream, &[]).ok();
    let period = verify(&billstream).code(5).status("differs");
    assert_ne!(period["confluent"]["cost"], period["store"]["cost"]);
    assert_eq!(period["confluent"]["cost"], confluent.totals(MONTH).net);
}

#[test]
fn rolled_back_month_is_pinned() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    let first = active_drop(scene.bucket.path()).unwrap();
    scene.publish(&RESTATED);
    deliver(&scene.to_bucket(), &[]).ok();
    deliver(&scene.to_bucket(), &["--month", MONTH, "--drop", &first]).ok();
    let later = scene.to_bucket().at(WEEK_LATER);
    verify(&later).ok().status("pinned");
    deliver(&later, &["--month", MONTH, "--empty", "--yes"]).ok();
    let period = verify(&later).ok().status("pinned");
    assert_eq!(period["bucket"]["rows"], 0);
    deliver(&later, &["--month", MONTH]).ok();
    verify(&later).ok().status("equal");
}

#[test]
fn cleared_stream_is_pinned() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_stream(), &[]).ok();
    deliver(&scene.to_stream(), &["--month", MONTH, "--empty", "--yes"]).ok();
    let later = scene.to_stream().at(WEEK_LATER);
    verify(&later).ok().status("pinned");
    change_stream(&scene);
    verify(&later).code(5).status("differs");
}

#[test]
fn bucket_totals_come_from_the_connection_that_reads_it() {
    let scene = Scene::new(&[]);
    let billstream = scene.to_bucket().with_cloudzero(&scene.cloudzero);
    let folder = scene.bucket.path().display().to_string();
    let add = [
        "destinations",
        "add",
        "cloudzero",
        "--bucket",
        &folder,
        "--cloudzero-connection",
        BUCKET,
    ];
    billstream.run(&add).ok();
    deliver(&billstream, &[]).ok();
    // CloudZero has not polled yet.
    let period = verify(&billstream).ok().status("pending");
    assert_eq!(period["cloudzero"]["cost"], "0");
    let later = scene
        .to_bucket()
        .with_cloudzero(&scene.cloudzero)
        .at(WEEK_LATER);
    verify(&later).code(5).status("differs");
    scene.assert_polled(&scene.month.holding);
    let period = verify(&later).ok().status("equal");
    assert_near(
        &period["cloudzero"]["cost"],
        scene.month.holding.total().cost,
    );
}

#[test]
fn ignores_other_cloudzero_connections() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    scene.assert_polled(&scene.month.holding);
    deliver(&scene.to_stream(), &[]).ok();
    let period = verify(&scene.to_stream()).ok().status("equal");
    assert_near(
        &period["cloudzero"]["cost"],
        scene.month.holding.total().cost,
    );
    assert_eq!(
        scene.cloudzero.holds(BUCKET, MONTH),
        scene.cloudzero.holds(STREAM, MONTH)
    );
}

#[test]
fn tolerates_a_failed_totals_request() {
    let scene = Scene::new(&["cz-400:1:after=7"]);
    deliver(&scene.to_stream(), &[]).ok();
    let output = verify(&scene.to_stream()).ok();
    let period = output.status("equal");
    assert_eq!(scene.cloudzero.fired("cz-400"), 1);
    assert!(period["cloudzero"].is_null());
    output.says(&["not compared"]);
}

#[test]
fn undelivered_restatement_is_not_pending() {
    let (scene, restated) = (Scene::new(&[]), Sandbox::start(&["--revision", "1"]));
    let stream = scene.to_stream();
    deliver(&stream, &[]).ok();
    let importing = scene.to_stream().from(&restated);
    importing
        .run(&["import", "--month", MONTH, "--no-deliver"])
        .ok();
    verify(&stream).code(5).status("differs");
    let keyless = stream.without("CLOUDZERO_API_KEY");
    let month = verify(&keyless).ok().status("equal");
    assert!(month["notes"].to_string().contains("not compared"));
}
