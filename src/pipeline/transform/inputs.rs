//! What SQL files of a month may use: its files as tables, and parameters.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion::prelude::SessionContext;

use crate::billing_period::BillingPeriod;
use crate::engine;
use crate::engine::files::FilesTable;
use crate::engine::sql_files::Parameters;
use crate::error::Result;
use crate::pipeline::RunContext;
use crate::store::TableName;
use crate::store::writer::DataFile;

/// The parameters that SQL files may use.
pub fn parameters(job: &RunContext, period: BillingPeriod) -> Parameters {
    vec![
        ("connection", ScalarValue::from(job.connection.as_str())),
        ("billing_period", ScalarValue::from(period.to_string())),
        (
            "cloud_provider",
            ScalarValue::from(job.cloud_provider.as_str()),
        ),
    ]
}

/// Registers files of a month as a table of the session.
pub fn register(
    job: &RunContext,
    context: &SessionContext,
    name: TableName,
    columns: &SchemaRef,
    period: BillingPeriod,
    files: &[DataFile],
) -> Result<()> {
    let files = files
        .iter()
        .map(|file| (job.connection.clone(), period, file.clone()));
    let table = FilesTable::new(&job.store, name, columns, files)?;
    context
        .register_table(name.as_str(), Arc::new(table))
        .map(|_| ())
        .map_err(|e| engine::failed(&format!("table {name}"), &e))
}
