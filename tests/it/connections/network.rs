//! Proxies, certificates, and endpoints that must not receive a key.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Stdio};

use tempfile::TempDir;

use super::{KEY, Scene};
use crate::s3::server::{python, script};
use crate::support::names_below;

/// An HTTPS server with a certificate of a private authority (`tests/tls_server.py`).
struct Tls {
    url: String,
    folder: TempDir,
    child: Child,
    _stdin: ChildStdin,
}

impl Tls {
    /// `valid` or `expired`.
    fn start(certificate: &str) -> Tls {
        let folder = tempfile::tempdir().unwrap();
        let mut command = python();
        command
            .arg(script("tls_server.py"))
            .arg(certificate)
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("the TLS server starts");
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut port)
            .unwrap();
        Tls {
            url: format!("https://localhost:{}", port.trim()),
            _stdin: child.stdin.take().unwrap(),
            folder,
            child,
        }
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Number of requests that arrived.
    fn requests(&self) -> usize {
        let requests = std::fs::read_to_string(self.folder.path().join("requests"));
        requests.map_or(0, |lines| lines.lines().count())
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Adds a key at an endpoint, with an environment variable.
fn add(scene: &Scene, url: &str, variable: (&str, &str)) -> crate::support::Output {
    let mut command = scene
        .billstream
        .command(&["connections", "add", "--endpoint", url]);
    command.env(variable.0, variable.1);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(KEY.as_bytes());
    crate::support::Output::of("connections add".into(), child.wait_with_output().unwrap())
}

fn trusting(tls: &Tls) -> (&'static str, String) {
    ("SSL_CERT_FILE", tls.authority().display().to_string())
}

#[test]
fn untrusted_certificate_hints_at_a_proxy() {
    let (scene, tls) = (Scene::new(&[]), Tls::start("valid"));
    let says = ["invalid peer certificate", "UnknownIssuer", "SSL_CERT_FILE"];
    add(&scene, &tls.url, ("UNUSED", "")).code(3).says(&says);
    assert_eq!(tls.requests(), 0, "no key was sent");
    scene.assert_nothing_stored();
    // Following the hint helps: the request arrives.
    let (name, path) = trusting(&tls);
    add(&scene, &tls.url, (name, &path))
        .code(3)
        .says(&["may not read costs", "nobody may do anything here"]);
    assert_eq!(tls.requests(), 1);
}

#[test]
fn expired_certificate_hints_at_the_clock() {
    let (scene, tls) = (Scene::new(&[]), Tls::start("expired"));
    let (name, path) = trusting(&tls);
    let says = ["certificate expired", "hint: ", "check its clock"];
    let output = add(&scene, &tls.url, (name, &path)).code(3).says(&says);
    assert!(
        !output.stderr.contains("SSL_CERT_FILE"),
        "{}",
        output.stderr
    );
    assert_eq!(tls.requests(), 0, "no key was sent");
    scene.assert_nothing_stored();
}

#[test]
fn rejects_a_certificate_for_another_name() {
    let (scene, tls) = (Scene::new(&[]), Tls::start("valid"));
    let (name, path) = trusting(&tls);
    let other = tls.url.replace("localhost", "127.0.0.1");
    add(&scene, &other, (name, &path))
        .code(3)
        .says(&["certificate not valid for name"]);
    assert_eq!(tls.requests(), 0);
}

#[test]
fn reports_a_proxy_that_requires_authentication() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://us:pw5ecret@{}", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let length = client.read(&mut request).unwrap();
        let answer = "HTTP/1.1 407 Proxy Authentication Required\r\n\
                      proxy-authenticate: Basic realm=\"x\"\r\ncontent-length: 0\r\n\r\n";
        client.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&request[..length]).to_string()
    });
    let scene = Scene::new(&[]);
    let url = "https://api.confluent.cloud";
    let output = add(&scene, url, ("HTTPS_PROXY", &proxy)).code(3);
    let output = output.says(&["proxy authorization required", "HTTPS_PROXY", "NO_PROXY"]);
    assert!(!output.stderr.contains("pw5ecret"), "{}", output.stderr);
    let request = answering.join().unwrap();
    assert!(
        request.starts_with("CONNECT api.confluent.cloud:443 "),
        "{request}"
    );
    // base64 of sandbox-key:…
    assert!(!request.contains("c2FuZGJveC1rZXk6"), "{request}");
    scene.assert_nothing_stored();
}

#[test]
fn loopback_requests_bypass_the_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let scene = Scene::new(&[]);
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let arguments = ["connections", "check"];
        let billstream = super::unconfigured(scene.store.path())
            .from(&scene.sandbox)
            .env(variable, &proxy);
        billstream.run(&arguments).ok();
    }
    assert!(listener.accept().is_err());
}

#[test]
fn rejects_endpoints_that_would_receive_the_key_unencrypted() {
    let scene = Scene::new(&[]);
    for (url, says) in [
        ("http://billing.example", "plain http"),
        ("http://user:pa5ecret@localhost:1", "holds credentials"),
        ("ftp://localhost", "is not https"),
        ("https://api.confluent.cloud/?x=5ecret", "has a query"),
    ] {
        let output = add(&scene, url, ("UNUSED", "")).code(3).says(&[says]);
        assert!(!output.stderr.contains("5ecret"), "{}", output.stderr);
    }
    let output = add(&scene, "no URL", ("UNUSED", "")).code(2);
    output.says(&["--endpoint is not a URL"]);
    assert_eq!(names_below(scene.billstream.home()), Vec::<String>::new());
}
