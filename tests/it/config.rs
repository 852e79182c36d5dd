//! Configuration file, the layers above and below it, and the command `config`.

mod check;
mod connections;
mod init;
mod mistakes;
mod places;
mod secrets;
mod show;

use std::path::{Path, PathBuf};

use tempfile::{TempDir, tempdir};

use crate::connections::chmod;
use crate::support::{Billstream, Output};

/// User with a home folder and without a store in the environment.
struct Person {
    billstream: Billstream,
    _store: TempDir,
}

impl Person {
    fn new() -> Person {
        let store = tempdir().unwrap();
        let billstream = Billstream::on(store.path()).without("BILLSTREAM_STORE");
        Person {
            billstream,
            _store: store,
        }
    }

    /// Sets an environment variable.
    fn env(mut self, name: &str, value: &str) -> Person {
        self.billstream = self.billstream.env(name, value);
        self
    }

    fn home(&self) -> &Path {
        self.billstream.home()
    }

    /// Writes a file below the home folder that only its owner may read.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        chmod(&path, 0o600);
        path
    }

    /// Writes the configuration at its default path.
    fn configure(&self, text: &str) -> PathBuf {
        self.write(".config/billstream/billstream.toml", text)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.billstream.run(arguments)
    }

    /// Value and origin of a setting in `config show`.
    #[track_caller]
    fn shown(&self, setting: &str, flags: &[&str]) -> Option<(String, String)> {
        let arguments = [&["config", "show", "--format", "json"][..], flags].concat();
        let shown = self.run(&arguments).ok().json();
        let lines = shown.as_array().unwrap().iter();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_string();
        lines
            .filter(|line| line["setting"] == setting)
            .map(|line| (text(&line["value"]), text(&line["from"])))
            .next()
    }
}
