//! Other cost data beside what was imported: files on any object store, mapped to CloudZero's Common Bill
//! Format by `sql/sources/*.sql`.
//!
//! A mapping says in its comments which columns it `needs` and which it knows as `optional`. The first
//! mapping whose needs the files meet is taken; one of the source's own name goes before all others.
//! Sources are read by queries only, and never delivered.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{MemoryCatalogProviderList, TableProvider};
use datafusion::common::Column;
use datafusion::config::CsvOptions;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, cast, lit};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use glob::Pattern;
use object_store::ObjectStoreExt;
use url::Url;

use crate::cloudzero::cbf;
use crate::engine;
use crate::engine::functions;
use crate::engine::sql_files::{SqlFile, SqlFiles};
use crate::error::{Error, Result};
use crate::query::names::{ALL, quoted};
use crate::store::remote;

/// The columns of every source and of `all_line_items`, with their SQL types.
pub const COLUMNS: [(&str, &str); 25] = [
    ("connection", "varchar"),
    ("billing_period", "varchar"),
    ("lineitem/id", "varchar"),
    ("lineitem/type", "varchar"),
    ("lineitem/description", "varchar"),
    ("lineitem/cloud_provider", "varchar"),
    ("time/usage_start", "timestamp"),
    ("time/usage_end", "timestamp"),
    ("resource/id", "varchar"),
    ("resource/service", "varchar"),
    ("resource/usage_family", "varchar"),
    ("resource/account", "varchar"),
    ("resource/region", "varchar"),
    ("action/usage_type", "varchar"),
    ("action/operation", "varchar"),
    ("usage/amount", MONEY),
    ("usage/units", "varchar"),
    ("cost/cost", MONEY),
    ("cost/discounted_cost", MONEY),
    ("cost/on_demand_cost", MONEY),
    ("cost/amortized_cost", MONEY),
    ("cost/discounted_amortized_cost", MONEY),
    ("resource/tag:confluent_environment", "varchar"),
    ("resource/tag:confluent_name", "varchar"),
    ("tags", "varchar"),
];
const MONEY: &str = "decimal(38, 24)";

fn data_type(sql: &str) -> DataType {
    match sql {
        MONEY => crate::decimal::TYPE,
        "timestamp" => cbf::TIME.clone(),
        _ => DataType::Utf8View,
    }
}

/// Where a source's files are.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    location: String,
}

/// Reads `name=location` of `--source`.
///
/// # Errors
/// Kind usage, for a name that SQL could not tell from others.
pub fn parse(text: &str) -> Result<Source> {
    let (name, location) = text.split_once('=').ok_or_else(|| {
        Error::usage(format!("`{text}` is not name=location"))
            .with_hint("for example --source aws=s3://bucket/exports/")
    })?;
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts || !name.chars().all(legal) || location.is_empty() {
        return Err(Error::usage(format!("`{name}` cannot name a source"))
            .with_hint("use lower-case letters, digits and _, and begin with a letter"));
    }
    Ok(Source {
        name: name.to_string(),
        location: location.to_string(),
    })
}

/// Sources by name, each as `name=place`; flags win over those that are configured.
///
/// # Errors
/// As [`parse`]; class usage, for a name that a table or view has.
pub fn named(
    configured: &[String],
    flags: &[String],
    sql: &SqlFiles,
) -> Result<BTreeMap<String, Source>> {
    let mut sources = BTreeMap::new();
    for text in configured.iter().chain(flags) {
        let source = parse(text)?;
        let taken = [
            ALL,
            "costs",
            "line_items",
            "periods",
            "resources",
            "runs",
            "versions",
        ];
        if taken.contains(&source.name.as_str())
            || sql.of_kind("views").any(|(view, _)| view == source.name)
        {
            return Err(
                Error::usage(format!("`{}` is a table already", source.name))
                    .with_hint("give the source another name"),
            );
        }
        sources.insert(source.name.clone(), source);
    }
    Ok(sources)
}

impl Source {
    /// Where its files are, as the user named the place.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The source's line items in [`COLUMNS`], planned and not yet read.
    ///
    /// # Errors
    /// Kind configuration, for a place without files; class data, for files that no mapping fits.
    pub async fn open(
        &self,
        context: &SessionContext,
        sql: &SqlFiles,
    ) -> Result<Arc<dyn TableProvider>> {
        let opened = self.mapped(context, sql).await;
        opened.map_err(|e| e.context(format!("source `{}` at {}", self.name, self.location)))
    }

    async fn mapped(
        &self,
        context: &SessionContext,
        sql: &SqlFiles,
    ) -> Result<Arc<dyn TableProvider>> {
        let raw = raw_table(context, &self.location).await?;
        let mapping = Mapping::fitting(sql, &self.name, &raw.schema())?;
        map(context, raw, mapping.file, &self.name).await
    }
}

/// Rows as they came, mapped by a file of `sql/sources` to [`COLUMNS`] under the source's name.
///
/// # Errors
/// Kind data, for SQL that does not plan or gives other columns.
pub async fn map(
    context: &SessionContext,
    raw: Arc<dyn TableProvider>,
    file: &SqlFile,
    name: &str,
) -> Result<Arc<dyn TableProvider>> {
    let raw = with_optional(raw, &Mapping::of(file))?;
    // The mapping calls the files `source`, whatever their name outside: a catalog of its own.
    let state = SessionStateBuilder::new_from_existing(context.state())
        .with_catalog_list(Arc::new(MemoryCatalogProviderList::new()))
        .build();
    let within = SessionContext::new_with_state(state);
    let catalog = Arc::new(datafusion::catalog::MemoryCatalogProvider::new());
    within.register_catalog("datafusion", catalog.clone());
    let schema = Arc::new(datafusion::catalog::MemorySchemaProvider::new());
    let failed = |e: datafusion::error::DataFusionError| file.failed(&e);
    datafusion::catalog::CatalogProvider::register_schema(catalog.as_ref(), "public", schema)
        .map_err(failed)?;
    within.register_table("source", raw).map_err(failed)?;
    let frame = file.plan(&within, Vec::new()).await?;
    let expressions =
        conform(frame.schema().fields().iter(), name).map_err(|e| e.context(file.display()))?;
    let plan = LogicalPlanBuilder::from(frame.into_unoptimized_plan())
        .project(expressions)
        .and_then(LogicalPlanBuilder::build)
        .map_err(failed)?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// The mapping's result as [`COLUMNS`]: what it leaves out is NULL, but for the source's own name.
fn conform<'a>(given: impl Iterator<Item = &'a Arc<Field>>, source: &str) -> Result<Vec<Expr>> {
    let given: Vec<&Arc<Field>> = given.collect();
    for field in &given {
        let known = COLUMNS.iter().any(|(name, _)| name == field.name());
        if !known {
            return Err(Error::data(format!(
                "the mapping's column \"{}\" is not one of all_line_items",
                field.name()
            ))
            .with_hint("tags go into the column `tags`, as a JSON object"));
        }
        if field.data_type().is_floating() {
            return Err(Error::data(format!(
                "the mapping's column \"{}\" is a float, which loses digits",
                field.name()
            ))
            .with_hint("write amount(…) around it"));
        }
    }
    let has = |name: &str| given.iter().any(|field| field.name() == name);
    for needed in ["billing_period", "time/usage_start", "cost/cost"] {
        if !has(needed) {
            return Err(Error::data(format!(
                "the mapping has no column \"{needed}\""
            )));
        }
    }
    let columns = COLUMNS.iter().map(|(name, sql)| {
        let value = match *name {
            "connection" => lit(source),
            name if has(name) => Expr::Column(Column::new_unqualified(name)),
            "lineitem/type" => lit("Usage"),
            "lineitem/cloud_provider" => lit(source),
            _ => lit(datafusion::common::ScalarValue::Null),
        };
        cast(value, data_type(sql)).alias(*name)
    });
    Ok(columns.collect())
}

// --------------------------------------------------------------------------------- its mapping

struct Mapping<'a> {
    file: &'a SqlFile,
    needs: Vec<&'a str>,
    optional: Vec<&'a str>,
}

impl<'a> Mapping<'a> {
    fn of(file: &'a SqlFile) -> Mapping<'a> {
        Mapping {
            needs: file.listed("needs"),
            optional: file.listed("optional"),
            file,
        }
    }

    /// The columns that it needs and that are not there.
    fn missing(&self, columns: &SchemaRef) -> Vec<&'a str> {
        let needs = self.needs.iter().copied();
        needs
            .filter(|name| columns.field_with_name(name).is_err())
            .collect()
    }

    fn fitting(sql: &'a SqlFiles, source: &str, columns: &SchemaRef) -> Result<Mapping<'a>> {
        if let Ok(own) = sql.get(&format!("sources/{source}")) {
            return Ok(Mapping::of(own));
        }
        let mut tried = Vec::new();
        for (name, file) in sql.of_kind("sources") {
            let mapping = Mapping::of(file);
            let missing = mapping.missing(columns);
            if missing.is_empty() && !mapping.needs.is_empty() {
                return Ok(mapping);
            }
            if !mapping.needs.is_empty() {
                tried.push(format!("{name} lacks {}", missing.join(", ")));
            }
        }
        let names: Vec<_> = columns.fields().iter().map(|f| quoted(f.name())).collect();
        Err(Error::data(format!(
            "no mapping fits: {}; its columns are {}",
            tried.join("; "),
            names.join(", ")
        ))
        .with_hint(format!(
            "write sources/{source}.sql in your SQL folder: a select from `source` that gives CBF columns"
        )))
    }
}

/// The files with the optional columns that they lack, as NULL.
fn with_optional(
    raw: Arc<dyn TableProvider>,
    mapping: &Mapping<'_>,
) -> Result<Arc<dyn TableProvider>> {
    let columns = raw.schema();
    let present = columns.fields().iter();
    let mut expressions: Vec<Expr> = present
        .map(|field| Expr::Column(Column::new_unqualified(field.name())))
        .collect();
    let missing = mapping.optional.iter();
    let missing = missing.filter(|name| columns.field_with_name(name).is_err());
    let null = || {
        cast(
            lit(datafusion::common::ScalarValue::Null),
            DataType::Utf8View,
        )
    };
    expressions.extend(missing.map(|name| match (*name, tags_of(&columns)) {
        ("tags", Some(tags)) => tags.alias("tags"),
        _ => null().alias(*name),
    }));
    let source = datafusion::datasource::provider_as_source(raw);
    let plan = LogicalPlanBuilder::scan("files", source, None)
        .and_then(|plan| plan.project(expressions))
        .and_then(LogicalPlanBuilder::build)
        .map_err(|e| engine::failed("columns", &e))?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// The columns `resource/tag:<key>` as one JSON object.
fn tags_of(columns: &SchemaRef) -> Option<Expr> {
    let tags = columns.fields().iter().filter_map(|field| {
        let key = field.name().strip_prefix(cbf::TAG_PREFIX)?;
        let value = Expr::Column(Column::new_unqualified(field.name()));
        Some([
            cast(lit(key), DataType::Utf8View),
            cast(value, DataType::Utf8View),
        ])
    });
    let arguments: Vec<Expr> = tags.flatten().collect();
    (!arguments.is_empty()).then(|| functions::tags_json().call(arguments))
}

// ----------------------------------------------------------------------------------- its files

/// The files at a location as a table, everything of a CSV as text.
async fn raw_table(context: &SessionContext, location: &str) -> Result<Arc<dyn TableProvider>> {
    let url = remote::url_of(location)?;
    let files = match drops(context, &url).await? {
        Some(files) if files.is_empty() => return empty_drop(),
        Some(files) => files,
        None => vec![location_url(&url)?],
    };
    let first = first_file(context, &files, location).await?;
    let format = format_of(&first).ok_or_else(|| {
        Error::data(format!("`{first}` is neither Parquet nor CSV"))
            .with_hint("name files that end in .parquet, .csv or .csv.gz, or a folder of them")
    })?;
    let options = ListingOptions::new(format.reader).with_file_extension(format.extension);
    let failed = |e: datafusion::error::DataFusionError| engine::failed("files", &e);
    let config = ListingTableConfig::new_with_multi_paths(files).with_listing_options(options);
    let config = config
        .infer_schema(&context.state())
        .await
        .map_err(failed)?;
    let table = ListingTable::try_new(config).map_err(failed)?;
    Ok(Arc::new(table))
}

fn location_url(url: &Url) -> Result<ListingTableUrl> {
    let failed =
        |e: &dyn std::fmt::Display| Error::config(format!("`{url}` is no place of files: {e}"));
    // A pattern begins with the folder that has the first star.
    if let Some(star) = url.path().find('*') {
        let folder = url.path()[..star].rfind('/').map_or(0, |slash| slash + 1);
        let pattern = Pattern::new(&url.path()[folder..]).map_err(|e| failed(&e))?;
        let mut root = url.clone();
        root.set_path(&url.path()[..folder]);
        return ListingTableUrl::try_new(root, Some(pattern)).map_err(|e| failed(&e));
    }
    let is_folder = url.to_file_path().is_ok_and(|path| path.is_dir());
    let text = match is_folder && !url.path().ends_with('/') {
        true => format!("{url}/"),
        false => url.to_string(),
    };
    ListingTableUrl::parse(&text).map_err(|e| failed(&e))
}

struct Format {
    reader: Arc<dyn FileFormat>,
    extension: &'static str,
}

fn format_of(path: &str) -> Option<Format> {
    let csv = |compression| {
        // No types are guessed: a column of amounts would become floats.
        let options = CsvOptions::default().with_has_header(true);
        let reader = CsvFormat::default()
            .with_options(options)
            .with_newlines_in_values(true)
            .with_schema_infer_max_rec(0)
            .with_file_compression_type(compression);
        Arc::new(reader)
    };
    let path = path.to_ascii_lowercase();
    if path.ends_with(".parquet") {
        return Some(Format {
            reader: Arc::new(ParquetFormat::default()),
            extension: ".parquet",
        });
    }
    if path.ends_with(".csv.gz") {
        return Some(Format {
            reader: csv(FileCompressionType::GZIP),
            extension: ".csv.gz",
        });
    }
    path.ends_with(".csv").then(|| Format {
        reader: csv(FileCompressionType::UNCOMPRESSED),
        extension: ".csv",
    })
}

async fn first_file(
    context: &SessionContext,
    places: &[ListingTableUrl],
    location: &str,
) -> Result<String> {
    for place in places {
        let store = context
            .runtime_env()
            .object_store(place)
            .map_err(|e| crate::query::diagnostics::explain("", &e, &[]))?;
        let mut names: Vec<String> = if place.is_collection() {
            let mut found = Vec::new();
            let mut listed = store.list(Some(place.prefix()));
            while let Some(meta) = listed
                .try_next()
                .await
                .map_err(|e| unlisted(location, &e))?
            {
                if place.contains(&meta.location, true) {
                    found.push(meta.location.to_string());
                }
            }
            found
        } else {
            vec![place.prefix().to_string()]
        };
        names.sort();
        if let Some(name) = names.into_iter().find(|name| format_of(name).is_some()) {
            return Ok(name);
        }
    }
    Err(Error::config("no Parquet or CSV files are there")
        .with_hint("name a file, a folder, or a pattern such as s3://bucket/exports/*.parquet"))
}

fn unlisted(location: &str, error: &object_store::Error) -> Error {
    Error::remote(format!("cannot list {location}: {error}"))
        .with_hint("check the place, and the credentials in the provider's environment variables")
}

// ------------------------------------------------------------------- CloudZero's drops of CBF

/// The files of the drops in force below a folder, month by month, or `None` where no manifest is.
async fn drops(context: &SessionContext, url: &Url) -> Result<Option<Vec<ListingTableUrl>>> {
    let place = location_url(url)?;
    if !place.is_collection() || url.path().contains('*') {
        return Ok(None);
    }
    let store = context
        .runtime_env()
        .object_store(&place)
        .map_err(|e| crate::query::diagnostics::explain("", &e, &[]))?;
    let failed = |e: object_store::Error| unlisted(url.as_str(), &e);
    let mut listed = store.list(Some(place.prefix()));
    let (mut names, mut found) = (Vec::new(), false);
    while let Some(meta) = listed.try_next().await.map_err(failed)? {
        names.push(meta.location);
    }
    let mut files = Vec::new();
    for manifest in names
        .iter()
        .filter(|name| name.filename() == Some("manifest.json"))
    {
        found = true;
        let read = store.get(manifest).await.map_err(failed)?;
        let bytes = read.bytes().await.map_err(failed)?;
        let manifest_said: serde_json::Value = serde_json::from_slice(&bytes)
            .map_err(|e| Error::data(format!("{manifest} is no manifest: {e}")))?;
        let drop = manifest_said["current_drop_id"]
            .as_str()
            .ok_or_else(|| Error::data(format!("{manifest} names no `current_drop_id`")))?;
        let folder = manifest.to_string();
        let folder = folder.trim_end_matches("manifest.json");
        let inside = format!("{folder}{drop}/");
        let root = &url[..url::Position::BeforePath];
        for name in names.iter().map(ToString::to_string) {
            if name.starts_with(&inside) && name.ends_with(".csv.gz") {
                let file = ListingTableUrl::parse(format!("{root}/{name}"));
                files.push(file.map_err(|e| engine::failed("drop", &e))?);
            }
        }
    }
    Ok(found.then_some(files))
}

/// A drop without files says that there are no line items.
fn empty_drop() -> Result<Arc<dyn TableProvider>> {
    let fields =
        ["time/usage_start", "cost/cost"].map(|name| Field::new(name, DataType::Utf8, true));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let table = MemTable::try_new(schema, vec![vec![]]);
    Ok(Arc::new(table.map_err(|e| engine::failed("drop", &e))?))
}
