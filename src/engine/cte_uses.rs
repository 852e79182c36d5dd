//! Uses of common table expressions in a statement, counted before it is planned.
//!
//! The planner copies and rewrites the plan of a common table expression at each use. Forty of them that each use
//! the one before twice are a few lines of SQL, and a plan that fits no memory.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Query, Visit, Visitor, visit_relations};

/// Returns how many relations the planner reads, with each use of a common table expression counted as often as
/// the relations that it reads. An upper bound, except for expressions within expressions.
pub(super) fn count(statement: &Statement) -> u64 {
    let mut uses = Uses::default();
    match statement {
        Statement::Statement(statement) => {
            // The visitor never breaks off.
            let _ = statement.visit(&mut uses);
        }
        Statement::Explain(explain) => return count(&explain.statement),
        _ => {}
    }
    uses.most
}

#[derive(Default)]
struct Uses {
    /// Relations that each common table expression reads, by its name.
    by_name: HashMap<String, u64>,
    most: u64,
}

impl Uses {
    fn of(&self, query: &Query) -> u64 {
        let mut total = 1u64;
        let _ = visit_relations(query, |name| {
            let of_one = match name.0.as_slice() {
                [part] => self.by_name.get(&part.to_string().to_lowercase()),
                _ => None,
            };
            total = total.saturating_add(of_one.copied().unwrap_or(1));
            ControlFlow::<Infallible>::Continue(())
        });
        total
    }
}

impl Visitor for Uses {
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Infallible> {
        let Some(with) = &query.with else {
            return ControlFlow::Continue(());
        };
        for table in &with.cte_tables {
            let uses = self.of(&table.query);
            self.most = self.most.max(uses);
            let name = table.alias.name.to_string().to_lowercase();
            self.by_name.insert(name, uses);
        }
        // Counts the expressions themselves once more, which changes no magnitude.
        self.most = self.most.max(self.of(query));
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    fn uses_of(sql: &str) -> u64 {
        let state = SessionContext::new().state();
        let dialect = state.config_options().sql_parser.dialect;
        count(&state.sql_to_statement(sql, &dialect).unwrap())
    }

    #[test]
    fn counts_uses_of_uses() {
        assert_eq!(uses_of("select * from t"), 0);
        assert!(uses_of("with a as (select 1) select a.x, a.y, a.z from a") < 10);
        let chain = |length: usize, uses: &str| {
            let mut sql = "with t0 as (select 1 as a)".to_string();
            for n in 1..=length {
                let of = n - 1;
                let from = uses.replace("T", &format!("t{of}"));
                sql.push_str(&format!(", T{n} as (select x.a from {from})"));
            }
            format!("{sql} select * from t{length}")
        };
        assert!(uses_of(&chain(100, "T as x")) < 6000);
        assert!(uses_of(&chain(40, "T as x join T as y on x.a = y.a")) > 1 << 40);
        assert!(uses_of(&chain(40, "T as x where a in (select a from T)")) > 1 << 40);
        assert!(uses_of(&format!("explain {}", chain(40, "T as x, T as y"))) > 1 << 40);
        assert!(uses_of(&format!("create view v as {}", chain(40, "T as x, T as y"))) > 1 << 40);
    }
}
