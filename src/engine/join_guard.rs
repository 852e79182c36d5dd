//! Guard for joins without an equality.
//!
//! When the build side of such a join outgrows the memory pool, the engine executes that side a second time. Not
//! every plan returns the same rows again, and the join then silently loses the difference. The guard turns the
//! second execution into an error.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};

/// Wraps the build side of every nested-loop join in a [`Once`].
#[derive(Debug)]
pub(super) struct JoinGuard;

impl PhysicalOptimizerRule for JoinGuard {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            if plan.downcast_ref::<NestedLoopJoinExec>().is_none() {
                return Ok(Transformed::no(plan));
            }
            let mut children: Vec<_> = plan.children().into_iter().cloned().collect();
            children[0] = Arc::new(Once {
                input: children[0].clone(),
                executed: AtomicBool::new(false),
            });
            let options = ReplaceChildrenOptions::new(
                datafusion::physical_plan::ChildrenPropertiesMode::Recompute,
            );
            Ok(Transformed::yes(plan.replace_children(children, options)?))
        })
        .map(|transformed| transformed.data)
    }

    fn name(&self) -> &str {
        "join_guard"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Passes its input through; fails on a second execution.
#[derive(Debug)]
struct Once {
    input: Arc<dyn ExecutionPlan>,
    executed: AtomicBool,
}

impl DisplayAs for Once {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
}

impl ExecutionPlan for Once {
    fn name(&self) -> &'static str {
        "Once"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Once {
            input: children.swap_remove(0),
            executed: AtomicBool::new(false),
        }))
    }

    #[allow(deprecated, reason = "the trait still requires it")]
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(
            datafusion::physical_plan::ChildrenPropertiesMode::Recompute,
        );
        self.replace_children(children, options)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        // The build side is one stream: the engine executes partition 0 only.
        if self.executed.swap(true, Ordering::Relaxed) {
            return Err(DataFusionError::ResourcesExhausted(
                "one side of a join without an equality does not fit; join on equality, or make one side \
                 smaller"
                    .to_string(),
            ));
        }
        self.input.execute(partition, context)
    }
}
