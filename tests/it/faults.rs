//! Transient faults: pulls survive them with exact totals, and no secret gets into messages or files.

#[path = "faults/refused.rs"]
mod refused;

use tempfile::tempdir;

use crate::support::{
    Billstream, MONTH, Sandbox, assert_costs_are, assert_summary_is, csv_gz_rows, files_below,
    orphans,
};

/// Runs a pull or an import through transient faults; asserts that all of them fired and the totals are exact.
fn assert_survives(command: &str, faults: &[&str], settings: &[(&str, &str)]) {
    let options: Vec<&str> = faults.iter().flat_map(|fault| ["--fault", fault]).collect();
    let (sandbox, store) = (Sandbox::start(&options), tempdir().unwrap());
    let billstream = settings.iter().fold(
        Billstream::on(store.path()).from(&sandbox),
        |run, (name, value)| run.env(name, value),
    );
    let output = billstream
        .run(&[command, "--month", MONTH, "--format", "json"])
        .ok();
    assert_summary_is(&output.status("published"), &sandbox.totals(MONTH));
    for fault in faults {
        let mut parts = fault.split(':');
        let kind = parts.next().unwrap();
        let times = parts
            .next()
            .and_then(|times| times.parse().ok())
            .unwrap_or(1);
        assert_eq!(sandbox.fired(kind), times, "{fault}");
    }
    match command {
        "pull" => assert_costs_are(&billstream.costs(MONTH), &sandbox.totals(MONTH)),
        _ => billstream.assert_month_is(MONTH, &sandbox.totals(MONTH)),
    }
    assert_eq!(orphans(store.path()), Vec::<String>::new());
}

/// One test per transient fault.
macro_rules! survives {
    ($($name:ident: $faults:expr, $settings:expr;)*) => {
        $(#[test] fn $name() { assert_survives("pull", &$faults, &$settings); })*
    };
}

survives! {
    survives_429_with_seconds: ["429:2"], [];
    survives_429_with_a_date: ["429-date"], [];
    survives_429_with_a_reset: ["429-reset"], [];
    survives_500: ["500:2"], [];
    survives_502_with_html: ["502-html"], [];
    survives_503: ["503"], [];
    survives_html_with_200: ["html-200"], [];
    survives_a_cut_body: ["cut"], [];
    survives_truncated_json: ["truncated-json:2"], [];
    survives_an_expired_page_token: ["expired-token"], [("BILLSTREAM_PAGE_SIZE", "20")];
    survives_a_reset: ["reset:2"], [];
    survives_a_slow_body: ["slow:1:secs=20"], [("BILLSTREAM_READ_TIMEOUT_SECS", "0.3")];
    reads_a_slow_body_within_the_timeout: ["slow:1:secs=1"], [];
    survives_a_body_slower_than_the_total_timeout: ["slow:1:secs=20"], [("BILLSTREAM_TOTAL_TIMEOUT_SECS", "2")];
}

#[test]
fn survives_different_faults_of_one_request() {
    assert_survives(
        "import",
        &["429:1:retry_after=0", "500", "cut", "reset"],
        &[],
    );
}

#[test]
fn survives_faults_among_many_pages() {
    let faults = [
        "429:2:retry_after=0:after=3",
        "500:2:after=6",
        "cut:2:after=9",
        "reset:2:after=12",
        "truncated-json:2:after=15",
        "slow:1:secs=1:after=18",
        "502-html:1:after=21",
    ];
    assert_survives("import", &faults, &[("BILLSTREAM_PAGE_SIZE", "40")]);
}

#[test]
fn pages_windows_and_concurrency_do_not_change_the_totals() {
    for (page_size, concurrency) in [
        ("7", "1"),
        ("56", "3"),
        ("57", "4"),
        ("400", "2"),
        ("1735", "2"),
        ("1736", "2"),
    ] {
        let (sandbox, store) = (Sandbox::start(&["--gzip"]), tempdir().unwrap());
        let billstream = Billstream::on(store.path())
            .from(&sandbox)
            .env("BILLSTREAM_PAGE_SIZE", page_size)
            .env("BILLSTREAM_CONCURRENCY", concurrency);
        billstream.run(&["pull", "--month", MONTH]).ok();
        assert_costs_are(&billstream.costs(MONTH), &sandbox.totals(MONTH));
        let most = sandbox.get("/sandbox/status")["in_flight_max"]
            .as_u64()
            .unwrap();
        assert!(
            most <= concurrency.parse().unwrap(),
            "{most} requests at once"
        );
    }
}

#[test]
fn keeps_to_a_rate_limit_or_survives_its_refusals() {
    let (sandbox, store) = (Sandbox::start(&["--rate-limit", "8"]), tempdir().unwrap());
    let billstream = Billstream::on(store.path())
        .from(&sandbox)
        .env("BILLSTREAM_PAGE_SIZE", "300")
        .env("BILLSTREAM_REQUESTS_PER_SECOND", "100")
        .env("BILLSTREAM_RETRY_ATTEMPTS", "20");
    billstream.import(MONTH).ok().status("published");
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
}

#[test]
fn reads_gzip_pages_after_a_cut_one() {
    let (sandbox, store) = (
        Sandbox::start(&["--gzip", "--fault", "cut"]),
        tempdir().unwrap(),
    );
    let billstream = Billstream::on(store.path()).from(&sandbox);
    billstream.import(MONTH).ok();
    assert_eq!(sandbox.fired("cut"), 1);
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
}

/// Texts of invented records, none of which may get into messages.
const PAYLOAD: [&str; 5] = [
    "orders-prod",
    "lkc-7aa01x",
    "env-k2m9d",
    "lake-sink",
    "\"abc\"",
];

fn assert_no_secret(what: &str, text: &[u8], secrets: &[&str]) {
    for secret in secrets {
        let found = text
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{what} holds `{secret}`");
    }
}

#[test]
fn secrets_and_payload_stay_out_of_messages_and_files() {
    // The last is `key-for-tests:hush-hush-hush` in base64, as the header has it.
    let secrets = [
        "hush-hush-hush",
        "key-for-tests",
        "a2V5LWZvci10ZXN0czpodXNoLWh1c2gtaHVzaA==",
    ];
    let options = ["--key", secrets[1], "--secret", secrets[0]];
    for fault in [
        "500:1",
        "500:99",
        "401",
        "403",
        "404",
        "bad-record",
        "missing-amount",
        "outside-window",
        "html-200:99",
        "truncated-json:99",
        "repeat-token",
        "slow:1:secs=1",
    ] {
        let with_fault: Vec<&str> = options.iter().copied().chain(["--fault", fault]).collect();
        let (sandbox, store) = (Sandbox::start(&with_fault), tempdir().unwrap());
        let billstream = Billstream::on(store.path())
            .from(&sandbox)
            .env("CONFLUENT_CLOUD_API_KEY", secrets[1])
            .env("CONFLUENT_CLOUD_API_SECRET", secrets[0])
            .env("BILLSTREAM_PAGE_SIZE", "40")
            .env("BILLSTREAM_RETRY_ATTEMPTS", "2")
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "1");
        let output = billstream.run(&["import", "--month", MONTH, "-vv"]);
        for (what, text) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            assert_no_secret(&format!("{what} ({fault})"), text.as_bytes(), &secrets);
            assert_no_secret(&format!("{what} ({fault})"), text.as_bytes(), &PAYLOAD);
        }
        assert_ne!(
            sandbox.fired(fault.split(':').next().unwrap()),
            0,
            "{fault}"
        );
        for (name, bytes) in files_below(store.path()) {
            assert_no_secret(&name, &bytes, &secrets);
            if name.ends_with(".csv.gz") {
                let text = format!("{:?}", csv_gz_rows(&bytes));
                assert_no_secret(&name, text.as_bytes(), &secrets);
            } else if name.starts_with("runs/") {
                assert_no_secret(&name, &bytes, &PAYLOAD);
            }
        }
    }
}

#[test]
fn credentials_go_to_the_configured_host_only() {
    // `metadata.next` is a full URL of which only the token is used. Here the endpoint has a different path, which a
    // client that followed the URL would miss.
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let with_path = format!("{}/", sandbox.url());
    let billstream = Billstream::on(store.path())
        .from(&sandbox)
        .env("CONFLUENT_CLOUD_REST_ENDPOINT", &with_path)
        .env("BILLSTREAM_PAGE_SIZE", "500");
    billstream.import(MONTH).ok();
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
}

#[test]
fn a_clock_that_is_years_ahead_imports_nothing() {
    let (sandbox, store) = (
        Sandbox::start(&["--fault", "past-clock:99"]),
        tempdir().unwrap(),
    );
    let billstream = Billstream::on(store.path()).from(&sandbox);
    let refused = billstream.run(&["import"]).code(3);
    refused.says(&[
        "clock is 400 days ahead of Confluent's",
        "hint: set the clock",
    ]);
    assert_eq!(
        sandbox.fired("past-clock"),
        1,
        "the first month ends the run"
    );
    let files = files_below(store.path());
    let is_imported = |name: &str| {
        let folders = ["costs/", "line_items/", "runs/months/", "runs/staging/"];
        folders.iter().any(|folder| name.starts_with(folder))
    };
    let imported: Vec<_> = files.keys().filter(|name| is_imported(name)).collect();
    assert_eq!(imported, [""; 0]);
}

#[test]
fn a_clock_that_differs_by_less_than_a_day_is_a_warning() {
    let (sandbox, store) = (
        Sandbox::start(&["--fault", "wrong-clock:99"]),
        tempdir().unwrap(),
    );
    let billstream = Billstream::on(store.path()).from(&sandbox);
    let months = ["import", "--from", "2026-09", "--to", MONTH];
    let output = billstream.run(&months).ok();
    let warnings = output
        .stderr
        .matches("clock and Confluent's differ")
        .count();
    assert_eq!(warnings, 1, "{}", output.stderr);
}
