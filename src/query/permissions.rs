//! Planning of statements, with checks of what a statement may do.

use datafusion::common::ParamValues;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{DdlStatement, LogicalPlan, Statement as PlanStatement};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::{Error, Result};
use crate::query::diagnostics;
use crate::query::parameters::Parameters;
use crate::query::statements::Statement;

/// Plans an allowed statement with its parameters.
///
/// # Errors
/// Kind data, for invalid SQL (with its position) or a statement that is not allowed; kind usage, for a
/// parameter without a value.
pub(crate) async fn plan(
    context: &SessionContext,
    statement: &Statement,
    parameters: &Parameters,
    allow_write: bool,
) -> Result<DataFrame> {
    refuse_unsupported(statement)?;
    let state = context.state();
    let tables = context
        .catalog("datafusion")
        .and_then(|catalog| catalog.schema("public"))
        .map(|schema| schema.table_names())
        .unwrap_or_default();
    let explain = |e| diagnostics::explain(statement, &e, &tables);
    let plan = state
        .create_logical_plan(&statement.sql)
        .await
        .map_err(explain)?;
    check_allowed(&plan, allow_write)?;
    let names = plan.get_parameter_names().map_err(explain)?;
    let plan = if names.is_empty() {
        plan
    } else {
        let mut values = Vec::new();
        for name in names {
            let name = name.trim_start_matches('$').to_string();
            let value = parameters.get(&name).cloned().ok_or_else(|| {
                Error::usage(format!("the parameter ${name} has no value"))
                    .with_hint(format!("pass --param {name}=…"))
            })?;
            values.push((name, value));
        }
        plan.with_param_values(ParamValues::from(values))
            .map_err(explain)?
    };
    context.execute_logical_plan(plan).await.map_err(explain)
}

/// Refuses INTERSECT ALL and EXCEPT ALL: the engine ignores how often a row occurs.
fn refuse_unsupported(statement: &Statement) -> Result<()> {
    let Ok(mut tokens) = Tokenizer::new(&GenericDialect {}, &statement.sql).tokenize() else {
        return Ok(());
    };
    tokens.retain(|token| !matches!(token, Token::Whitespace(_)));
    let is_keyword = |token: &Token, keywords: &[Keyword]| match token {
        Token::Word(word) => word.quote_style.is_none() && keywords.contains(&word.keyword),
        _ => false,
    };
    let set_operations = [Keyword::INTERSECT, Keyword::EXCEPT, Keyword::MINUS];
    let found = tokens.windows(2).find(|pair| {
        is_keyword(&pair[0], &set_operations) && is_keyword(&pair[1], &[Keyword::ALL])
    });
    match found {
        Some(pair) => Err(Error::data(format!(
            "{} ALL is not supported: it would count duplicate rows wrongly",
            pair[0]
        ))
        .with_hint(
            "leave ALL out, or number duplicate rows with row_number() and compare the numbers too",
        )),
        None => Ok(()),
    }
}

/// Settings that a statement may change without `--allow-write`: none of them lifts a limit.
const HARMLESS_SETTINGS: [&str; 3] = [
    "datafusion.explain.",
    "datafusion.format.",
    "datafusion.execution.time_zone",
];

/// Refuses plans that write, read other files, or lift a limit.
fn check_allowed(plan: &LogicalPlan, allow_write: bool) -> Result<()> {
    if allow_write {
        return Ok(());
    }
    let refuse = |operation: &str| {
        Err(
            Error::data(format!("{operation} is not allowed: queries are read-only"))
                .with_hint("pass --allow-write to allow it for this run"),
        )
    };
    match plan {
        LogicalPlan::Copy(_) => refuse("COPY"),
        LogicalPlan::Dml(dml) => refuse(&dml.op.to_string()),
        LogicalPlan::Ddl(DdlStatement::CreateView(_) | DdlStatement::DropView(_)) => Ok(()),
        LogicalPlan::Ddl(ddl) => refuse(match ddl {
            DdlStatement::CreateExternalTable(_) => "CREATE EXTERNAL TABLE",
            DdlStatement::CreateMemoryTable(_) => "CREATE TABLE",
            DdlStatement::DropTable(_) => "DROP TABLE",
            DdlStatement::CreateFunction(_) => "CREATE FUNCTION",
            _ => "this statement",
        }),
        LogicalPlan::Statement(PlanStatement::SetVariable(set)) => {
            let is_harmless = HARMLESS_SETTINGS
                .iter()
                .any(|name| set.variable.starts_with(name));
            if is_harmless {
                Ok(())
            } else {
                refuse(&format!("SET {}", set.variable))
            }
        }
        LogicalPlan::Statement(PlanStatement::ResetVariable(_)) => refuse("RESET"),
        LogicalPlan::Statement(_) => refuse("this statement"),
        // EXPLAIN ANALYZE runs the explained statement.
        LogicalPlan::Explain(explain) => check_allowed(&explain.plan, allow_write),
        LogicalPlan::Analyze(analyze) => check_allowed(&analyze.input, allow_write),
        _ => Ok(()),
    }
}
