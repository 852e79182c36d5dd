//! Keys that do not work: each cause is explained, and nothing is stored.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::{KEY, Scene};
use crate::support::Output;

/// An unknown key.
const UNKNOWN: &str = "unknown-key\nunknown-5ecret\n";

/// Adds a key, and asserts that it is rejected and nothing is stored.
#[track_caller]
fn refuses(scene: &Scene, arguments: &[&str], stdin: &str, code: i32, says: &[&str]) -> Output {
    let output = scene.add(arguments, stdin).code(code).says(says);
    assert!(output.says(&["hint: "]).stdout.is_empty());
    scene.assert_nothing_stored();
    let output = scene.add(arguments, stdin);
    assert!(!output.stderr.contains("5ecret"), "{}", output.stderr);
    output
}

#[test]
fn rejects_a_wrong_key_at_once_without_a_wait() {
    let scene = Scene::new(&[]);
    let says = [
        "does not accept the API key",
        "401",
        "request id",
        "Cloud resource management",
    ];
    let output = refuses(&scene, &["--wait-secs", "0"], UNKNOWN, 3, &says);
    assert!(
        !output.stderr.contains("waiting up to"),
        "{}",
        output.stderr
    );
    assert_eq!(scene.sandbox.requests(), 2, "one each");
}

#[test]
fn waits_for_a_possibly_new_key_and_reports_it_once() {
    let scene = Scene::new(&[]);
    let output = scene.add(&["--wait-secs", "4"], UNKNOWN).code(3);
    assert_eq!(output.stderr.matches("waiting up to").count(), 1);
    output.says(&["waiting up to 4 s", "error: after 4 s: ", "401"]);
    assert_eq!(scene.sandbox.requests(), 4, "after 0, 1, 3 and 4 seconds");
    scene.assert_nothing_stored();
}

#[test]
fn failed_add_does_not_block_config_init() {
    let scene = Scene::new(&[]);
    scene.add(&["--wait-secs", "0"], UNKNOWN).code(3);
    scene.run(&["config", "init"]).ok();
}

#[test]
fn does_not_wait_for_a_cluster_key() {
    let scene = Scene::new(&[]);
    let says = ["this is not a Cloud API key", "Cloud resource management"];
    let output = refuses(
        &scene,
        &["--wait-secs", "60"],
        "cluster-key\nx5ecretx\n",
        3,
        &says,
    );
    assert!(
        !output.stderr.contains("waiting up to"),
        "{}",
        output.stderr
    );
    assert_eq!(scene.sandbox.requests(), 2, "one each");
}

#[test]
fn names_the_missing_role() {
    let scene = Scene::new(&[]);
    let says = ["may not read costs", "403", "BillingAdmin", "Organization"];
    refuses(
        &scene,
        &["--wait-secs", "60"],
        "no-role\nx5ecretx\n",
        3,
        &says,
    );
    assert_eq!(scene.sandbox.requests(), 2, "one each");
}

#[test]
fn unreachable_endpoint_hints_at_the_network() {
    let mut scene = Scene::new(&[]);
    scene.sandbox.stop();
    let says = [
        "no connection to http://127.0.0.1:",
        "HTTPS_PROXY",
        "check the network",
    ];
    scene.add(&[], KEY).code(7).says(&says);
    scene.assert_nothing_stored();
}

#[test]
fn html_page_hints_at_a_proxy_or_sign_in_page() {
    let scene = Scene::new(&["--fault", "html-200:3"]);
    let says = [
        "the response is an HTML page instead of JSON",
        "sign-in page of a network",
    ];
    let output = scene.add(&[], KEY).code(7).says(&says);
    assert!(!output.stderr.contains("Sign in to"), "{}", output.stderr);
    assert_eq!(scene.sandbox.fired("html-200"), 3);
    scene.assert_nothing_stored();
}

#[test]
fn persistent_server_errors_are_attributed_to_confluent() {
    let scene = Scene::new(&["--fault", "503:3:retry_after=0"]);
    let says = ["gave up after 3 attempts", "503", "is having problems"];
    scene.add(&[], KEY).code(7).says(&says);
    assert_eq!(scene.sandbox.fired("503"), 3);
    scene.assert_nothing_stored();
    // Once the errors end, the same command succeeds.
    scene.add(&["--no-import"], KEY).ok();
}

#[test]
fn does_not_follow_redirects() {
    let scene = Scene::new(&["--fault", "redirect"]);
    let says = [
        "redirects to localhost",
        "only sent to the configured endpoint",
    ];
    scene.add(&[], KEY).code(1).says(&says);
    assert_eq!(scene.sandbox.fired("redirect"), 1);
    assert_eq!(scene.sandbox.requests(), 1);
    scene.assert_nothing_stored();
}

#[test]
fn sends_no_credentials_to_a_redirect_target() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let target = elsewhere.local_addr().unwrap().to_string();
    let endpoint = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", endpoint.local_addr().unwrap());
    let location = target.clone();
    let answering = std::thread::spawn(move || {
        let (mut client, _) = endpoint.accept().unwrap();
        let mut request = [0; 4096];
        let length = client.read(&mut request).unwrap();
        let answer = format!(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{location}/billing/v1/costs\r\n\
             content-length: 0\r\nconnection: close\r\n\r\n"
        );
        client.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&request[..length]).to_lowercase()
    });
    let scene = Scene::new(&[]);
    let arguments = ["connections", "add", "--endpoint", &url];
    let host = target.split(':').next().unwrap();
    scene
        .billstream
        .told(&arguments, KEY)
        .code(1)
        .says(&[&format!("redirects to {host}")]);
    assert!(answering.join().unwrap().contains("authorization: basic "));
    let no_request = elsewhere.accept().unwrap_err();
    assert_eq!(no_request.kind(), std::io::ErrorKind::WouldBlock);
    scene.assert_nothing_stored();
}

#[test]
fn warns_of_a_wrong_clock_although_the_key_works() {
    let scene = Scene::new(&["--fault", "wrong-clock:9"]);
    let says = ["clock and Confluent's differ", "ahead_secs=-86"];
    scene.add(&["--no-import"], KEY).ok().says(&says);
    assert_eq!(scene.sandbox.fired("wrong-clock"), 1);
}

#[test]
fn wrong_clock_explains_costs_outside_the_window() {
    let faults = ["--fault", "wrong-clock:9", "--fault", "outside-window"];
    let scene = Scene::new(&faults);
    let says = [
        "outside the window",
        "clock is off",
        "hint: this computer's clock",
    ];
    scene.add(&["--no-import"], KEY).code(1).says(&says);
    assert_eq!(scene.sandbox.fired("outside-window"), 1);
    scene.assert_nothing_stored();
}
