//! Threads of the engine: statements are planned and run apart from timers, signals and the prompt.
//!
//! Planning can compute for hours within one call, where nothing can stop it: it has a separate thread, which is
//! abandoned when the wait for it ends. Deep statements need deep stacks; unused pages of them cost nothing.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Error, Result};

/// Stack of the thread that plans a statement, for chains as deep as the engine's limit in a debug build.
const PLANNING_STACK: usize = 512 << 20;
/// Stack of the threads that run plans, which evaluate and drop expressions of the same depth.
const RUNNING_STACK: usize = 256 << 20;

/// Names of the threads, by which a panic is recognized as one of the engine.
const PLANNING_NAME: &str = "planning";
const RUNNING_NAME: &str = "engine";

/// Description of the last panic of an engine's thread.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Records a panic of the current thread, if that is one of the engine: a damaged file or an unusual statement can
/// cause it, and the statement ends with it as an error. Returns false for other threads.
pub(crate) fn record_panic(description: &str) -> bool {
    let current = std::thread::current();
    let is_of_engine = matches!(current.name(), Some(PLANNING_NAME | RUNNING_NAME));
    if is_of_engine {
        *LAST_PANIC.lock() = Some(description.to_string());
    }
    is_of_engine
}

/// Error of a statement that ended with a panic.
pub(super) fn panic_error() -> Error {
    let description = LAST_PANIC.lock().clone();
    let description = description.unwrap_or_else(|| "no message".to_string());
    Error::data(format!("the engine failed: {description}")).with_hint(
        "a file of the tables may be damaged: `billstream verify` checks them; if none is, report this line with \
         the statement",
    )
}

/// The runtime of the engine, which lives as long as the process.
pub(super) fn runtime() -> Result<&'static Handle> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let started = RUNTIME.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Builder::new_multi_thread()
            .worker_threads(cores.max(4))
            .thread_stack_size(RUNNING_STACK)
            .thread_name(RUNNING_NAME)
            .enable_all()
            .build()
    });
    match started {
        Ok(runtime) => Ok(runtime.handle()),
        Err(e) => Err(could_not_start(e)),
    }
}

/// Count of the statements that still occupy a thread, awaited or not.
#[derive(Debug, Clone, Default)]
pub(super) struct Busy(Arc<AtomicUsize>);

impl Busy {
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// Counts one more, until the guard is dropped.
    pub(super) fn guard(&self) -> BusyGuard {
        self.0.fetch_add(1, Ordering::AcqRel);
        BusyGuard(self.0.clone())
    }
}

pub(super) struct BusyGuard(Arc<AtomicUsize>);

impl Drop for BusyGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Runs `work` on a separate thread. When the caller stops waiting, the thread goes on until its next await.
///
/// # Errors
/// Those of `work`; kind data, if it panics; kind configuration, if no thread can be started.
pub(super) async fn on_separate_thread<T: Send + 'static>(
    busy: &Busy,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let runtime = runtime()?;
    let busy = busy.guard();
    let (mut done, result) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new()
        .name(PLANNING_NAME.to_string())
        .stack_size(PLANNING_STACK)
        .spawn(move || {
            let result = runtime.block_on(async {
                tokio::select! {
                    result = work => Some(result),
                    () = done.closed() => None,
                }
            });
            drop(busy);
            if let Some(result) = result {
                // The caller may have stopped waiting.
                let _ = done.send(result);
            }
        });
    thread.map_err(|e| could_not_start(&e))?;
    result.await.unwrap_or_else(|_| Err(panic_error()))
}

fn could_not_start(error: &std::io::Error) -> Error {
    Error::config(format!("could not start the engine's threads: {error}"))
        .with_hint("raise the limits of processes and virtual memory (`ulimit -u`, `ulimit -v`)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_for_the_work_and_counts_it() {
        let busy = Busy::default();
        let counted = busy.clone();
        let work = async move {
            tokio::task::yield_now().await;
            Ok(counted.count())
        };
        assert_eq!(on_separate_thread(&busy, work).await.unwrap(), 1);
        assert_eq!(busy.count(), 0);
    }

    #[tokio::test]
    async fn abandoned_work_ends_at_its_next_await() {
        let busy = Busy::default();
        let endless = on_separate_thread(&busy, std::future::pending::<Result<()>>());
        let waited = tokio::time::timeout(std::time::Duration::from_millis(20), endless).await;
        assert!(waited.is_err());
        while busy.count() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
}
