//! Limits of a statement that apply before it is planned: size, depth, and the steps of its plan.
//!
//! Planner and optimizer recurse into expressions, and repeat a common table expression or a view wherever it is
//! used. So deep statements need a deep stack, and a few short lines can become a plan of any size.

use std::borrow::Cow;
use std::collections::HashMap;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::engine::cte_uses;
use crate::error::{Error, Result};

/// Longest statement in bytes.
const MAX_BYTES: usize = 8 << 20;
/// Deepest chain of operators, joins and set operations. The stacks of the threads that plan are sized for it.
const MAX_DEPTH: usize = 10_000;
/// Most steps of a plan, with common table expressions and views counted at each use.
const MAX_STEPS: u64 = 10_000;

/// Refuses a text that is too long or too deep to be planned.
///
/// # Errors
/// Kind data.
pub(crate) fn check_text(sql: &str) -> Result<()> {
    check_size(sql)?;
    let depth = match Tokenizer::new(&GenericDialect {}, sql).tokenize() {
        Ok(tokens) => depth(&tokens),
        // The parser reports invalid tokens with their position.
        Err(_) => 0,
    };
    if depth > MAX_DEPTH {
        return Err(Error::data(format!(
            "the statement is nested too deeply: it chains {depth} operators, of which {MAX_DEPTH} are allowed"
        ))
        .with_hint(
            "replace a long chain of OR by IN (…) or by a join with a table of values, and split long unions",
        ));
    }
    Ok(())
}

/// Refuses a text that is too long to be split into statements.
///
/// # Errors
/// Kind data.
pub(crate) fn check_size(sql: &str) -> Result<()> {
    if sql.len() <= MAX_BYTES {
        return Ok(());
    }
    let (size, limit) = (sql.len().div_ceil(1 << 20), MAX_BYTES >> 20);
    Err(Error::data(format!(
        "the SQL is too long: {size} MB, of which {limit} are allowed"
    ))
    .with_hint("put long lists of values into a file and join it as a --source"))
}

/// Refuses a statement whose common table expressions multiply.
///
/// # Errors
/// Kind data.
pub(crate) fn check_syntax(statement: &Statement) -> Result<()> {
    check_steps(cte_uses::count(statement))
}

/// Refuses a plan with too many steps.
///
/// # Errors
/// Kind data.
pub(crate) fn check_plan(plan: &LogicalPlan) -> Result<()> {
    check_steps(Steps::default().of(plan))
}

fn check_steps(steps: u64) -> Result<()> {
    if steps <= MAX_STEPS {
        return Ok(());
    }
    Err(Error::data(format!(
        "the statement is too large: its plan has more than {MAX_STEPS} steps"
    ))
    .with_hint(
        "a common table expression or view is planned again at each use: refer to it fewer times, or split the \
         statement",
    ))
}

/// Operators that are open at one level of parentheses, by precedence: those of a lower one contain those of a
/// higher one.
#[derive(Default)]
struct Level {
    set_operations: usize,
    joins: usize,
    ors: usize,
    ands: usize,
    others: usize,
    /// Within a FROM clause, where a comma is a join.
    in_from: bool,
}

impl Level {
    fn depth(&self) -> usize {
        self.set_operations + self.joins + self.ors + self.ands + self.others
    }

    fn begin_expression(&mut self) {
        (self.ors, self.ands, self.others) = (0, 0, 0);
    }

    fn add(&mut self, token: &Token) {
        let keyword = match token {
            Token::Word(word) if word.quote_style.is_none() => word.keyword,
            Token::Word(_) => Keyword::NoKeyword,
            Token::Comma if self.in_from => Keyword::JOIN,
            Token::Comma => return self.begin_expression(),
            Token::Number(..) | Token::SingleQuotedString(_) | Token::Period => return,
            _ => {
                self.others += 1;
                return;
            }
        };
        match keyword {
            Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS => {
                self.set_operations += 1;
                (self.joins, self.in_from) = (0, false);
                self.begin_expression();
            }
            Keyword::FROM => {
                self.in_from = true;
                self.begin_expression();
            }
            Keyword::WHERE | Keyword::GROUP | Keyword::ORDER | Keyword::HAVING => {
                self.in_from = false;
                self.begin_expression();
            }
            Keyword::JOIN => {
                self.joins += 1;
                self.begin_expression();
            }
            Keyword::OR => {
                self.ors += 1;
                (self.ands, self.others) = (0, 0);
            }
            Keyword::AND => {
                self.ands += 1;
                self.others = 0;
            }
            Keyword::NOT | Keyword::CASE | Keyword::IS | Keyword::AT | Keyword::COLLATE => {
                self.others += 1;
            }
            _ => {}
        }
    }
}

/// Upper bound of the depth of the syntax tree.
fn depth(tokens: &[Token]) -> usize {
    let mut levels = vec![Level::default()];
    let (mut outside, mut deepest) = (0, 0);
    for token in tokens {
        match token {
            Token::Whitespace(_) => continue,
            Token::LParen | Token::LBracket | Token::LBrace => {
                let Some(level) = levels.last_mut() else {
                    break;
                };
                // A chain of subscripts or calls nests as well.
                level.others += 1;
                outside += level.depth();
                levels.push(Level::default());
            }
            Token::RParen | Token::RBracket | Token::RBrace if levels.len() > 1 => {
                levels.pop();
                outside -= levels.last().map_or(0, Level::depth);
            }
            token => {
                let Some(level) = levels.last_mut() else {
                    break;
                };
                level.add(token);
            }
        }
        deepest = deepest.max(outside + levels.last().map_or(0, Level::depth));
    }
    deepest
}

/// Counts the steps of plans, each shared plan once per use.
#[derive(Default)]
struct Steps {
    /// Steps of the plans that were counted, by address: the counted plan keeps them in place.
    counted: HashMap<*const LogicalPlan, u64>,
}

impl Steps {
    fn of(&mut self, plan: &LogicalPlan) -> u64 {
        let address = std::ptr::from_ref(plan);
        if let Some(steps) = self.counted.get(&address) {
            return *steps;
        }
        let mut steps = 1;
        for input in plan.inputs() {
            steps = self.of(input).saturating_add(steps);
        }
        // The closures return no error.
        let _ = plan.apply_expressions(|expression| {
            expression.apply(|part| {
                if let Some(subquery) = subquery_of(part) {
                    steps = self.of(&subquery.subquery).saturating_add(steps);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        });
        if let LogicalPlan::TableScan(scan) = plan {
            let view = match scan.source.get_logical_plan() {
                Some(Cow::Borrowed(view)) => self.of(view),
                // A temporary, whose addresses are reused.
                Some(Cow::Owned(view)) => Steps::default().of(&view),
                None => 0,
            };
            steps = view.saturating_add(steps);
        }
        self.counted.insert(address, steps);
        steps
    }
}

fn subquery_of(expression: &Expr) -> Option<&Subquery> {
    match expression {
        Expr::ScalarSubquery(subquery) => Some(subquery),
        Expr::Exists(exists) => Some(&exists.subquery),
        Expr::InSubquery(within) => Some(&within.subquery),
        Expr::SetComparison(comparison) => Some(&comparison.subquery),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::datasource::ViewTable;
    use datafusion::prelude::SessionContext;

    use super::*;

    fn depth_of(sql: &str) -> usize {
        depth(&Tokenizer::new(&GenericDialect {}, sql).tokenize().unwrap())
    }

    #[test]
    fn depth_grows_with_chains_and_not_with_lists() {
        let list = vec!["1"; 1000];
        for (sql, range) in [
            (format!("select {}", list.join(", ")), 0..=3),
            (format!("select 1 in ({})", list.join(", ")), 0..=3),
            (format!("select {}", list.join(" or ")), 999..=1001),
            (format!("select {}", list.join(" and 1 + ")), 999..=1001),
            (format!("select {}", list.join(" + ")), 999..=1001),
            (format!("select {}1", "not ".repeat(1000)), 1000..=1001),
            (format!("select {}1", "- ".repeat(1000)), 1000..=1001),
            (format!("select a{}", "[1]".repeat(1000)), 1000..=1001),
            (format!("select 1{}", "::int".repeat(1000)), 1000..=1001),
            (
                format!("select {}1{}", "(".repeat(1000), ")".repeat(1000)),
                1000..=1001,
            ),
            (
                format!("select {}", list.join(" union select ")),
                999..=1001,
            ),
            (
                format!("select * from t{}", ", t".repeat(1000)),
                1000..=1002,
            ),
            (
                format!("select * from t{}", " join t on a = b".repeat(1000)),
                1000..=1002,
            ),
            (
                format!("select * from t where {}", list.join(" or a = ")),
                999..=1002,
            ),
            (format!("select f({})", list.join(", ")), 0..=2),
        ] {
            let depth = depth_of(&sql);
            assert!(range.contains(&depth), "{depth}: {}", &sql[..40]);
        }
    }

    #[test]
    fn refuses_long_and_deep_texts() {
        assert!(check_text("select 1").is_ok());
        let deep = format!("select 1{}", " or 1".repeat(MAX_DEPTH + 1));
        let error = check_text(&deep).unwrap_err();
        assert!(error.to_string().contains("nested too deeply"), "{error}");
        let long = format!("select '{}'", "x".repeat(MAX_BYTES));
        let error = check_text(&long).unwrap_err();
        assert!(error.to_string().contains("9 MB"), "{error}");
    }

    async fn steps_of(sql: &str) -> u64 {
        let context = SessionContext::new();
        context
            .sql("create view v as select 1 as a union all select 2")
            .await
            .unwrap();
        let plan = context.state().create_logical_plan(sql).await.unwrap();
        let own = Steps::default().of(&plan);
        assert_eq!(check_plan(&plan).is_ok(), own <= MAX_STEPS);
        own
    }

    #[tokio::test]
    async fn counts_common_tables_views_and_subqueries_at_each_use() {
        let one = steps_of("select * from v").await;
        assert!(steps_of("select * from v union all select * from v").await > 2 * one);
        assert!(steps_of("select (select max(a) from v), (select min(a) from v)").await > 2 * one);
    }

    #[tokio::test]
    async fn refuses_views_that_multiply() {
        let context = SessionContext::new();
        context
            .sql("create view v0 as select 1 as a")
            .await
            .unwrap();
        for n in 1..=20 {
            let of = n - 1;
            let sql = format!("select x.a from v{of} as x join v{of} as y on x.a = y.a");
            let plan = context.state().create_logical_plan(&sql).await.unwrap();
            if check_plan(&plan).is_err() {
                assert!(n > 8, "refused at {n}");
                return;
            }
            let view = Arc::new(ViewTable::new(plan, None));
            context.register_table(format!("v{n}"), view).unwrap();
        }
        panic!("a million steps were not refused");
    }
}
