//! Runs `tests/slt`: one file for every SQL file, in billstream's own session.
//!
//! In a statement, `{{models/line_items}}` is replaced by that SQL file with its parameters filled in. Creating the
//! table `all_line_items` also creates the views over it (on [`TODAY`], with an empty `periods` if there is none), and in the file of a report the view `report`, with the
//! parameters of comments `# param name=value`. Without a column `currency` its rows are in USD, without
//! `lineitem/id` they have no id. Creating the table `source` also creates `mapped`, the rows of the
//! source format. A row is one line: values joined by ` | `, with NULL and (empty) spelled out.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use billstream::engine::sql_files::SqlFiles;
use billstream::engine::{self, Limits};
use billstream::query::labels::LabelCache;
use billstream::query::sources;
use billstream::store::Store;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

/// Value of `$today`.
const TODAY: &str = "date '2026-11-20'";
/// Creates the table that the view `months` joins.
const NO_PERIODS: &str = "create table if not exists periods as select \
    cast('' as varchar) as connection, cast('' as varchar) as billing_period, cast('' as varchar) as state, \
    cast(null as date) as complete_through where false";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

struct Session {
    context: SessionContext,
    /// Name of the file below `tests/slt`, without its extension.
    name: String,
    /// Parameters from the file's `# param name=value` comments.
    parameters: Vec<(String, String)>,
}

impl Session {
    /// Runs a statement, with the labels that it needs.
    async fn collect(&self, sql: &str) -> Result<Vec<RecordBatch>, DataFusionError> {
        let frame = self.context.sql(sql).await?;
        let (state, plan) = frame.into_parts();
        let plan = state.optimize(&plan)?;
        let plan = LabelCache::default().bind(&state, plan).await;
        let plan = plan.map_err(|e| DataFusionError::External(Box::new(e)))?;
        DataFrame::new(state, plan).collect().await
    }

    /// Creates the views over an input table that a statement has created.
    async fn create_views_over(&self, table: &str) -> Result<(), DataFusionError> {
        let mut views: Vec<(String, String)> = Vec::new();
        if table == "all_line_items" {
            let all = [
                "months",
                "newest_labels",
                "daily_costs",
                "monthly_costs",
                "cost_changes",
                "costs_by_tag",
                "costs_per_day",
            ];
            self.context.sql(NO_PERIODS).await?.collect().await?;
            let given = self.context.table_provider(table).await?;
            let columns = [("currency", "'USD'"), ("lineitem/id", "null")];
            let missing = columns.iter().filter(|(name, _)| {
                let schema = given.schema();
                schema.field_with_name(name).is_err()
            });
            let missing: String = missing
                .map(|(name, value)| format!(", cast({value} as varchar) as \"{name}\""))
                .collect();
            if !missing.is_empty() {
                self.context.deregister_table(table)?;
                self.context.register_table("given_line_items", given)?;
                let all = format!("create view {table} as select *{missing} from given_line_items");
                self.context.sql(&all).await?.collect().await?;
            }
            views.extend(all.map(|view| (view.to_string(), format!("views/{view}"))));
            if self.name.starts_with("reports/") {
                views.push(("report".to_string(), self.name.clone()));
            }
        } else if self.name.starts_with("sources/") {
            let files = SqlFiles::load(None).unwrap();
            let raw = self.context.table_provider("source").await?;
            let mapped = sources::apply_mapping(
                &self.context,
                raw,
                files.get(&self.name).unwrap(),
                "source",
            )
            .await;
            let mapped = mapped.map_err(|e| DataFusionError::Plan(e.to_string()))?;
            self.context.deregister_table("mapped")?;
            self.context.register_table("mapped", mapped)?;
        }
        for (view, file) in views {
            let mut sql = filled_in(&format!("create or replace view {view} as {{{{{file}}}}}"));
            for (name, value) in &self.parameters {
                let literal = match value.parse::<i64>() {
                    Ok(_) => value.clone(),
                    Err(_) => format!("'{value}'"),
                };
                sql = sql.replace(&format!("${name}"), &literal);
            }
            self.context.sql(&sql).await?;
        }
        Ok(())
    }
}

/// Replaces every `{{name}}` by that file, and its parameters by literals.
fn filled_in(sql: &str) -> String {
    let mut out = sql.to_string();
    while let Some((before, rest)) = out.split_once("{{") {
        let (name, after) = rest.split_once("}}").unwrap();
        let file = std::fs::read_to_string(root().join("sql").join(format!("{name}.sql"))).unwrap();
        let file = file
            .replace("$cloud_provider", "'Confluent'")
            .replace("$billing_period", "'2026-09'")
            .replace("$connection", "'demo'")
            .replace("$currency", "'EUR'")
            .replace("$billing_account_id", "'org-1'")
            .replace("$today", TODAY)
            .replace("$per_day", "true")
            .replace("$columns", "service")
            .replace("$buckets", "1")
            .replace("$bucket", "0");
        out = format!("{before}{file}{after}");
    }
    out
}

fn lines(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::new()
        .with_null("NULL")
        .with_timestamp_format(Some("%Y-%m-%dT%H:%M:%SZ"))
        .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%SZ"));
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| {
            (
                ArrayFormatter::try_new(column, &options).unwrap(),
                column.data_type(),
            )
        })
        .collect();
    let cell = |row: usize, (formatter, data_type): &(ArrayFormatter<'_>, &DataType)| {
        let text = formatter.value(row).to_string();
        match text.as_str() {
            "" => "(empty)".to_string(),
            _ if data_type.is_decimal() && text.contains('.') => {
                text.trim_end_matches('0').trim_end_matches('.').to_string()
            }
            _ => text,
        }
    };
    (0..batch.num_rows())
        .map(|row| {
            let cells: Vec<String> = columns.iter().map(|column| cell(row, column)).collect();
            vec![cells.join(" | ")]
        })
        .collect()
}

#[async_trait::async_trait]
impl AsyncDB for Session {
    type Error = DataFusionError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, DataFusionError> {
        let batches = self.collect(&filled_in(sql)).await?;
        for table in ["all_line_items", "source"] {
            if sql.starts_with(&format!("create table {table} as")) {
                self.create_views_over(table).await?;
            }
        }
        let counts = |batch: &RecordBatch| {
            batch.num_columns() == 0
                || batch.schema().field(0).name() == "count" && sql.starts_with("insert")
        };
        if batches.iter().all(counts) && !sql.trim_start().starts_with("select") {
            return Ok(DBOutput::StatementComplete(0));
        }
        let rows = batches.iter().flat_map(lines).collect();
        Ok(DBOutput::Rows {
            types: vec![DefaultColumnType::Text],
            rows,
        })
    }

    async fn shutdown(&mut self) {}
}

#[test]
fn every_sql_file_has_an_slt_file() {
    let names = |folder: &str, extension: &str| -> Vec<String> {
        let folder = root().join(folder);
        files_below(&folder, extension)
            .iter()
            .map(|path| {
                path.strip_prefix(&folder)
                    .unwrap()
                    .with_extension("")
                    .display()
                    .to_string()
            })
            .collect()
    };
    assert_eq!(names("sql", "sql"), names("tests/slt", "slt"));
    // Those of diff are read where they are used.
    let built_in = SqlFiles::load(None).unwrap();
    let in_use = |name: &String| name.starts_with("diff/") || built_in.get(name).is_ok();
    let unused: Vec<String> = names("sql", "sql");
    let unused: Vec<_> = unused.iter().filter(|name| !in_use(name)).collect();
    assert!(unused.is_empty(), "{unused:?} are not built in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_files_return_the_rows_of_their_slt_files() {
    let files = files_below(&root().join("tests/slt"), "slt");
    assert!(!files.is_empty());
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let location = folder.path().display().to_string();
        let name = file.strip_prefix(root().join("tests/slt")).unwrap();
        let name = name.with_extension("").display().to_string();
        let text = std::fs::read_to_string(&file).unwrap();
        let parameters = text.lines().filter_map(|line| {
            let (name, value) = line.strip_prefix("# param ")?.split_once('=')?;
            Some((name.to_string(), value.to_string()))
        });
        let parameters: Vec<_> = parameters.collect();
        let mut runner = Runner::new(move || {
            let (location, name, parameters) = (location.clone(), name.clone(), parameters.clone());
            async move {
                let store = Store::open(&location).unwrap();
                Ok(Session {
                    context: engine::session(&store, Limits::default()).unwrap(),
                    name,
                    parameters,
                })
            }
        });
        if let Err(error) = runner.run_file_async(&file).await {
            panic!("{}: {error}", file.display());
        }
    }
}
