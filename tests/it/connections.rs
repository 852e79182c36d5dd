//! `connections` and `status`: connections are set up, proven, watched, changed and removed.

mod add;
mod check;
mod demo;
mod health;
mod iam;
mod keyring;
mod network;
mod pause;
mod refused;
mod remove;
mod resume;
mod revoke;
mod rotate;
mod rotate_faults;
mod secrecy;
mod set_up;
mod set_up_faults;
mod targets;
mod terminal;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::support::{Billstream, Output, Sandbox};

/// The key that every sandbox takes, as it is typed.
const KEY: &str = "sandbox-key\nsandbox-secret\n";
/// The one of its administrator.
const ADMIN: &str = "sandbox-admin\nsandbox-admin-secret\n";
/// New keys work at once.
const AT_ONCE: [&str; 2] = ["--key-delay-ms", "0"];

/// A sandbox, a store of its own, and somebody who has not configured anything yet.
struct Scene {
    sandbox: Sandbox,
    store: TempDir,
    billstream: Billstream,
}

impl Scene {
    /// With options of the sandbox.
    fn new(options: &[&str]) -> Scene {
        let (sandbox, store) = (Sandbox::start(options), tempdir().unwrap());
        let billstream = of_nobody(store.path());
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

    /// `connections add confluent` with the sandbox's endpoint, and these lines on stdin.
    fn add(&self, arguments: &[&str], stdin: &str) -> Output {
        self.billstream.told(&self.adding(arguments), stdin)
    }

    fn adding<'s>(&'s self, arguments: &[&'s str]) -> Vec<&'s str> {
        let mut all = vec!["connections", "add", "confluent"];
        all.extend(["--endpoint", self.sandbox.url()]);
        all.extend(arguments);
        all
    }

    /// `connections add --setup` with the administrator's key, which imports nothing.
    fn set_up(&self, name: &str, arguments: &[&str]) -> Output {
        self.add(&setting_up(name, arguments), ADMIN)
    }

    /// As [`Scene::set_up`], as it begins.
    fn begin_set_up(&self, name: &str) -> crate::support::Running {
        let arguments = setting_up(name, &[]);
        self.billstream.spawn_told(&self.adding(&arguments), ADMIN)
    }

    /// The folder of the configuration.
    fn folder(&self) -> PathBuf {
        self.billstream.home().join(".config/billstream")
    }

    /// A file of that folder.
    fn file(&self, name: &str) -> String {
        let path = self.folder().join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Writes the configuration.
    fn configure(&self, text: &str) {
        configure(&self.billstream, text);
    }

    /// The connections of `connections list`, by name.
    fn list(&self) -> Vec<Value> {
        let list = self.run(&["connections", "list", "--format", "json"]);
        list.ok().json()["connections"].as_array().unwrap().clone()
    }

    /// The only one.
    #[track_caller]
    fn only(&self) -> Value {
        let list = self.list();
        assert_eq!(list.len(), 1, "{list:?}");
        list[0].clone()
    }

    /// Asserts that nothing was kept of a connection that was refused.
    #[track_caller]
    fn assert_nothing_stored(&self) {
        let names = crate::support::names_below(self.billstream.home());
        assert_eq!(names, Vec::<String>::new(), "below the home");
        assert_eq!(crate::support::names_below(self.store.path()), names);
        assert_eq!(self.list(), Vec::<Value>::new());
    }

    /// The Cloud API key that is kept of a connection.
    fn kept_key(&self, name: &str) -> String {
        of_credentials(&self.file(&format!("credentials/{name}.toml"))).0
    }
}

/// billstream on a store, without a key and with nothing configured.
fn of_nobody(store: &Path) -> Billstream {
    Billstream::on(store).env("BILLSTREAM_REQUESTS_PER_SECOND", "1000")
}

fn setting_up<'s>(name: &'s str, arguments: &[&'s str]) -> Vec<&'s str> {
    let mut all = vec!["--name", name, "--setup", "--no-import"];
    all.extend(arguments);
    all
}

/// Writes the configuration at the usual place below the home.
pub fn configure(billstream: &Billstream, text: &str) -> PathBuf {
    let path = billstream.home().join(".config/billstream/billstream.toml");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    chmod(&path, 0o600);
    path
}

/// Changes who may read a file.
pub fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Who may read a file or enter a folder.
fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Key and secret of the text of a file of credentials.
fn of_credentials(text: &str) -> (String, String) {
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let line = line.unwrap_or_else(|| panic!("there is no {name}"));
        line.trim_start_matches(" = ").trim_matches('"').to_string()
    };
    (value("key"), value("secret"))
}
