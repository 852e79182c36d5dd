//! `connections` and `status`.

mod add;
mod check;
mod demo;
mod destinations;
mod health;
mod iam;
#[cfg(feature = "keyring")]
mod keyring;
mod network;
mod pause;
mod rejected_keys;
mod remove;
mod resume;
mod revoke;
mod rotate;
mod rotate_faults;
mod secrecy;
mod setup;
mod setup_faults;
mod terminal;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::support::{Billstream, Output, Sandbox};

/// Key and secret that every fake Confluent accepts, as typed.
const KEY: &str = "sandbox-key\nsandbox-secret\n";
/// Key and secret of its administrator.
const ADMIN: &str = "sandbox-admin\nsandbox-admin-secret\n";
/// New keys are active at once.
const NO_KEY_DELAY: [&str; 2] = ["--key-delay-ms", "0"];

/// A fake Confluent, a store, and a user without any configuration.
struct Scene {
    sandbox: Sandbox,
    store: TempDir,
    billstream: Billstream,
}

impl Scene {
    /// Starts a scene with options of the sandbox.
    fn new(options: &[&str]) -> Scene {
        let (sandbox, store) = (Sandbox::start(options), tempdir().unwrap());
        let billstream = unconfigured(store.path());
        Scene {
            sandbox,
            store,
            billstream,
        }
    }

    /// The same home and store at another time.
    fn at(mut self, now: &str) -> Scene {
        self.billstream = self.billstream.at(now);
        self
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.billstream.run(arguments)
    }

    /// Runs `connections add confluent` with the sandbox's endpoint and this stdin.
    fn add(&self, arguments: &[&str], stdin: &str) -> Output {
        self.billstream.told(&self.adding(arguments), stdin)
    }

    fn adding<'s>(&'s self, arguments: &[&'s str]) -> Vec<&'s str> {
        let mut all = vec!["connections", "add", "confluent"];
        all.extend(["--endpoint", self.sandbox.url()]);
        all.extend(arguments);
        all
    }

    /// Runs `connections add --setup --no-import` with the administrator's key.
    fn set_up(&self, name: &str, arguments: &[&str]) -> Output {
        self.add(&setup_arguments(name, arguments), ADMIN)
    }

    /// Starts the same without waiting for it.
    fn start_setup(&self, name: &str) -> crate::support::Running {
        let arguments = setup_arguments(name, &[]);
        self.billstream.spawn_told(&self.adding(&arguments), ADMIN)
    }

    /// Folder of the configuration.
    fn folder(&self) -> PathBuf {
        self.billstream.home().join(".config/billstream")
    }

    /// Text of a file in that folder.
    fn file(&self, name: &str) -> String {
        let path = self.folder().join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Writes the configuration file.
    fn configure(&self, text: &str) {
        configure(&self.billstream, text);
    }

    /// Connections of `connections list`.
    fn list(&self) -> Vec<Value> {
        let list = self.run(&["connections", "list", "--format", "json"]);
        list.ok().json()["connections"].as_array().unwrap().clone()
    }

    /// The only connection.
    #[track_caller]
    fn only(&self) -> Value {
        let list = self.list();
        assert_eq!(list.len(), 1, "{list:?}");
        list[0].clone()
    }

    /// Asserts that a rejected connection left nothing behind.
    #[track_caller]
    fn assert_nothing_stored(&self) {
        let names = crate::support::names_below(self.billstream.home());
        assert_eq!(names, Vec::<String>::new(), "below the home");
        assert_eq!(crate::support::names_below(self.store.path()), names);
        assert_eq!(self.list(), Vec::<Value>::new());
    }

    /// Id of the stored key of a connection.
    fn stored_key(&self, name: &str) -> String {
        parse_credentials(&self.file(&format!("credentials/{name}.toml"))).0
    }
}

/// billstream with a store, without key or configuration.
fn unconfigured(store: &Path) -> Billstream {
    Billstream::on(store).env("BILLSTREAM_REQUESTS_PER_SECOND", "1000")
}

fn setup_arguments<'s>(name: &'s str, arguments: &[&'s str]) -> Vec<&'s str> {
    let mut all = vec!["--name", name, "--setup", "--no-import"];
    all.extend(arguments);
    all
}

/// Writes the configuration file at its default path.
pub fn configure(billstream: &Billstream, text: &str) -> PathBuf {
    let path = billstream.home().join(".config/billstream/billstream.toml");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    chmod(&path, 0o600);
    path
}

/// Changes the mode of a file.
pub fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Mode of a file or folder.
fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Parses key and secret from a credentials file.
fn parse_credentials(text: &str) -> (String, String) {
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let line = line.unwrap_or_else(|| panic!("there is no {name}"));
        line.trim_start_matches(" = ").trim_matches('"').to_string()
    };
    (value("key"), value("secret"))
}
