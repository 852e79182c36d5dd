//! Table functions `line_items_at('2026-10', 12)` and `costs_at(…)`: a month at an earlier version.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;

use crate::error::Error;
use crate::query::tables;
use crate::store::{Store, TableName};

/// Registers the function of each published table.
pub(super) fn register(context: &SessionContext, store: &Store) {
    for table in tables::PUBLISHED {
        let function = AtVersion {
            store: store.clone(),
            table,
        };
        context.register_udtf(&format!("{table}_at"), Arc::new(function));
    }
}

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
        let wrong_arguments = || {
            let name = self.table;
            DataFusionError::Plan(format!(
                "{name}_at takes a month and a version, such as {name}_at('2026-10', 12)"
            ))
        };
        let [Expr::Literal(month, _), Expr::Literal(version, _)] = args.exprs() else {
            return Err(wrong_arguments());
        };
        let month = month.try_as_str().flatten().ok_or_else(wrong_arguments)?;
        let month = month
            .parse()
            .map_err(|e: Error| DataFusionError::Plan(e.to_string()))?;
        let version = match version.cast_to(&DataType::UInt64)? {
            ScalarValue::UInt64(Some(version)) => version,
            _ => return Err(wrong_arguments()),
        };
        // The engine's planner requests the table in a blocking call.
        let opened = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(tables::at_version(
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
