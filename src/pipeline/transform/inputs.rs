//! Inputs of the SQL files of a month: tables over its files, and parameters.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion::prelude::SessionContext;

use crate::billing_period::BillingPeriod;
use crate::confluent::costs::decode;
use crate::engine;
use crate::engine::files::FilesTable;
use crate::engine::sql_files::Parameters;
use crate::error::Result;
use crate::pipeline::RunContext;
use crate::store::TableName;
use crate::store::writer::DataFile;

/// Parameters of SQL files.
pub(crate) fn parameters(context: &RunContext, period: BillingPeriod) -> Parameters {
    vec![
        ("connection", ScalarValue::from(&*context.connection)),
        ("billing_period", ScalarValue::from(period.to_string())),
        (
            "cloud_provider",
            ScalarValue::from(context.cloud_provider.as_str()),
        ),
    ]
}

/// Session whose table `costs` is these files of a month.
pub(crate) fn costs_session(
    context: &RunContext,
    period: BillingPeriod,
    costs: &[DataFile],
) -> Result<SessionContext> {
    let session = engine::session(&context.store, context.limits)?;
    let columns = &decode::SCHEMA;
    register(context, &session, TableName::Costs, columns, period, costs)?;
    Ok(session)
}

/// Registers files of a month as a table of the session.
pub(crate) fn register(
    context: &RunContext,
    session: &SessionContext,
    name: TableName,
    columns: &SchemaRef,
    period: BillingPeriod,
    files: &[DataFile],
) -> Result<()> {
    register_files(
        context,
        session,
        name,
        name.as_str(),
        columns,
        period,
        files,
    )
}

/// Registers files of the `line_items` table under another name.
pub(crate) fn register_as(
    context: &RunContext,
    session: &SessionContext,
    name: &str,
    columns: &SchemaRef,
    period: BillingPeriod,
    files: &[DataFile],
) -> Result<()> {
    let table = TableName::LineItems;
    register_files(context, session, table, name, columns, period, files)
}

fn register_files(
    context: &RunContext,
    session: &SessionContext,
    table: TableName,
    name: &str,
    columns: &SchemaRef,
    period: BillingPeriod,
    files: &[DataFile],
) -> Result<()> {
    let files = files
        .iter()
        .map(|file| (context.connection.to_string(), period, file.clone()));
    let table = FilesTable::new(&context.store, table, columns, files)?;
    session
        .register_table(name, Arc::new(table))
        .map(|_| ())
        .map_err(|e| engine::failed(&format!("table {name}"), &e))
}
