//! Cost sources: files on any object store as tables, mapped to CloudZero's Common Bill Format.
//!
//! A mapping is a file `sql/sources/*.sql` whose comments list the columns that it `needs` and those that are
//! `optional`. A mapping with the source's name is used first, else the first one whose needs the files meet.
//! Only queries read sources; they are never delivered.

mod aws_names;
mod cells;
mod columns;
mod deliveries;
mod delta;
mod drops;
mod files;
mod location;
mod mapping;
mod open;
mod read;
mod repeats;
mod table;
mod types;

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionContext;

use crate::engine::sql_files::SqlFiles;
use crate::error::{Error, Result};
use crate::query::names::BUILTIN_TABLES;
pub(crate) use crate::query::sources::columns::{COLUMNS, CURRENCY, DEFAULT_CURRENCY};
use crate::query::sources::mapping::Mapping;
pub use crate::query::sources::mapping::apply_mapping;
use crate::query::sources::table::SourceTable;

/// A named location of cost files.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    name: String,
    location: String,
}

/// Sources by name, from texts `name=location`; flags override configured ones.
///
/// # Errors
/// Kind usage, for an invalid name or the name of a table or view.
pub(crate) fn resolve(
    configured: &[String],
    flags: &[String],
    sql: &SqlFiles,
) -> Result<BTreeMap<String, Source>> {
    let mut sources = BTreeMap::new();
    for text in configured.iter().chain(flags) {
        let source = Source::parse(text)?;
        let is_table = BUILTIN_TABLES.iter().any(|(name, _)| *name == source.name);
        let is_view = sql.of_kind("views").any(|(view, _)| view == source.name);
        if is_table || is_view {
            return Err(
                Error::usage(format!("`{}` is already a table", source.name))
                    .with_hint("give the source another name"),
            );
        }
        sources.insert(source.name.clone(), source);
    }
    Ok(sources)
}

impl Source {
    /// Parses `name=location` of `--source`.
    fn parse(text: &str) -> Result<Source> {
        let (name, location) = text.split_once('=').ok_or_else(|| {
            Error::usage(format!("`{text}` is not name=location"))
                .with_hint("pass for example --source aws=s3://bucket/exports/")
        })?;
        let is_legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let starts_with_letter = name.starts_with(|c: char| c.is_ascii_lowercase());
        if !starts_with_letter || !name.chars().all(is_legal) || location.is_empty() {
            return Err(Error::usage(format!("invalid source name `{name}`"))
                .with_hint("use lower-case letters, digits and _, and start with a letter"));
        }
        Ok(Source {
            name: name.to_string(),
            location: location.to_string(),
        })
    }

    /// Location as the user wrote it.
    pub(super) fn location(&self) -> &str {
        &self.location
    }

    /// The source's line items in [`COLUMNS`], planned and not yet read.
    ///
    /// # Errors
    /// Kind configuration, for a location without files; kind data, for files that no mapping fits.
    pub(super) async fn open(
        &self,
        context: &SessionContext,
        sql: &SqlFiles,
    ) -> Result<Arc<dyn TableProvider>> {
        let opened = self.open_mapped(context, sql).await;
        opened.map_err(|e| e.context(format!("source `{}` at {}", self.name, self.location)))
    }

    async fn open_mapped(
        &self,
        context: &SessionContext,
        sql: &SqlFiles,
    ) -> Result<Arc<dyn TableProvider>> {
        let files = files::find(context, &self.name, &self.location).await?;
        let table = SourceTable::new(&self.name, open::open_all(&self.name, files).await?);
        let mapping = Mapping::select(sql, &self.name, &table.schema())?;
        table.check_needed(&mapping.needs)?;
        for column in mapping.file.listed("unique") {
            repeats::check(&table, column).await?;
        }
        let raw = Arc::new(table.with_uses(cells::uses(&mapping.file.text)));
        apply_mapping(context, raw, mapping.file, &self.name).await
    }
}
