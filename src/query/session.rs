//! A session: runs statements over the store's tables, views and sources.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::DataFusionError;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::ViewTable;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

use crate::clock::Clock;
use crate::engine::sql_files::SqlFiles;
use crate::engine::{self, Limits};
use crate::error::{Error, Result};
use crate::query::catalog::Catalog;
use crate::query::parameters::Parameters;
use crate::query::sources::Source;
use crate::query::statements::Statement;
use crate::query::{diagnostics, names, permissions, versioned_tables};
use crate::store::Store;

/// Inputs and limits of a session.
pub(crate) struct SessionOptions {
    pub(crate) store: Store,
    /// Views, source mappings and reports.
    pub(crate) sql: SqlFiles,
    /// Other cost data, by name.
    pub(crate) sources: BTreeMap<String, Source>,
    /// Memory, streams and time of a statement.
    pub(crate) limits: Limits,
    /// Decides the states of months.
    pub(crate) clock: Clock,
    /// Lets statements write files and change settings.
    pub(crate) allow_write: bool,
}

pub(crate) struct Session {
    context: SessionContext,
    catalog: Arc<Catalog>,
    limits: Limits,
    allow_write: bool,
}

impl Session {
    /// Opens a session. Nothing is read yet.
    pub(crate) fn open(options: SessionOptions) -> Result<Session> {
        let context = engine::session(&options.store, options.limits)?;
        versioned_tables::register(&context, &options.store);
        let catalog = Catalog::new(options.store, options.sql, options.sources, options.clock);
        catalog.attach(&context)?;
        Ok(Session {
            context,
            catalog,
            limits: options.limits,
            allow_write: options.allow_write,
        })
    }

    /// Starts a statement. Its time begins with this call: stop polling the rows after [`Session::timeout`].
    ///
    /// # Errors
    /// Kind data, for invalid SQL (with its position and the nearest name) or a statement that is not
    /// allowed; kind usage, for a parameter without a value.
    pub(crate) async fn start(
        &self,
        statement: &Statement,
        parameters: &Parameters,
    ) -> Result<SendableRecordBatchStream> {
        self.within_timeout(async {
            let frame = self.plan(statement, parameters).await?;
            let stream = frame.execute_stream().await;
            stream.map_err(|e| self.explain(statement, &e))
        })
        .await
    }

    /// Runs a statement to its end.
    ///
    /// # Errors
    /// As [`Session::start`], and for a statement that exceeds its time.
    pub(crate) async fn collect(
        &self,
        statement: &Statement,
        parameters: &Parameters,
    ) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let rows = self.start(statement, parameters).await?;
        let schema = rows.schema();
        let batches = self.within_timeout(async {
            let batches = rows.try_collect().await;
            batches.map_err(|e| self.explain(statement, &e))
        });
        Ok((schema, batches.await?))
    }

    /// Creates or replaces a view of this session, with its parameters bound.
    ///
    /// # Errors
    /// As [`Session::start`].
    pub(super) async fn define_view(
        &self,
        name: &str,
        statement: &Statement,
        parameters: &Parameters,
    ) -> Result<()> {
        self.replace_view(name, statement, parameters).await?;
        Ok(())
    }

    /// As [`Session::define_view`]; returns the view that is replaced, for [`Session::restore_view`].
    ///
    /// # Errors
    /// As [`Session::start`].
    pub(super) async fn replace_view(
        &self,
        name: &str,
        statement: &Statement,
        parameters: &Parameters,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        let frame = self
            .within_timeout(self.plan(statement, parameters))
            .await?;
        let view = ViewTable::new(frame.into_unoptimized_plan(), None);
        let registered = self
            .catalog
            .register_table(name.to_string(), Arc::new(view));
        registered.map_err(|e| self.explain(statement, &e))
    }

    /// Ends a view's replacement.
    pub(super) fn restore_view(&self, name: &str, replaced: Option<Arc<dyn TableProvider>>) {
        // Neither fails: the name was registered before, and is no built-in one.
        let _ = match replaced {
            Some(view) => self.catalog.register_table(name.to_string(), view),
            None => self.catalog.deregister_table(name),
        };
    }

    async fn plan(&self, statement: &Statement, parameters: &Parameters) -> Result<DataFrame> {
        permissions::plan(&self.context, statement, parameters, self.allow_write).await
    }

    async fn within_timeout<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match tokio::time::timeout(self.limits.timeout, work).await {
            Ok(result) => result,
            Err(_) => Err(self.timeout_error()),
        }
    }

    /// Explains an engine error that a statement's rows ended with.
    pub(crate) fn explain(&self, statement: &Statement, error: &DataFusionError) -> Error {
        diagnostics::explain(statement, error, &self.catalog.table_names())
    }

    /// Error for a statement that exceeded its time.
    pub(crate) fn timeout_error(&self) -> Error {
        engine::too_slow("query", self.limits)
    }

    /// Time limit of a statement.
    pub(crate) fn timeout(&self) -> Duration {
        self.limits.timeout
    }

    /// Closes the open tables, so that the next statement reads their latest versions.
    pub(crate) fn refresh(&self) {
        self.catalog.close_tables();
    }

    /// Names and types of a table's columns.
    ///
    /// # Errors
    /// Kind data, for an unknown table.
    pub(crate) async fn columns(&self, table: &str) -> Result<Vec<(String, String)>> {
        let names = self.catalog.table_names();
        let found = self.catalog.table(table).await;
        let found = found.map_err(|e| diagnostics::explain_without_text(&e, &names))?;
        let table = found.ok_or_else(|| {
            let error = Error::data(format!("there is no table `{table}`"));
            error.with_hint(names::suggestion(table, &names, "tables").unwrap_or_default())
        })?;
        let schema = table.schema();
        let columns = schema.fields().iter();
        Ok(columns
            .map(|field| (field.name().clone(), type_name(field.data_type())))
            .collect())
    }

    /// Names of all SQL functions, table functions included.
    pub(crate) fn functions(&self) -> Vec<String> {
        let state = self.context.state();
        let mut names: Vec<String> = state
            .scalar_functions()
            .keys()
            .chain(state.aggregate_functions().keys())
            .chain(state.window_functions().keys())
            .cloned()
            .chain(diagnostics::TABLE_FUNCTIONS.map(str::to_string))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }
}

/// SQL name of a type.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "varchar".to_string(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision}, {scale})"),
        DataType::Date32 => "date".to_string(),
        DataType::Timestamp(..) => "timestamp".to_string(),
        DataType::Int64 => "bigint".to_string(),
        DataType::Int32 => "integer".to_string(),
        DataType::Boolean => "boolean".to_string(),
        other => other.to_string(),
    }
}
