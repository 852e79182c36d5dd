//! `connections rotate`: a new key takes the old one's place.

use super::{ADMIN, AT_ONCE, KEY, Scene, chmod};
use crate::support::{Billstream, MONTH, Output};

impl Scene {
    /// `connections rotate` with the administrator's key.
    pub fn rotate(&self, name: &str, arguments: &[&str]) -> Output {
        let mut all = vec!["connections", "rotate", name];
        all.extend(arguments);
        self.billstream.told(&all, ADMIN)
    }
}

/// Whether a key is refused.
fn assert_gone(scene: &Scene, key: &str, secret: &str) {
    let old = Billstream::on(scene.store.path())
        .from(&scene.sandbox)
        .env("CONFLUENT_CLOUD_API_KEY", key)
        .env("CONFLUENT_CLOUD_API_SECRET", secret);
    old.run(&["connections", "check"]).code(3).says(&["401"]);
}

#[test]
fn the_new_key_works_and_the_old_one_does_not() {
    let scene = Scene::new(&AT_ONCE);
    scene.set_up("acme", &[]).ok();
    let (account, old) = scene.iam().assert_one(&["BillingAdmin"]);
    let (_, old_secret) = super::of_credentials(&scene.file("credentials/acme.toml"));
    let file = scene.file("billstream.toml");
    let output = scene.rotate("acme", &[]).ok();
    let (same, new) = scene.iam().assert_one(&["BillingAdmin"]);
    assert_eq!(same, account);
    assert_ne!(old, new);
    assert_eq!(scene.kept_key("acme"), new);
    output.says(&[
        "so the new key works",
        "`acme` has its new key",
        &format!("API key {old}: deleted"),
    ]);
    assert_gone(&scene, &old, &old_secret);
    assert_eq!(scene.file("billstream.toml"), file);
    assert!(!scene.folder().join("credentials/acme.new.toml").exists());
    let import = ["import", "--month", MONTH, "--format", "json"];
    scene.run(&import).ok().status("published");

    // As often as one likes.
    scene.rotate("acme", &[]).ok();
    let (_, third) = scene.iam().assert_one(&["BillingAdmin"]);
    assert!(third != new && third != old);
    scene.run(&import).ok().status("unchanged");
}

#[test]
fn a_key_that_was_typed_in_is_rotated_like_any_other() {
    let scene = Scene::new(&AT_ONCE);
    scene.add(&["--no-import"], KEY).ok();
    scene.rotate("confluent", &[]).ok();
    let keys = scene.iam().keys("sa-sandbox");
    assert_eq!(keys, [scene.kept_key("confluent")]);
    assert_gone(&scene, "sandbox-key", "sandbox-secret");
    scene.run(&["connections", "check"]).ok();
    // No second account was made for it.
    assert_eq!(scene.iam().accounts("billstream"), Vec::<String>::new());
}

#[test]
fn a_key_in_the_open_or_in_files_moves_to_a_file_of_its_own() {
    let scene = Scene::new(&AT_ONCE);
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
        let scene = Scene::new(&AT_ONCE);
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
fn what_the_environment_holds_only_its_owner_can_change() {
    let scene = Scene::new(&AT_ONCE);
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
        "make a key with the same owner",
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
fn variables_of_another_connection_do_not_get_in_the_way() {
    let scene = Scene::new(&AT_ONCE);
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
    assert_eq!(scene.kept_key("acme"), key);
    assert_eq!(scene.iam().keys("sa-sandbox"), ["sandbox-key"]);
}

#[test]
fn an_administrator_of_another_organization_is_told_so() {
    let scene = Scene::new(&AT_ONCE);
    scene.set_up("acme", &[]).ok();
    scene.add(&["--name", "typed", "--no-import"], KEY).ok();
    let path = scene.folder().join("credentials/typed.toml");
    std::fs::write(&path, "key = \"THEIRS\"\nsecret = \"of-elsewhere\"\n").unwrap();
    scene.rotate("typed", &[]).code(3).says(&[
        "Confluent knows no such key",
        "administrator of the same organization",
    ]);
    assert_eq!(scene.kept_key("typed"), "THEIRS");
}

#[test]
fn somebody_who_is_no_administrator_changes_nothing() {
    let scene = Scene::new(&AT_ONCE);
    scene.set_up("acme", &[]).ok();
    let before = (scene.iam().things(), scene.kept_key("acme"));
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
        .says(&["there is no key"]);
    assert_eq!((scene.iam().things(), scene.kept_key("acme")), before);
    scene.run(&["connections", "check"]).ok();
}

#[test]
fn a_name_that_is_not_there_is_refused_with_the_nearest() {
    let scene = Scene::new(&AT_ONCE);
    scene.set_up("acme", &[]).ok();
    scene
        .rotate("acmee", &[])
        .code(2)
        .says(&["there is no connection `acmee`", "`acme`"]);
}

#[test]
fn a_run_that_holds_the_lease_keeps_its_key() {
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
fn no_run_begins_while_a_key_is_rotated() {
    let scene = Scene::new(&["--key-delay-ms", "0", "--fault", "slow:1:secs=30:after=9"]);
    scene.set_up("acme", &[]).ok();
    let rotate = ["connections", "rotate", "acme"];
    let mut rotation = scene.billstream.spawn_told(&rotate, ADMIN);
    while rotation.is_running() && scene.sandbox.fired("slow") == 0 {}
    scene.run(&["import", "--month", MONTH]).code(6);
    assert!(rotation.kill(), "the rotation was still there");
}

#[test]
fn a_rotation_that_was_cut_off_before_the_key_was_replaced_by_hand_begins_anew() {
    let scene = Scene::new(&AT_ONCE);
    scene.set_up("acme", &[]).ok();
    let first = scene.kept_key("acme");
    let notes = scene.file("setup/acme.json");
    let cut_off = notes.replace("\"replaces\": null", &format!("\"replaces\": \"{first}\""));
    assert_ne!(cut_off, notes);
    std::fs::write(scene.folder().join("setup/acme.json"), cut_off).unwrap();
    scene
        .add(&["--name", "acme", "--replace", "--no-import"], KEY)
        .ok();
    let output = scene.rotate("acme", &[]).ok();
    output.says(&[
        &format!("good still: confluent api-key delete {first}"),
        "API key sandbox-key: deleted",
    ]);
    assert_gone(&scene, "sandbox-key", "sandbox-secret");
    scene.run(&["connections", "check"]).ok();
}

#[test]
fn two_at_once_do_not_lose_a_key() {
    let scene = Scene::new(&["--key-delay-ms", "6000"]);
    scene.set_up("acme", &[]).ok();
    let requests = scene.sandbox.requests();
    let slow = ["connections", "rotate", "acme"];
    let slow = scene.billstream.spawn_told(&slow, ADMIN);
    // It has made its key, which does not work yet.
    while scene.sandbox.requests() < requests + 4 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let output = scene.rotate("acme", &[]).code(6);
    output.says(&["another command sets up or changes a connection"]);
    scene.set_up("other", &[]).code(6);
    slow.wait().ok();
    let (_, key) = scene.iam().assert_one(&["BillingAdmin"]);
    assert_eq!(key, scene.kept_key("acme"));
}
