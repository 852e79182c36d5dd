//! The gate of all SQL: what a statement may do, and how large it may be.

use datafusion::common::DataFusionError;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{DdlStatement, LogicalPlan, Statement as PlanStatement};

use crate::engine::statement_limits;
use crate::error::{Error, Result};

/// What a statement may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Return rows: SQL files, and the SELECT of a view.
    Rows,
    /// Return rows, create views of the session, and change harmless settings.
    Session,
    /// Write files, create tables and change all settings as well.
    Write,
}

/// Plans a text that is one statement, if it is allowed and within the limits. The plan is not optimized.
///
/// # Errors
/// Those of the engine; an [`Error`] of kind data within them for a statement that is not allowed or too large.
pub(crate) async fn plan(
    state: &SessionState,
    sql: &str,
    access: Access,
) -> datafusion::common::Result<LogicalPlan> {
    let own = |error: Error| DataFusionError::External(Box::new(error));
    statement_limits::check_text(sql).map_err(own)?;
    let dialect = state.config_options().sql_parser.dialect;
    let statement = state.sql_to_statement(sql, &dialect)?;
    statement_limits::check_syntax(&statement).map_err(own)?;
    let plan = state.statement_to_plan(statement).await?;
    statement_limits::check_plan(&plan).map_err(own)?;
    check_access(&plan, access).map_err(own)?;
    Ok(plan)
}

/// Settings that a statement may change without `--allow-write`: none of them lifts a limit.
const HARMLESS_SETTINGS: [&str; 3] = [
    "datafusion.explain.",
    "datafusion.format.",
    "datafusion.execution.time_zone",
];

/// Refuses plans that write, read other files, or lift a limit, at any depth.
fn check_access(plan: &LogicalPlan, access: Access) -> Result<()> {
    if access == Access::Write {
        return Ok(());
    }
    let mut refused = None;
    let visited = plan.apply_with_subqueries(|part| {
        refused = refused_operation(part, access);
        Ok(match refused {
            Some(_) => TreeNodeRecursion::Stop,
            None => TreeNodeRecursion::Continue,
        })
    });
    visited.map_err(|e| crate::engine::failed("statement", &e))?;
    match refused {
        None => Ok(()),
        Some(operation) if access == Access::Rows => Err(Error::data(format!(
            "{operation} is not allowed here: a view or SQL file returns rows and changes nothing"
        ))
        .with_hint("write one SELECT, with or without WITH")),
        Some(operation) => Err(Error::data(format!(
            "{operation} is not allowed: queries are read-only"
        ))
        .with_hint("pass --allow-write to allow it for this run")),
    }
}

/// Name of the operation of one step of a plan, if it is not allowed.
fn refused_operation(plan: &LogicalPlan, access: Access) -> Option<String> {
    let is_session = access == Access::Session;
    let operation = match plan {
        LogicalPlan::Copy(_) => "COPY",
        LogicalPlan::Dml(dml) => return Some(dml.op.to_string()),
        LogicalPlan::Ddl(DdlStatement::CreateView(_) | DdlStatement::DropView(_)) if is_session => {
            return None;
        }
        LogicalPlan::Ddl(ddl) => match ddl {
            DdlStatement::CreateExternalTable(_) => "CREATE EXTERNAL TABLE",
            DdlStatement::CreateMemoryTable(_) => "CREATE TABLE",
            DdlStatement::DropTable(_) => "DROP TABLE",
            DdlStatement::CreateFunction(_) => "CREATE FUNCTION",
            DdlStatement::CreateView(_) => "CREATE VIEW",
            _ => "this statement",
        },
        LogicalPlan::Statement(PlanStatement::SetVariable(set)) => {
            let variable = &set.variable;
            let is_harmless = HARMLESS_SETTINGS
                .iter()
                .any(|name| variable.starts_with(name));
            return (!is_harmless || !is_session).then(|| format!("SET {variable}"));
        }
        LogicalPlan::Statement(PlanStatement::ResetVariable(_)) => "RESET",
        LogicalPlan::Statement(_) => "this statement",
        _ => return None,
    };
    Some(operation.to_string())
}
