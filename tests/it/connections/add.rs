//! `connections add` with an existing key: verified, stored, and used to import.

use super::{
    ADMIN, KEY, NO_KEY_DELAY, Scene, chmod, configure, mode, parse_credentials, unconfigured,
};
use crate::support::{Billstream, MONTH, Sandbox, files_below, names_below};

#[test]
fn stores_a_key_from_stdin_and_imports() {
    // The environment's key belongs to another connection and must never be used for this one.
    let scene = with_foreign_key(Scene::new(&[]));
    let arguments = ["--name", "acme", "--format", "json"];
    let output = scene.add(&arguments, KEY).ok();
    let statuses = output.statuses();
    assert_eq!(statuses.len(), 12, "{statuses:?}");
    assert!(statuses.iter().all(|(_, status)| status == "published"));
    let output = output.says(&["key works: read 56 costs", "12 months published"]);
    assert!(!output.stderr.contains("sandbox-secret"));

    let credentials = scene.folder().join("credentials/acme.toml");
    assert_eq!(
        parse_credentials(&scene.file("credentials/acme.toml")),
        ("sandbox-key".into(), "sandbox-secret".into())
    );
    assert_eq!(mode(&credentials), 0o600);
    assert_eq!(mode(credentials.parent().unwrap()), 0o700);
    assert_eq!(mode(&scene.folder()), 0o700);
    let file = scene.file("billstream.toml");
    assert!(!file.contains("sandbox-"), "{file}");

    let acme = Billstream::on(scene.store.path()).connection("acme");
    for month in ["2025-12", MONTH, "2026-11"] {
        acme.assert_month_is(month, &scene.sandbox.totals(month));
    }
    let again = ["import", "--month", MONTH, "--format", "json"];
    scene.run(&again).ok().status("unchanged");
    let without = Scene {
        billstream: scene
            .billstream
            .without("CONFLUENT_CLOUD_API_KEY")
            .without("CONFLUENT_CLOUD_API_SECRET"),
        ..scene
    };
    without.run(&again).ok().status("unchanged");
    let health = without.only();
    assert_eq!(health["connection"], "acme");
    assert_eq!(health["status"], "healthy");
}

/// Adds a key to the environment that the fake Confluent does not know.
fn with_foreign_key(scene: Scene) -> Scene {
    Scene {
        billstream: scene
            .billstream
            .env("CONFLUENT_CLOUD_API_KEY", "env-key")
            .env("CONFLUENT_CLOUD_API_SECRET", "env-secret"),
        ..scene
    }
}

#[test]
fn is_pending_data_without_an_import() {
    let scene = Scene::new(&[]);
    let output = scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    assert_eq!(output.stdout, "");
    output.says(&["billstream import"]);
    assert_eq!(scene.sandbox.requests(), 1);
    assert!(!scene.store.path().join("costs").exists());
    let health = scene.only();
    assert_eq!(health["connection"], "acme");
    assert_eq!(health["status"], "pending-data");
    assert_eq!(health["last_checked"], crate::support::NOW);
    let acme = ["import", "--connection", "acme", "--month", MONTH];
    scene.run(&acme).ok();
    assert_eq!(scene.only()["status"], "healthy");
}

#[test]
fn stores_names_of_variables() {
    let scene = Scene::new(&[]);
    let by_name = ["--key-env", "ACME_KEY", "--secret-env", "ACME_SECRET"];
    let arguments = [&["--name", "acme", "--no-import"][..], &by_name].concat();
    scene
        .add(&arguments, "")
        .code(3)
        .says(&["ACME_KEY is not set"]);
    scene.assert_nothing_stored();

    let with_key = |scene: Scene| Scene {
        billstream: scene
            .billstream
            .env("ACME_KEY", "sandbox-key")
            .env("ACME_SECRET", "sandbox-secret"),
        ..scene
    };
    let scene = with_key(scene);
    scene.add(&arguments, "").ok();
    let file = scene.file("billstream.toml");
    assert!(file.contains("key = { env = \"ACME_KEY\" }"), "{file}");
    assert!(
        file.contains("secret = { env = \"ACME_SECRET\" }"),
        "{file}"
    );
    for (name, bytes) in files_below(scene.billstream.home()) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("sandbox-secret"), "{name}");
    }
    scene.run(&["connections", "check"]).ok();
    let without = Scene {
        billstream: scene.billstream.without("ACME_SECRET"),
        ..scene
    };
    without
        .run(&["connections", "check", "acme"])
        .code(3)
        .says(&["the secret of connection `acme`", "ACME_SECRET is not set"]);
}

#[test]
fn stores_paths_of_files() {
    let scene = Scene::new(&[]);
    let home = scene.billstream.home();
    for (name, text) in [("key", "sandbox-key\n"), ("secret", "sandbox-secret\n")] {
        std::fs::write(home.join(name), text).unwrap();
        chmod(&home.join(name), 0o600);
    }
    let by_path = ["--key-file", "key", "--secret-file", "./secret"];
    let arguments = [&["--name", "acme", "--no-import"][..], &by_path].concat();
    chmod(&home.join("secret"), 0o640);
    let path = home.join("secret").display().to_string();
    scene.add(&arguments, "").code(3).says(&[
        "others than its owner can read",
        "0640",
        &format!("chmod 600 '{path}'"),
    ]);
    assert_eq!(scene.sandbox.requests(), 0);
    chmod(&home.join("secret"), 0o600);
    scene.add(&arguments, "").ok();
    let file = scene.file("billstream.toml");
    assert!(
        file.contains(&format!("secret = {{ file = \"{path}\" }}")),
        "{file}"
    );
    // The relative path was stored as an absolute one.
    let mut elsewhere = scene.billstream.command(&["connections", "check", "acme"]);
    let output = elsewhere.current_dir("/").output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn key_without_secret_location_is_a_usage_error() {
    let scene = Scene::new(&[]);
    for half in [
        ["--key-env", "ACME_KEY"],
        ["--secret-file", "secret"],
        ["--secret-env", "ACME_SECRET"],
    ] {
        scene.add(&half, "").code(2);
    }
    let both = ["--key-env", "A", "--key-file", "b", "--secret-env", "C"];
    scene.add(&both, "").code(2);
    scene.assert_nothing_stored();
}

#[test]
fn keeps_an_existing_connection_without_replace() {
    let scene = Scene::new(&[]);
    scene.add(&["--no-import"], KEY).ok();
    let own = "# my own\n[connections.confluent]\ncurrency = \"USD\" # ours\n";
    let file =
        own.to_string() + &scene.file("billstream.toml")["[connections.confluent]\n".len()..];
    scene.configure(&file);
    let (other, asked) = ("billing-only\nsandbox-secret\n", scene.sandbox.requests());
    scene.add(&["--no-import"], other).code(3).says(&[
        "connection `confluent` already exists",
        "--replace",
        "rotate confluent",
    ]);
    assert_eq!(scene.sandbox.requests(), asked);
    assert_eq!(scene.stored_key("confluent"), "sandbox-key");
    // A key that does not work replaces nothing.
    let replaces = ["--no-import", "--replace", "--wait-secs", "0"];
    scene
        .add(&replaces, "unknown-key\nunknown-secret\n")
        .code(3);
    assert_eq!(scene.stored_key("confluent"), "sandbox-key");
    scene.add(&replaces, other).ok();
    assert_eq!(scene.stored_key("confluent"), "billing-only");
    let file = scene.file("billstream.toml");
    assert!(
        file.contains("# my own") && file.contains("# ours"),
        "{file}"
    );
    scene.run(&["connections", "check"]).ok();
}

#[test]
fn replaces_stored_credentials_by_variables_and_back() {
    let scene = Scene::new(&[]);
    let scene = Scene {
        billstream: scene
            .billstream
            .env("ACME_KEY", "billing-only")
            .env("ACME_SECRET", "sandbox-secret"),
        ..scene
    };
    let acme = ["--name", "acme", "--no-import"];
    scene.add(&acme, KEY).ok();
    let stored = scene.folder().join("credentials/acme.toml");
    assert!(stored.exists());
    let by_name = [
        "--replace",
        "--key-env",
        "ACME_KEY",
        "--secret-env",
        "ACME_SECRET",
    ];
    scene.add(&[&acme[..], &by_name].concat(), "").ok();
    assert!(!scene.file("billstream.toml").contains("credentials"));
    assert!(!stored.exists(), "no setting refers to it any more");
    let shown = scene.run(&["connections", "show", "acme"]).ok().stdout;
    assert!(shown.contains("variable ACME_SECRET"), "{shown}");
    scene.run(&["connections", "check", "acme"]).ok();

    scene.add(&[&acme[..], &["--replace"]].concat(), KEY).ok();
    assert!(!scene.file("billstream.toml").contains("ACME_KEY"));
    assert_eq!(scene.stored_key("acme"), "sandbox-key");
}

#[test]
fn explicit_endpoint_replaces_the_previous_one() {
    let scene = Scene::new(&[]);
    let usual = "endpoint = \"https://api.confluent.cloud\"";
    scene.configure("[connections.acme]\nendpoint = \"http://127.0.0.1:1\"\n");
    let replace = ["--name", "acme", "--no-import", "--replace"];
    scene.add(&replace, KEY).ok();
    assert!(scene.file("billstream.toml").contains(scene.sandbox.url()));
    // Without --endpoint it stays.
    let mut arguments = vec!["connections", "add"];
    arguments.extend(replace);
    scene.billstream.told(&arguments, KEY).ok();
    let file = scene.file("billstream.toml");
    assert!(
        file.contains(scene.sandbox.url()) && !file.contains(usual),
        "{file}"
    );
}

#[test]
fn empty_input_is_a_usage_error() {
    let scene = Scene::new(&[]);
    for (stdin, missing) in [
        ("", "no key was given"),
        ("\n\n", "no key was given"),
        ("sandbox-key\n", "no secret was given"),
        ("sandbox-key\n  \n", "no secret was given"),
    ] {
        scene.add(&[], stdin).code(2).says(&[missing, "--key-env"]);
    }
    assert_eq!(scene.sandbox.requests(), 0);
    scene.assert_nothing_stored();
}

#[test]
fn rejects_an_invalid_name_before_any_request() {
    let scene = Scene::new(&[]);
    for name in ["Acme", "a b", "../acme", ""] {
        scene
            .add(&["--name", name], KEY)
            .code(3)
            .says(&["cannot name a connection", "lower-case"]);
    }
    assert_eq!(scene.sandbox.requests(), 0);
    scene.assert_nothing_stored();
}

#[test]
fn environment_key_applies_to_the_default_connection_only() {
    let scene = Scene::new(&[]);
    scene.add(&["--no-import"], KEY).ok();
    let scene = with_foreign_key(scene);
    let acme = ["--name", "acme", "--no-import", "--allow-same-organization"];
    scene.add(&acme, KEY).ok();
    scene.run(&["connections", "check", "acme"]).ok();
    scene
        .run(&["connections", "check", "confluent"])
        .code(3)
        .says(&["Using the key from CONFLUENT_CLOUD_API_KEY", "401"]);
}

#[test]
fn stores_the_endpoint_of_the_environment() {
    let scene = Scene::new(&[]);
    let url = scene.sandbox.url().to_string();
    let billstream = unconfigured(scene.store.path()).env("CONFLUENT_CLOUD_REST_ENDPOINT", &url);
    let arguments = ["connections", "add", "--name", "acme", "--no-import"];
    billstream.told(&arguments, KEY).ok();
    let billstream = billstream.without("CONFLUENT_CLOUD_REST_ENDPOINT");
    billstream.run(&["connections", "check", "acme"]).ok();
}

#[test]
fn stores_credentials_beside_an_explicit_configuration_file() {
    let scene = Scene::new(&NO_KEY_DELAY);
    let home = scene.billstream.home();
    let file = home.join("deep/own.toml").display().to_string();
    // A named file must exist.
    let named = ["--no-import", "--config", file.as_str()];
    scene
        .add(&named, KEY)
        .code(3)
        .says(&["own.toml", "config init"]);
    scene.run(&["config", "init", "--config", &file]).ok();
    scene.add(&named, KEY).ok();
    assert!(home.join("deep/credentials/confluent.toml").exists());
    assert!(!scene.folder().exists());
    let check = ["connections", "check", "--config", &file];
    scene.run(&check).ok();
    // The folder works after it is moved.
    std::fs::rename(home.join("deep"), home.join("moved")).unwrap();
    let moved = home.join("moved/own.toml").display().to_string();
    scene
        .run(&["connections", "check", "--config", &moved])
        .ok();
}

#[test]
fn reports_an_unwritable_configuration_before_using_the_key() {
    let scene = Scene::new(&[]);
    // Root may write anywhere, so a file replaces the folder.
    let path = configure(&scene.billstream, "");
    std::fs::remove_file(&path).unwrap();
    std::fs::write(path.parent().unwrap().with_extension("x"), "").unwrap();
    std::fs::remove_dir(path.parent().unwrap()).unwrap();
    std::fs::write(path.parent().unwrap(), "no folder").unwrap();
    let refused = scene.add(&[], KEY).code(3);
    refused.says(&["could not", "billstream"]);
    assert_eq!(scene.sandbox.requests(), 0);
}

#[test]
fn refuses_overriding_variables_before_any_request() {
    let (scene, other) = (Scene::new(&NO_KEY_DELAY), Sandbox::start(&[]));
    let with = |variables: &[(&str, &str)]| {
        let plain = unconfigured(scene.store.path());
        let with =
            |billstream: Billstream, (name, value): &(&str, &str)| billstream.env(name, value);
        variables.iter().fold(plain, with)
    };
    let add = |billstream: &Billstream, arguments: &[&str], stdin: &str| {
        billstream.told(&scene.adding(arguments), stdin)
    };
    let endpoint = ("CONFLUENT_CLOUD_REST_ENDPOINT", other.url());
    let key = [
        ("CONFLUENT_CLOUD_API_KEY", "another-key"),
        ("CONFLUENT_CLOUD_API_SECRET", "another-secret"),
    ];
    let elsewhere = with(&[endpoint]);
    add(&elsewhere, &[], KEY).code(3).says(&[
        "would use CONFLUENT_CLOUD_REST_ENDPOINT instead of --endpoint",
        "choose another --name",
    ]);
    let foreign = with(&key);
    for (arguments, stdin) in [(&[][..], KEY), (&["--setup"], ADMIN)] {
        let output = add(&foreign, arguments, stdin).code(3);
        output.says(&["would use CONFLUENT_CLOUD_API_KEY instead of the new key"]);
    }
    assert_eq!(scene.sandbox.requests() + other.requests(), 0);
    for billstream in [elsewhere, foreign] {
        assert_eq!(names_below(billstream.home()), Vec::<String>::new());
    }

    // The same endpoint and key are no conflict, nor is a connection of another name.
    let same = [
        ("CONFLUENT_CLOUD_REST_ENDPOINT", scene.sandbox.url()),
        ("CONFLUENT_CLOUD_API_KEY", "sandbox-key"),
        ("CONFLUENT_CLOUD_API_SECRET", "sandbox-secret"),
    ];
    add(&with(&same), &["--no-import"], KEY).ok();
    let acme = ["--name", "acme", "--no-import", "--allow-same-organization"];
    add(&with(&[endpoint, key[0], key[1]]), &acme, KEY).ok();
    assert_eq!(other.requests(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn rejects_a_temporary_file_as_key_location() {
    let (scene, folder) = (Scene::new(&[]), tempfile::tempdir().unwrap());
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "sandbox-secret").unwrap();
    chmod(&secret, 0o600);
    let secret = secret.to_str().unwrap();
    let arguments = ["--key-file", "/dev/stdin", "--secret-file", secret];
    let output = scene.add(&arguments, "sandbox-key").code(2);
    output.says(&["not a file that later runs can read", "on stdin"]);
    scene.assert_nothing_stored();
}
