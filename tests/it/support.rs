//! Shared by the integration tests: the sandbox in another process, the real binary, folders, and
//! money in integers.
//!
//! Nothing here uses billstream's own code, so that two independent readings are compared.
//! Child processes are killed when their handle is dropped.

#[path = "support/cloudzero.rs"]
mod cloudzero;
#[path = "support/files.rs"]
mod files;
#[path = "support/inventory.rs"]
pub mod inventory;
#[path = "support/money.rs"]
mod money;
#[path = "support/schema.rs"]
pub mod schema;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub use cloudzero::*;
pub use files::*;
pub use money::*;

/// Default current day of sandboxes.
pub const TODAY: &str = "2026-11-23";
/// Default current time of runs.
pub const NOW: &str = "2026-11-23T06:00:00Z";
/// Month that is over and settling at [`NOW`].
pub const MONTH: &str = "2026-10";
/// Default connection of runs.
pub const CONNECTION: &str = "confluent";

/// Path of the program under test.
pub fn binary() -> PathBuf {
    match option_env!("CARGO_BIN_EXE_billstream") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(
            std::env::var_os("BILLSTREAM_BIN").expect("BILLSTREAM_BIN names the binary"),
        ),
    }
}

/// Returns a command without the environment of the tests.
fn hermetic(home: &Path) -> Command {
    let mut command = Command::new(binary());
    command.env_clear().env("HOME", home).current_dir(home);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

// ---------------------------------------------------------------------------------- the sandbox

/// `billstream sandbox` in another process, until it is dropped.
pub struct Sandbox {
    child: Child,
    url: String,
    _home: TempDir,
}

impl Sandbox {
    /// Starts a sandbox with options of `billstream sandbox`. Defaults: a free port, [`TODAY`], and the
    /// minimum number of costs per day (56).
    pub fn start(options: &[&str]) -> Sandbox {
        Sandbox::start_with(options, &[])
    }

    /// As [`Sandbox::start`], with environment variables.
    pub fn start_with(options: &[&str], env: &[(&str, String)]) -> Sandbox {
        let home = tempfile::tempdir().unwrap();
        let mut command = hermetic(home.path());
        command.envs(env.iter().map(|(name, value)| (name, value)));
        command.arg("sandbox").args(options);
        for (option, value) in [
            ("--port", "0"),
            ("--today", TODAY),
            ("--costs-per-day", "56"),
        ] {
            if !options.contains(&option) {
                command.args([option, value]);
            }
        }
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .stdin(Stdio::null());
        let mut child = command.spawn().expect("the sandbox starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line.trim().rsplit(' ').next().unwrap().to_string();
        assert!(
            url.starts_with("http://127.0.0.1:"),
            "the sandbox said: {line}"
        );
        Sandbox {
            child,
            url,
            _home: home,
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the response of `/sandbox/…`.
    pub fn get(&self, path: &str) -> Value {
        let address = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("the sandbox listens");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{path}: {head}");
        serde_json::from_str(body).unwrap()
    }

    /// Returns the exact totals of a month.
    pub fn totals(&self, month: &str) -> Totals {
        Totals::read(&self.get(&format!("/sandbox/totals?month={month}")))
    }

    /// Returns the number of requests for costs so far.
    pub fn requests(&self) -> u64 {
        self.get("/sandbox/status")["requests"].as_u64().unwrap()
    }

    /// Returns the number of requests for lists of resources so far.
    pub fn inventory_requests(&self) -> u64 {
        let status = self.get("/sandbox/status");
        status["inventory_requests"].as_u64().unwrap()
    }

    /// Returns how often faults of a kind have fired.
    pub fn fired(&self, kind: &str) -> u64 {
        self.get("/sandbox/status")["fired"][kind]
            .as_u64()
            .unwrap_or(0)
    }

    /// Kills the sandbox, as an outage does.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop();
    }
}

// ----------------------------------------------------------------------------------- the program

/// Runs of `billstream` on one store.
pub struct Billstream {
    location: String,
    env: BTreeMap<String, String>,
    home: TempDir,
}

impl Billstream {
    /// Creates runs on the store at a folder or an `s3://` URL, at [`NOW`], without credentials.
    pub fn new(location: impl Into<String>) -> Billstream {
        let location = location.into();
        let env = [
            ("BILLSTREAM_STORE", location.as_str()),
            ("BILLSTREAM_NOW", NOW),
        ];
        Billstream {
            env: env
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .into(),
            location,
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// Creates runs on a store in a folder.
    pub fn on(folder: &Path) -> Billstream {
        Billstream::new(folder.display().to_string())
    }

    /// Value of `BILLSTREAM_STORE`.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Working and home folder of the runs.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_string(), value.to_string());
        self
    }

    /// Removes an environment variable.
    pub fn without(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    /// Uses a sandbox's endpoint and credentials, with a high rate limit.
    pub fn from(self, sandbox: &Sandbox) -> Self {
        self.env("CONFLUENT_CLOUD_REST_ENDPOINT", sandbox.url())
            .env("CONFLUENT_CLOUD_API_KEY", "sandbox-key")
            .env("CONFLUENT_CLOUD_API_SECRET", "sandbox-secret")
            .env("BILLSTREAM_REQUESTS_PER_SECOND", "1000")
    }

    /// Sets the time.
    pub fn at(self, now: &str) -> Self {
        self.env("BILLSTREAM_NOW", now)
    }

    /// Sets the connection.
    pub fn connection(self, name: &str) -> Self {
        self.env("BILLSTREAM_CONNECTION", name)
    }

    /// Returns the connection.
    pub fn connection_name(&self) -> &str {
        self.env
            .get("BILLSTREAM_CONNECTION")
            .map_or(CONNECTION, String::as_str)
    }

    /// Returns the command with arguments.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = hermetic(self.home.path());
        command.args(arguments).envs(&self.env).stdin(Stdio::null());
        command
    }

    /// Runs and waits for the end.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Output {
        let output = self.command(arguments).output().expect("billstream starts");
        let said: Vec<_> = arguments
            .iter()
            .map(|a| a.as_ref().to_string_lossy())
            .collect();
        Output::of(said.join(" "), output)
    }

    /// As [`Billstream::run`], with text on stdin.
    pub fn told<A: AsRef<OsStr>>(&self, arguments: &[A], stdin: &str) -> Output {
        self.spawn_told(arguments, stdin).wait()
    }

    /// As [`Billstream::spawn`], with text on stdin.
    pub fn spawn_told<A: AsRef<OsStr>>(&self, arguments: &[A], stdin: &str) -> Running {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("billstream starts");
        // A program that reads no stdin may have ended.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        Running { child: Some(child) }
    }

    /// Starts without waiting.
    pub fn spawn<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Running {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running {
            child: Some(command.spawn().expect("billstream starts")),
        }
    }

    /// Runs `import --month … --format json`.
    pub fn import(&self, month: &str) -> Output {
        self.run(&["import", "--month", month, "--format", "json"])
    }

    /// Returns the rows of `query --format csv`.
    pub fn query(&self, sql: &str) -> Vec<Row> {
        csv_rows(
            self.run(&["query", sql, "--format", "csv"])
                .ok()
                .stdout
                .as_bytes(),
        )
    }

    /// Returns the stored costs of a month.
    pub fn costs(&self, month: &str) -> Vec<Row> {
        self.rows_of("costs", month)
    }

    /// Returns the published line items of a month.
    pub fn line_items(&self, month: &str) -> Vec<Row> {
        self.rows_of("line_items", month)
    }

    fn rows_of(&self, table: &str, month: &str) -> Vec<Row> {
        let connection = self.connection_name();
        self.query(&format!(
            "select * from {table} where connection = '{connection}' and billing_period = '{month}'"
        ))
    }

    /// Asserts that costs, line items and, on a local folder, the active drop equal the totals.
    pub fn assert_month_is(&self, month: &str, totals: &Totals) {
        let costs = self.costs(month);
        assert_costs_are(&costs, totals);
        let line_items = self.line_items(month);
        assert_line_items_are(&line_items, &costs, totals);
        let drop = drop_in_force(Path::new(&self.location), self.connection_name(), month);
        assert_line_items_are(&drop, &costs, totals);
    }
}

/// Run in progress; killed on drop.
pub struct Running {
    child: Option<Child>,
}

impl Running {
    /// Waits for the end.
    pub fn wait(mut self) -> Output {
        let child = self.child.take().unwrap();
        Output::of("(spawned)".into(), child.wait_with_output().unwrap())
    }

    /// Returns true while the run has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().unwrap().try_wait().unwrap().is_none()
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Sends a signal by its name, such as TERM.
    pub fn signal(&self, name: &str) {
        let (name, id) = (format!("-{name}"), self.id().to_string());
        let sent = Command::new("kill").args([name, id]).status();
        assert!(sent.unwrap().success());
    }

    /// Closes the pipe that the run's stdout goes to.
    pub fn close_stdout(&mut self) {
        drop(self.child.as_mut().unwrap().stdout.take());
    }

    /// Closes the pipe that the run's stderr goes to.
    pub fn close_stderr(&mut self) {
        drop(self.child.as_mut().unwrap().stderr.take());
    }

    /// Sends SIGKILL; returns true if the run had not ended by itself.
    pub fn kill(mut self) -> bool {
        let mut child = self.child.take().unwrap();
        let running = child.try_wait().unwrap().is_none();
        let _ = child.kill();
        let _ = child.wait();
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Result of a run.
#[derive(Debug, Clone)]
pub struct Output {
    /// Arguments.
    pub arguments: String,
    /// Exit code; -1 after a signal.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Converts the standard library's output.
    pub fn of(arguments: String, output: std::process::Output) -> Output {
        Output {
            arguments,
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }

    /// Asserts exit code 0.
    #[track_caller]
    pub fn ok(self) -> Output {
        self.code(0)
    }

    /// Asserts an exit code.
    #[track_caller]
    pub fn code(self, code: i32) -> Output {
        assert_eq!(
            self.code, code,
            "billstream {}\n--- stdout\n{}\n--- stderr\n{}",
            self.arguments, self.stdout, self.stderr
        );
        self
    }

    /// Asserts that stderr contains all of these texts.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Output {
        for word in words {
            assert!(
                self.stderr.contains(word),
                "billstream {} does not say `{word}`:\n{}",
                self.arguments,
                self.stderr
            );
        }
        self
    }

    /// Parses stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| {
            panic!(
                "billstream {}: {e}\n{}\n{}",
                self.arguments, self.stdout, self.stderr
            )
        })
    }

    /// Returns the only period of a JSON summary.
    #[track_caller]
    pub fn period(&self) -> Value {
        let periods = self.json()["periods"].clone();
        let periods = periods.as_array().unwrap();
        assert_eq!(periods.len(), 1, "{periods:?}");
        periods[0].clone()
    }

    /// Asserts the status of the only period of a JSON summary, and returns the period.
    #[track_caller]
    pub fn status(&self, status: &str) -> Value {
        let period = self.period();
        assert_eq!(period["status"], status, "{period}\n{}", self.stderr);
        period
    }

    /// Returns the months of a JSON summary with their statuses.
    #[track_caller]
    pub fn statuses(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_string();
        let json = self.json();
        let periods = json["periods"].as_array().unwrap();
        periods
            .iter()
            .map(|p| (text(&p["billing_period"]), text(&p["status"])))
            .collect()
    }
}
