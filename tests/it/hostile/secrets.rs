//! Secrets that a server echoes, or that somebody puts into a URL or in the place of a name: never shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::tempdir;

use super::server::{FakeServer, respond};
use crate::support::{Billstream, MONTH, Output, STREAM, Sandbox, files_below};

const KEY: &str = "cz/key+of=somebody&0123456789";

#[track_caller]
fn assert_quiet(output: &Output, secrets: &[String]) {
    for text in [&output.stdout, &output.stderr] {
        for secret in secrets {
            assert!(
                !text.contains(secret.as_str()),
                "{}: `{secret}` in {text}",
                output.arguments
            );
        }
    }
}

#[test]
fn cloudzeros_key_is_redacted_however_it_is_echoed() {
    let percent: String = KEY.bytes().map(|b| format!("%{b:02X}")).collect();
    let echoes = [
        KEY.to_string(),
        percent,
        STANDARD.encode(KEY),
        KEY.replace('/', "\\/").replace('&', "&amp;"),
    ];
    let sandbox = Sandbox::start(&[]);
    for status in [
        "200 OK",
        "400 Bad Request",
        "403 Forbidden",
        "503 Service Unavailable",
    ] {
        let said = echoes.join(" and ");
        let server = FakeServer::start(move |request, _, stream| {
            let is_validation = request.contains("validate_billing_drop");
            let is_read = request.starts_with("GET");
            match (is_validation, is_read) {
                (true, _) => {
                    let body = serde_json::json!({
                        "connection": { "is_valid": false, "errors": [said] },
                        "error": { "message": said },
                    });
                    respond(stream, status, body.to_string().as_bytes())
                }
                // No drop yet, no other connections.
                (false, true) if request.contains("billing_drops") => {
                    respond(stream, "404 Not Found", b"{}")
                }
                (false, true) => respond(stream, "200 OK", br#"{"connections":[]}"#),
                (false, false) => {
                    let body = serde_json::json!({ "message": said });
                    respond(stream, "400 Bad Request", body.to_string().as_bytes())
                }
            }
        });
        let store = tempdir().unwrap();
        let billstream = Billstream::on(store.path())
            .from(&sandbox)
            .env("CLOUDZERO_API_URL", server.url())
            .env("CLOUDZERO_API_KEY", KEY)
            .env("CLOUDZERO_CONNECTION_ID", STREAM)
            .env("BILLSTREAM_READ_BACK_SECS", "0")
            .env("BILLSTREAM_RETRY_ATTEMPTS", "2");
        let output = billstream.run(&["import", "--month", MONTH, "-vv"]);
        assert_ne!(output.code, 0, "{}", output.stderr);
        let output = output.says(&["[redacted]"]);
        assert_quiet(&output, &echoes);
        for arguments in [
            &["deliver", "--month", MONTH, "--no-validate", "-vv"][..],
            &["status"],
            &["connections", "show", "confluent"],
        ] {
            assert_quiet(&billstream.run(arguments), &echoes);
        }
        for (name, bytes) in files_below(store.path()) {
            let text = String::from_utf8_lossy(&bytes);
            for secret in &echoes {
                assert!(!text.contains(secret.as_str()), "{name} holds `{secret}`");
            }
        }
    }
}

#[test]
fn secrets_in_urls_are_redacted_everywhere() {
    let folder = tempdir().unwrap();
    let billstream = Billstream::on(folder.path()).env("AWS_REGION", "eu-central-1");
    let secrets = ["hush".to_string()];
    let signed = "https://u:hush@127.0.0.1:9/x.csv?X-Amz-Signature=hush&sig=hush#token=hush";
    let source = format!("x={signed}");
    for store in [
        "s3://u:hush@bucket/path",
        "s3://bucket/path?token=hush",
        "https://u:hush@host/path?sig=hush",
        "ftp://hush@host/path",
    ] {
        for arguments in [
            &["query", "select 1 from costs", "--store", store][..],
            &["import", "--month", MONTH, "--store", store],
            &["config", "show", "--store", store],
            &["config", "check", "--store", store],
        ] {
            assert_quiet(&billstream.run(arguments), &secrets);
        }
        let with_bucket = Billstream::on(folder.path()).env("BILLSTREAM_BUCKET", store);
        assert_quiet(&with_bucket.run(&["config", "show"]), &secrets);
        assert_quiet(&with_bucket.run(&["config", "check"]), &secrets);
    }
    for arguments in [
        &["query", "select * from x", "--source", &source][..],
        &["query", "select 1", "-o", signed],
        &["query", "select 1", "-o", "s3://u:hush@bucket/x.csv"],
        &["query", "select 1", "-o", "s3://bucket/x.csv?sig=hush"],
    ] {
        assert_quiet(&billstream.run(arguments), &secrets);
    }
    let shell = ["shell", "--source", &source];
    let said = billstream.told(&shell, ".tables\nselect * from x;\n.schema x\n");
    assert_quiet(&said, &secrets);
    assert!(
        said.stdout.contains("x  ") && said.stdout.contains("127.0.0.1"),
        "{}",
        said.stdout
    );
    let with_sources = Billstream::on(folder.path())
        .env("BILLSTREAM_SOURCES", &source)
        .env("BILLSTREAM_TAGS", signed);
    for arguments in [
        &["config", "show"][..],
        &["config", "show", "--format", "json"],
        &["config", "check"],
    ] {
        assert_quiet(&with_sources.run(arguments), &secrets);
    }
}

#[test]
fn a_secret_in_the_place_of_a_variables_name_is_not_shown() {
    let folder = tempdir().unwrap();
    for secret in [
        "hush/with+signs==",
        "9hush",
        "hushHUSHhush1234567890",
        "hush-hush",
    ] {
        let path = folder.path().join("billstream.toml");
        let text = format!("[connections.acme]\nkey = \"K\"\nsecret = {{ env = \"{secret}\" }}\n");
        std::fs::write(&path, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, mode).unwrap();
        let billstream =
            Billstream::on(folder.path()).env("BILLSTREAM_CONFIG", &path.display().to_string());
        for arguments in [
            &["config", "check"][..],
            &["config", "show"],
            &["import", "--month", MONTH, "-vv"],
            &["connections", "list"],
            &["connections", "show", "acme"],
        ] {
            let output = billstream.run(arguments);
            assert_quiet(&output, &["hush".to_string()]);
        }
        billstream.run(&["config", "check"]).code(3);
        let flags = ["--key-env", "K", "--secret-env", secret];
        let adding = [&["connections", "add", "confluent"][..], &flags].concat();
        assert_quiet(
            &Billstream::on(folder.path()).run(&adding),
            &["hush".to_string()],
        );
    }
}
