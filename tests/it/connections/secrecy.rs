//! Secrets appear in no message, file, table, run record or process list.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::{Scene, parse_credentials};
use crate::support::{CLOUDZERO_KEY, MONTH, Output, STREAM, csv_gz_rows, files_below};

const ADMIN_KEY: &str = "ADMINKEY0ABCDEFG";
const ADMIN_SECRET: &str = "adm1n+5ecret/of-the-organization";
const TYPED_KEY: &str = "TYPEDKEY0ABCDEFG";
const TYPED_SECRET: &str = "typed+5ecret/of-somebody";

/// Secrets in all forms that they take on the wire.
struct Secrets(Vec<String>);

impl Secrets {
    fn hide(&mut self, key: &str, secret: &str) {
        let pair = format!("{key}:{secret}");
        self.0.push(secret.to_string());
        for text in [secret, pair.as_str()] {
            // The end of the encoding depends on what follows.
            let encoded = [STANDARD.encode(text), URL_SAFE.encode(text)];
            self.0
                .extend(encoded.map(|text| text[..text.len() - 4].to_string()));
        }
    }

    #[track_caller]
    fn assert_not_in(&self, what: &str, bytes: &[u8]) {
        for secret in &self.0 {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{what} holds `{secret}`");
        }
    }

    #[track_caller]
    fn assert_quiet(&self, output: &Output) {
        self.assert_not_in(
            &format!("stdout of {}", output.arguments),
            output.stdout.as_bytes(),
        );
        self.assert_not_in(
            &format!("stderr of {}", output.arguments),
            output.stderr.as_bytes(),
        );
    }

    /// Checks all files except those that hold credentials.
    #[track_caller]
    fn assert_not_below(&self, folder: &Path, but: &[&str]) {
        for (name, bytes) in files_below(folder) {
            if but.contains(&name.as_str()) {
                assert_eq!(super::mode(&folder.join(&name)), 0o600, "{name}");
                continue;
            }
            self.assert_not_in(&name, &bytes);
            if name.ends_with(".csv.gz") {
                self.assert_not_in(&name, format!("{:?}", csv_gz_rows(&bytes)).as_bytes());
            }
        }
    }
}

const CREDENTIALS: [&str; 2] = [
    ".config/billstream/credentials/made.toml",
    ".config/billstream/credentials/typed.toml",
];

/// A scene that logs as much as possible.
fn scene(faults: &[&str]) -> Scene {
    let mut options = vec!["--admin-key", ADMIN_KEY, "--admin-secret", ADMIN_SECRET];
    options.extend(["--key", TYPED_KEY, "--secret", TYPED_SECRET]);
    options.extend(["--key-delay-ms", "300"]);
    options.extend(faults.iter().flat_map(|fault| ["--fault", fault]));
    let scene = Scene::new(&options);
    Scene {
        billstream: scene
            .billstream
            .with_cloudzero(&scene.sandbox)
            .env("BILLSTREAM_RETRY_ATTEMPTS", "1")
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full"),
        ..scene
    }
}

fn admin() -> String {
    format!("{ADMIN_KEY}\n{ADMIN_SECRET}\n")
}

fn typed() -> String {
    format!("{TYPED_KEY}\n{TYPED_SECRET}\n")
}

fn all_known() -> Secrets {
    let mut secrets = Secrets(vec![CLOUDZERO_KEY.to_string()]);
    secrets.hide(ADMIN_KEY, ADMIN_SECRET);
    secrets.hide(TYPED_KEY, TYPED_SECRET);
    secrets
}

impl Secrets {
    /// Hides the stored secret of a connection.
    fn hide_kept(&mut self, scene: &Scene, name: &str) {
        let (key, secret) = parse_credentials(&scene.file(&format!("credentials/{name}.toml")));
        self.hide(&key, &secret);
    }
}

#[test]
fn no_output_or_file_contains_a_secret() {
    let scene = scene(&[]);
    let mut secrets = all_known();
    let mut outputs = vec![
        scene
            .add(&["--name", "typed", "--no-import", "-vv"], &typed())
            .ok(),
        scene
            .add(
                &[
                    "--name",
                    "made",
                    "--allow-same-organization",
                    "--setup",
                    "--with-inventory",
                    "--no-import",
                    "-vv",
                ],
                &admin(),
            )
            .ok(),
    ];
    secrets.hide_kept(&scene, "made");
    let rotate = ["connections", "rotate", "made", "-vv"];
    outputs.push(scene.billstream.told(&rotate, &admin()).ok());
    secrets.hide_kept(&scene, "made");
    let file = scene.file("billstream.toml");
    let stream = format!("[connections.typed]\nstream = \"{STREAM}\"\n");
    scene.configure(&file.replace("[connections.typed]\n", &stream));
    for arguments in [
        &["import", "--month", MONTH, "-vv"][..],
        &["verify", "--month", MONTH, "-vv"],
        &["connections", "check", "-vv"],
        &["connections", "list", "--format", "json", "-vv"],
        &["connections", "show", "made", "-vv"],
        &["connections", "show", "typed", "--format", "json", "-vv"],
        &["config", "show", "-vv"],
        &["config", "show", "--format", "json", "-vv"],
        &["config", "check", "-vv"],
        &["status", "-vv"],
    ] {
        outputs.push(scene.run(arguments).ok());
    }
    assert!(
        outputs
            .iter()
            .any(|o| o.stderr.contains("DEBUG") || o.stderr.contains("INFO"))
    );
    outputs
        .iter()
        .for_each(|output| secrets.assert_quiet(output));
    secrets.assert_not_below(scene.billstream.home(), &CREDENTIALS);
    secrets.assert_not_below(scene.store.path(), &[]);

    let revoke = ["connections", "remove", "made", "--revoke", "-vv"];
    secrets.assert_quiet(&scene.billstream.told(&revoke, &admin()).ok());
    secrets.assert_not_below(scene.billstream.home(), &CREDENTIALS[1..]);
}

#[test]
fn failures_do_not_leak_secrets() {
    for fault in [
        "401:3",
        "redirect",
        "html-200:9",
        "truncated-json:9",
        "iam-402:9",
        "iam-lost-reply:9",
    ] {
        let scene = scene(&[&format!("{fault}:after=1").replace(":9:", ":99:")]);
        let mut secrets = all_known();
        let mut outputs = vec![
            scene
                .add(&["--name", "typed", "--no-import", "-vv"], &typed())
                .ok(),
        ];
        let quick = [
            "--name",
            "made",
            "--allow-same-organization",
            "--setup",
            "--no-import",
            "--wait-secs",
            "0",
            "-vv",
        ];
        outputs.push(scene.add(&quick, &admin()));
        let held = scene.folder().join("credentials/made.new.toml");
        if let Ok(text) = std::fs::read_to_string(held) {
            let (key, secret) = parse_credentials(&text);
            secrets.hide(&key, &secret);
        }
        for arguments in [
            &["connections", "check", "-vv"][..],
            &["import", "--month", MONTH, "-vv"],
            &["status", "-vv"],
        ] {
            outputs.push(scene.run(arguments));
        }
        assert!(outputs.iter().any(|output| output.code != 0), "{fault}");
        let kind = fault.split(':').next().unwrap();
        assert_ne!(scene.sandbox.fired(kind), 0, "{fault}");
        outputs
            .iter()
            .for_each(|output| secrets.assert_quiet(output));
        let kept = [
            CREDENTIALS[1],
            ".config/billstream/credentials/made.new.toml",
        ];
        secrets.assert_not_below(scene.billstream.home(), &kept);
        secrets.assert_not_below(scene.store.path(), &[]);
    }
}

#[test]
fn redacts_credentials_echoed_by_a_server() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Every response repeats the credentials in all their forms.
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut request = vec![0; 8192];
            let length = client.read(&mut request).unwrap();
            let request = String::from_utf8_lossy(&request[..length]).to_string();
            let line = request
                .lines()
                .find(|l| l.to_lowercase().starts_with("authorization: "));
            let encoded = line
                .unwrap_or_default()
                .rsplit(' ')
                .next()
                .unwrap()
                .to_string();
            let decoded = STANDARD.decode(&encoded).unwrap_or_default();
            let pair = String::from_utf8_lossy(&decoded).to_string();
            let secret = pair.split_once(':').map_or("", |(_, secret)| secret);
            let body = serde_json::json!({ "errors": [{
                "status": "401", "detail": format!("no {pair} nor {secret} nor Basic {encoded}")
            }] })
            .to_string();
            let answer = format!(
                "HTTP/1.1 401 Unauthorized\r\nx-request-id: id-of-{secret}\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = client.write_all(answer.as_bytes());
        }
    });
    let scene = scene(&[]);
    let secrets = all_known();
    let adding = [
        "connections",
        "add",
        "--wait-secs",
        "0",
        "--endpoint",
        &url,
        "-vv",
    ];
    let output = scene.billstream.told(&adding, &typed()).code(3);
    assert!(output.stderr.contains("[redacted]"), "{}", output.stderr);
    secrets.assert_quiet(&output);
    let setup_arguments = [&adding[..], &["--setup"]].concat();
    let output = scene.billstream.told(&setup_arguments, &admin()).code(3);
    secrets.assert_quiet(&output.says(&["[redacted]"]));

    scene.add(&["--no-import"], &typed()).ok();
    let file = scene.file("billstream.toml");
    scene.configure(&file.replace(scene.sandbox.url(), &url));
    for arguments in [
        &["connections", "check", "-vv"][..],
        &["import", "--month", MONTH, "-vv"],
        &["status", "-vv"],
        &["connections", "show", "confluent"],
    ] {
        secrets.assert_quiet(&scene.run(arguments));
    }
    let kept = [".config/billstream/credentials/confluent.toml"];
    secrets.assert_not_below(scene.billstream.home(), &kept);
    secrets.assert_not_below(scene.store.path(), &[]);
}

#[test]
fn process_list_shows_no_secret() {
    let scene = scene(&["slow:1:secs=30"]);
    let secrets = all_known();
    let arguments = scene.adding(&["--name", "typed", "--no-import"]);
    let mut run = scene.billstream.spawn_told(&arguments, &typed());
    while run.is_running() && scene.sandbox.fired("slow") == 0 {}
    // The credentials are in use at this moment.
    for what in ["cmdline", "environ", "comm"] {
        let path = format!("/proc/{}/{what}", run.id());
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.is_empty(), "{path}");
        let of_pair = Secrets(secrets.0[1..].to_vec());
        of_pair.assert_not_in(&path, &bytes);
    }
    assert!(run.kill(), "it was still there");
}

#[test]
fn no_flag_takes_a_secret() {
    let scene = scene(&[]);
    for command in ["add", "rotate", "remove"] {
        let help = scene.run(&["connections", command, "--help"]).ok().stdout;
        for flag in [
            "--key ",
            "--secret ",
            "--api-key",
            "--password",
            "--admin-secret",
        ] {
            assert!(!help.contains(flag), "{command} {flag}");
        }
        // The usage error must not repeat a value that follows an unknown flag.
        let wrong = ["connections", command, "--secret", TYPED_SECRET];
        let output = scene.run(&wrong).code(2);
        assert!(!output.stderr.contains(TYPED_SECRET), "{}", output.stderr);
    }
}
