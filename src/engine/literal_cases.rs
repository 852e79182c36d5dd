//! Analyzer rule that decides `CASE 'a' WHEN 'a' THEN x …` while planning.
//!
//! Reports choose a column by a parameter: `case $by when 'service' then service … end`. The engine's optimizer decides
//! conditions, but not this form, so that every column of the list would be read.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast, lit};
use datafusion::optimizer::AnalyzerRule;

use crate::engine::rewrite;

/// Replaces a CASE of a text literal, compared with text literals, by the expression that it returns.
#[derive(Debug)]
pub(super) struct LiteralCases;

impl AnalyzerRule for LiteralCases {
    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite::expressions(plan, decided)
    }

    fn name(&self) -> &str {
        "literal_cases"
    }
}

fn decided(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::Case(case) = &expression else {
        return Ok(Transformed::no(expression));
    };
    let Some(result) = result_of(case) else {
        return Ok(Transformed::no(expression));
    };
    // The result of a CASE has the type that all of its branches have in common.
    let data_type = expression.get_type(schema)?;
    let result = if result.get_type(schema)? == data_type {
        result
    } else {
        cast(result, data_type)
    };
    Ok(Transformed::yes(result))
}

/// The branch of a CASE that compares literals, if it does.
fn result_of(case: &Case) -> Option<Expr> {
    let value = text_of(case.expr.as_deref()?)?;
    let mut result = None;
    for (when, then) in &case.when_then_expr {
        if text_of(when)? == value && result.is_none() {
            result = Some(then.as_ref().clone());
        }
    }
    let otherwise = || {
        case.else_expr
            .as_deref()
            .map_or(lit(ScalarValue::Null), Clone::clone)
    };
    Some(result.unwrap_or_else(otherwise))
}

fn text_of(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}
