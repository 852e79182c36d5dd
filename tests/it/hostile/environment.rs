//! Settings that cannot be used: an error that names them, never a silent default.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use tempfile::tempdir;

use crate::support::{Billstream, MONTH, Output};

fn billstream(store: &std::path::Path) -> Billstream {
    Billstream::on(store)
        .env("CONFLUENT_CLOUD_API_KEY", "FAKEKEY0ABCDEFGH")
        .env("CONFLUENT_CLOUD_API_SECRET", "hush+secret")
}

#[test]
fn variables_that_are_not_utf8_are_named() {
    let store = tempdir().unwrap();
    let latin = OsStr::from_bytes(b"j\xf6rg");
    for name in [
        "BILLSTREAM_STORE",
        "BILLSTREAM_SETTLE_DAYS",
        "CONFLUENT_CLOUD_API_SECRET",
        "CLOUDZERO_API_KEY",
        "AWS_SECRET_ACCESS_KEY",
    ] {
        for arguments in [
            &["import", "--month", MONTH][..],
            &["config", "show"],
            &["config", "init"],
        ] {
            let billstream = billstream(store.path());
            let mut command = billstream.command(arguments);
            let output = command.env(name, latin).output().unwrap();
            let output = Output::of(name.to_string(), output);
            output.code(3).says(&[name, "not UTF-8", "hint: "]);
        }
    }
    // Other programs' variables, and folders, may hold anything.
    let home = tempdir().unwrap();
    let home = home.path().join(latin);
    std::fs::create_dir(&home).unwrap();
    let billstream = billstream(store.path());
    let mut command = billstream.command(&["config", "init"]);
    command.env("LESS", latin).env("HOME", &home);
    Output::of("init".to_string(), command.output().unwrap()).ok();
    assert!(home.join(".config/billstream/billstream.toml").exists());
}

#[test]
fn endpoints_without_a_scheme_are_configuration_errors_with_an_example() {
    let store = tempdir().unwrap();
    for (name, example) in [
        (
            "CONFLUENT_CLOUD_REST_ENDPOINT",
            "https://api.confluent.cloud",
        ),
        ("CLOUDZERO_API_URL", "https://api.cloudzero.com"),
    ] {
        for value in [
            "api.confluent.cloud",
            "localhost:8080",
            "u:hush@host",
            "api.x:443/y",
        ] {
            let billstream = billstream(store.path())
                .env("CLOUDZERO_API_KEY", "hush-key")
                .env(name, value);
            for arguments in [&["import", "--month", MONTH][..], &["config", "check"]] {
                let output = billstream.run(arguments).code(3);
                let output = output.says(&[name, "is not a URL", example]);
                assert!(!output.stderr.contains("hush"), "{}", output.stderr);
            }
        }
    }
}

#[test]
fn unsupported_proxies_are_errors() {
    let store = tempdir().unwrap();
    for (name, value, word) in [
        ("HTTPS_PROXY", "socks5://u:hush@127.0.0.1:9", "`socks5`"),
        ("https_proxy", "ftp://127.0.0.1:9", "`ftp`"),
        ("ALL_PROXY", "hush hush", "not the address of a proxy"),
    ] {
        let output = billstream(store.path())
            .env(name, value)
            .run(&["pull", "--month", MONTH])
            .code(3)
            .says(&[name, word, "hint: "]);
        assert!(!output.stderr.contains("hush"), "{}", output.stderr);
    }
}
