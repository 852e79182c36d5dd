//! The DataFusion session: settings that keep money right and memory bounded, tables over our own
//! Parquet files, SQL files and functions.

mod checked_sum;
pub mod files;
pub mod functions;
mod join_guard;
mod rounding_casts;
pub mod sql_files;
pub mod stores;
pub mod text;

use std::sync::Arc;
use std::time::Duration;

use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::engine::join_guard::JoinGuard;
use crate::engine::rounding_casts::RoundingCasts;
use crate::error::{Error, Result};
use crate::store::Store;

/// Limits of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that operators may hold; below 64 MB some queries hang.
    pub memory_bytes: usize,
    /// Streams in parallel; at least two, because with one a join holds the month in memory.
    pub partitions: usize,
    /// Longest time a query may take.
    pub timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Limits {
            memory_bytes: 128 << 20,
            partitions: cores.clamp(2, 4),
            timeout: Duration::from_secs(600),
        }
    }
}

/// A session over a store, with the product's functions and no tables yet.
///
/// # Errors
/// Kind bug, when the engine refuses its settings.
pub fn session(store: &Store, limits: Limits) -> Result<SessionContext> {
    let mut config = SessionConfig::new()
        .with_target_partitions(limits.partitions)
        .with_batch_size(4096)
        .with_information_schema(true);
    let options = config.options_mut();
    // Streams must read the same rows on a second execution: a spilling join would lose rows.
    options.execution.enable_file_stream_work_stealing = false;
    // `where amount = 0.3` compares decimals, not floats.
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.collect_spans = true;
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(limits.memory_bytes)))
        .with_object_store_registry(Arc::new(stores::Stores::default()))
        .build_arc()
        .map_err(|e| Error::bug(format!("engine: {e}")))?;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_analyzer_rule(Arc::new(RoundingCasts))
        .with_physical_optimizer_rules(physical_rules())
        .build();
    let context = SessionContext::new_with_state(state);
    context.register_object_store(store.url(), store.root());
    context.register_udaf(checked_sum::checked_sum());
    for function in functions::all() {
        context.register_udf(function);
    }
    Ok(context)
}

/// The engine's rules, with the guard of joins before filters find their last places.
fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    let last_filters = rules
        .iter()
        .rposition(|rule| rule.name().starts_with("FilterPushdown"));
    rules.insert(last_filters.unwrap_or(rules.len()), Arc::new(JoinGuard));
    rules
}

/// Runs a query's future under the session's timeout.
///
/// # Errors
/// What the query says, or that it took too long.
pub async fn within<T>(
    limits: Limits,
    what: &str,
    query: impl Future<Output = std::result::Result<T, DataFusionError>>,
) -> Result<T> {
    match tokio::time::timeout(limits.timeout, query).await {
        Ok(result) => result.map_err(|e| failed(what, &e)),
        Err(_) => Err(too_slow(what, limits)),
    }
}

/// What to say of a query that took longer than it may.
pub fn too_slow(what: &str, limits: Limits) -> Error {
    Error::data(format!(
        "{what}: no answer after {} seconds",
        limits.timeout.as_secs()
    ))
    .with_hint("ask about fewer months, or give it more time with --timeout-secs or BILLSTREAM_QUERY_TIMEOUT_SECS")
}

/// An engine error in our words: the root cause without its wrappers.
pub fn failed(what: &str, error: &DataFusionError) -> Error {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(why) => {
            Error::data(format!("{what}: not enough memory: {why}")).with_hint(
                "ask about fewer months, aggregate before sorting, or give it more with --memory-mb or BILLSTREAM_MEMORY_MB",
            )
        }
        root => Error::data(format!("{what}: {}", root.strip_backtrace())),
    }
}
