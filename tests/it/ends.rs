//! Ends of a run from outside: signals and closed pipes.

use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::tempdir;

use crate::support::{Billstream, MONTH, Running, Sandbox};

/// A server that accepts connections and never responds. The receiver gets a message per connection.
pub fn silent_server() -> (String, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, connections) = channel();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming().flatten() {
            open.push(stream);
            let _ = sender.send(());
        }
    });
    (url, connections)
}

/// A run that waits for Confluent, under its lease.
fn waiting(billstream: Billstream) -> (Billstream, Running) {
    let (url, connections) = silent_server();
    let billstream = billstream
        .env("CONFLUENT_CLOUD_REST_ENDPOINT", &url)
        .env("CONFLUENT_CLOUD_API_KEY", "key")
        .env("CONFLUENT_CLOUD_API_SECRET", "secret");
    let running = billstream.spawn(&["import", "--month", MONTH]);
    let connected = connections.recv_timeout(Duration::from_secs(60));
    assert!(connected.is_ok(), "the run asks Confluent");
    (billstream, running)
}

#[test]
fn signals_end_a_run_and_release_its_lease() {
    let store = tempdir().unwrap();
    for (signal, name) in [("INT", "Ctrl-C"), ("TERM", "SIGTERM"), ("HUP", "SIGHUP")] {
        let (billstream, running) = waiting(Billstream::on(store.path()));
        let started = Instant::now();
        running.signal(signal);
        let output = running.wait().code(4);
        output.says(&[&format!("stopped by {name}"), "run the command again"]);
        assert!(started.elapsed() < Duration::from_secs(10), "{signal}");
        let runs = billstream.query("select exit_code from runs order by started_at desc limit 1");
        assert_eq!(runs[0]["exit_code"], "4", "the run is recorded");
    }
    let sandbox = Sandbox::start(&[]);
    let billstream = Billstream::on(store.path()).from(&sandbox);
    billstream.import(MONTH).ok();
}

#[test]
fn ignored_hangup_stays_ignored() {
    let store = tempdir().unwrap();
    let (url, connections) = silent_server();
    let billstream = Billstream::on(store.path())
        .env("CONFLUENT_CLOUD_REST_ENDPOINT", &url)
        .env("CONFLUENT_CLOUD_API_KEY", "key")
        .env("CONFLUENT_CLOUD_API_SECRET", "secret");
    let run = billstream.command(&["import", "--month", MONTH]);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]);
    command.arg(run.get_program()).args(run.get_args());
    command.current_dir(billstream.home());
    command.envs(
        run.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    assert!(connections.recv_timeout(Duration::from_secs(60)).is_ok());
    let id = child.id().to_string();
    let kill = |signal: &str| {
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.unwrap().success());
    };
    kill("-HUP");
    kill("-TERM");
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4));
    assert!(said.contains("stopped by SIGTERM"), "{said}");
}

#[test]
fn closed_pipes_change_no_exit_code() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    let closed = |billstream: &Billstream, arguments: &[&str]| {
        let mut running = billstream.spawn(arguments);
        running.close_stdout();
        running.close_stderr();
        running.wait().code
    };
    assert_eq!(closed(&billstream, &["import", "--month", MONTH, "-v"]), 0);
    assert_eq!(
        billstream.costs(MONTH).len() as u64,
        sandbox.totals(MONTH).costs
    );
    assert_eq!(closed(&billstream, &["status"]), 0);
    assert_eq!(closed(&billstream, &["config", "show"]), 0);
    // Failures stay failures.
    let late = billstream.at("2027-03-01T00:00:00Z");
    assert_eq!(closed(&late, &["status"]), 4);
    assert_eq!(closed(&late, &["query", "select nothing"]), 1);
    let endless = "select value from generate_series(1, 1000000000000)";
    assert_eq!(closed(&late, &["query", "--format", "csv", endless]), 0);
}
