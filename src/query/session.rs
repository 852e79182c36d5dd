//! A session: runs statements over the store's tables, views and sources.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::DataFusionError;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::ViewTable;
use datafusion::physical_plan::{SendableRecordBatchStream, execute_stream};
use datafusion::prelude::SessionContext;

use crate::clock::Clock;
use crate::engine::sql_files::SqlFiles;
use crate::engine::text::Cells;
use crate::engine::{self, Limits};
use crate::error::{Error, Result};
use crate::query::catalog::Catalog;
use crate::query::parameters::Parameters;
use crate::query::rows::Rows;
use crate::query::sources::Source;
use crate::query::statements::Statement;
use crate::query::threads::Busy;
use crate::query::watch::Watch;
use crate::query::{currencies, diagnostics, names, permissions, threads, versioned_tables};
use crate::store::Store;

/// Inputs and limits of a session.
pub(crate) struct SessionOptions {
    pub(crate) store: Store,
    /// Views, source mappings and reports.
    pub(crate) sql: SqlFiles,
    /// Other cost data, by name.
    pub(crate) sources: BTreeMap<String, Source>,
    /// Currencies of configured connections; others have US dollars.
    pub(crate) currencies: BTreeMap<String, String>,
    /// File of exchange rates.
    pub(crate) rates: Option<PathBuf>,
    /// Memory, streams and time of a statement.
    pub(crate) limits: Limits,
    /// Decides the states of months.
    pub(crate) clock: Clock,
    /// Lets statements write files and change settings.
    pub(crate) allow_write: bool,
}

pub(crate) struct Session {
    planner: Planner,
    limits: Limits,
    busy: Busy,
    rates: Option<PathBuf>,
}

/// Plans statements, on any thread.
#[derive(Clone)]
struct Planner {
    context: SessionContext,
    catalog: Arc<Catalog>,
    allow_write: bool,
}

impl Planner {
    async fn plan(&self, statement: &Statement, parameters: &Parameters) -> Result<DataFrame> {
        let (write, labels) = (self.allow_write, self.catalog.labels());
        permissions::plan(&self.context, statement, parameters, write, labels).await
    }

    /// Starts a planned statement, with the labels that it still needs once it is optimized.
    async fn execute(
        &self,
        statement: &Statement,
        frame: DataFrame,
    ) -> Result<SendableRecordBatchStream> {
        let explain = |e: DataFusionError| self.explain(statement, &e);
        let (state, plan) = frame.into_parts();
        let plan = state.optimize(&plan).map_err(explain)?;
        let plan = self.catalog.labels().bind(&state, plan).await?;
        let plan = state.query_planner().create_physical_plan(&plan, &state);
        let plan = plan.await.map_err(explain)?;
        execute_stream(plan, state.task_ctx()).map_err(explain)
    }

    /// Explains an engine error of a statement.
    fn explain(&self, statement: &Statement, error: &DataFusionError) -> Error {
        diagnostics::explain(statement, error, &self.catalog.table_names())
    }
}

impl Session {
    /// Opens a session. Nothing is read yet.
    pub(crate) fn open(options: SessionOptions) -> Result<Session> {
        let context = engine::session(&options.store, options.limits)?;
        versioned_tables::register(&context, &options.store);
        let catalog = Catalog::new(
            options.store,
            options.sql,
            options.sources,
            options.currencies,
            options.clock,
        );
        catalog.attach(&context)?;
        Ok(Session {
            planner: Planner {
                context,
                catalog,
                allow_write: options.allow_write,
            },
            limits: options.limits,
            rates: options.rates,
            busy: Busy::default(),
        })
    }

    /// Starts a statement. Its time and memory are limited from this call to its last rows.
    ///
    /// # Errors
    /// Kind data, for invalid SQL (with its position and the nearest name), a statement that is not allowed, or
    /// one that exceeds its limits; kind usage, for a parameter without a value.
    pub(crate) async fn start(
        &self,
        statement: &Statement,
        parameters: &Parameters,
    ) -> Result<Rows> {
        let watch = Watch::start(self.limits);
        let (statement, parameters) = (statement.clone(), parameters.clone());
        let (planner, asked) = (self.planner.clone(), statement.clone());
        let stream = self.limited(watch, async move {
            let frame = planner.plan(&asked, &parameters).await?;
            let mixes = planner.catalog.only_currency().is_none()
                && currencies::ignores_currency(frame.logical_plan());
            let stream = planner.execute(&asked, frame).await?;
            Ok((stream, mixes))
        });
        let ((stream, mixes), planner) = (stream.await?, self.planner.clone());
        let explain = move |e: &DataFusionError| planner.explain(&statement, e);
        let runtime = threads::runtime()?;
        let rows = Rows::start(runtime, &self.busy, stream, watch, explain);
        Ok(rows.ignoring_currency(mixes))
    }

    /// Currencies of all line items.
    ///
    /// # Errors
    /// Those of the line items.
    pub(crate) async fn currencies(&self) -> Result<Vec<String>> {
        if let Some(only) = self.only_currency() {
            return Ok(vec![only.to_string()]);
        }
        let statement = Statement::new("select distinct currency from all_line_items order by 1");
        let rows = self.texts(&statement).await?;
        Ok(rows.into_iter().filter_map(|[currency]| currency).collect())
    }

    /// Rows of a statement without parameters as texts; `None` for NULL.
    ///
    /// # Errors
    /// Those of [`Session::collect`].
    pub(crate) async fn texts<const N: usize>(
        &self,
        statement: &Statement,
    ) -> Result<Vec<[Option<String>; N]>> {
        let (_, batches) = self.collect(statement, &Parameters::new()).await?;
        let mut rows = Vec::new();
        for batch in &batches {
            let cells = Cells::new(batch)?;
            let texts = |row| std::array::from_fn(|column| cells.text(row, column));
            rows.extend((0..batch.num_rows()).map(texts));
        }
        Ok(rows)
    }

    /// Currency of all line items, if it is known without reading them.
    pub(super) fn only_currency(&self) -> Option<&'static str> {
        self.planner.catalog.only_currency()
    }

    /// File of exchange rates.
    pub(super) fn rates(&self) -> Option<&Path> {
        self.rates.as_deref()
    }

    /// Runs a statement to its end.
    ///
    /// # Errors
    /// As [`Session::start`].
    pub(crate) async fn collect(
        &self,
        statement: &Statement,
        parameters: &Parameters,
    ) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let mut rows = self.start(statement, parameters).await?;
        let mut batches = Vec::new();
        while let Some(batch) = rows.next().await? {
            batches.push(batch);
        }
        Ok((rows.schema(), batches))
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
        let (statement, parameters) = (statement.clone(), parameters.clone());
        let (planner, name) = (self.planner.clone(), name.to_string());
        self.limited(Watch::start(self.limits), async move {
            let frame = planner.plan(&statement, &parameters).await?;
            let view = ViewTable::new(frame.into_unoptimized_plan(), None);
            let registered = planner.catalog.register_table(name, Arc::new(view));
            registered.map_err(|e| planner.explain(&statement, &e))
        })
        .await
    }

    /// Ends a view's replacement.
    pub(super) fn restore_view(&self, name: &str, replaced: Option<Arc<dyn TableProvider>>) {
        let catalog = &self.planner.catalog;
        // Neither fails: the name was registered before, and is no built-in one.
        let _ = match replaced {
            Some(view) => catalog.register_table(name.to_string(), view),
            None => catalog.deregister_table(name),
        };
    }

    /// Runs `work` on a thread of the engine, within the limits.
    async fn limited<T: Send + 'static>(
        &self,
        watch: Watch,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let work = threads::on_separate_thread(&self.busy, work);
        watch.wait_for(work).await
    }

    /// Returns true if a statement that was given up still occupies a thread after `patience`.
    pub(crate) async fn is_busy_after(&self, patience: Duration) -> bool {
        let idle = async {
            while self.busy.count() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(patience, idle).await.is_err()
    }

    /// Closes the open tables, so that the next statement reads their latest versions.
    pub(crate) fn refresh(&self) {
        self.planner.catalog.close_tables();
    }

    /// Names and types of a table's columns.
    ///
    /// # Errors
    /// Kind data, for an unknown table, or a view that exceeds the limits.
    pub(crate) async fn columns(&self, table: &str) -> Result<Vec<(String, String)>> {
        let (catalog, table) = (self.planner.catalog.clone(), table.to_string());
        self.limited(Watch::start(self.limits), async move {
            let names = catalog.table_names();
            let found = catalog.table(&table).await;
            let found = found.map_err(|e| diagnostics::explain_without_text(&e, &names))?;
            let table = found.ok_or_else(|| {
                let error = Error::data(format!("there is no table `{table}`"));
                error.with_hint(names::suggestion(&table, &names, "tables").unwrap_or_default())
            })?;
            let schema = table.schema();
            let columns = schema.fields().iter();
            Ok(columns
                .map(|field| (field.name().clone(), type_name(field.data_type())))
                .collect())
        })
        .await
    }

    /// Names of all SQL functions, table functions included.
    pub(crate) fn functions(&self) -> Vec<String> {
        let state = self.planner.context.state();
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
        &self.planner.catalog
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
