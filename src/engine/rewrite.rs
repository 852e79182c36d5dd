//! Rewriting of the expressions of a plan, for analyzer rules.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan};

/// Rewrites every expression of a plan and of its subqueries, from the inside out. `rewritten` gets the columns that the
/// expression can name; the names of results stay.
pub(super) fn expressions(
    plan: LogicalPlan,
    rewritten: impl Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|plan| {
        let mut schema = merge_schema(&plan.inputs());
        if plan.inputs().is_empty() {
            schema.merge(plan.schema());
        }
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expression| {
            let name = names.save(&expression);
            let expression = expression.transform_up(|inner| rewritten(inner, &schema))?;
            Ok(expression.update_data(|expression| name.restore(expression)))
        })
    });
    Ok(plan?.data)
}
