//! `export focus`: a dataset with the published totals, which is a source again.

use std::path::Path;

use crate::support::{Billstream, Exact, MONTH, Sandbox, csv_rows, names_below};

/// Totals of the published month and of the exported one, by line item type but for discounts.
fn totals(billstream: &Billstream, source: &str) -> Vec<[String; 5]> {
    let sql = format!(
        "select connection, case line_item_type when 'Discount' then 'Usage' else line_item_type end as type, \
         sum(billed_cost) as billed, sum(on_demand_cost) as listed, sum(real_cost) as real from daily_costs \
         where billing_period = '{MONTH}' group by 1, 2 order by 2, 1"
    );
    let source = format!("exported={source}");
    let output = billstream.run(&["query", "--format", "csv", "--source", &source, &sql]);
    let rows = csv_rows(output.ok().stdout.as_bytes());
    let columns = ["connection", "type", "billed", "listed", "real"];
    let row = |row: &crate::support::Row| columns.map(|column| row[column].clone());
    rows.iter().map(row).collect()
}

#[test]
fn the_export_has_the_published_totals_and_is_a_source_again() {
    let (store, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sandbox = Sandbox::start(&[]);
    let billstream = Billstream::on(store.path()).from(&sandbox);
    billstream.import(MONTH).ok();
    let published = Exact::of(&sandbox.totals(MONTH).net);
    for (format, folder) in [("parquet", "p"), ("csv", "c"), ("csv.gz", "z")] {
        let folder = out.path().join(folder).display().to_string();
        let arguments = [
            "export",
            "focus",
            &folder,
            "--format",
            format,
            "--summary",
            "json",
        ];
        // The second one replaces the file of the first.
        billstream.run(&arguments).ok();
        let summary = billstream.run(&arguments).ok().json();
        let month = &summary["months"][0];
        assert_eq!(month["billing_period"], MONTH);
        let billed = Exact::of(month["billed_cost"].as_str().unwrap());
        assert_eq!(billed, published, "{summary}");
        let rows = totals(&billstream, &folder);
        assert!(rows.len() >= 6, "{rows:?}");
        for pair in rows.chunks(2) {
            assert_eq!(pair[0][1..], pair[1][1..], "{format}");
        }
        assert_metadata(Path::new(&folder));
        // Without the root, the data alone is a source as well.
        let rows_of_data = totals(&billstream, &format!("{folder}/data"));
        assert_eq!(rows_of_data, rows);
    }
    let other = [
        "export",
        "focus",
        &out.path().join("p").display().to_string(),
        "--format",
        "csv",
    ]
    .map(str::to_string);
    billstream
        .run(&other)
        .code(2)
        .says(&["in another format", "export to another folder"]);
}

/// The metadata that FOCUS asks for.
fn assert_metadata(folder: &Path) {
    let read = |path: &Path| -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let metadata = folder.join("metadata");
    let generator = read(&metadata.join("data_generator.json"));
    assert_eq!(generator["DataGenerator"], "billstream");
    let schemas = std::fs::read_dir(metadata.join("schemas")).unwrap();
    let schemas: Vec<_> = schemas.map(|entry| read(&entry.unwrap().path())).collect();
    assert_eq!(schemas.len(), 1);
    assert_eq!(schemas[0]["FocusVersion"], "1.2");
    let columns = schemas[0]["ColumnDefinition"].as_array().unwrap();
    assert!(
        columns
            .iter()
            .any(|c| c["ColumnName"] == "BilledCost" && c["DataType"] == "DECIMAL")
    );
    let record = read(&metadata.join(format!("files/{MONTH}/confluent.json")));
    assert_eq!(record["SchemaId"], schemas[0]["SchemaId"]);
    assert!(folder.join(record["Path"].as_str().unwrap()).is_file());
}

#[test]
fn an_export_whose_total_differs_writes_no_file() {
    let (store, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sandbox = Sandbox::start(&[]);
    let billstream = Billstream::on(store.path()).from(&sandbox);
    billstream.import(MONTH).ok();
    let exports = billstream.home().join("sql/exports");
    std::fs::create_dir_all(&exports).unwrap();
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/exports/focus.sql");
    let built_in = std::fs::read_to_string(built_in).unwrap();
    let folder = out.path().display().to_string();
    let arguments = ["export", "focus", &folder, "--sql-dir", "sql"];
    for (from, to, code, expected) in [
        (
            "  net as \"BilledCost\"",
            "  list as \"BilledCost\"",
            5,
            "the sum of BilledCost is",
        ),
        (
            "\"ServiceName\"",
            "\"Servicename\"",
            1,
            "ServiceName is missing",
        ),
        ("\"SkuId\"", "\"SkuID\"", 1, "did you mean SkuId"),
        (
            "  net as \"BilledCost\"",
            "  cast(net as double) as \"BilledCost\"",
            1,
            "is a float",
        ),
    ] {
        assert!(built_in.contains(from));
        std::fs::write(exports.join("focus.sql"), built_in.replace(from, to)).unwrap();
        billstream
            .run(&arguments)
            .code(code)
            .says(&[expected, "hint:"]);
        let written = names_below(out.path());
        assert!(
            !written.iter().any(|name| name.contains("confluent")),
            "{written:?}"
        );
    }
    std::fs::remove_file(exports.join("focus.sql")).unwrap();
    for (more, code, expected) in [
        (["--month", "2026-03"], 2, "2026-03 is not published"),
        (
            ["--connection", "other"],
            2,
            "`other` has no published months",
        ),
    ] {
        let mut arguments = vec!["export", "focus", folder.as_str()];
        arguments.extend(more);
        billstream.run(&arguments).code(code).says(&[expected]);
    }
    let inside = store.path().join("focus").display().to_string();
    billstream
        .run(&["export", "focus", &inside])
        .code(2)
        .says(&["overlap"]);
}
