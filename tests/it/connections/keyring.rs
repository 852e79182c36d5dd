//! The system's keyring: a real Secret Service on a private session bus.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{ADMIN, KEY, NO_KEY_DELAY, Scene, parse_credentials};
use crate::support::{MONTH, files_below, names_below};

/// A session bus with an unlocked keyring and its own home. It ends when its stdin closes.
struct Bus {
    address: String,
    child: Child,
    _home: TempDir,
}

const KEYRING: &str = "\
echo -n password | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
echo \"$DBUS_SESSION_BUS_ADDRESS\"
exec cat";

impl Bus {
    fn start() -> Bus {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new("dbus-run-session");
        command
            .args(["--", "bash", "-c", KEYRING])
            .env("HOME", home.path())
            .env("XDG_DATA_HOME", home.path())
            .env("XDG_RUNTIME_DIR", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command
            .spawn()
            .expect("dbus-run-session is there: tests/run installs it");
        let mut address = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut address)
            .unwrap();
        assert!(address.starts_with("unix:"), "the bus said: {address}");
        Bus {
            address: address.trim().to_string(),
            child,
            _home: home,
        }
    }

    /// Moves a scene to the bus.
    fn reached(&self, scene: Scene) -> Scene {
        Scene {
            billstream: scene
                .billstream
                .env("DBUS_SESSION_BUS_ADDRESS", &self.address),
            ..scene
        }
    }

    /// Asks another program whether an entry exists.
    fn has(&self, name: &str) -> bool {
        let output = Command::new("dbus-send")
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .args([
                "--session",
                "--print-reply",
                "--dest=org.freedesktop.secrets",
                "/org/freedesktop/secrets",
                "org.freedesktop.Secret.Service.SearchItems",
                &format!("dict:string:string:service,billstream,username,{name}"),
            ])
            .output()
            .expect("dbus-send is there, as dbus is");
        assert!(output.status.success(), "{output:?}");
        let answer = String::from_utf8(output.stdout).unwrap();
        answer.contains("/org/freedesktop/secrets/collection/")
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        // The session ends with its command, and the bus with the session.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Asserts that no file below the home or the store contains one of these texts.
#[track_caller]
fn assert_not_on_disk(scene: &Scene, secrets: &[&str]) {
    for folder in [scene.billstream.home(), scene.store.path()] {
        for (name, bytes) in files_below(folder) {
            let text = String::from_utf8_lossy(&bytes);
            for secret in secrets {
                assert!(!text.contains(secret), "{name} holds {secret}");
            }
        }
    }
}

#[test]
fn imports_with_a_key_that_is_only_in_the_keyring() {
    let bus = Bus::start();
    let scene = bus.reached(Scene::new(&NO_KEY_DELAY));
    scene
        .add(&["--name", "acme", "--keyring", "--no-import"], KEY)
        .ok()
        .says(&["keyring entry acme"]);
    assert!(
        scene
            .file("billstream.toml")
            .contains("credentials = { keyring = \"acme\" }")
    );
    assert!(bus.has("acme"));
    assert_not_on_disk(&scene, &["sandbox-secret", "sandbox-key"]);
    let import = ["import", "--month", MONTH, "--format", "json"];
    scene.run(&import).ok().status("published");
    assert_not_on_disk(&scene, &["sandbox-secret", "sandbox-key"]);
    let shown = scene.run(&["connections", "show", "acme"]).ok().stdout;
    assert!(shown.contains("hidden: keyring entry acme"), "{shown}");

    // A rotated key stays in the keyring.
    scene.rotate("acme", &[]).ok().says(&["keyring entry acme"]);
    let keys = scene.iam().keys("sa-sandbox");
    assert_eq!(keys.len(), 1);
    assert_ne!(keys[0], "sandbox-key");
    assert_not_on_disk(&scene, &["secret ="]);
    assert!(!bus.has("acme.new"), "the stored key was deleted");
    scene.run(&import).ok().status("unchanged");

    scene.run(&["connections", "remove", "acme"]).ok();
    assert!(!bus.has("acme"));
}

#[test]
fn interrupted_setup_keeps_the_new_key_in_the_keyring() {
    let bus = Bus::start();
    let scene = bus.reached(Scene::new(&["--key-delay-ms", "2000"]));
    let before = scene.iam().resources();
    let short = ["--keyring", "--wait-secs", "0"];
    scene.set_up("acme", &short).code(3);
    assert!(bus.has("acme.new"), "the new key is held");
    assert!(!scene.folder().join("credentials").exists());
    let (_, key) = scene.iam().assert_one(&["BillingAdmin"]);
    // The same command resumes, also with the administrator's key in files.
    let [admin, secret] = ["admin", "secret"].map(|name| scene.billstream.home().join(name));
    for (path, text) in [(&admin, "sandbox-admin"), (&secret, "sandbox-admin-secret")] {
        std::fs::write(path, text).unwrap();
        super::chmod(path, 0o600);
    }
    let places = [
        "--key-file",
        admin.to_str().unwrap(),
        "--secret-file",
        secret.to_str().unwrap(),
    ];
    let mut arguments = vec!["--name", "acme", "--setup", "--no-import", "--keyring"];
    arguments.extend(places);
    let again = scene.add(&arguments, "").ok();
    again.says(&[&format!("{key}: created earlier")]);
    assert_eq!(scene.iam().assert_one(&["BillingAdmin"]).1, key);
    assert!(bus.has("acme") && !bus.has("acme.new"));
    scene.run(&["connections", "check"]).ok();
    assert!(!scene.folder().join("credentials").exists());

    let revoke = ["connections", "remove", "acme", "--revoke"];
    scene.billstream.told(&revoke, ADMIN).ok();
    assert_eq!(scene.iam().resources(), before);
    assert!(!bus.has("acme"));
}

#[test]
fn moves_a_key_between_file_and_keyring() {
    let bus = Bus::start();
    let scene = bus.reached(Scene::new(&NO_KEY_DELAY));
    scene.add(&["--no-import"], KEY).ok();
    let stored = scene.folder().join("credentials/confluent.toml");
    assert!(stored.exists());
    scene
        .add(&["--no-import", "--replace", "--keyring"], KEY)
        .ok();
    assert!(!stored.exists());
    assert_not_on_disk(&scene, &["sandbox-secret"]);
    scene.run(&["connections", "check"]).ok();
    scene.add(&["--no-import", "--replace"], KEY).ok();
    assert_eq!(
        parse_credentials(&scene.file("credentials/confluent.toml")).0,
        "sandbox-key"
    );
    assert!(!bus.has("confluent"));
    scene.run(&["connections", "check"]).ok();
}

#[test]
fn names_a_missing_entry() {
    let bus = Bus::start();
    let scene = bus.reached(Scene::new(&NO_KEY_DELAY));
    scene.configure(
        "[connections.acme]\nkey = { keyring = \"nothing\" }\nsecret = { keyring = \"nor this\" }\n",
    );
    scene.run(&["connections", "check"]).code(3).says(&[
        "the key of connection `acme`",
        "the keyring has no entry `nothing`",
    ]);
}

#[test]
fn reports_a_missing_keyring_before_creating_anything() {
    let nowhere = |scene: Scene| Scene {
        billstream: scene
            .billstream
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus"),
        ..scene
    };
    let scene = nowhere(Scene::new(&NO_KEY_DELAY));
    let says = [
        "could not open keyring entry",
        "Secret Service",
        "session bus",
        "mode 0600",
    ];
    scene.add(&["--keyring"], KEY).code(3).says(&says);
    scene.set_up("acme", &["--keyring"]).code(3).says(&says);
    assert_eq!(scene.sandbox.requests(), 0);
    scene.assert_nothing_stored();
    assert_eq!(names_below(scene.billstream.home()), Vec::<String>::new());
}

#[test]
fn unavailable_keyring_leaves_the_connection_unchanged() {
    let bus = Bus::start();
    let scene = bus.reached(Scene::new(&NO_KEY_DELAY));
    scene
        .add(&["--name", "acme", "--keyring", "--no-import"], KEY)
        .ok();
    let file = scene.file("billstream.toml");
    let address = bus.address.clone();
    let away = |scene: Scene, address: &str| Scene {
        billstream: scene.billstream.env("DBUS_SESSION_BUS_ADDRESS", address),
        ..scene
    };
    let scene = away(scene, "unix:path=/nowhere/bus");
    let says = ["keyring", "Secret Service"];
    scene
        .run(&["import", "--month", MONTH])
        .code(3)
        .says(&["the credentials of connection `acme`", "keyring"]);
    scene.rotate("acme", &[]).code(3).says(&says);
    scene
        .run(&["connections", "remove", "acme"])
        .code(3)
        .says(&says);
    assert_eq!(scene.file("billstream.toml"), file);
    let scene = away(scene, &address);
    scene.run(&["connections", "check"]).ok();
    scene.run(&["connections", "remove", "acme"]).ok();
    assert!(!bus.has("acme"));
}
