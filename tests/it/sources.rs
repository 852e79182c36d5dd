//! Cost sources: exact, under a separate connection, never delivered.

use std::path::{Path, PathBuf};

use crate::support::{Billstream, Exact, MONTH, Sandbox, csv_rows, drop_in_force};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// `name=path` of a fixture.
fn source(name: &str, file: &str) -> String {
    format!("{name}={}", fixtures().join("sources").join(file).display())
}

fn total(billstream: &Billstream, arguments: &[&str], connection: &str) -> Exact {
    let sql = format!(
        "select sum(\"cost/cost\") as sum from all_line_items where connection = '{connection}'"
    );
    let mut command = vec!["query", "--format", "csv"];
    command.extend(arguments);
    command.push(&sql);
    let rows = csv_rows(billstream.run(&command).ok().stdout.as_bytes());
    Exact::of(&rows[0]["sum"])
}

#[test]
fn formats_are_detected_by_their_columns_and_exact() {
    let folder = tempfile::tempdir().unwrap();
    let billstream = Billstream::on(folder.path());
    for (file, cost) in [
        ("focus-1.0.csv", "122.190000000000000040000001"),
        ("focus-1.2.csv.gz", "1.45000010000000004"),
        ("focus-1.2.parquet", "1.45000010000000004"),
        ("cur2.parquet", "724.58000010000000004"),
        ("focus-gcp.parquet", "16.2211111"),
        ("focus-oci.csv", "0.0100000010000001"),
        ("focus-1.2.*.gz", "1.45000010000000004"),
        ("*.gz", "1.45000010000000004"),
        // Only the drop that the manifest names.
        ("cbf", "5.308999999999999999999999"),
    ] {
        let given = source("other", file);
        assert_eq!(
            total(&billstream, &["--source", &given], "other"),
            Exact::of(cost),
            "{file}"
        );
    }
    let own = source("own", "own.csv");
    let sql = fixtures().display().to_string();
    assert_eq!(
        total(&billstream, &["--source", &own, "--sql-dir", &sql], "own"),
        Exact::of("-0.176549999")
    );
}

/// Their categories, providers, quantities and tags differ in form from FOCUS's.
#[test]
fn focus_exports_of_google_and_oracle_are_read_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let billstream = Billstream::on(folder.path());
    let (gcp, oci) = (
        source("gcp", "focus-gcp.parquet"),
        source("oci", "focus-oci.csv"),
    );
    let sql = "select connection, billing_period, cloud_provider, line_item_type, \
               json_text(tags, 'team') as team, sum(billed_cost) as billed, sum(real_cost) as real, \
               sum(quantity) as quantity from daily_costs group by 1, 2, 3, 4, 5 order by 1, 4, 5";
    let arguments = [
        "query", "--format", "csv", "--source", &gcp, "--source", &oci, sql,
    ];
    assert_eq!(
        billstream.run(&arguments).ok().stdout,
        "connection,billing_period,cloud_provider,line_item_type,team,billed,real,quantity\n\
         gcp,2026-10,Google Cloud,Adjustment,,-0.000000002,0,\n\
         gcp,2026-10,Google Cloud,Support,,3,0,\n\
         gcp,2026-10,Google Cloud,Tax,,2.11,0,\n\
         gcp,2026-10,Google Cloud,Usage,core,11.111111101,11.111111101,24\n\
         gcp,2026-10,Google Cloud,Usage,,0.000000001,0.000000001,\n\
         oci,2026-10,Oracle,Usage,core,0.0125000000000001,0.0125000000000001,1\n\
         oci,2026-10,Oracle,Usage,,-0.002499999,-0.002499999,3.3\n"
    );
}

#[test]
fn sources_do_not_change_imported_costs() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(&[]);
    let billstream = Billstream::on(folder.path()).from(&sandbox);
    billstream.import(MONTH).ok();
    let drop_before = drop_in_force(folder.path(), billstream.connection_name(), MONTH);
    let focus = source("focus", "focus-1.0.csv");
    let billstream = billstream.env("BILLSTREAM_SOURCES", &source("aws", "cur2.parquet"));
    let sql = "select connection, cloud_provider, sum(billed_cost) as cost from daily_costs \
               group by 1, 2 order by 1, 2";
    let rows = billstream
        .run(&["query", "--format", "csv", "--source", &focus, sql])
        .ok();
    let rows = csv_rows(rows.stdout.as_bytes());
    let of = |name: &str| -> Exact {
        let rows = rows.iter().filter(|row| row["connection"] == name);
        rows.map(|row| Exact::of(&row["cost"])).sum()
    };
    assert_eq!(of("confluent"), Exact::of(&sandbox.totals(MONTH).net));
    assert_eq!(of("aws"), Exact::of("724.58000010000000004"));
    assert_eq!(of("focus"), Exact::of("122.190000000000000040000001"));
    let published = billstream.query("select distinct connection from line_items");
    assert_eq!(published.len(), 1);
    // A delivery ignores sources.
    billstream.run(&["deliver", "--month", MONTH]).ok();
    let drop_after = drop_in_force(folder.path(), billstream.connection_name(), MONTH);
    assert!(drop_before.len() == drop_after.len() && !drop_after.is_empty());
}

#[test]
fn costs_by_tag_includes_tags_of_sources() {
    let folder = tempfile::tempdir().unwrap();
    let billstream = Billstream::on(folder.path());
    let (cz, aws) = (source("cz", "cbf"), source("aws", "cur2.parquet"));
    let sql =
        "select connection, tag_key, tag_value from costs_by_tag group by 1, 2, 3 order by 1, 2, 3";
    let rows = billstream
        .run(&[
            "query", "--format", "csv", "--source", &cz, "--source", &aws, sql,
        ])
        .ok();
    let rows = csv_rows(rows.stdout.as_bytes());
    for (connection, key, value) in [("aws", "cost_center", "007"), ("cz", "team", "a,b")] {
        let found = rows.iter().any(|row| {
            row["connection"] == connection && row["tag_key"] == key && row["tag_value"] == value
        });
        assert!(found, "{connection} {key} {value}: {rows:?}");
    }
}

#[test]
fn invalid_sources_are_rejected_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let billstream = Billstream::on(folder.path());
    let odd = folder.path().join("odd.csv");
    std::fs::write(&odd, "day,money\n2026-10-01,5\n").unwrap();
    let odd = format!("odd={}", odd.display());
    let float = folder.path().join("sql/sources");
    std::fs::create_dir_all(&float).unwrap();
    std::fs::write(
        float.join("odd.sql"),
        "-- Odd\n\nselect '2026-10' as billing_period, cast(day as timestamp) as \"time/usage_start\",\n\
         cast(money as double) as \"cost/cost\" from source\n",
    )
    .unwrap();
    let sql_dir = folder.path().join("sql").display().to_string();
    let cases: [(&[&str], i32, &str); 6] = [
        (&["--source", &odd], 1, "sources/odd.sql"),
        (
            &["--source", &odd, "--sql-dir", &sql_dir],
            1,
            "wrap it in amount(",
        ),
        (
            &["--source", "x=/nowhere/at/all"],
            3,
            "no Parquet or CSV files",
        ),
        (
            &["--source", "Costs=/tmp"],
            2,
            "invalid source name `Costs`",
        ),
        (&["--source", "costs=/tmp"], 2, "is already a table"),
        (&["--source", "/tmp"], 2, "is not name=location"),
    ];
    for (arguments, code, words) in cases {
        let mut command = vec!["query"];
        command.extend(arguments);
        command.push("select count(*) from all_line_items");
        let output = billstream.run(&command);
        assert_eq!(output.code, code, "{arguments:?}: {}", output.stderr);
        assert!(
            output.stderr.contains(words),
            "{arguments:?}: {}",
            output.stderr
        );
    }
}
