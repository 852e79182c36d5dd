//! Timing of stages.

use std::time::Instant;

/// Guard that logs the duration of a stage when dropped, and returns the memory that the stage freed.
pub(crate) struct StageTimer {
    stage: &'static str,
    started: Instant,
}

impl StageTimer {
    pub(crate) fn begin(stage: &'static str) -> StageTimer {
        StageTimer {
            stage,
            started: Instant::now(),
        }
    }
}

impl Drop for StageTimer {
    fn drop(&mut self) {
        let millis = self.started.elapsed().as_millis() as u64;
        tracing::debug!(stage = self.stage, millis, "Stage finished");
        crate::os::trim_heap();
    }
}
