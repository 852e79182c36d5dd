//! What goes wrong between billstream and CloudZero's stream: it is survived, or told, and the next run
//! makes the month exact. Every fault is seen to have fired.

use serde_json::Value;

use super::{LARGE, Scene, deliver};
use crate::support::MONTH;

/// In a first delivery the requests are: connections, what is held, validation, the month, what is held.
const BEFORE_THE_MONTH: &str = "after=3";

fn kind(fault: &str) -> &str {
    fault.split(':').next().unwrap()
}

fn keys(requests: &[Value]) -> Vec<&str> {
    let keys = requests.iter().map(|r| r["idempotency_key"].as_str());
    keys.map(Option::unwrap).collect()
}

/// Delivers through a fault of the request with the month, asserts that it fired and that the month is
/// exact, and gives the requests with line items.
#[track_caller]
fn survives(fault: &str, times: u64) -> Vec<Value> {
    let scene = Scene::new(&[fault]);
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.cloudzero.fired(kind(fault)), times, "{fault}");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
    deliver(&scene.to_stream(), &[]).ok().delivery("unchanged");
    let sent = scene.cloudzero.sent();
    assert_eq!(sent.len() as u64, 1 + times, "{sent:?}");
    sent
}

/// An answer came, and CloudZero may have kept it: another key is sent.
#[track_caller]
fn survives_with_another_key(fault: &str, status: u16) {
    let sent = survives(fault, 2);
    let mut keys = keys(&sent);
    assert_eq!(sent[0]["status"], status);
    assert_eq!(sent[2]["status"], 200);
    assert_eq!(sent[2]["replayed"], false);
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 3, "{keys:?}");
}

#[test]
fn a_429_is_survived_with_another_key() {
    let fault = format!("cz-429:2:retry_after=0:{BEFORE_THE_MONTH}");
    survives_with_another_key(&fault, 429);
}

#[test]
fn a_500_that_is_kept_under_its_key_is_survived_with_another() {
    survives_with_another_key(&format!("cz-500:2:{BEFORE_THE_MONTH}"), 500);
}

#[test]
fn a_503_is_survived_with_another_key() {
    let fault = format!("cz-503:2:retry_after=0:{BEFORE_THE_MONTH}");
    survives_with_another_key(&fault, 503);
}

#[test]
fn a_409_is_survived_with_another_key() {
    survives_with_another_key("cz-409:2", 409);
}

#[test]
fn a_reset_is_survived_with_the_same_key() {
    let sent = survives(&format!("cz-reset:2:{BEFORE_THE_MONTH}"), 2);
    let keys = keys(&sent);
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(sent[0]["status"], Value::Null);
    assert_eq!(sent[2]["status"], 200);
}

#[test]
fn a_lost_answer_is_asked_for_with_the_same_key() {
    let sent = survives("cz-lost-reply", 1);
    let keys = keys(&sent);
    assert_eq!(keys[0], keys[1]);
    assert_eq!(sent[0]["status"], Value::Null);
    assert_eq!(
        (&sent[1]["status"], &sent[1]["replayed"]),
        (&200.into(), &true.into())
    );
}

#[test]
fn a_lost_answer_of_each_of_many_requests_is_survived() {
    let scene = Scene::of(&LARGE, &["cz-lost-reply:2"]);
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.cloudzero.fired("cz-lost-reply"), 2);
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
    let sent = scene.cloudzero.sent();
    assert!(sent.iter().all(|r| r["status"] != 409), "never two at once");
}

#[test]
fn faults_of_other_requests_are_survived() {
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

/// A month that is held in its first form and published in its second, at a CloudZero in which a fault
/// of the second delivery waits; the second form.
fn restated(fault: &str) -> (Scene, crate::support::Holding) {
    let scene = Scene::new(&[fault]);
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    let month = scene.publish(&["--revision", "1"]);
    (scene, month)
}

/// The request that a fault refuses for good ends the run so; what was held stays, the record stays
/// open, and the next run delivers.
#[track_caller]
fn is_told(name: &str, code: i32, words: &[&str]) {
    // The first delivery asks five times, and the second for what is held and the validation.
    let fault = format!("{name}:1:after=7");
    let (scene, month) = restated(&fault);
    let output = deliver(&scene.to_stream(), &[]).code(code).says(words);
    assert!(output.stderr.contains("hint: "), "{}", output.stderr);
    assert_eq!(scene.cloudzero.fired(name), 1);
    let sent = scene.cloudzero.sent();
    assert_eq!(sent.len(), 2, "it is not tried again: {sent:?}");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);

    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&month), 0);
    let sent = scene.cloudzero.sent();
    let keys = keys(&sent);
    assert_ne!(keys[1], keys[2], "another attempt has keys of its own");
    deliver(&scene.to_stream(), &[]).ok().delivery("unchanged");
}

#[test]
fn a_400_is_told() {
    is_told("cz-400", 1, &["400", MONTH]);
}

#[test]
fn a_403_is_told() {
    is_told("cz-403", 3, &["403", "CLOUDZERO_API_KEY"]);
}

#[test]
fn a_404_is_told() {
    is_told("cz-404", 3, &["404", "CLOUDZERO_CONNECTION_ID"]);
}

#[test]
fn a_413_is_told() {
    is_told("cz-413", 1, &["413", "bucket"]);
}

/// With one attempt what would be tried again ends the run; exit code 7.
#[track_caller]
fn is_remote(name: &str) {
    let (scene, month) = restated(&format!("{name}:1:retry_after=0:after=7"));
    let once = scene.to_stream().env("BILLSTREAM_RETRY_ATTEMPTS", "1");
    deliver(&once, &[]).code(7).says(&[MONTH]);
    assert_eq!(scene.cloudzero.fired(name), 1);
    deliver(&once, &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&month), 0);
}

#[test]
fn what_does_not_pass_is_the_remote_side() {
    for name in ["cz-429", "cz-500", "cz-reset"] {
        is_remote(name);
    }
}

#[test]
fn a_lost_answer_that_is_not_asked_for_again_is_seen_to_have_arrived_or_sent_again() {
    let scene = Scene::new(&["cz-lost-reply"]);
    let once = scene.to_stream().env("BILLSTREAM_RETRY_ATTEMPTS", "1");
    deliver(&once, &[]).code(7);
    assert_eq!(scene.cloudzero.fired("cz-lost-reply"), 1);
    deliver(&once, &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
    deliver(&once, &[]).ok().delivery("unchanged");
}

#[test]
fn late_application_is_pending_and_closed_by_the_next_run() {
    let scene = Scene::new(&["cz-late"]);
    let output = deliver(&scene.to_stream(), &[]).ok();
    output.delivery("pending");
    assert_eq!(scene.cloudzero.fired("cz-late"), 1);
    let verify = scene.to_stream().run(&["verify", "--format", "json"]).ok();
    verify.status("pending");
    // The third look shows it.
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
    assert_eq!(scene.cloudzero.sent().len(), 1, "it is not sent again");
    deliver(&scene.to_stream(), &[]).ok().delivery("unchanged");
}

#[test]
fn late_application_is_waited_for() {
    let scene = Scene::new(&["cz-late"]);
    let waiting = scene.to_stream().env("BILLSTREAM_READ_BACK_SECS", "10");
    deliver(&waiting, &[]).ok().delivery("delivered");
    assert_eq!(scene.cloudzero.fired("cz-late"), 1);
    assert_eq!(scene.cloudzero.sent().len(), 1);
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
}

#[test]
fn what_cloudzero_got_wrong_is_noticed_and_sent_again() {
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
fn what_cloudzero_would_refuse_is_not_sent() {
    let scene = Scene::new(&["cz-invalid"]);
    deliver(&scene.to_stream(), &[])
        .code(1)
        .says(&["--no-validate", "data[0]"]);
    assert_eq!(scene.cloudzero.fired("cz-invalid"), 1);
    assert!(scene.cloudzero.sent().is_empty());
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);

    // The second of two is wrong: the first is not sent either.
    let scene = Scene::of(&LARGE, &["cz-invalid:1:after=3"]);
    deliver(&scene.to_stream(), &[]).code(1);
    assert_eq!(scene.cloudzero.fired("cz-invalid"), 1);
    assert_eq!(scene.cloudzero.validated().len(), 2);
    assert!(scene.cloudzero.sent().is_empty());
}

/// Cuts a delivery off after so many requests, after one more and so on until none is left to cut off,
/// and asserts that the next run makes the month exact.
fn cut_off_everywhere(options: &[&str], name: &str, from: u32) {
    let mut after = from;
    loop {
        let scene = Scene::of(options, &[&format!("{name}:1:after={after}")]);
        let once = scene.to_stream().env("BILLSTREAM_RETRY_ATTEMPTS", "1");
        let output = deliver(&once, &[]);
        if scene.cloudzero.fired(name) == 0 {
            output.ok().delivery("delivered");
            break;
        }
        // Without the list of connections there is only no warning.
        let (code, next) = match after {
            0 => (0, "unchanged"),
            _ => (7, "delivered"),
        };
        assert_eq!(output.code, code, "request {after}: {output:?}");
        deliver(&once, &[]).ok().delivery(next);
        assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
        after += 1;
    }
    assert!(after >= 5, "only {after} requests were cut off");
}

#[test]
fn a_delivery_is_cut_off_at_every_request() {
    cut_off_everywhere(&[], "cz-reset", 0);
}

#[test]
fn a_delivery_is_answered_500_at_every_request() {
    cut_off_everywhere(&[], "cz-500", 0);
}

#[test]
fn a_delivery_of_many_requests_is_cut_off_at_each() {
    // From the second validation on: before that it is as with one request.
    cut_off_everywhere(&LARGE, "cz-reset", 3);
}

/// Kills a delivery of the restated month while `goes_on`, and asserts that the next run makes it exact.
fn killed(options: &[&str], goes_on: impl Fn(&Scene) -> bool) -> Scene {
    let scene = Scene::of(options, &[]);
    deliver(&scene.to_stream(), &[]).ok();
    let month = scene.publish(&[options, &["--revision", "1"]].concat());
    let mut run = scene.to_stream().spawn(&["deliver"]);
    while run.is_running() && goes_on(&scene) {}
    run.kill();
    deliver(&scene.to_stream(), &[]).ok();
    assert_eq!(scene.assert_streamed(&month), 0);
    deliver(&scene.to_stream(), &[]).ok().delivery("unchanged");
    scene
}

#[test]
fn killed_at_every_request_the_next_run_makes_it_exact() {
    // The first delivery asked five times.
    for count in 6..=9 {
        killed(&[], |scene| scene.cloudzero.asked().len() < count);
    }
}

#[test]
fn killed_between_two_requests_the_next_run_makes_it_exact() {
    // The first delivery took two requests: the third is the first of the restated month.
    let scene = killed(&LARGE, |scene| scene.cloudzero.sent().len() < 3);
    let sent = scene.cloudzero.sent();
    assert!(sent.len() >= 4, "{sent:?}");
}
