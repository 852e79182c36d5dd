//! Limits of one statement that hold outside the engine: time, and memory of the process.
//!
//! The engine checks neither while it plans, nor within one call of a function; its memory pool knows the large
//! operators only. A watch is polled on another thread than the statement, so it ends the wait in any case.

use std::time::Duration;

use tokio::time::Instant;

use crate::engine::{self, Limits};
use crate::error::{Error, ErrorKind, Result};
use crate::os;

/// Interval of the measurements.
const INTERVAL: Duration = Duration::from_millis(20);
/// Memory beyond the pool that a statement may take: plans, scans, functions and output.
const MEMORY_ALLOWANCE: u64 = 1 << 30;

/// The process took more memory than a statement may.
#[derive(Debug, thiserror::Error)]
#[error(
    "query: not enough memory: the statement takes more than {limit_mb} MB outside the engine's memory pool"
)]
pub(crate) struct MemoryExceeded {
    limit_mb: u64,
}

/// Limits of one statement, from its start on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watch {
    limits: Limits,
    deadline: Instant,
    /// Resident bytes of the process; `None` where they are unknown.
    max_resident: Option<u64>,
}

impl Watch {
    /// Starts the time of a statement.
    pub(super) fn start(limits: Limits) -> Watch {
        let now = Instant::now();
        let extra = limits.memory_bytes as u64 + MEMORY_ALLOWANCE;
        Watch {
            limits,
            deadline: now.checked_add(limits.timeout).unwrap_or(now + FAR_FUTURE),
            max_resident: os::resident_bytes().map(|resident| resident.saturating_add(extra)),
        }
    }

    /// Waits for `work` until a limit is exceeded.
    ///
    /// # Errors
    /// Kind data, for an exceeded limit, [`MemoryExceeded`] within it; those of `work`.
    pub(super) async fn wait_for<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            // Rows that are always ready must not outrun the limits.
            biased;
            exceeded = self.exceeded() => Err(exceeded),
            result = work => result,
        }
    }

    async fn exceeded(&self) -> Error {
        loop {
            let now = Instant::now();
            if now >= self.deadline {
                return engine::too_slow("query", self.limits);
            }
            if self.is_memory_exceeded() {
                return self.memory_error();
            }
            tokio::time::sleep_until(self.deadline.min(now + INTERVAL)).await;
        }
    }

    fn is_memory_exceeded(&self) -> bool {
        let (Some(max), Some(resident)) = (self.max_resident, os::resident_bytes()) else {
            return false;
        };
        resident > max
    }

    fn memory_error(&self) -> Error {
        let limit = self.limits.memory_bytes as u64 + MEMORY_ALLOWANCE;
        let error = MemoryExceeded {
            limit_mb: limit >> 20,
        };
        Error::new(ErrorKind::Data, error).with_hint(
            "make smaller arrays and texts, refer to fewer common table expressions, or raise the limit with \
             --memory-mb or BILLSTREAM_MEMORY_MB",
        )
    }
}

/// A duration that fits every clock: 30 years.
const FAR_FUTURE: Duration = Duration::from_secs(30 * 365 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(timeout: Duration) -> Watch {
        Watch::start(Limits {
            timeout,
            ..Limits::default()
        })
    }

    #[tokio::test]
    async fn ends_the_wait_at_the_time_limit() {
        let watch = watch(Duration::from_millis(50));
        assert_eq!(watch.wait_for(async { Ok(1) }).await.unwrap(), 1);
        let never = watch.wait_for(std::future::pending::<Result<()>>()).await;
        assert!(never.unwrap_err().to_string().contains("no answer after"));
        let late = watch.wait_for(async { Ok(()) }).await;
        assert!(late.is_err(), "rows that are ready do not outrun the limit");
    }

    #[tokio::test]
    async fn any_time_limit_is_a_point_in_time() {
        let watch = watch(Duration::from_secs(u64::MAX));
        assert_eq!(watch.wait_for(async { Ok(1) }).await.unwrap(), 1);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn ends_the_wait_at_the_memory_limit() {
        let mut watch = watch(Duration::from_millis(50));
        watch.max_resident = Some(1);
        let never = watch.wait_for(std::future::pending::<Result<()>>()).await;
        let error = never.unwrap_err();
        assert!(error.source_as::<MemoryExceeded>().is_some(), "{error}");
        assert!(error.hint().unwrap().contains("--memory-mb"));
    }
}
