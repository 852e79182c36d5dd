//! The DataFusion session: settings that keep money exact and memory bounded, tables over the store's Parquet
//! files, SQL files and functions.

mod checked_sum;
mod cte_uses;
pub mod files;
pub(crate) mod functions;
mod join_guard;
mod literal_cases;
mod object_stores;
mod parquet_reader;
pub(crate) mod permissions;
mod rewrite;
mod rounding_casts;
pub(crate) mod spill;
pub mod sql_files;
pub(crate) mod statement_limits;
pub(crate) mod text;

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::{SessionConfig, SessionContext};
use parquet::errors::ParquetError;

use crate::engine::join_guard::JoinGuard;
use crate::engine::literal_cases::LiteralCases;
use crate::engine::rounding_casts::RoundingCasts;
use crate::error::{Error, Result};
use crate::store::{self, Store};

/// Limits of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory pool of the operators in bytes; below 64 MB some queries hang.
    pub memory_bytes: usize,
    /// Parallel streams; at least two, because with one a join keeps the month in memory.
    pub partitions: usize,
    /// Time limit of a query.
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

/// Creates a session over a store, with this crate's functions and without tables.
///
/// # Errors
/// Kind bug, when the engine rejects its settings.
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
    let mut disk = DiskManagerBuilder::default();
    // Without a folder, a statement that spills reports why.
    if let Ok(folder) = spill::folder() {
        disk.set_mode(DiskManagerMode::Directories(vec![folder]));
    }
    let runtime = RuntimeEnvBuilder::new()
        .with_disk_manager_builder(disk)
        .with_memory_pool(Arc::new(FairSpillPool::new(limits.memory_bytes)))
        .with_object_store_registry(Arc::new(object_stores::ObjectStores::default()))
        .build_arc()
        .map_err(|e| Error::bug(format!("engine: {e}")))?;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_analyzer_rule(Arc::new(RoundingCasts))
        .with_analyzer_rule(Arc::new(LiteralCases))
        .with_physical_optimizer_rules(physical_rules())
        .build();
    let context = SessionContext::new_with_state(state);
    context.register_object_store(url_of(store)?.as_ref(), store.root());
    context.register_udaf(checked_sum::checked_sum());
    for function in functions::all() {
        context.register_udf(function);
    }
    Ok(context)
}

/// URL of a store in the engine.
fn url_of(store: &Store) -> Result<ObjectStoreUrl> {
    ObjectStoreUrl::parse(store.engine_root())
        .map_err(|e| Error::bug(format!("store `{}`: {e}", store.display(""))))
}

/// The engine's rules, with [`JoinGuard`] before the last filter pushdown.
fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    let last_pushdown = rules
        .iter()
        .rposition(|rule| rule.name().starts_with("FilterPushdown"));
    rules.insert(last_pushdown.unwrap_or(rules.len()), Arc::new(JoinGuard));
    rules
}

/// Runs a query with the session's time limit. `what` names the query in errors.
pub(crate) async fn within<T>(
    limits: Limits,
    what: &str,
    query: impl Future<Output = std::result::Result<T, DataFusionError>>,
) -> Result<T> {
    match tokio::time::timeout(limits.timeout, query).await {
        Ok(result) => result.map_err(|e| failed(what, &e)),
        Err(_) => Err(too_slow(what, limits)),
    }
}

/// Error of a query that exceeded its time limit.
pub(crate) fn too_slow(what: &str, limits: Limits) -> Error {
    Error::data(format!(
        "{what}: no answer after {} seconds",
        limits.timeout.as_secs()
    ))
    .with_hint("query fewer months, or raise the limit with --timeout-secs or BILLSTREAM_QUERY_TIMEOUT_SECS")
}

/// Converts an engine error to its root cause, without wrappers. `what` names the query.
pub(crate) fn failed(what: &str, error: &DataFusionError) -> Error {
    if let Some(own) = own_error(error) {
        return own.context(what);
    }
    if let Some(full) = full_spill_folder(error) {
        return Error::config(format!(
            "{what}: could not write temporary files in `{}`: {full}",
            std::env::temp_dir().display()
        ))
        .with_hint(
            "free some space there, or set TMPDIR to another folder, or raise --memory-mb or BILLSTREAM_MEMORY_MB",
        );
    }
    match error.find_root() {
        DataFusionError::ResourcesExhausted(why) => {
            Error::data(format!("{what}: not enough memory: {why}")).with_hint(
                "query fewer months, aggregate before sorting, or raise the limit with --memory-mb or BILLSTREAM_MEMORY_MB",
            )
        }
        root => match missing_file(error) {
            Some(file) => Error::data(format!("{what}: the file `{file}` does not exist"))
                .with_hint("`billstream status` names the months that cannot be read, and how to write them again"),
            None => {
                let failed = Error::data(format!("{what}: {}", root.strip_backtrace()));
                match damage_hint(root) {
                    Some(hint) => failed.with_hint(hint),
                    None => failed,
                }
            }
        },
    }
}

/// Path of the file that a query did not find.
pub(crate) fn missing_file(error: &DataFusionError) -> Option<&str> {
    match cause(error)? {
        object_store::Error::NotFound { path, .. } => Some(path),
        _ => None,
    }
}

/// Error of a write to the spill folder that had no room.
pub(crate) fn full_spill_folder(error: &DataFusionError) -> Option<&std::io::Error> {
    // Outputs of COPY are the only other files that the engine writes.
    let is_of_store = cause::<object_store::Error>(error).is_some();
    // The writer of spill files wraps errors of the system in others of the same type.
    let full = find_cause(error, |e: &std::io::Error| store::is_full(e.kind()));
    full.filter(|_| !is_of_store)
}

/// Advice for an error that a damaged Parquet file causes in the middle of its rows.
pub(crate) fn damage_hint(root: &DataFusionError) -> Option<&'static str> {
    let is_of_parquet = match root {
        DataFusionError::ParquetError(_) => true,
        DataFusionError::ArrowError(error, _) => matches!(**error, ArrowError::ParquetError(_)),
        _ => false,
    };
    is_of_parquet.then_some(
        "if it is a file of the store, `billstream verify` names it and its month, and `billstream import --month` writes \
         the month again",
    )
}

/// Returns true for the error of an object that does not exist.
fn is_missing(error: &(dyn StdError + 'static)) -> bool {
    matches!(
        cause::<object_store::Error>(error),
        Some(object_store::Error::NotFound { .. })
    )
}

/// Failed request to the store, but for a missing object, behind an error of the engine.
fn store_failure<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e object_store::Error> {
    let found = cause::<object_store::Error>(error);
    found.filter(|e| !matches!(e, object_store::Error::NotFound { .. }))
}

/// An [`Error`] of this crate that passed through the engine.
pub(crate) fn own_error(error: &DataFusionError) -> Option<Error> {
    cause::<Error>(error).cloned()
}

/// Cause of a type behind an error of the engine.
fn cause<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    find_cause(error, |_| true)
}

/// First cause of a type that `is_it`.
fn find_cause<'e, T: StdError + 'static>(
    error: &'e (dyn StdError + 'static),
    is_it: impl Fn(&T) -> bool,
) -> Option<&'e T> {
    let mut cause = error;
    loop {
        if let Some(found) = cause.downcast_ref().filter(|found| is_it(found)) {
            return Some(found);
        }
        // Parquet's errors hold others without naming them as their source.
        cause = match cause.downcast_ref() {
            Some(ParquetError::External(inner)) => inner.as_ref(),
            _ => cause.source()?,
        };
    }
}
