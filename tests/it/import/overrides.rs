//! SQL files of the user in place of the shipped ones: valid ones work, broken ones are reported.

use std::path::Path;
use std::sync::OnceLock;

use tempfile::{TempDir, tempdir};

use super::published_month;
use crate::support::{
    Billstream, CONNECTION, Files, MONTH, Output, Sandbox, Totals, current_drop_id, drop_in_force,
    files_below, orphans, published_files, write_files,
};

/// The shipped model.
pub const MODEL: &str = include_str!("../../../sql/models/line_items.sql");

/// The shipped model with one change.
#[track_caller]
pub fn model(from: &str, to: &str) -> String {
    assert!(MODEL.contains(from), "the model has no `{from}`");
    MODEL.replace(from, to)
}

/// The shipped model with one more column.
pub fn with_column(column: &str) -> String {
    model("\n  from typed", &format!(",\n  {column}\n  from typed"))
}

/// The number of the first line with a text.
fn line_of(sql: &str, text: &str) -> usize {
    sql.lines().position(|line| line.contains(text)).unwrap() + 1
}

/// A folder of SQL.
pub struct SqlFolder(TempDir);

impl SqlFolder {
    pub fn new(name: &str, sql: &str) -> SqlFolder {
        let folder = tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, sql).unwrap();
        SqlFolder(folder)
    }

    pub fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

/// A store with pulled costs of [`MONTH`]; nothing else needs the network.
pub struct Pulled {
    store: TempDir,
    pub totals: Totals,
}

impl Pulled {
    pub fn new() -> Pulled {
        static ONCE: OnceLock<(Files, Totals)> = OnceLock::new();
        let (files, totals) = ONCE.get_or_init(|| {
            let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
            Billstream::on(store.path())
                .from(&sandbox)
                .run(&["pull", "--month", MONTH])
                .ok();
            (files_below(store.path()), sandbox.totals(MONTH))
        });
        let store = tempdir().unwrap();
        write_files(store.path(), files);
        Pulled {
            store,
            totals: totals.clone(),
        }
    }

    pub fn path(&self) -> &Path {
        self.store.path()
    }

    pub fn billstream(&self) -> Billstream {
        Billstream::on(self.path())
    }

    pub fn transform(&self, sql: &SqlFolder) -> Output {
        let arguments = [
            "transform",
            "--month",
            MONTH,
            "--format",
            "json",
            "--sql-dir",
            sql.path(),
        ];
        self.billstream().run(&arguments)
    }

    /// Asserts that a model is refused and nothing is published.
    #[track_caller]
    pub fn refuses(&self, sql: &str, code: i32, words: &[&str]) {
        let before = published_files(self.path());
        let output = self
            .transform(&SqlFolder::new("models/line_items.sql", sql))
            .code(code)
            .says(words);
        output.status("failed");
        assert!(
            published_files(self.path()) == before,
            "a refused model changes nothing"
        );
    }
}

#[test]
fn publishes_a_tag_column_of_an_overridden_model() {
    let pulled = Pulled::new();
    let plain = Billstream::on(pulled.path())
        .run(&["transform", "--month", MONTH])
        .ok();
    plain.says(&["1 month published"]);
    let first = current_drop_id(pulled.path(), CONNECTION, MONTH);

    let tag = "case when resource_id like 'lkc%' then 'streams' when resource_id is not null then 'data' end \
               as \"resource/tag:team\"";
    let sql = SqlFolder::new("models/line_items.sql", &with_column(tag));
    pulled.transform(&sql).ok().status("published");
    let billstream = pulled.billstream();
    let totals = &pulled.totals;
    billstream.assert_month_is(MONTH, totals);
    assert_ne!(first, current_drop_id(pulled.path(), CONNECTION, MONTH));
    for rows in [
        billstream.line_items(MONTH),
        drop_in_force(pulled.path(), CONNECTION, MONTH),
    ] {
        for row in &rows {
            let id = row["resource/id"].as_str();
            let team = match id {
                "" => "",
                id if id.starts_with("kafka-cluster/") => "streams",
                _ => "data",
            };
            assert_eq!(row["resource/tag:team"], team, "{id}");
        }
    }
    // A repeated run is unchanged; the shipped model is another mapping version.
    pulled.transform(&sql).ok().status("unchanged");
    let variable = pulled.billstream().env("BILLSTREAM_SQL_DIR", sql.path());
    variable
        .run(&["transform", "--month", MONTH, "--format", "json"])
        .ok()
        .status("unchanged");
    let shipped = pulled
        .billstream()
        .run(&["transform", "--month", MONTH, "--format", "json"])
        .ok();
    shipped.status("published");
    assert!(
        pulled
            .billstream()
            .line_items(MONTH)
            .iter()
            .all(|row| row["resource/tag:team"].is_empty())
    );
    pulled.billstream().assert_month_is(MONTH, totals);
    assert_eq!(orphans(pulled.path()), Vec::<String>::new());
}

#[test]
fn months_with_and_without_a_tag_share_a_table() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    billstream.import("2026-09").ok();
    let sql = SqlFolder::new(
        "models/line_items.sql",
        &with_column("case when resource_id is not null then 'x' end as \"resource/tag:team\""),
    );
    let tagged = [
        "import",
        "--month",
        MONTH,
        "--format",
        "json",
        "--sql-dir",
        sql.path(),
    ];
    billstream.run(&tagged).ok().status("published");
    billstream.assert_month_is("2026-09", &sandbox.totals("2026-09"));
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
    assert!(
        billstream
            .line_items("2026-09")
            .iter()
            .all(|row| row["resource/tag:team"].is_empty())
    );
    assert!(
        billstream
            .line_items(MONTH)
            .iter()
            .any(|row| row["resource/tag:team"] == "x")
    );
}

#[test]
fn syntax_error_names_file_and_line() {
    let sql = model(
        "service as \"resource/service\",",
        "service as as \"resource/service\",",
    );
    let line = line_of(&sql, "service as as");
    Pulled::new().refuses(&sql, 1, &["models/line_items.sql", &format!("line {line}")]);
}

#[test]
fn unknown_column_names_file_and_line() {
    let sql = model(
        "network_access_type as \"action/operation\"",
        "networks as \"action/operation\"",
    );
    let line = line_of(&sql, "networks as");
    Pulled::new().refuses(
        &sql,
        1,
        &["models/line_items.sql", &format!("line {line}"), "networks"],
    );
}

#[test]
fn unknown_function_names_the_file() {
    let sql = model(
        "initcap(replace(line_type, '_', ' '))",
        "titlecase(product)",
    );
    Pulled::new().refuses(&sql, 1, &["models/line_items.sql", "titlecase"]);
}

#[test]
fn missing_column_is_named() {
    let sql = model("  network_access_type as \"action/operation\",\n", "");
    Pulled::new().refuses(
        &sql,
        1,
        &["models/line_items.sql", "no column \"action/operation\""],
    );
}

#[test]
fn column_outside_cbf_is_named() {
    let pulled = Pulled::new();
    pulled.refuses(
        &with_column("service as \"my/column\""),
        1,
        &["models/line_items.sql", "my/column", "resource/tag:"],
    );
    pulled.refuses(
        &with_column("service as \"resource/tag:my team\""),
        1,
        &["my team"],
    );
}

#[test]
fn refuses_amounts_as_floats() {
    let sql = model(
        "else net_amount\n    end as \"cost/cost\"",
        "else net_amount\n    end * cast(1 as double) as \"cost/cost\"",
    );
    Pulled::new().refuses(&sql, 1, &["models/line_items.sql", "cost/cost", "decimal"]);
}

#[test]
fn execution_error_names_the_file() {
    let sql =
        with_column("case when cast(line_type as int) > 0 then 'x' end as \"resource/tag:team\"");
    Pulled::new().refuses(&sql, 1, &["models/line_items.sql"]);
}

#[test]
fn refuses_statements_that_are_not_queries() {
    let pulled = Pulled::new();
    for sql in [
        "create table x as select 1",
        "copy (select 1) to '/tmp/billstream-should-not-exist.csv'",
        "set datafusion.execution.batch_size = 1",
        "select 1; select 2",
        "",
    ] {
        pulled.refuses(sql, 1, &["models/line_items.sql"]);
    }
}

#[test]
fn an_overridden_name_of_a_service_applies_to_line_items() {
    let pulled = Pulled::new();
    let names = include_str!("../../../sql/names/service.sql");
    let names = names.replace("then 'Kafka'", "then 'Apache Kafka' -- ours");
    pulled
        .transform(&SqlFolder::new("names/service.sql", &names))
        .ok()
        .status("published");
    let billstream = pulled.billstream();
    billstream.assert_month_is(MONTH, &pulled.totals);
    let services: Vec<String> = billstream
        .line_items(MONTH)
        .iter()
        .map(|row| row["resource/service"].clone())
        .collect();
    assert!(services.iter().any(|service| service == "Apache Kafka"));
    assert!(!services.iter().any(|service| service == "Kafka"));
}

#[test]
fn an_unknown_expression_of_a_model_is_named_with_its_line() {
    let pulled = Pulled::new();
    let sql = model("{{names/service}}", "{{names/services}}");
    let line = format!("line {}", line_of(&sql, "{{names/services}}"));
    pulled
        .transform(&SqlFolder::new("models/line_items.sql", &sql))
        .code(3)
        .says(&["{{names/services}}", &line, "{{names/service}}"]);
}

#[test]
fn reports_a_missing_or_ineffective_sql_folder() {
    let pulled = Pulled::new();
    let arguments =
        |folder: &str| ["transform", "--month", MONTH, "--sql-dir", folder].map(str::to_string);
    pulled
        .billstream()
        .run(&arguments("/nowhere/at/all"))
        .code(3)
        .says(&["/nowhere/at/all"]);
    let misnamed = SqlFolder::new("models/line_item.sql", MODEL);
    pulled
        .transform(&misnamed)
        .code(3)
        .says(&["line_item.sql", "models/line_items.sql"]);
    let empty = SqlFolder::new("README.md", "nothing");
    pulled
        .transform(&empty)
        .ok()
        .says(&["no SQL files in models"]);
}

#[test]
fn refuses_tags_that_differ_in_case_before_publishing() {
    // Column names of a Delta table are unique regardless of case.
    let tag = |key: &str| {
        let column =
            format!("case when resource_id is not null then 'x' end as \"resource/tag:{key}\"");
        SqlFolder::new("models/line_items.sql", &with_column(&column))
    };
    let (store, _) = published_month();
    let restated = Sandbox::start(&["--revision", "1"]);
    let billstream = Billstream::on(store.path()).from(&restated);
    let (lower, upper) = (tag("team"), tag("Team"));
    billstream
        .run(&["transform", "--month", MONTH, "--sql-dir", lower.path()])
        .ok();
    let before = published_files(store.path());
    let arguments = [
        "import",
        "--month",
        MONTH,
        "--format",
        "json",
        "--sql-dir",
        upper.path(),
    ];
    let output = billstream
        .run(&arguments)
        .code(1)
        .says(&["resource/tag:Team", "resource/tag:team"]);
    output.status("failed");
    assert!(
        published_files(store.path()) == before,
        "costs are not published without their line items"
    );

    let both = "service as \"resource/tag:Team\", service as \"resource/tag:team\"";
    Pulled::new().refuses(
        &with_column(both),
        1,
        &["models/line_items.sql", "resource/tag:Team"],
    );
}
