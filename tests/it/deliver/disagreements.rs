//! What CloudZero's document and guide disagree on: signs, and the form of months in bodies and paths.

use serde_json::Value;

use super::{LARGE, Scene, deliver};
use crate::support::{MONTH, STREAM, names_below};

const MEMORY: &str = "runs/connections/confluent/cloudzero.json";
const SIGNS: &str = "validator objects to negative amounts";

/// Forms of the month in the requests with this method, as sent, with the statuses.
fn months(scene: &Scene, method: &str, ending: &str) -> Vec<(String, u64)> {
    let requests = scene.cloudzero.cloudzero_requests_to(method, ending);
    let with_month = requests.iter().filter(|r| r["month_sent"].is_string());
    with_month
        .map(|r| {
            let month = r["month_sent"].as_str().unwrap().to_string();
            (month, r["status"].as_u64().unwrap())
        })
        .collect()
}

fn memory(scene: &Scene) -> Value {
    let text = std::fs::read(scene.store.path().join(MEMORY)).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// Delivers, clears and delivers again, verifies, and asserts that the stream is exact.
fn deliver_clear_and_verify(scene: &Scene) {
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
    deliver(&scene.to_stream(), &["--month", MONTH, "--empty", "--yes"]).ok();
    deliver(&scene.to_stream(), &["--month", MONTH])
        .ok()
        .delivery("delivered");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
    scene.to_stream().run(&["verify", "--month", MONTH]).ok();
}

#[test]
fn sends_months_in_bodies_in_either_form() {
    for (form, month) in [("datetime", "2026-10-01T00:00:00Z"), ("year-month", MONTH)] {
        let scene = Scene::with_cloudzero(&LARGE, &["--months-in-bodies", form]);
        deliver_clear_and_verify(&scene);
        let sent = months(&scene, "POST", "/billing_drops");
        assert!(sent.len() >= 5, "{sent:?}");
        assert!(
            sent.iter().all(|one| *one == (month.to_string(), 200)),
            "{form}: {sent:?}"
        );
        // Only the first body was validated in a form that CloudZero refuses.
        let validated = months(&scene, "POST", "/validate_billing_drop");
        let others = validated.iter().filter(|(sent, _)| sent != month).count();
        let expected = usize::from(form == "year-month");
        assert_eq!(others, expected, "{form}: {validated:?}");
        if form == "year-month" {
            let memory = memory(&scene);
            assert_eq!(memory["billing_connection"], STREAM);
            assert_eq!(memory["months"]["body"], form);
        } else {
            assert!(!scene.store.path().join(MEMORY).exists());
        }
    }
}

#[test]
fn finds_the_form_of_months_in_bodies_without_validation() {
    let scene = Scene::with_cloudzero(&[], &["--months-in-bodies", "year-month"]);
    deliver(&scene.to_stream(), &["--no-validate"])
        .ok()
        .delivery("delivered");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
    let sent = months(&scene, "POST", "/billing_drops");
    let expected = [
        ("2026-10-01T00:00:00Z".to_string(), 400),
        (MONTH.to_string(), 200),
    ];
    assert_eq!(sent, expected);
}

#[test]
fn reads_months_in_paths_in_either_form() {
    for (form, month) in [("year-month", MONTH), ("datetime", "2026-10-01T00:00:00Z")] {
        let scene = Scene::with_cloudzero(&[], &["--months-in-paths", form]);
        deliver_clear_and_verify(&scene);
        let read = months(&scene, "GET", "");
        assert!(read.len() >= 5, "{read:?}");
        let refused: Vec<_> = read.iter().filter(|(_, status)| *status == 400).collect();
        let expected = usize::from(form == "datetime");
        assert_eq!(refused.len(), expected, "{form}: {read:?}");
        let accepted = read.iter().filter(|(_, status)| *status != 400);
        assert!(accepted.clone().all(|(sent, _)| sent == month), "{read:?}");
    }
}

#[test]
fn removing_a_connection_deletes_what_is_remembered_of_cloudzero() {
    let scene = Scene::with_cloudzero(&[], &["--months-in-paths", "datetime"]);
    deliver(&scene.to_stream(), &[]).ok();
    assert_eq!(memory(&scene)["months"]["path"], "datetime");
    scene
        .to_stream()
        .run(&["connections", "remove", "confluent"])
        .ok();
    let left = names_below(&scene.store.path().join("runs/connections"));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn sends_months_with_credits_if_the_validator_refuses_signs_only() {
    for options in [&[][..], &LARGE] {
        let scene = Scene::with_cloudzero(options, &["--refuse-signs"]);
        let output = deliver(&scene.to_stream(), &[]).ok();
        output.delivery("delivered");
        assert_eq!(output.stderr.matches(SIGNS).count(), 1, "{}", output.stderr);
        assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
        let again = deliver(&scene.to_stream(), &[]).ok();
        again.delivery("unchanged");
        assert!(!again.stderr.contains(SIGNS), "{}", again.stderr);
    }
    // Nothing is said where the validator accepts them.
    let scene = Scene::new(&[]);
    let output = deliver(&scene.to_stream(), &[]).ok();
    assert!(!output.stderr.contains(SIGNS), "{}", output.stderr);
}

#[test]
fn sends_nothing_if_the_validator_objects_to_signs_and_more() {
    // The validator lists twenty errors only: the last one shows without the signs.
    let refuses = ["--refuse-signs", "--fault", "cz-invalid:1:after=3"];
    let scene = Scene::with_cloudzero(&[], &refuses);
    deliver(&scene.to_stream(), &[])
        .code(1)
        .says(&["invalid on purpose", "--no-validate"]);
    assert_eq!(scene.cloudzero.fired("cz-invalid"), 1);
    assert_eq!(scene.cloudzero.validated().len(), 2);
    assert!(scene.cloudzero.sent().is_empty());
}
