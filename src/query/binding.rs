//! Parameters in plans: a value without a type takes that of its context.
//!
//! The engine would compare a number with the text `0.000000000001` at ten decimals, and with `1e5` not at all. So text
//! becomes an exact number before it is compared with one.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, ParamValues, ScalarValue};
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{Expr, LogicalPlan};

use crate::error::{Error, Result};
use crate::query::parameters::{Parameter, Parameters, boolean, number};

/// What a parameter is compared with or used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Context {
    Number,
    Boolean,
    /// Texts, and dates and times, which the engine reads from text.
    Text,
}

impl Context {
    fn of(data_type: &DataType) -> Option<Context> {
        match data_type {
            DataType::Boolean => Some(Context::Boolean),
            DataType::Null => None,
            data_type if data_type.is_numeric() => Some(Context::Number),
            _ => Some(Context::Text),
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Context::Number => "number",
            Context::Boolean => "boolean",
            Context::Text => "text",
        }
    }
}

/// Replaces the parameters of a plan by their values.
///
/// # Errors
/// Kind usage, for a parameter without a value, and for a value that does not fit its context; those of the engine
/// through `explain`.
pub(super) fn bind(
    plan: LogicalPlan,
    parameters: &Parameters,
    explain: impl Fn(DataFusionError) -> Error,
) -> Result<LogicalPlan> {
    let contexts = contexts(&plan).map_err(&explain)?;
    if contexts.is_empty() {
        return Ok(plan);
    }
    let mut values = Vec::new();
    for (name, contexts) in contexts {
        let parameter = parameters.get(&name).ok_or_else(|| {
            Error::usage(format!("the parameter ${name} has no value"))
                .with_hint(format!("pass --param {name}=…"))
        })?;
        let value = value_in(&name, parameter, &contexts)?;
        values.push((name, value));
    }
    plan.with_param_values(ParamValues::from(values))
        .map_err(explain)
}

/// Contexts of each parameter by name, each once.
fn contexts(plan: &LogicalPlan) -> datafusion::common::Result<BTreeMap<String, Vec<Context>>> {
    let mut found: BTreeMap<String, Vec<Context>> = BTreeMap::new();
    plan.apply_with_subqueries(|plan| {
        let is_limit = matches!(plan, LogicalPlan::Limit(_));
        plan.apply_expressions(|expression| {
            expression.apply(|expression| {
                if let Expr::Placeholder(Placeholder { id, field }) = expression {
                    let contexts = found.entry(id.trim_start_matches('$').to_string());
                    let contexts = contexts.or_default();
                    let context = match field {
                        Some(field) => Context::of(field.data_type()),
                        None => is_limit.then_some(Context::Number),
                    };
                    contexts.extend(context.filter(|context| !contexts.contains(context)));
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

fn value_in(name: &str, parameter: &Parameter, contexts: &[Context]) -> Result<ScalarValue> {
    let text = match parameter {
        Parameter::Untyped(text) => text,
        Parameter::Typed(ScalarValue::Utf8(Some(text))) if contexts.contains(&Context::Number) => {
            return Err(Error::usage(format!(
                "the parameter ${name} is the text `{text}`, but is used as a number"
            ))
            .with_hint(format!(
                "pass --param {name}={text}, or cast the other side to varchar"
            )));
        }
        Parameter::Typed(value) => return Ok(value.clone()),
    };
    let value = match contexts {
        [] | [Context::Text] => Some(ScalarValue::from(text.as_str())),
        [Context::Number] => number(text),
        [Context::Boolean] => boolean(text),
        _ => {
            let nouns: Vec<_> = contexts.iter().map(|context| context.noun()).collect();
            return Err(Error::usage(format!(
                "the parameter ${name} is used as {}",
                nouns.join(" and as ")
            ))
            .with_hint(format!(
                "use two parameters, or give it a type: --param {name}:int=…"
            )));
        }
    };
    value.ok_or_else(|| {
        let noun = contexts.first().map_or("text", |context| context.noun());
        Error::usage(format!(
            "the parameter ${name} is used as a {noun}, which `{text}` is not"
        ))
        .with_hint(format!(
            "pass a {noun}, or force a type, for example --param {name}:text={text}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    /// Rows of `table` that a condition with one parameter keeps, as their numbers.
    async fn rows(condition: &str, parameter: Parameter) -> Result<Vec<i64>> {
        let folder = tempfile::tempdir().unwrap();
        let store = crate::store::Store::open(&folder.path().display().to_string()).unwrap();
        let context = crate::engine::session(&store, crate::engine::Limits::default())?;
        let table = "create table t as select * from (values \
            (1, '007', cast('0.000000000001' as decimal(38, 24)), true, date '2026-10-01'), \
            (2, '7', cast('100000' as decimal(38, 24)), false, date '2026-10-02'), \
            (3, 'null', cast('-1.5' as decimal(38, 24)), null, null)) as v(n, word, money, yes, day)";
        context.sql(table).await.unwrap().collect().await.unwrap();
        let sql = format!("select n from t where {condition} order by n");
        let plan = context.state().create_logical_plan(&sql).await.unwrap();
        let parameters = Parameters::from([("v".to_string(), parameter)]);
        let plan = bind(plan, &parameters, Error::data)?;
        run(&context, plan).await
    }

    async fn run(context: &SessionContext, plan: LogicalPlan) -> Result<Vec<i64>> {
        let frame = context.execute_logical_plan(plan).await.unwrap();
        let batches = frame.collect().await.map_err(Error::data)?;
        let mut rows = Vec::new();
        for batch in &batches {
            let cells = crate::engine::text::Cells::new(batch)?;
            let texts = (0..batch.num_rows()).filter_map(|row| cells.text(row, 0));
            rows.extend(texts.map(|text| text.parse::<i64>().unwrap()));
        }
        Ok(rows)
    }

    #[tokio::test]
    async fn text_takes_the_type_of_what_it_is_compared_with() {
        for (condition, text, expected) in [
            ("word = $v", "007", vec![1]),
            ("word = $v", "null", vec![3]),
            ("$v = word", "7", vec![2]),
            ("word in ('x', $v)", "007", vec![1]),
            ("word like $v", "%7", vec![1, 2]),
            ("n = $v", "002", vec![2]),
            ("n = $v", "2", vec![2]),
            ("n > $v", "1.5", vec![2, 3]),
            ("n between $v and 2", "2", vec![2]),
            ("money = $v", "0.000000000001", vec![1]),
            ("money = $v", "1e5", vec![2]),
            ("money + $v = 0", "1.5", vec![3]),
            ("yes = $v", "true", vec![1]),
            ("day = $v", "2026-10-02", vec![2]),
            ("day > $v", "2026-10-01", vec![2]),
            (
                "n in (select n from t order by n limit $v)",
                "2",
                vec![1, 2],
            ),
            ("n in (select n from t where money > $v)", "5", vec![2]),
        ] {
            let found = rows(condition, Parameter::untyped(text)).await;
            assert_eq!(found.unwrap(), expected, "{condition} with {text}");
        }
    }

    #[tokio::test]
    async fn a_forced_type_counts_and_never_compares_text_with_numbers() {
        let found = rows("word = $v", Parameter::from("007")).await.unwrap();
        assert_eq!(found, [1]);
        let found = rows(
            "word is not distinct from $v",
            Parameter::Typed(ScalarValue::Null),
        );
        assert_eq!(found.await.unwrap(), Vec::<i64>::new());
        let error = rows("money = $v", Parameter::from("1.5"))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("used as a number"), "{error}");
    }

    #[tokio::test]
    async fn refuses_values_that_do_not_fit_and_contexts_that_differ() {
        for (condition, text, expected) in [
            ("n = $v", "seven", "used as a number, which `seven` is not"),
            (
                "money = $v",
                "0.0000000000000000000000001",
                "used as a number",
            ),
            ("yes = $v", "1", "used as a boolean"),
            ("n = $v or word = $v", "7", "used as number and as text"),
        ] {
            let error = rows(condition, Parameter::untyped(text)).await.unwrap_err();
            let shown = error.to_string();
            assert!(shown.contains(expected) && shown.contains("$v"), "{shown}");
            assert_eq!(error.kind(), crate::error::ErrorKind::Usage);
            assert!(error.hint().is_some());
        }
    }
}
