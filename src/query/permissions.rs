//! Statements: what one may do, and its parameters.

use std::collections::BTreeMap;

use datafusion::common::{ParamValues, ScalarValue};
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{DdlStatement, LogicalPlan, Statement};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::decimal;
use crate::error::{Error, Result};
use crate::query::diagnostics;
use crate::query::statements::Piece;

/// Values of `$name` in statements.
pub type Parameters = BTreeMap<String, ScalarValue>;

/// Reads `name=value`. A number is one, `true` and `false` are booleans, `null` is NULL, and everything
/// else is text; quotes (`'7'`) make text of what looks like something else.
pub fn parameter(text: &str) -> Result<(String, ScalarValue)> {
    let (name, value) = named_value(text)?;
    Ok((name, value_of(&value)))
}

/// Reads `name=value` without looking at the value.
///
/// # Errors
/// Kind usage, for what is not of that form.
pub fn named_value(text: &str) -> Result<(String, String)> {
    let (name, value) = text.split_once('=').ok_or_else(|| {
        Error::usage(format!("`{text}` is not name=value"))
            .with_hint("for example --param month=2026-10, which the SQL uses as $month")
    })?;
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(legal) {
        return Err(Error::usage(format!("`{name}` cannot name a parameter"))
            .with_hint("use letters, digits and _"));
    }
    Ok((name.to_string(), value.to_string()))
}

/// The value that a text looks like.
pub fn value_of(text: &str) -> ScalarValue {
    let quoted = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\''));
    if let Some(quoted) = quoted {
        return ScalarValue::from(quoted);
    }
    match text {
        "true" => return ScalarValue::from(true),
        "false" => return ScalarValue::from(false),
        "null" => return ScalarValue::Null,
        _ => {}
    }
    if let Ok(whole) = text.parse::<i64>() {
        return ScalarValue::from(whole);
    }
    match decimal::parse(text) {
        Ok(number) if !number.rounded => {
            ScalarValue::Decimal128(Some(number.units), decimal::PRECISION, decimal::SCALE)
        }
        _ => ScalarValue::from(text),
    }
}

/// Plans a statement with its parameters, if it is allowed.
///
/// # Errors
/// Kind data, with the place of the mistake, or for what is not allowed; class usage, for a parameter
/// without a value.
pub async fn plan(
    context: &SessionContext,
    piece: &Piece,
    parameters: &Parameters,
    allow_write: bool,
) -> Result<DataFrame> {
    refuse_wrong(piece)?;
    let state = context.state();
    let known = context
        .catalog("datafusion")
        .and_then(|catalog| catalog.schema("public"))
        .map(|schema| schema.table_names())
        .unwrap_or_default();
    let explain = |e| diagnostics::explain_at(piece, &e, &known);
    let plan = state
        .create_logical_plan(&piece.sql)
        .await
        .map_err(explain)?;
    allowed(&plan, allow_write)?;
    let wanted = plan.get_parameter_names().map_err(explain)?;
    let plan = if wanted.is_empty() {
        plan
    } else {
        let mut values = Vec::new();
        for name in wanted {
            let name = name.trim_start_matches('$').to_string();
            let value = parameters.get(&name).cloned().ok_or_else(|| {
                Error::usage(format!("the parameter ${name} has no value"))
                    .with_hint(format!("give it with --param {name}=…"))
            })?;
            values.push((name, value));
        }
        plan.with_param_values(ParamValues::from(values))
            .map_err(explain)?
    };
    context.execute_logical_plan(plan).await.map_err(explain)
}

/// Refuses what the engine would answer wrongly: it forgets how often rows occur in INTERSECT ALL and
/// EXCEPT ALL.
fn refuse_wrong(piece: &Piece) -> Result<()> {
    let Ok(mut tokens) = Tokenizer::new(&GenericDialect {}, &piece.sql).tokenize() else {
        return Ok(());
    };
    tokens.retain(|token| !matches!(token, Token::Whitespace(_)));
    let word = |token: &Token, keywords: &[Keyword]| match token {
        Token::Word(word) => word.quote_style.is_none() && keywords.contains(&word.keyword),
        _ => false,
    };
    let set_operations = [Keyword::INTERSECT, Keyword::EXCEPT, Keyword::MINUS];
    let found = tokens
        .windows(2)
        .find(|pair| word(&pair[0], &set_operations) && word(&pair[1], &[Keyword::ALL]));
    match found {
        Some(pair) => Err(Error::data(format!(
            "{} ALL would count rows wrongly, so it is refused",
            pair[0]
        ))
        .with_hint("leave ALL out, or number equal rows with row_number() and compare those too")),
        None => Ok(()),
    }
}

/// Settings that a statement may change without `--allow-write`: none of them lifts a limit.
const HARMLESS: [&str; 3] = [
    "datafusion.explain.",
    "datafusion.format.",
    "datafusion.execution.time_zone",
];

/// Refuses what writes, reads other files, or lifts a limit.
fn allowed(plan: &LogicalPlan, allow_write: bool) -> Result<()> {
    if allow_write {
        return Ok(());
    }
    let refused = |what: &str| {
        Err(
            Error::data(format!("{what} is not allowed: queries are read-only"))
                .with_hint("--allow-write allows it for this run"),
        )
    };
    match plan {
        LogicalPlan::Copy(_) => refused("COPY"),
        LogicalPlan::Dml(dml) => refused(&dml.op.to_string()),
        LogicalPlan::Ddl(DdlStatement::CreateView(_) | DdlStatement::DropView(_)) => Ok(()),
        LogicalPlan::Ddl(ddl) => refused(match ddl {
            DdlStatement::CreateExternalTable(_) => "CREATE EXTERNAL TABLE",
            DdlStatement::CreateMemoryTable(_) => "CREATE TABLE",
            DdlStatement::DropTable(_) => "DROP TABLE",
            DdlStatement::CreateFunction(_) => "CREATE FUNCTION",
            _ => "this statement",
        }),
        LogicalPlan::Statement(Statement::SetVariable(set)) => {
            if HARMLESS.iter().any(|name| set.variable.starts_with(name)) {
                return Ok(());
            }
            refused(&format!("SET {}", set.variable))
        }
        LogicalPlan::Statement(Statement::ResetVariable(_)) => refused("RESET"),
        LogicalPlan::Statement(_) => refused("this statement"),
        // EXPLAIN ANALYZE runs what it explains.
        LogicalPlan::Explain(explain) => allowed(&explain.plan, allow_write),
        LogicalPlan::Analyze(analyze) => allowed(&analyze.input, allow_write),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_have_the_type_that_they_look_like() {
        let value = |text: &str| parameter(text).unwrap().1;
        assert_eq!(value("n=12"), ScalarValue::from(12i64));
        assert_eq!(
            value("x=0.1"),
            ScalarValue::Decimal128(Some(10i128.pow(23)), 38, 24)
        );
        assert_eq!(value("m=2026-10"), ScalarValue::from("2026-10"));
        assert_eq!(value("m='7'"), ScalarValue::from("7"));
        assert_eq!(value("m="), ScalarValue::from(""));
        assert_eq!(value("m=a=b"), ScalarValue::from("a=b"));
        assert!(parameter("month").is_err());
        assert!(parameter("a b=1").is_err());
    }
}
