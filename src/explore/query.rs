//! SQL over `costs` and `line_items` as they are published, read-only.

use std::sync::Arc;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::SessionContext;

use crate::engine::{self, Limits, files::FilesTable};
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::tables::Table;

/// A session with the published tables of a store.
///
/// # Errors
/// Class configuration, when nothing was imported there yet.
pub async fn session(store: &Store, limits: Limits) -> Result<SessionContext> {
    let context = engine::session(store, limits)?;
    let mut found = false;
    for name in ["costs", "line_items"] {
        let Some(table) = Table::open(store, name).await? else {
            continue;
        };
        found = true;
        let files = table.files().await?;
        let files = files
            .into_iter()
            .map(|file| (file.connection, file.period, file.file));
        let table = FilesTable::new(store, name, &table.columns()?, files)?;
        context
            .register_table(name, Arc::new(table))
            .map_err(|e| engine::failed(&format!("table {name}"), &e))?;
    }
    if !found {
        return Err(
            Error::config(format!("nothing is imported in {} yet", store.display("")))
                .with_hint("run `billstream import --demo`, or name another --store"),
        );
    }
    Ok(context)
}

/// Starts one query. Only queries are allowed: nothing can be written, created or set.
///
/// # Errors
/// Class data, with the engine's message.
pub async fn start(
    context: &SessionContext,
    limits: Limits,
    sql: &str,
) -> Result<SendableRecordBatchStream> {
    let options = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    let query = async {
        let frame = context
            .sql_with_options(sql.trim().trim_end_matches(';'), options)
            .await?;
        frame.execute_stream().await
    };
    engine::within(limits, "query", query).await
}
