//! Detection of statements that read amounts without their currency.

use std::collections::HashSet;

use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};

use crate::query::sources::CURRENCY;

/// Returns true if a plan reads amounts of rows that have a currency, and never names it: a sum could add different
/// currencies. Views, subqueries and common table expressions are each looked at by themselves.
///
/// A plan that cannot be looked at counts as one that does.
pub(super) fn ignores_currency(plan: &LogicalPlan) -> bool {
    let mut names = Names::default();
    names.collect(plan).is_err() || names.ignores_currency()
}

/// Names that occur in a plan, without those in separately planned parts.
#[derive(Default)]
struct Names {
    columns: HashSet<String>,
    /// True if rows have amounts in a currency.
    has_currency: bool,
    /// True if a part ignores the currency.
    is_part_ignorant: bool,
}

impl Names {
    fn collect(&mut self, plan: &LogicalPlan) -> Result<()> {
        plan.apply_with_subqueries(|node| {
            match node {
                // Views are planned in place, below their name.
                LogicalPlan::SubqueryAlias(part) => {
                    self.has_currency |= part.schema.has_column_with_unqualified_name(CURRENCY);
                    self.is_part_ignorant |= ignores_currency(&part.input);
                    return Ok(TreeNodeRecursion::Jump);
                }
                LogicalPlan::TableScan(scan) => {
                    self.has_currency |= scan.source.schema().field_with_name(CURRENCY).is_ok();
                }
                _ => {}
            }
            node.apply_expressions(|expression| {
                expression.apply(|part| {
                    if let Expr::Column(column) = part {
                        self.columns.insert(column.name.clone());
                    }
                    Ok(TreeNodeRecursion::Continue)
                })
            })
        })?;
        Ok(())
    }

    fn ignores_currency(&self) -> bool {
        let has_amount = self.columns.iter().any(|name| is_amount(name));
        let is_ignorant = self.has_currency && has_amount && !self.columns.contains(CURRENCY);
        is_ignorant || self.is_part_ignorant
    }
}

fn is_amount(column: &str) -> bool {
    column.ends_with("_cost") || column.starts_with("cost/") || column == "change"
}
