//! Corpus of queries: billstream and DuckDB return the same rows from the same files, to the last digit.

use std::path::Path;
use std::process::Command;

use crate::support::{Billstream, Sandbox, binary};

/// Costs per day in the large store: enough for joins and sorts that outgrow 64 MB.
const COSTS_PER_DAY: &str = "1500";

fn python() -> String {
    std::env::var("BILLSTREAM_TEST_PYTHON")
        .expect("tests/run sets BILLSTREAM_TEST_PYTHON to the Python with duckdb")
}

#[test]
fn queries_return_the_same_rows_in_duckdb() {
    let folder = tempfile::tempdir().unwrap();
    let (demo, large) = (folder.path().join("demo"), folder.path().join("large"));
    let demo_import =
        Billstream::on(&demo).run(&["import", "--demo", "--store", &demo.display().to_string()]);
    demo_import.ok();
    for revision in ["0", "1"] {
        let sandbox = Sandbox::start(&["--costs-per-day", COSTS_PER_DAY, "--revision", revision]);
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
    let stdout = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{errors}");
    let queries: usize = stdout
        .lines()
        .last()
        .and_then(|line| line.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("no summary: {stdout}"));
    assert!(queries >= 200, "{stdout}");
}
