//! Analyzer rule that makes casts of decimals to fewer digits safe from the optimizer.
//!
//! The engine turns `cast(amount as decimal(18, 2)) = 5.01` into `amount = 5.01`, which loses the rows that the
//! cast would have rounded to 5.01. With an explicit rounding, `cast(round(amount, 2) as …)`, that rewrite is
//! correct. A cast to a whole number rounds too, as in other databases; the engine's own truncates.

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, lit};
use datafusion::optimizer::AnalyzerRule;

use crate::engine::{functions, rewrite};

/// Adds the rounding to every cast of a decimal to fewer digits.
#[derive(Debug)]
pub(super) struct RoundingCasts;

impl AnalyzerRule for RoundingCasts {
    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite::expressions(plan, with_rounding)
    }

    fn name(&self) -> &str {
        "rounding_casts"
    }
}

fn with_rounding(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let (inner, field) = match &expression {
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => (expr, field),
        _ => return Ok(Transformed::no(expression)),
    };
    let DataType::Decimal128(_, scale) = inner.get_type(schema)? else {
        return Ok(Transformed::no(expression));
    };
    let places = match field.data_type() {
        DataType::Decimal128(_, places) => *places,
        whole if whole.is_integer() => 0,
        _ => return Ok(Transformed::no(expression)),
    };
    if places >= scale {
        return Ok(Transformed::no(expression));
    }
    let rounded = functions::round().call(vec![inner.as_ref().clone(), lit(i64::from(places))]);
    let rounded = Box::new(rounded);
    Ok(Transformed::yes(match expression {
        Expr::TryCast(cast) => Expr::TryCast(TryCast {
            expr: rounded,
            field: cast.field,
        }),
        Expr::Cast(cast) => Expr::Cast(Cast {
            expr: rounded,
            field: cast.field,
        }),
        other => other,
    }))
}
