//! `import --demo` needs no account and runs on the computer's date.

use chrono::{Months, NaiveDate, Utc};
use tempfile::tempdir;

use crate::support::{Billstream, MONTH, Sandbox, assert_summary_is, published_files};

/// The demo uses the real date, which may change during a test.
fn today() -> NaiveDate {
    Utc::now().date_naive()
}

/// The previous month, which is complete.
fn last_month() -> String {
    (today() - Months::new(1)).format("%Y-%m").to_string()
}

/// A demo on its default store, with every environment variable set to nonsense.
fn demo() -> Billstream {
    let store = "not-a-store://x";
    [
        "BILLSTREAM_NOW",
        "BILLSTREAM_CONNECTION",
        "BILLSTREAM_SQL_DIR",
        "BILLSTREAM_CURRENCY",
        "BILLSTREAM_SETTLE_DAYS",
        "BILLSTREAM_MEMORY_MB",
        "BILLSTREAM_CONFIG",
        "BILLSTREAM_CONCURRENCY",
        "BILLSTREAM_RETRY_ELAPSED_SECS",
        "BILLSTREAM_PAGE_SIZE",
        "BILLSTREAM_REQUESTS_PER_SECOND",
        "BILLSTREAM_CLOUD_PROVIDER",
        "BILLSTREAM_QUERY_TIMEOUT_SECS",
        "CONFLUENT_CLOUD_API_KEY",
        "CONFLUENT_CLOUD_API_SECRET",
        "CONFLUENT_CLOUD_REST_ENDPOINT",
        "CLOUDZERO_API_KEY",
        "CLOUDZERO_CONNECTION_ID",
        "CLOUDZERO_API_URL",
    ]
    .into_iter()
    .fold(Billstream::new(store), |billstream, name| {
        billstream.env(name, "!nonsense! /")
    })
}

#[test]
fn demo_imports_twelve_months_and_a_second_run_publishes_nothing() {
    let day = today();
    let demo = demo();
    let store = demo.home().join("billstream-data");

    let first = demo.run(&["import", "--demo"]).ok();
    first.clone().says(&[
        "12 months published",
        "billstream query",
        "billstream import --demo",
    ]);
    let rows: Vec<&str> = first
        .stdout
        .lines()
        .filter(|line| line.contains("published"))
        .collect();
    assert_eq!(rows.len(), 12, "{}", first.stdout);
    for heading in [
        "costs",
        "line items",
        "list",
        "discount",
        "net (USD)",
        "status",
    ] {
        assert!(first.stdout.contains(heading), "no column `{heading}`");
    }
    let before = published_files(&store);

    // A restatement of the last two days, if midnight passes, is not a defect.
    let second = demo.run(&["import", "--demo", "--format", "json"]).ok();
    if today() != day {
        return;
    }
    let statuses = second.statuses();
    assert_eq!(statuses.len(), 12);
    assert!(
        statuses.iter().all(|(_, status)| status == "unchanged"),
        "{statuses:?}"
    );
    assert!(
        published_files(&store) == before,
        "the second run writes nothing"
    );
    second.clone().says(&["nothing changed"]);

    // Its amounts equal those of a separate sandbox of the same day.
    let sandbox = Sandbox::start(&["--today", &day.to_string(), "--costs-per-day", "60"]);
    for period in second.json()["periods"].as_array().unwrap() {
        assert_eq!(period["connection"], "demo");
        assert_summary_is(
            period,
            &sandbox.totals(period["billing_period"].as_str().unwrap()),
        );
    }
    let plain = Billstream::on(&store)
        .without("BILLSTREAM_NOW")
        .connection("demo");
    plain.assert_month_is(&last_month(), &sandbox.totals(&last_month()));
}

#[test]
fn suggested_commands_work() {
    let (store, demo) = (tempdir().unwrap(), demo());
    let folder = store.path().display().to_string();
    let month = last_month();
    let output = demo
        .run(&["import", "--demo", "--store", &folder, "--month", &month])
        .ok();
    let steps: Vec<&str> = output
        .stderr
        .lines()
        .map(str::trim)
        // The path as called, because with `cargo run` the binary is not in the PATH.
        .filter(|line| line.starts_with(crate::support::binary().to_str().unwrap()))
        .collect();
    assert_eq!(steps.len(), 3, "{}", output.stderr);
    for step in steps {
        let step = step.replace("--demo", &format!("--demo --month {month}"));
        let mut shell = std::process::Command::new("sh");
        shell
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", demo.home());
        let ran = shell
            .args(["-c", &step])
            .current_dir(demo.home())
            .output()
            .unwrap();
        assert!(
            ran.status.success(),
            "{step}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        assert!(!ran.stdout.is_empty(), "{step}");
    }
}

#[test]
fn refuses_a_store_with_real_costs() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path())
        .from(&sandbox)
        .connection("acme");
    billstream.run(&["pull", "--month", MONTH]).ok();
    let before = published_files(store.path());

    let folder = store.path().display().to_string();
    let refused = demo()
        .run(&["import", "--demo", "--store", &folder])
        .code(3);
    refused.says(&["acme", "--store"]);
    assert!(published_files(store.path()) == before);
}

#[test]
fn ignores_proxies_for_loopback() {
    let store = tempdir().unwrap();
    let folder = store.path().display().to_string();
    let proxies = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"];
    let demo = proxies
        .into_iter()
        .fold(demo(), |demo, name| demo.env(name, "http://127.0.0.1:9"));
    let arguments = [
        "import",
        "--demo",
        "--store",
        &folder,
        "--month",
        &last_month(),
        "--format",
        "json",
    ];
    demo.run(&arguments).ok().status("published");
}
