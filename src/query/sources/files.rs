//! Files of a source as a table.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::config::CsvOptions;
use datafusion::datasource::MemTable;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use glob::Pattern;
use object_store::ObjectStore;
use object_store::path::Path;
use url::Url;

use crate::engine;
use crate::error::{Error, Result};
use crate::query::diagnostics::explain_without_text;
use crate::query::sources::drops;
use crate::store::remote;

/// The files at a location as a table; every CSV column is text.
pub(super) async fn raw_table(
    context: &SessionContext,
    location: &str,
) -> Result<Arc<dyn TableProvider>> {
    let url = remote::url_of(location)?;
    let files = match drops::current_files(context, &url).await? {
        Some(files) if files.is_empty() => return no_line_items(),
        Some(files) => files,
        None => vec![listing_url(&url)?],
    };
    let first = first_file(context, &files, location).await?;
    let format = FileType::of_name(&first).ok_or_else(|| {
        Error::data(format!("`{first}` is neither Parquet nor CSV"))
            .with_hint("use files that end in .parquet, .csv or .csv.gz, or a folder of them")
    })?;
    let options = ListingOptions::new(format.reader()).with_file_extension(format.extension());
    let failed = |e: DataFusionError| engine::failed("files", &e);
    let config = ListingTableConfig::new_with_multi_paths(files).with_listing_options(options);
    let config = config
        .infer_schema(&context.state())
        .await
        .map_err(failed)?;
    let table = ListingTable::try_new(config).map_err(failed)?;
    Ok(Arc::new(table))
}

/// A file, a folder or a pattern with `*` as a URL of the engine.
pub(super) fn listing_url(url: &Url) -> Result<ListingTableUrl> {
    let failed = |e: &dyn std::fmt::Display| {
        Error::config(format!("could not use `{url}` as a location of files: {e}"))
    };
    // A pattern starts after the last folder before the first star.
    if let Some(star) = url.path().find('*') {
        let folder = url.path()[..star].rfind('/').map_or(0, |slash| slash + 1);
        let pattern = Path::from_url_path(&url.path()[folder..]).map_err(|e| failed(&e))?;
        let pattern = Pattern::new(pattern.as_ref()).map_err(|e| failed(&e))?;
        let mut root = url.clone();
        root.set_path(&url.path()[..folder]);
        return ListingTableUrl::try_new(root, Some(pattern)).map_err(|e| failed(&e));
    }
    let is_folder = url.to_file_path().is_ok_and(|path| path.is_dir());
    let text = if is_folder && !url.path().ends_with('/') {
        format!("{url}/")
    } else {
        url.to_string()
    };
    ListingTableUrl::parse(&text).map_err(|e| failed(&e))
}

/// The object store of a location.
pub(super) fn object_store(
    context: &SessionContext,
    location: &ListingTableUrl,
) -> Result<Arc<dyn ObjectStore>> {
    context
        .runtime_env()
        .object_store(location)
        .map_err(|e| explain_without_text(&e, &[]))
}

#[derive(Debug, Clone, Copy)]
enum FileType {
    Parquet,
    Csv,
    CsvGzip,
}

impl FileType {
    fn of_name(name: &str) -> Option<FileType> {
        let name = name.to_ascii_lowercase();
        [FileType::Parquet, FileType::CsvGzip, FileType::Csv]
            .into_iter()
            .find(|file_type| name.ends_with(file_type.extension()))
    }

    fn extension(self) -> &'static str {
        match self {
            FileType::Parquet => ".parquet",
            FileType::Csv => ".csv",
            FileType::CsvGzip => ".csv.gz",
        }
    }

    fn reader(self) -> Arc<dyn FileFormat> {
        match self {
            FileType::Parquet => Arc::new(ParquetFormat::default()),
            FileType::Csv => csv_reader(FileCompressionType::UNCOMPRESSED),
            FileType::CsvGzip => csv_reader(FileCompressionType::GZIP),
        }
    }
}

/// Infers no types: a column of amounts would become floats.
fn csv_reader(compression: FileCompressionType) -> Arc<dyn FileFormat> {
    let options = CsvOptions::default().with_has_header(true);
    let reader = CsvFormat::default()
        .with_options(options)
        .with_newlines_in_values(true)
        .with_schema_infer_max_rec(0)
        .with_file_compression_type(compression);
    Arc::new(reader)
}

/// Name of the first file with a known type.
async fn first_file(
    context: &SessionContext,
    urls: &[ListingTableUrl],
    location: &str,
) -> Result<String> {
    for url in urls {
        let store = object_store(context, url)?;
        let mut names: Vec<String> = if url.is_collection() {
            let mut found = Vec::new();
            let mut listing = store.list(Some(url.prefix()));
            while let Some(meta) = listing
                .try_next()
                .await
                .map_err(|e| list_error(location, &e))?
            {
                if url.contains(&meta.location, true) {
                    found.push(meta.location.to_string());
                }
            }
            found
        } else {
            vec![url.prefix().to_string()]
        };
        names.sort();
        let first = names
            .into_iter()
            .find(|name| FileType::of_name(name).is_some());
        if let Some(name) = first {
            return Ok(name);
        }
    }
    Err(Error::config("no Parquet or CSV files found")
        .with_hint("pass a file, a folder, or a pattern such as s3://bucket/exports/*.parquet"))
}

pub(super) fn list_error(location: &str, error: &object_store::Error) -> Error {
    Error::remote(format!("could not list {location}: {error}")).with_hint(
        "check the location, and the credentials in the provider's environment variables",
    )
}

/// The table of a drop without files, which has no line items.
fn no_line_items() -> Result<Arc<dyn TableProvider>> {
    let fields =
        ["time/usage_start", "cost/cost"].map(|name| Field::new(name, DataType::Utf8, true));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let table = MemTable::try_new(schema, vec![vec![]]);
    Ok(Arc::new(table.map_err(|e| engine::failed("drop", &e))?))
}
