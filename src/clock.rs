//! The time of day as a dependency, so that tests can fix it or move it.

use std::sync::Arc;

use chrono::{DateTime, Utc};

/// Returns the current time: the system's, or one set by a test.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;
