//! Mappings: SQL files of `sql/sources` that turn files into line items.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider,
    TableProvider,
};
use datafusion::common::{Column, DataFusionError, ScalarValue};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, cast, lit};
use datafusion::prelude::SessionContext;

use crate::cloudzero::cbf;
use crate::engine;
use crate::engine::functions;
use crate::engine::sql_files::{SqlFile, SqlFiles};
use crate::error::{Error, Result};
use crate::query::names::quoted;
use crate::query::sources::columns;
use crate::suggest::nearest;

/// Maps raw rows by a file of `sql/sources` to the columns of `all_line_items`, under the source's name.
///
/// # Errors
/// Kind data, for SQL that does not plan or returns other columns.
pub async fn apply_mapping(
    context: &SessionContext,
    raw: Arc<dyn TableProvider>,
    file: &SqlFile,
    name: &str,
) -> Result<Arc<dyn TableProvider>> {
    let failed = |e: DataFusionError| file.failed(&e);
    let raw = with_optional_columns(raw, &Mapping::new(file))?;
    let context = context_with_source(context, raw).map_err(failed)?;
    let frame = file.plan(&context, Vec::new()).await?;
    let projection = columns::projection(frame.schema().fields().iter(), name)
        .map_err(|e| e.context(file.display()))?;
    let plan = LogicalPlanBuilder::from(frame.into_unoptimized_plan())
        .project(projection)
        .and_then(LogicalPlanBuilder::build)
        .map_err(failed)?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// A session with the table `source` alone, as mappings call the raw rows.
fn context_with_source(
    context: &SessionContext,
    raw: Arc<dyn TableProvider>,
) -> datafusion::common::Result<SessionContext> {
    let state = SessionStateBuilder::new_from_existing(context.state())
        .with_catalog_list(Arc::new(MemoryCatalogProviderList::new()))
        .build();
    let context = SessionContext::new_with_state(state);
    let catalog = Arc::new(MemoryCatalogProvider::new());
    catalog.register_schema("public", Arc::new(MemorySchemaProvider::new()))?;
    context.register_catalog("datafusion", catalog);
    context.register_table("source", raw)?;
    Ok(context)
}

/// A mapping file with the columns that its comments list as `needs` and `optional`.
pub(super) struct Mapping<'a> {
    pub(super) file: &'a SqlFile,
    pub(super) needs: Vec<&'a str>,
    optional: Vec<&'a str>,
}

impl<'a> Mapping<'a> {
    fn new(file: &'a SqlFile) -> Mapping<'a> {
        Mapping {
            needs: file.listed("needs"),
            optional: file.listed("optional"),
            file,
        }
    }

    /// The mapping named after the source, else the first one whose needs the columns meet.
    ///
    /// # Errors
    /// Kind data, if there is none.
    pub(super) fn select(
        sql: &'a SqlFiles,
        source: &str,
        columns: &SchemaRef,
    ) -> Result<Mapping<'a>> {
        if let Ok(named) = sql.get(&format!("sources/{source}")) {
            return Ok(Mapping::new(named));
        }
        let mut rejected = Vec::new();
        for (name, file) in sql.of_kind("sources") {
            let mapping = Mapping::new(file);
            let missing = mapping.missing(columns);
            if missing.is_empty() && !mapping.needs.is_empty() {
                return Ok(mapping);
            }
            if !mapping.needs.is_empty() {
                let missing: Vec<_> = missing
                    .iter()
                    .map(|name| described(name, columns))
                    .collect();
                rejected.push(format!("{name} lacks {}", missing.join(", ")));
            }
        }
        let names: Vec<_> = columns.fields().iter().map(|f| quoted(f.name())).collect();
        Err(Error::data(format!(
            "no mapping fits the columns {}: {}",
            names.join(", "),
            rejected.join("; ")
        ))
        .with_hint(format!(
            "write sources/{source}.sql in your SQL folder: a select from `source` that returns CBF columns"
        )))
    }

    /// Needed columns that are missing.
    fn missing(&self, columns: &SchemaRef) -> Vec<&'a str> {
        let needs = self.needs.iter().copied();
        needs
            .filter(|name| columns.field_with_name(name).is_err())
            .collect()
    }
}

/// A missing column, with the nearest name of the columns that there are.
fn described(missing: &str, columns: &SchemaRef) -> String {
    let names = columns.fields().iter().map(|field| field.name().as_str());
    match nearest(missing, names) {
        Some(name) => format!("{missing} (nearest: {})", quoted(name)),
        None => missing.to_string(),
    }
}

/// Optional columns that are collected from the columns of a prefix, one for each tag.
const COLLECTED: [(&str, &str); 2] = [
    ("tags", cbf::TAG_PREFIX),
    // The legacy Cost and Usage Report.
    ("resource_tags", "resource_tags_"),
];

/// Adds the optional columns of a mapping that the rows lack: tags from the columns for each tag, others as NULL.
fn with_optional_columns(
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
    let null = || cast(lit(ScalarValue::Null), DataType::Utf8View);
    expressions.extend(missing.map(|name| {
        let collected = COLLECTED.iter().find(|(column, _)| column == name);
        let tags = collected.and_then(|(_, prefix)| tags_object(&columns, prefix));
        tags.unwrap_or_else(null).alias(*name)
    }));
    let plan = LogicalPlanBuilder::scan("files", provider_as_source(raw), None)
        .and_then(|plan| plan.project(expressions))
        .and_then(LogicalPlanBuilder::build)
        .map_err(|e| engine::failed("columns", &e))?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// The columns of a prefix as one JSON object, by the rest of their names.
fn tags_object(columns: &SchemaRef, prefix: &str) -> Option<Expr> {
    let tags = columns.fields().iter().filter_map(|field| {
        let key = field.name().strip_prefix(prefix)?;
        let value = Expr::Column(Column::new_unqualified(field.name()));
        Some([
            cast(lit(key), DataType::Utf8View),
            cast(value, DataType::Utf8View),
        ])
    });
    let arguments: Vec<Expr> = tags.flatten().collect();
    (!arguments.is_empty()).then(|| functions::tags_json().call(arguments))
}
