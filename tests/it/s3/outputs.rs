//! Rows of a query in a bucket: complete, or not there and not billed.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::server::Bucket;
use crate::support::Output;

/// More than one part of an upload.
const MANY: &str = "select md5(cast(value as varchar)) as hash from generate_series(1, 400000)";

/// Time in which an upload begins, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Uploads in parts of an object that were begun, and those that were aborted.
fn uploads(bucket: &Bucket, name: &str) -> (usize, usize) {
    let log = bucket.log();
    let count = |start: &str, query: &str| {
        let lines = log.iter().filter(|line| line.starts_with(start));
        lines
            .filter(|line| line.contains(&format!("{name}?{query}")))
            .count()
    };
    (
        count("POST 200", "uploads"),
        count("DELETE 204", "uploadId="),
    )
}

fn object(name: &str) -> String {
    format!("s3://outputs/rows/{name}")
}

#[test]
fn uploads_of_rows_are_aborted_however_they_end() {
    let bucket = Bucket::new("outputs", "rows");
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().to_str().unwrap();
    let billstream = super::server::on_s3(store);
    let whole = ["query", MANY, "-o", &object("whole.csv")];
    billstream.run(&whole).ok();
    assert_eq!(uploads(&bucket, "whole.csv"), (1, 0));
    assert!(bucket.get("whole.csv").unwrap().len() > 10 << 20);

    let failing = format!(
        "{MANY} union all select cast(cast('x' || value as int) as varchar) from generate_series(1, 1)"
    );
    let output = billstream.run(&["query", &failing, "-o", &object("failed.csv")]);
    assert_ne!(output.code, 0, "{}", output.stderr);
    let (begun, aborted) = uploads(&bucket, "failed.csv");
    assert_eq!(begun, aborted, "after an error");
    assert!(bucket.get("failed.csv").is_none());

    // A shell that waits for a line while its output is open.
    for (signal, name) in [("TERM", "term.csv"), ("HUP", "hup.csv")] {
        let mut command = billstream.command(&["shell"]);
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut shell = command.spawn().unwrap();
        let mut stdin = shell.stdin.take().unwrap();
        writeln!(stdin, ".maxrows 0\n.output {}\n{MANY};", object(name)).unwrap();
        let started = Instant::now();
        while uploads(&bucket, name).0 == 0 {
            assert!(started.elapsed() < LIMIT, "no upload of {name}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let sent = std::process::Command::new("kill")
            .args([format!("-{signal}"), shell.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        let ended = Output::of(name.into(), shell.wait_with_output().unwrap());
        ended.code(4).says(&[&format!("stopped by SIG{signal}")]);
        assert_eq!(uploads(&bucket, name), (1, 1), "after SIG{signal}");
        assert!(bucket.get(name).is_none());
        drop(stdin);
    }
}
