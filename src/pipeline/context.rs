//! The context of a run, shared by all of its stages.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::billing_period::BillingPeriod;
use crate::clock::Clock;
use crate::engine::Limits;
use crate::engine::sql_files::SqlFiles;
use crate::error::{Error, Result};
use crate::pipeline::assess::losses::LossLimits;
use crate::pipeline::deliver::destinations;
use crate::pipeline::select::rechecks::RecheckIntervals;
use crate::store::Store;
use crate::store::lease::Fence;
use crate::store::names::{ConnectionName, RunId};

/// Progress callback, called often with a short message.
pub type Progress = Arc<dyn Fn(String) + Send + Sync>;

/// Identity and services of one run of one connection. Stages borrow it; tasks share it in an [`Arc`].
pub struct RunContext {
    // Identity.
    /// Identifier of the run.
    pub run: RunId,
    /// Name of the connection.
    pub connection: ConnectionName,
    /// Label in CloudZero's Cloud Provider dimension.
    pub cloud_provider: String,
    /// ISO 4217 code; displayed, never converted.
    pub currency: String,
    // Services.
    /// Store that the run reads and publishes to.
    pub store: Store,
    /// Mapping, checks and other SQL files.
    pub sql: Arc<SqlFiles>,
    /// Limits of the engine.
    pub limits: Limits,
    /// Destinations of deliveries.
    pub destinations: destinations::Destinations,
    /// Time of day.
    pub clock: Clock,
    /// Progress callback.
    pub progress: Progress,
    /// Settings of single stages.
    pub options: StageOptions,
    /// Lease of the connection, while the run holds it.
    pub lease: HeldLease,
}

/// Fence of the lease that a run holds, for its stages.
#[derive(Default)]
pub struct HeldLease(RwLock<Option<Fence>>);

/// Settings of single stages.
#[derive(Debug, Clone)]
pub struct StageOptions {
    /// Path or URL of the CSV file of tags.
    pub tags: Option<String>,
    /// Windows of a pull that are read concurrently.
    pub concurrency: usize,
    /// Days after the end of a month from which a successful pull settles it.
    pub settle_days: u64,
    /// Re-pulls of settled months.
    pub rechecks: RecheckIntervals,
    /// Falls of a published day above which its month is put on hold.
    pub losses: LossLimits,
}

impl Default for StageOptions {
    /// The defaults of the settings.
    fn default() -> StageOptions {
        StageOptions {
            tags: None,
            concurrency: 4,
            settle_days: 17,
            rechecks: RecheckIntervals {
                recent_days: 7,
                all_days: 30,
            },
            losses: LossLimits {
                percent: 20,
                amount: 1,
            },
        }
    }
}

impl RunContext {
    /// Fence of the run's lease, which every change of the store takes.
    ///
    /// # Errors
    /// Kind `Bug` if the run does not hold the lease.
    pub(crate) fn fence(&self) -> Result<Fence> {
        let fence = self.lease.0.read().clone();
        fence.ok_or_else(|| {
            Error::bug(format!(
                "a change of `{}` without its lease",
                self.connection
            ))
        })
    }

    /// Gives the stages the fence of the run's lease, or takes it from them.
    pub(crate) fn set_fence(&self, fence: Option<&Fence>) {
        *self.lease.0.write() = fence.cloned();
    }

    /// Span of the run. Its level is error, so that warnings carry it at every verbosity.
    pub(crate) fn span(&self) -> tracing::Span {
        tracing::error_span!("run", connection = %self.connection)
    }

    /// Span of the stages of one month, within [`RunContext::span`].
    pub(crate) fn period_span(&self, period: BillingPeriod) -> tracing::Span {
        tracing::error_span!("month", %period)
    }
}
