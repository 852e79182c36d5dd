//! The corpus of queries: billstream and DuckDB give the same rows over the same files, to the last digit.

use std::path::Path;
use std::process::Command;

use crate::support::{Billstream, Sandbox, binary};

/// Costs of a day in the large store: enough for joins and sorts that outgrow 64 MB.
const MANY: &str = "1500";

fn python() -> String {
    std::env::var("BILLSTREAM_TEST_PYTHON")
        .expect("tests/run names the Python with duckdb in BILLSTREAM_TEST_PYTHON")
}

#[test]
fn queries_give_the_same_rows_in_duckdb() {
    let folder = tempfile::tempdir().unwrap();
    let (demo, large) = (folder.path().join("demo"), folder.path().join("large"));
    let made =
        Billstream::on(&demo).run(&["import", "--demo", "--store", &demo.display().to_string()]);
    made.ok();
    for revision in ["0", "1"] {
        let sandbox = Sandbox::start(&["--costs-per-day", MANY, "--revision", revision]);
        let billstream = Billstream::on(&large).from(&sandbox);
        if revision == "0" {
            billstream.import("2026-09").ok();
        }
        billstream.import("2026-10").ok();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus.py");
    let output = Command::new(python())
        .arg(script)
        .arg("--binary")
        .arg(binary())
        .arg("--store")
        .arg(&demo)
        .arg("--large-store")
        .arg(&large)
        .args(["--jobs", "2"])
        .output()
        .expect("Python starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    let queries: usize = said
        .lines()
        .last()
        .and_then(|line| line.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("no summary: {said}"));
    assert!(queries >= 200, "{said}");
}
