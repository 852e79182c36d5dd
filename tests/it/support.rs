//! What the integration tests share: the sandbox in another process, the real binary, folders, and
//! money in integers.
//!
//! Nothing here uses billstream's own code, so that two independent readings are compared.
//! Child processes are killed when their handle goes.

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

/// The day that sandboxes take as today, unless a test says otherwise.
pub const TODAY: &str = "2026-11-23";
/// The time that runs take as now, unless a test says otherwise.
pub const NOW: &str = "2026-11-23T06:00:00Z";
/// A month that is over and settling at [`NOW`], with all its days.
pub const MONTH: &str = "2026-10";
/// The connection of runs that name none.
pub const CONNECTION: &str = "confluent";

/// The program under test.
pub fn binary() -> PathBuf {
    match option_env!("CARGO_BIN_EXE_billstream") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(
            std::env::var_os("BILLSTREAM_BIN").expect("BILLSTREAM_BIN names the binary"),
        ),
    }
}

/// A command that sees nothing of the tests' own environment.
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
    /// Starts one with options of `billstream sandbox`; the port is free, today is [`TODAY`], and
    /// days have the fewest costs that there are (56), unless `options` say otherwise.
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

    /// Its endpoint.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Answers of `/sandbox/…`.
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

    /// Exact totals of a month.
    pub fn totals(&self, month: &str) -> Totals {
        Totals::read(&self.get(&format!("/sandbox/totals?month={month}")))
    }

    /// Requests for costs so far.
    pub fn requests(&self) -> u64 {
        self.get("/sandbox/status")["requests"].as_u64().unwrap()
    }

    /// Requests for lists of resources so far.
    pub fn inventory_requests(&self) -> u64 {
        let status = self.get("/sandbox/status");
        status["inventory_requests"].as_u64().unwrap()
    }

    /// How often faults of a kind have fired.
    pub fn fired(&self, kind: &str) -> u64 {
        self.get("/sandbox/status")["fired"][kind]
            .as_u64()
            .unwrap_or(0)
    }

    /// Ends it at once, as an outage does.
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
    /// On the store at a folder or an `s3://` URL, at the time [`NOW`], without credentials.
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

    /// On a store in a folder.
    pub fn on(folder: &Path) -> Billstream {
        Billstream::new(folder.display().to_string())
    }

    /// The store, as the program is told of it.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The folder in which it runs, which is also its home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// With an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_string(), value.to_string());
        self
    }

    /// Without an environment variable.
    pub fn without(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    /// With a sandbox's endpoint and credentials, and no limit of requests that would slow it down.
    pub fn from(self, sandbox: &Sandbox) -> Self {
        self.env("CONFLUENT_CLOUD_REST_ENDPOINT", sandbox.url())
            .env("CONFLUENT_CLOUD_API_KEY", "sandbox-key")
            .env("CONFLUENT_CLOUD_API_SECRET", "sandbox-secret")
            .env("BILLSTREAM_REQUESTS_PER_SECOND", "1000")
    }

    /// At another time.
    pub fn at(self, now: &str) -> Self {
        self.env("BILLSTREAM_NOW", now)
    }

    /// As another connection.
    pub fn connection(self, name: &str) -> Self {
        self.env("BILLSTREAM_CONNECTION", name)
    }

    /// The connection that it runs as.
    pub fn connection_name(&self) -> &str {
        self.env
            .get("BILLSTREAM_CONNECTION")
            .map_or(CONNECTION, String::as_str)
    }

    /// The command with arguments, to change further.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = hermetic(self.home.path());
        command.args(arguments).envs(&self.env).stdin(Stdio::null());
        command
    }

    /// Runs to the end.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Output {
        let output = self.command(arguments).output().expect("billstream starts");
        let said: Vec<_> = arguments
            .iter()
            .map(|a| a.as_ref().to_string_lossy())
            .collect();
        Output::of(said.join(" "), output)
    }

    /// As [`Billstream::run`], with a text on stdin.
    pub fn told<A: AsRef<OsStr>>(&self, arguments: &[A], stdin: &str) -> Output {
        self.spawn_told(arguments, stdin).wait()
    }

    /// As [`Billstream::spawn`], with a text on stdin.
    pub fn spawn_told<A: AsRef<OsStr>>(&self, arguments: &[A], stdin: &str) -> Running {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("billstream starts");
        // A program that asks for nothing may be gone.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        Running { child: Some(child) }
    }

    /// Starts, without waiting.
    pub fn spawn<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Running {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running {
            child: Some(command.spawn().expect("billstream starts")),
        }
    }

    /// `import --month … --format json`.
    pub fn import(&self, month: &str) -> Output {
        self.run(&["import", "--month", month, "--format", "json"])
    }

    /// Rows of `query --format csv`.
    pub fn query(&self, sql: &str) -> Vec<Row> {
        csv_rows(
            self.run(&["query", sql, "--format", "csv"])
                .ok()
                .stdout
                .as_bytes(),
        )
    }

    /// Stored costs of a month of this connection.
    pub fn costs(&self, month: &str) -> Vec<Row> {
        self.rows_of("costs", month)
    }

    /// Published line items of a month of this connection.
    pub fn line_items(&self, month: &str) -> Vec<Row> {
        self.rows_of("line_items", month)
    }

    fn rows_of(&self, table: &str, month: &str) -> Vec<Row> {
        let connection = self.connection_name();
        self.query(&format!(
            "select * from {table} where connection = '{connection}' and billing_period = '{month}'"
        ))
    }

    /// Asserts that costs, line items and, on a local folder, the drop in force equal the totals.
    pub fn assert_month_is(&self, month: &str, totals: &Totals) {
        let costs = self.costs(month);
        assert_costs_are(&costs, totals);
        let line_items = self.line_items(month);
        assert_line_items_are(&line_items, &costs, totals);
        let drop = drop_in_force(Path::new(&self.location), self.connection_name(), month);
        assert_line_items_are(&drop, &costs, totals);
    }
}

/// A run that has not ended. It is killed when it is dropped.
pub struct Running {
    child: Option<Child>,
}

impl Running {
    /// Waits for its end.
    pub fn wait(mut self) -> Output {
        let child = self.child.take().unwrap();
        Output::of("(spawned)".into(), child.wait_with_output().unwrap())
    }

    /// Whether it runs still.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().unwrap().try_wait().unwrap().is_none()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// `kill -9`. True if it had not ended by itself.
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

/// How a run ended, and what it said.
#[derive(Debug, Clone)]
pub struct Output {
    /// What it was told.
    pub arguments: String,
    /// Exit code; -1 for a run that a signal ended.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// From the standard library's.
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

    /// Asserts that stderr has all of these words.
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

    /// Stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| {
            panic!(
                "billstream {}: {e}\n{}\n{}",
                self.arguments, self.stdout, self.stderr
            )
        })
    }

    /// The only period of a JSON summary.
    #[track_caller]
    pub fn period(&self) -> Value {
        let periods = self.json()["periods"].clone();
        let periods = periods.as_array().unwrap();
        assert_eq!(periods.len(), 1, "{periods:?}");
        periods[0].clone()
    }

    /// Asserts that the only period of a JSON summary has a status, and gives the period.
    #[track_caller]
    pub fn status(&self, status: &str) -> Value {
        let period = self.period();
        assert_eq!(period["status"], status, "{period}\n{}", self.stderr);
        period
    }

    /// Months of a JSON summary with their statuses.
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
