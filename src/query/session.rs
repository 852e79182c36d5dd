//! A session: the store's tables, views and sources, and statements run one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::DataType;
use datafusion::catalog::{SchemaProvider, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;

use crate::clock::Clock;
use crate::engine::sql_files::SqlFiles;
use crate::engine::{self, Limits};
use crate::error::{Error, Result};
use crate::query::catalog::Catalog;
use crate::query::permissions::{self, Parameters};
use crate::query::sources::Source;
use crate::query::statements::Piece;
use crate::query::{diagnostics, names, tables};
use crate::store::{Store, TableName};

/// What a session is made of.
pub struct Setup {
    /// Where the published tables are.
    pub store: Store,
    /// Views, source mappings and reports.
    pub sql: SqlFiles,
    /// Other cost data, by name.
    pub sources: BTreeMap<String, Source>,
    /// Memory, streams and time of a statement.
    pub limits: Limits,
    /// The time, for the states of months.
    pub clock: Clock,
    /// Whether statements may write files and change settings.
    pub allow_write: bool,
}

/// A session.
pub struct Session {
    context: SessionContext,
    catalog: Arc<Catalog>,
    limits: Limits,
    allow_write: bool,
}

impl Session {
    /// Opens a session. Nothing is read yet.
    pub fn open(setup: Setup) -> Result<Session> {
        let context = engine::session(&setup.store, setup.limits)?;
        for name in tables::PUBLISHED {
            let function = AtVersion {
                store: setup.store.clone(),
                table: name,
            };
            context.register_udtf(&format!("{name}_at"), Arc::new(function));
        }
        let catalog = Catalog::new(setup.store, setup.sql, setup.sources, setup.clock);
        catalog.attach(&context)?;
        Ok(Session {
            context,
            catalog,
            limits: setup.limits,
            allow_write: setup.allow_write,
        })
    }

    /// Starts a statement. Its time began with this call: stop polling the rows after [`Session::timeout`].
    ///
    /// # Errors
    /// Kind data, with the place of the mistake and the nearest name, or for a statement that is not
    /// allowed; class usage, for a parameter without a value.
    pub async fn start(
        &self,
        piece: &Piece,
        parameters: &Parameters,
    ) -> Result<SendableRecordBatchStream> {
        let work = async {
            let frame =
                permissions::plan(&self.context, piece, parameters, self.allow_write).await?;
            let stream = frame.execute_stream().await;
            stream.map_err(|e| self.explain(piece, &e))
        };
        match tokio::time::timeout(self.limits.timeout, work).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(e)) => Err(e),
            Err(_) => Err(self.too_slow()),
        }
    }

    /// Runs a statement of our own that gives no rows.
    ///
    /// # Errors
    /// As [`Session::start`].
    pub async fn execute(&self, sql: &str) -> Result<()> {
        let piece = Piece {
            sql: sql.to_string(),
            line: 1,
        };
        self.start(&piece, &Parameters::new()).await.map(|_| ())
    }

    /// An engine error while rows of a statement were made.
    pub fn explain(&self, piece: &Piece, error: &DataFusionError) -> Error {
        diagnostics::explain_at(piece, error, &self.names())
    }

    /// What to say of a statement that took too long.
    pub fn too_slow(&self) -> Error {
        engine::too_slow("query", self.limits)
    }

    /// Longest time a statement may take.
    pub fn timeout(&self) -> Duration {
        self.limits.timeout
    }

    /// Forgets the opened tables, so that the next statement sees what is published then.
    pub fn refresh(&self) {
        self.catalog.forget();
    }

    /// Names and types of a table's columns.
    ///
    /// # Errors
    /// Kind data, when there is no such table.
    pub async fn columns(&self, table: &str) -> Result<Vec<(String, String)>> {
        let found = self.catalog.table(table).await;
        let found = found.map_err(|e| diagnostics::explain("", &e, &self.names()))?;
        let table = found.ok_or_else(|| {
            let error = Error::data(format!("there is no table `{table}`"));
            error.with_hint(names::near(table, &self.names(), "tables").unwrap_or_default())
        })?;
        let schema = table.schema();
        let columns = schema.fields().iter();
        Ok(columns
            .map(|field| (field.name().clone(), type_name(field.data_type())))
            .collect())
    }

    /// Names of the functions that SQL may call.
    pub fn functions(&self) -> Vec<String> {
        let state = self.context.state();
        let mut names: Vec<String> = state
            .scalar_functions()
            .keys()
            .chain(state.aggregate_functions().keys())
            .chain(state.window_functions().keys())
            .cloned()
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// The names and what they are about.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The engine's session.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    fn names(&self) -> Vec<String> {
        let listing = self.catalog.listing();
        listing.into_iter().map(|(name, _)| name).collect()
    }
}

/// A type as SQL writes it.
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

/// `line_items_at('2026-10', 12)` and `costs_at(…)`: a month as it was at a version of its table.
#[derive(Debug)]
struct AtVersion {
    store: Store,
    table: TableName,
}

impl TableFunctionImpl for AtVersion {
    fn call_with_args(
        &self,
        args: TableFunctionArgs<'_, '_>,
    ) -> datafusion::common::Result<Arc<dyn TableProvider>> {
        let wrong = || {
            let name = self.table;
            DataFusionError::Plan(format!(
                "{name}_at takes a month and a version, such as {name}_at('2026-10', 12)"
            ))
        };
        let [Expr::Literal(month, _), Expr::Literal(version, _)] = args.exprs() else {
            return Err(wrong());
        };
        let month = month.try_as_str().flatten().ok_or_else(wrong)?;
        let month = month
            .parse()
            .map_err(|e: Error| DataFusionError::Plan(e.to_string()))?;
        let version = match version.cast_to(&DataType::UInt64)? {
            ScalarValue::UInt64(Some(version)) => version,
            _ => return Err(wrong()),
        };
        // The engine asks for the table while it plans, in a call that cannot wait.
        let opened = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(tables::at(
                &self.store,
                self.table,
                month,
                version,
            ))
        });
        match opened {
            Ok(table) => Ok(Arc::new(table)),
            Err(e) => Err(DataFusionError::External(Box::new(e))),
        }
    }
}
