//! `connections rotate`: replaces a key by a new one.

use super::{ADMIN, KEY, NO_KEY_DELAY, Scene, chmod};
use crate::support::{Billstream, MONTH, Output};

impl Scene {
    /// Runs `connections rotate` with the administrator's key.
    pub fn rotate(&self, name: &str, arguments: &[&str]) -> Output {
        let mut all = vec!["connections", "rotate", name];
        all.extend(arguments);
        self.billstream.told(&all, ADMIN)
    }
}

/// Asserts that a key no longer works.
fn assert_gone(scene: &Scene, key: &str, secret: &str) {
    let old = Billstream::on(scene.store.path())
        .from(&scene.sandbox)
        .env("CONFLUENT_CLOUD_API_KEY", key)
        .env("CONFLUENT_CLOUD_API_SECRET", secret);
    old.run(&["connections", "check"]).code(3).says(&["401"]);
}

#[test]
fn replaces_the_key_and_deletes_the_old_one() {
    let scene = Scene::new(&NO_KEY_DELAY);
    scene.set_up("acme", &[]).ok();
    let (account, old) = scene.iam().assert_one(&["BillingAdmin"]);
    let (_, old_secret) = super::parse_credentials(&scene.file("credentials/acme.toml"));
    let file = scene.file("billstream.toml");
    let output = scene.rotate("acme", &[]).ok();
    let (same, new) = scene.iam().assert_one(&["BillingAdmin"]);
    assert_eq!(same, account);
    assert_ne!(old, new);
    assert_eq!(scene.stored_key("acme"), new);
    output.says(&[
        "new key works",
        "switched `acme` to the new key",
        &format!("API key {old}: deleted"),
    ]);
    assert_gone(&scene, &old, &old_secret);
    assert_eq!(scene.file("billstream.toml"), file);
    assert!(!scene.folder().join("credentials/acme.new.toml").exists());
    let import = ["import", "--month", MONTH, "--format", "json"];
    scene.run(&import).ok().status("published");

    // Rotations can be repeated.
    scene.rotate("acme", &[]).ok();
    let (_, third) = scene.iam().assert_one(&["BillingAdmin"]);
    assert!(third != new && third != old);
    scene.run(&import).ok().status("unchanged");
}

#[test]
fn rotates_an_entered_key() {
    let scene = Scene::new(&NO_KEY_DELAY);
    scene.add(&["--no-import"], KEY).ok();
    scene.rotate("confluent", &[]).ok();
    let keys = scene.iam().keys("sa-sandbox");
    assert_eq!(keys, [scene.stored_key("confluent")]);
    assert_gone(&scene, "sandbox-key", "sandbox-secret");
    scene.run(&["connections", "check"]).ok();
    // No second account was created for it.
    assert_eq!(scene.iam().accounts("billstream"), Vec::<String>::new());
}

#[test]
fn moves_plain_text_and_file_keys_to_a_credentials_file() {
    let scene = Scene::new(&NO_KEY_DELAY);
    let home = scene.billstream.home().to_path_buf();
    let secret = home.join("secret");
    std::fs::write(&secret, "sandbox-secret").unwrap();
    chmod(&secret, 0o600);
    for places in [
        "key = \"sandbox-key\"\nsecret = \"sandbox-secret\"".to_string(),
        format!(
            "key = \"sandbox-key\"\nsecret = {{ file = \"{}\" }}",
            secret.display()
        ),
    ] {
        let scene = Scene::new(&NO_KEY_DELAY);
        let url = scene.sandbox.url();
        scene.configure(&format!(
            "# ours\n[connections.acme]\nendpoint = \"{url}\"\n{places}\n\n[connections.other]\ncurrency = \"EUR\"\n"
        ));
        scene.rotate("acme", &[]).ok();
        let file = scene.file("billstream.toml");
        assert!(!file.contains("sandbox-"), "{file}");
        assert!(file.contains("credentials/acme.toml"), "{file}");
        assert!(file.starts_with("# ours") && file.contains("EUR"), "{file}");
        scene.run(&["connections", "check", "acme"]).ok();
    }
    assert!(secret.exists(), "what others wrote stays");
}

#[test]
fn refuses_to_rotate_keys_in_environment_variables() {
    let scene = Scene::new(&NO_KEY_DELAY);
    let by_environment = |scene: Scene| Scene {
        billstream: scene
            .billstream
            .from(&scene.sandbox)
            .env("ACME_KEY", "sandbox-key")
            .env("ACME_SECRET", "sandbox-secret"),
        ..scene
    };
    let scene = by_environment(scene);
    scene.rotate("confluent", &[]).code(3).says(&[
        "come from CONFLUENT_CLOUD_API_KEY",
        "only you can change",
        "create a key with the same owner",
        "connections check",
        "delete the old key",
    ]);
    let url = scene.sandbox.url();
    scene.configure(&format!(
        "[connections.acme]\nendpoint = \"{url}\"\nkey = {{ env = \"ACME_KEY\" }}\nsecret = {{ env = \"ACME_SECRET\" }}\n"
    ));
    scene
        .rotate("acme", &[])
        .code(3)
        .says(&["come from ACME_KEY"]);
    assert_eq!(scene.iam().requests(), Vec::<String>::new());
}

#[test]
fn ignores_variables_of_another_connection() {
    let scene = Scene::new(&NO_KEY_DELAY);
    scene.set_up("acme", &[]).ok();
    let scene = Scene {
        billstream: scene
            .billstream
            .env("CONFLUENT_CLOUD_API_KEY", "sandbox-key")
            .env("CONFLUENT_CLOUD_API_SECRET", "sandbox-secret"),
        ..scene
    };
    scene.rotate("acme", &[]).ok();
    let (_, key) = scene.iam().assert_one(&["BillingAdmin"]);
    assert_eq!(scene.stored_key("acme"), key);
    assert_eq!(scene.iam().keys("sa-sandbox"), ["sandbox-key"]);
}

#[test]
fn hints_at_an_administrator_of_another_organization() {
    let scene = Scene::new(&NO_KEY_DELAY);
    scene.set_up("acme", &[]).ok();
    let typed = [
        "--name",
        "typed",
        "--no-import",
        "--allow-same-organization",
    ];
    scene.add(&typed, KEY).ok();
    let path = scene.folder().join("credentials/typed.toml");
    std::fs::write(&path, "key = \"THEIRS\"\nsecret = \"of-elsewhere\"\n").unwrap();
    scene.rotate("typed", &[]).code(3).says(&[
        "could not find the current API key at Confluent",
        "administrator of the same organization",
    ]);
    assert_eq!(scene.stored_key("typed"), "THEIRS");
}

#[test]
fn non_administrator_changes_nothing() {
    let scene = Scene::new(&NO_KEY_DELAY);
    scene.set_up("acme", &[]).ok();
    let before = (scene.iam().resources(), scene.stored_key("acme"));
    let rotate = ["connections", "rotate", "acme"];
    scene
        .billstream
        .told(&rotate, KEY)
        .code(3)
        .says(&["403", "OrganizationAdmin"]);
    scene
        .billstream
        .told(&rotate, "")
        .code(2)
        .says(&["no key was given"]);
    assert_eq!((scene.iam().resources(), scene.stored_key("acme")), before);
    scene.run(&["connections", "check"]).ok();
}

#[test]
fn rejects_an_unknown_name_and_suggests_the_nearest() {
    let scene = Scene::new(&NO_KEY_DELAY);
    scene.set_up("acme", &[]).ok();
    scene
        .rotate("acmee", &[])
        .code(2)
        .says(&["there is no connection `acmee`", "`acme`"]);
}

#[test]
fn fails_while_a_run_holds_the_lease() {
    let scene = Scene::new(&["--key-delay-ms", "0", "--fault", "slow:1:secs=30:after=8"]);
    scene.set_up("acme", &[]).ok();
    assert_eq!(scene.sandbox.requests(), 8);
    let changes = scene.iam().changes();
    let mut run = scene.billstream.spawn(&["import", "--month", MONTH]);
    while run.is_running() && scene.sandbox.fired("slow") == 0 {}
    scene
        .rotate("acme", &[])
        .code(6)
        .says(&["another run holds the lease", "`acme`"]);
    assert_eq!(scene.iam().changes(), changes);
    assert!(run.kill(), "the run was still there");
    scene.rotate("acme", &[]).ok();
}

#[test]
fn no_run_starts_during_a_rotation() {
    let scene = Scene::new(&["--key-delay-ms", "0", "--fault", "slow:1:secs=30:after=9"]);
    scene.set_up("acme", &[]).ok();
    let rotate = ["connections", "rotate", "acme"];
    let mut rotation = scene.billstream.spawn_told(&rotate, ADMIN);
    while rotation.is_running() && scene.sandbox.fired("slow") == 0 {}
    scene.run(&["import", "--month", MONTH]).code(6);
    assert!(rotation.kill(), "the rotation was still there");
}

#[test]
fn starts_over_if_the_key_was_replaced_after_an_interruption() {
    let scene = Scene::new(&NO_KEY_DELAY);
    scene.set_up("acme", &[]).ok();
    let first = scene.stored_key("acme");
    let notes = scene.file("setup/acme.json");
    let cut_off = notes.replace("\"replaces\": null", &format!("\"replaces\": \"{first}\""));
    assert_ne!(cut_off, notes);
    std::fs::write(scene.folder().join("setup/acme.json"), cut_off).unwrap();
    scene
        .add(&["--name", "acme", "--replace", "--no-import"], KEY)
        .ok();
    let output = scene.rotate("acme", &[]).ok();
    output.says(&[
        &format!(
            "API key {first} is still active; delete it with `confluent api-key delete {first}`"
        ),
        "API key sandbox-key: deleted",
    ]);
    assert_gone(&scene, "sandbox-key", "sandbox-secret");
    scene.run(&["connections", "check"]).ok();
}

#[test]
fn concurrent_rotations_lose_no_key() {
    let scene = Scene::new(&["--key-delay-ms", "6000"]);
    scene.set_up("acme", &[]).ok();
    let requests = scene.sandbox.requests();
    let slow = ["connections", "rotate", "acme"];
    let slow = scene.billstream.spawn_told(&slow, ADMIN);
    // Its key exists, but is not active yet.
    while scene.sandbox.requests() < requests + 4 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let output = scene.rotate("acme", &[]).code(6);
    output.says(&["another command is changing a connection"]);
    scene.set_up("other", &[]).code(6);
    slow.wait().ok();
    let (_, key) = scene.iam().assert_one(&["BillingAdmin"]);
    assert_eq!(key, scene.stored_key("acme"));
}
