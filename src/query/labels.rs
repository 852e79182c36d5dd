//! Labels: the newest known environment, name, provider and tags, which apply to all months.
//!
//! `sql/views/newest_labels.sql` states the rule, and SQL reads it through `newest_label(subject, label, id)`. A join
//! would read all months for every statement; the function does for those that still contain it once they are
//! optimized, and each label is read once per version of the tables.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result as EngineResult};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use parking_lot::Mutex;

use crate::engine;
use crate::engine::functions::{self, Labels, NEWEST_LABEL};
use crate::engine::permissions::{self, Access};
use crate::engine::text::Cells;
use crate::error::{Error, Result};

/// View that states the rule.
const VIEW: &str = "newest_labels";
/// Label whose values are the tags of a resource, as one JSON object.
const TAGS: &str = "tags";

/// Literal arguments of the function.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Label {
    subject: String,
    label: String,
}

/// Labels that statements have read, until the tables are opened again.
#[derive(Debug, Default)]
pub struct LabelCache {
    read: Mutex<HashMap<Label, Arc<Labels>>>,
}

impl LabelCache {
    pub(super) fn clear(&self) {
        self.read.lock().clear();
    }

    /// Gives the calls of the function in an optimized plan their values.
    ///
    /// # Errors
    /// Kind data, for arguments that are not literals, and for labels that cannot be read or take too much memory.
    pub async fn bind(&self, state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
        let wanted = wanted(&plan)?;
        if wanted.is_empty() {
            return Ok(plan);
        }
        let mut labels = HashMap::new();
        for label in wanted {
            let cached = self.read.lock().get(&label).cloned();
            let values = match cached {
                Some(values) => values,
                None => {
                    let values = Arc::new(read(state, &label).await?);
                    self.read.lock().insert(label.clone(), values.clone());
                    values
                }
            };
            labels.insert(label, values);
        }
        let bound = plan.transform_up_with_subqueries(|node| {
            node.map_expressions(|expression| {
                expression.transform_up(|expression| bound(expression, &labels))
            })
        });
        Ok(bound.map_err(failed)?.data)
    }
}

/// Labels that a plan calls the function for.
fn wanted(plan: &LogicalPlan) -> Result<BTreeSet<Label>> {
    let mut wanted = BTreeSet::new();
    let visited = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|expression| {
                wanted.extend(called(expression)?);
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    visited.map_err(failed)?;
    Ok(wanted)
}

/// The label of a call of the function; `None` for other expressions.
fn called(expression: &Expr) -> EngineResult<Option<Label>> {
    let Expr::ScalarFunction(call) = expression else {
        return Ok(None);
    };
    if call.func.name() != NEWEST_LABEL {
        return Ok(None);
    }
    let text = |at: usize| match call.args.get(at) {
        Some(Expr::Literal(value, _)) => value.try_as_str().flatten().map(str::to_string),
        _ => None,
    };
    match (text(0), text(1)) {
        (Some(subject), Some(label)) => Ok(Some(Label { subject, label })),
        _ => Err(DataFusionError::External(Box::new(
            Error::data(format!(
                "{NEWEST_LABEL} takes a subject and a label as literal texts, and an id"
            ))
            .with_hint(format!(
                "write for example {NEWEST_LABEL}('resource', 'tags', resource_id), or read the view {VIEW}"
            )),
        ))),
    }
}

fn bound(
    expression: Expr,
    labels: &HashMap<Label, Arc<Labels>>,
) -> EngineResult<Transformed<Expr>> {
    let values = called(&expression)?.and_then(|label| labels.get(&label));
    Ok(match (expression, values) {
        (Expr::ScalarFunction(call), Some(values)) => {
            let function = Arc::new(functions::bound(values.clone()));
            Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(
                function, call.args,
            )))
        }
        (expression, _) => Transformed::no(expression),
    })
}

/// Reads the values of a label from the view.
async fn read(state: &SessionState, label: &Label) -> Result<Labels> {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let sql = format!(
        "select id, tag_key, value from {VIEW} where subject = {} and label = {} and value <> ''",
        quoted(&label.subject),
        quoted(&label.label)
    );
    let consumer = MemoryConsumer::new(VIEW);
    let memory = consumer.register(&state.runtime_env().memory_pool);
    let plan = permissions::plan(state, &sql, Access::Rows).await;
    let plan = state.optimize(&plan.map_err(failed)?).map_err(failed)?;
    if !wanted(&plan)?.is_empty() {
        return Err(Error::data(format!(
            "the view {VIEW} calls {NEWEST_LABEL}, which reads this view"
        ))
        .with_hint("read the columns of all_line_items in views/newest_labels.sql"));
    }
    let plan = state.query_planner().create_physical_plan(&plan, state);
    let plan = plan.await.map_err(failed)?;
    let mut rows = execute_stream(plan, state.task_ctx()).map_err(failed)?;
    let mut values = Values::new(label, memory);
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(failed)?;
        let cells = Cells::new(&batch)?;
        for row in 0..batch.num_rows() {
            let text = |column| cells.text(row, column);
            let (Some(id), Some(value)) = (text(0), text(2)) else {
                continue;
            };
            values.add(id, text(1), value)?;
        }
    }
    Ok(values.labels())
}

/// Values by id, as they are read; the tags of an id by their keys.
struct Values {
    is_tags: bool,
    texts: BTreeMap<String, String>,
    tags: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
    memory: MemoryReservation,
}

impl Values {
    fn new(label: &Label, memory: MemoryReservation) -> Values {
        Values {
            is_tags: label.label == TAGS,
            texts: BTreeMap::new(),
            tags: BTreeMap::new(),
            memory,
        }
    }

    fn add(&mut self, id: String, key: Option<String>, value: String) -> Result<()> {
        let key = key.filter(|_| self.is_tags).unwrap_or_default();
        let bytes = Labels::bytes_of(&id, &value) + key.len();
        self.memory.try_grow(bytes).map_err(|_| {
            let (count, mb) = (self.texts.len() + self.tags.len(), self.memory.size() >> 20);
            Error::data(format!(
                "not enough memory for the labels of resources: {count} of them take {mb} MB"
            ))
            .with_hint(
                "raise the limit with --memory-mb or BILLSTREAM_MEMORY_MB, or query all_line_items, which has the labels of \
                 each month",
            )
        })?;
        if self.is_tags {
            let tags = self.tags.entry(id).or_default();
            tags.insert(key, value.into());
        } else {
            self.texts.insert(id, value);
        }
        Ok(())
    }

    fn labels(self) -> Labels {
        let tags = self.tags.into_iter();
        let tags = tags.map(|(id, tags)| (id, serde_json::Value::Object(tags).to_string()));
        Labels::new(self.texts.into_iter().chain(tags), Some(self.memory))
    }
}

fn failed(error: DataFusionError) -> Error {
    match engine::own_error(&error) {
        Some(own) => own,
        None => engine::failed("labels", &error),
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::dataframe::DataFrame;
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::engine::Limits;
    use crate::store::Store;

    /// A session with as many environments of resources.
    async fn session(labels: u32, memory_bytes: usize) -> SessionContext {
        let store = Store::open(&std::env::temp_dir().display().to_string()).unwrap();
        let limits = Limits {
            memory_bytes,
            ..Limits::default()
        };
        let context = engine::session(&store, limits).unwrap();
        let sql = format!(
            "create table {VIEW} as select 'resource' as subject, 'environment' as label, null as tag_key,
                concat('r', n) as id, concat('of ', n) as value
            from (select unnest(range(0, {labels})) as n) as numbers"
        );
        context.sql(&sql).await.unwrap();
        context
    }

    async fn run(context: &SessionContext, cache: &LabelCache, sql: &str) -> Result<String> {
        let (state, plan) = context.sql(sql).await.map_err(failed)?.into_parts();
        let plan = cache.bind(&state, state.optimize(&plan).map_err(failed)?);
        let frame = DataFrame::new(state.clone(), plan.await?);
        let batches = frame.collect().await.map_err(failed)?;
        Ok(pretty_format_batches(&batches).unwrap().to_string())
    }

    const ALL: &str = "select id, newest_label('resource', 'environment', id) as e, n
        from (values ('r1', 1), ('lost', 2), (null, 3)) as v(id, n)";

    #[tokio::test]
    async fn labels_are_read_once_until_the_tables_are_closed() {
        let (context, cache) = (session(3, 64 << 20).await, LabelCache::default());
        let found = run(&context, &cache, ALL).await.unwrap();
        assert!(
            found.contains("| r1   | of 1 | 1 |") && found.contains("| lost |      | 2 |"),
            "{found}"
        );
        context.deregister_table(VIEW).unwrap();
        assert_eq!(run(&context, &cache, ALL).await.unwrap(), found);
        cache.clear();
        let gone = run(&context, &cache, ALL).await.unwrap_err();
        assert!(gone.to_string().contains(VIEW), "{gone}");
    }

    #[tokio::test]
    async fn statements_that_show_no_label_read_none() {
        let (context, cache) = (session(0, 64 << 20).await, LabelCache::default());
        context.deregister_table(VIEW).unwrap();
        for sql in [
            format!("select sum(n) from ({ALL}) as t"),
            format!(
                "select case 'n' when 'e' then e when 'n' then id else e end from ({ALL}) as t"
            ),
        ] {
            run(&context, &cache, &sql).await.unwrap();
        }
        assert!(cache.read.lock().is_empty());
    }

    #[tokio::test]
    async fn labels_count_as_memory_of_the_statement() {
        let (context, cache) = (session(100_000, 4 << 20).await, LabelCache::default());
        let error = run(&context, &cache, ALL).await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains("not enough memory for the labels"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("--memory-mb"));
        let pool = &context.runtime_env().memory_pool;
        assert_eq!(pool.reserved(), 0, "the memory is released");

        let enough = session(100_000, 64 << 20).await;
        run(&enough, &cache, ALL).await.unwrap();
        assert!(enough.runtime_env().memory_pool.reserved() > 8 << 20);
        cache.clear();
        assert_eq!(enough.runtime_env().memory_pool.reserved(), 0);
    }

    #[tokio::test]
    async fn refuses_labels_that_are_no_literals() {
        let (context, cache) = (session(1, 64 << 20).await, LabelCache::default());
        let sql = "select newest_label(id, 'environment', id) from (values ('r1')) as v(id)";
        let error = run(&context, &cache, sql).await.unwrap_err();
        assert!(error.to_string().contains("as literal texts"), "{error}");
    }
}
