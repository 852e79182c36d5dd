//! Random tests by seed, several at the same time.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Seeds that run at the same time.
const AT_ONCE: usize = 2;

/// Seeds to run instead of the usual ones.
const VARIABLE: &str = "BILLSTREAM_SEEDS";

/// Returns true if the usual seeds run.
pub(super) fn are_usual() -> bool {
    std::env::var(VARIABLE).is_err()
}

/// Runs the usual seeds, or those of `BILLSTREAM_SEEDS` (`1000..2000`; `0..2000/10` is every tenth one), and returns the results of the failed ones.
pub(super) fn failures<E: Send>(
    usual: Range<u64>,
    run: impl Fn(u64) -> Result<(), E> + Sync,
) -> Vec<E> {
    let (seeds, step) = match std::env::var(VARIABLE) {
        Ok(text) => {
            let (range, step) = text.split_once('/').unwrap_or((&text, "1"));
            let (first, end) = range.split_once("..").expect("first..end");
            let range = first.parse().unwrap()..end.parse().unwrap();
            (range, step.parse().unwrap())
        }
        Err(_) => (usual, 1),
    };
    let (next, failed) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(step, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            if let Err(failure) = run(seed) {
                failed.lock().push(failure);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    failed.into_inner()
}
