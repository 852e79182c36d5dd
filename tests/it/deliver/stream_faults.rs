//! Faults of CloudZero's stream: retried or reported, and exact after the next run. Every test asserts that its
//! fault fired.

use serde_json::Value;

use super::{LARGE, Scene, deliver};
use crate::support::MONTH;

/// Requests of a first delivery: list connections, read the stream, validate, send the month, read the stream.
const BEFORE_THE_MONTH: &str = "after=3";

fn kind(fault: &str) -> &str {
    fault.split(':').next().unwrap()
}

fn keys(requests: &[Value]) -> Vec<&str> {
    let keys = requests.iter().map(|r| r["idempotency_key"].as_str());
    keys.map(Option::unwrap).collect()
}

/// Delivers with a fault of the request that sends the month. Asserts that it fired and that the month is
/// exact, and returns the requests with line items.
#[track_caller]
fn assert_retried(fault: &str, times: u64) -> Vec<Value> {
    let scene = Scene::new(&[fault]);
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.cloudzero.fired(kind(fault)), times, "{fault}");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
    deliver(&scene.to_stream(), &[]).ok().delivery("unchanged");
    let sent = scene.cloudzero.sent();
    assert_eq!(sent.len() as u64, 1 + times, "{sent:?}");
    sent
}

/// After a response, which CloudZero may replay for its key, the retry has another key.
#[track_caller]
fn assert_retried_with_another_key(fault: &str, status: u16) {
    let sent = assert_retried(fault, 2);
    let mut keys = keys(&sent);
    assert_eq!(sent[0]["status"], status);
    assert_eq!(sent[2]["status"], 200);
    assert_eq!(sent[2]["replayed"], false);
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 3, "{keys:?}");
}

#[test]
fn retries_a_429_with_another_key() {
    let fault = format!("cz-429:2:retry_after=0:{BEFORE_THE_MONTH}");
    assert_retried_with_another_key(&fault, 429);
}

#[test]
fn retries_a_500_with_another_key() {
    assert_retried_with_another_key(&format!("cz-500:2:{BEFORE_THE_MONTH}"), 500);
}

#[test]
fn retries_a_503_with_another_key() {
    let fault = format!("cz-503:2:retry_after=0:{BEFORE_THE_MONTH}");
    assert_retried_with_another_key(&fault, 503);
}

#[test]
fn retries_a_409_with_another_key() {
    assert_retried_with_another_key("cz-409:2", 409);
}

#[test]
fn retries_a_reset_with_the_same_key() {
    let sent = assert_retried(&format!("cz-reset:2:{BEFORE_THE_MONTH}"), 2);
    let keys = keys(&sent);
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(sent[0]["status"], Value::Null);
    assert_eq!(sent[2]["status"], 200);
}

#[test]
fn retries_a_lost_reply_with_the_same_key() {
    let sent = assert_retried("cz-lost-reply", 1);
    let keys = keys(&sent);
    assert_eq!(keys[0], keys[1]);
    assert_eq!(sent[0]["status"], Value::Null);
    assert_eq!(
        (&sent[1]["status"], &sent[1]["replayed"]),
        (&200.into(), &true.into())
    );
}

#[test]
fn retries_lost_replies_of_many_requests() {
    let scene = Scene::of(&LARGE, &["cz-lost-reply:2"]);
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.cloudzero.fired("cz-lost-reply"), 2);
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
    let sent = scene.cloudzero.sent();
    assert!(
        sent.iter().all(|r| r["status"] != 409),
        "never two concurrent requests"
    );
}

#[test]
fn retries_faults_of_other_requests() {
    let faults = [
        "cz-500:1:after=1",
        "cz-429:1:retry_after=0:after=3",
        "cz-reset:1:after=5",
        "cz-503:1:retry_after=0:after=7",
    ];
    let scene = Scene::new(&faults);
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    for fault in faults {
        assert_eq!(scene.cloudzero.fired(kind(fault)), 1, "{fault}");
    }
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
}

/// Scene whose stream holds the month and whose store has its restatement, which is returned. The second
/// delivery meets the fault.
fn restated(fault: &str) -> (Scene, crate::support::Holding) {
    let scene = Scene::new(&[fault]);
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    let month = scene.publish(&["--revision", "1"]);
    (scene, month)
}

/// Asserts that a final error ends the run with this code and these words, leaves the stream unchanged and the
/// record open, and that the next run delivers.
#[track_caller]
fn assert_reported(name: &str, code: i32, words: &[&str]) {
    // The first delivery sends five requests; the second reads the stream and validates before it sends. A 400 may be
    // about the form of the month, so it is asked once in the other form.
    let times = if name == "cz-400" { 2 } else { 1 };
    let fault = format!("{name}:{times}:after=7");
    let (scene, month) = restated(&fault);
    let output = deliver(&scene.to_stream(), &[]).code(code).says(words);
    assert!(output.stderr.contains("hint: "), "{}", output.stderr);
    assert_eq!(scene.cloudzero.fired(name), times);
    let sent = scene.cloudzero.sent();
    assert_eq!(sent.len() as u64, 1 + times, "it is not retried: {sent:?}");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);

    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&month), 0);
    let sent = scene.cloudzero.sent();
    let keys = keys(&sent);
    assert_ne!(
        keys[1],
        keys[keys.len() - 1],
        "another attempt has other keys"
    );
    deliver(&scene.to_stream(), &[]).ok().delivery("unchanged");
}

#[test]
fn reports_a_400_and_recovers() {
    assert_reported("cz-400", 8, &["400", MONTH]);
}

#[test]
fn reports_a_403_and_recovers() {
    assert_reported("cz-403", 3, &["403", "CLOUDZERO_API_KEY"]);
}

#[test]
fn reports_a_404_and_recovers() {
    assert_reported("cz-404", 3, &["404", "CLOUDZERO_CONNECTION_ID"]);
}

#[test]
fn reports_a_413_and_recovers() {
    assert_reported("cz-413", 1, &["413", "bucket"]);
}

/// Asserts that a transient error ends a run without retries with exit code 7.
#[track_caller]
fn assert_exits_7(name: &str) {
    let (scene, month) = restated(&format!("{name}:1:retry_after=0:after=7"));
    let once = scene.to_stream().env("BILLSTREAM_RETRY_ATTEMPTS", "1");
    deliver(&once, &[]).code(7).says(&[MONTH]);
    assert_eq!(scene.cloudzero.fired(name), 1);
    deliver(&once, &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&month), 0);
}

#[test]
fn exhausted_retries_exit_7() {
    for name in ["cz-429", "cz-500", "cz-reset"] {
        assert_exits_7(name);
    }
}

#[test]
fn next_run_resolves_a_lost_reply_without_retries() {
    let scene = Scene::new(&["cz-lost-reply"]);
    let once = scene.to_stream().env("BILLSTREAM_RETRY_ATTEMPTS", "1");
    deliver(&once, &[]).code(7);
    assert_eq!(scene.cloudzero.fired("cz-lost-reply"), 1);
    deliver(&once, &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
    deliver(&once, &[]).ok().delivery("unchanged");
}

#[test]
fn late_application_is_pending_until_the_next_run() {
    let scene = Scene::new(&["cz-late"]);
    let output = deliver(&scene.to_stream(), &[]).ok();
    output.delivery("pending");
    assert_eq!(scene.cloudzero.fired("cz-late"), 1);
    let verify = scene.to_stream().run(&["verify", "--format", "json"]).ok();
    verify.status("pending");
    // The third read shows it.
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
    assert_eq!(scene.cloudzero.sent().len(), 1, "it is not resent");
    deliver(&scene.to_stream(), &[]).ok().delivery("unchanged");
}

#[test]
fn waits_for_late_application() {
    let scene = Scene::new(&["cz-late"]);
    let waiting = scene.to_stream().env("BILLSTREAM_READ_BACK_SECS", "10");
    deliver(&waiting, &[]).ok().delivery("delivered");
    assert_eq!(scene.cloudzero.fired("cz-late"), 1);
    assert_eq!(scene.cloudzero.sent().len(), 1);
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
}

#[test]
fn detects_and_resends_a_corrupted_month() {
    for options in [&[][..], &LARGE] {
        let scene = Scene::of(options, &["cz-corrupt"]);
        deliver(&scene.to_stream(), &[]).ok().delivery("pending");
        assert_eq!(scene.cloudzero.fired("cz-corrupt"), 1);
        assert_ne!(
            scene.cloudzero.holds(crate::support::STREAM, MONTH),
            scene.month.holding
        );
        let sent = scene.cloudzero.sent().len();
        deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
        assert_eq!(scene.cloudzero.sent().len(), 2 * sent);
        assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
    }
}

#[test]
fn sends_nothing_that_fails_validation() {
    let scene = Scene::new(&["cz-invalid"]);
    deliver(&scene.to_stream(), &[])
        .code(1)
        .says(&["--no-validate", "data[0]"]);
    assert_eq!(scene.cloudzero.fired("cz-invalid"), 1);
    assert!(scene.cloudzero.sent().is_empty());
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);

    // The second of two bodies is invalid, so the first is not sent either.
    let scene = Scene::of(&LARGE, &["cz-invalid:1:after=3"]);
    deliver(&scene.to_stream(), &[]).code(1);
    assert_eq!(scene.cloudzero.fired("cz-invalid"), 1);
    assert_eq!(scene.cloudzero.validated().len(), 2);
    assert!(scene.cloudzero.sent().is_empty());
}

/// Fails a delivery at request `from`, then at the next one, and so on to the last, and asserts that the next run
/// makes the month exact.
fn fail_at_every_request(options: &[&str], name: &str, from: u32) {
    let mut after = from;
    loop {
        let scene = Scene::of(options, &[&format!("{name}:1:after={after}")]);
        let once = scene.to_stream().env("BILLSTREAM_RETRY_ATTEMPTS", "1");
        let output = deliver(&once, &[]);
        if scene.cloudzero.fired(name) == 0 {
            output.ok().delivery("delivered");
            break;
        }
        // A failed list of connections only suppresses a warning.
        let (code, next) = match after {
            0 => (0, "unchanged"),
            _ => (7, "delivered"),
        };
        assert_eq!(output.code, code, "request {after}: {output:?}");
        deliver(&once, &[]).ok().delivery(next);
        assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
        after += 1;
    }
    assert!(after >= 5, "only {after} requests failed");
}

#[test]
fn recovers_from_a_reset_at_every_request() {
    fail_at_every_request(&[], "cz-reset", 0);
}

#[test]
fn recovers_from_a_500_at_every_request() {
    fail_at_every_request(&[], "cz-500", 0);
}

#[test]
fn recovers_from_a_reset_at_each_of_many_requests() {
    // Earlier requests are those of a month with one request.
    fail_at_every_request(&LARGE, "cz-reset", 3);
}

/// Kills a delivery of the restated month once `until_killed` is false, and asserts that the next run makes it
/// exact.
fn killed(options: &[&str], until_killed: impl Fn(&Scene) -> bool) -> Scene {
    let scene = Scene::of(options, &[]);
    deliver(&scene.to_stream(), &[]).ok();
    let month = scene.publish(&[options, &["--revision", "1"]].concat());
    let mut run = scene.to_stream().spawn(&["deliver"]);
    while run.is_running() && until_killed(&scene) {}
    run.kill();
    deliver(&scene.to_stream(), &[]).ok();
    assert_eq!(scene.assert_streamed(&month), 0);
    deliver(&scene.to_stream(), &[]).ok().delivery("unchanged");
    scene
}

#[test]
fn recovers_from_a_kill_at_every_request() {
    // The first delivery sent five requests.
    for count in 6..=9 {
        killed(&[], |scene| {
            scene.cloudzero.cloudzero_requests().len() < count
        });
    }
}

#[test]
fn recovers_from_a_kill_between_two_requests() {
    // The first delivery sent two bodies; the third is the first of the restated month.
    let scene = killed(&LARGE, |scene| scene.cloudzero.sent().len() < 3);
    let sent = scene.cloudzero.sent();
    assert!(sent.len() >= 4, "{sent:?}");
}
