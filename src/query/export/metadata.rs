//! Metadata of an export: the generator and the schema, as FOCUS 1.2 defines them, and a record of each file.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::decimal;
use crate::engine::sql_files::short_digest;
use crate::error::{Error, Result};
use crate::query::export::ExportedMonth;
use crate::query::export::columns::{FocusColumns, FocusType};
use crate::store::Store;

const FOCUS_VERSION: &str = "1.2";
/// Prefix of the tags that billstream itself sets.
const TAG_PREFIX: &str = "confluent_";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DataGenerator {
    data_generator: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SchemaObject<'a> {
    schema_id: &'a str,
    focus_version: &'static str,
    data_generator_version: &'static str,
    creation_date: String,
    column_definition: &'a [ColumnDefinition<'a>],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ColumnDefinition<'a> {
    column_name: &'a str,
    data_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    numeric_precision: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number_scale: Option<i8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    string_encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_tag_prefixes: Option<[&'static str; 1]>,
}

impl<'a> ColumnDefinition<'a> {
    fn new(name: &'a str, focus_type: FocusType) -> ColumnDefinition<'a> {
        let is_decimal = focus_type == FocusType::Decimal;
        let is_text = matches!(focus_type, FocusType::Text | FocusType::Json);
        ColumnDefinition {
            column_name: name,
            data_type: match focus_type {
                FocusType::Text => "STRING",
                FocusType::Decimal => "DECIMAL",
                FocusType::DateTime => "DATETIME",
                FocusType::Json => "JSON",
            },
            numeric_precision: is_decimal.then_some(decimal::PRECISION),
            number_scale: is_decimal.then_some(decimal::SCALE),
            string_encoding: is_text.then_some("UTF-8"),
            provider_tag_prefixes: (name == "Tags").then_some([TAG_PREFIX]),
        }
    }
}

/// Writes the generator and the schema unless they exist, and returns the id of the schema. It changes with the
/// columns and with the version of billstream.
///
/// # Errors
/// Those of the output.
pub(super) async fn write_schema(
    output: &Store,
    columns: &FocusColumns,
    now: DateTime<Utc>,
) -> Result<String> {
    let generator = DataGenerator {
        data_generator: "billstream",
    };
    write_once(output, "metadata/data_generator.json", &generator).await?;
    let columns = columns.iter();
    let columns: Vec<ColumnDefinition<'_>> = columns
        .map(|(name, focus_type)| ColumnDefinition::new(name, focus_type))
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    let schema_id = short_digest(&format!("{version} {}", json(&columns)?));
    let schema = SchemaObject {
        schema_id: &schema_id,
        focus_version: FOCUS_VERSION,
        data_generator_version: version,
        creation_date: time(now),
        column_definition: &columns,
    };
    write_once(
        output,
        &format!("metadata/schemas/{schema_id}.json"),
        &schema,
    )
    .await?;
    Ok(schema_id)
}

/// Content of a data file.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct FileRecord<'a> {
    path: &'a str,
    schema_id: &'a str,
    connection: &'a str,
    billing_period: String,
    rows: u64,
    billed_cost: &'a str,
    billing_currency: &'a str,
    is_complete: bool,
    written_at: String,
}

impl<'a> FileRecord<'a> {
    pub(super) fn new(
        month: &'a ExportedMonth,
        schema_id: &'a str,
        now: DateTime<Utc>,
    ) -> FileRecord<'a> {
        FileRecord {
            path: &month.file,
            schema_id,
            connection: &month.connection,
            billing_period: month.billing_period.to_string(),
            rows: month.rows,
            billed_cost: &month.billed_cost,
            billing_currency: &month.currency,
            is_complete: month.is_complete,
            written_at: time(now),
        }
    }
}

/// Writes the record of a file, replacing an earlier one.
///
/// # Errors
/// Those of the output.
pub(super) async fn write_file_record(output: &Store, record: &FileRecord<'_>) -> Result<()> {
    let (period, connection) = (&record.billing_period, record.connection);
    let path = format!("metadata/files/{period}/{connection}.json");
    output.put(&path, json(record)?).await
}

async fn write_once(output: &Store, path: &str, value: &impl Serialize) -> Result<()> {
    match output.head(path).await? {
        Some(_) => Ok(()),
        None => output.put(path, json(value)?).await,
    }
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string_pretty(value).map_err(|e| Error::bug(format!("JSON of an export: {e}")))
}
