//! The stages of a run, one file each, in the order in which data goes through them.
//!
//! [`enrich`] → [`pull`] → [`transform`], with [`facts`] of resources → [`check`] → [`publish`] → [`deliver`];
//! [`tags`] are the user's own facts; [`months`] says which months a run
//! takes, [`deliver::destinations`] where it delivers to, [`import`] is all of it, and [`verify`] compares what came
//! of it.

pub mod deliver;
pub mod enrich;
pub mod import;
pub mod publish;
pub mod pull;
pub mod select;
pub mod summary;
pub mod transform;
pub mod verify;

use std::sync::Arc;

use crate::clock::Clock;
use crate::engine::Limits;
use crate::engine::sql_files::SqlFiles;
use crate::pipeline::deliver::destinations;
use crate::store::Store;

/// Logs how long a stage took when it ends, and gives back the memory that it freed.
pub(crate) struct Stage(&'static str, std::time::Instant);

impl Stage {
    pub(crate) fn begin(name: &'static str) -> Stage {
        Stage(name, std::time::Instant::now())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let millis = self.1.elapsed().as_millis() as u64;
        tracing::debug!(stage = self.0, millis, "A stage ended.");
        crate::heap::trim_heap();
    }
}

/// Hears what a run is doing, in a few words, often.
pub type Progress = Arc<dyn Fn(String) + Send + Sync>;

/// What every stage of a run needs.
#[derive(Clone)]
pub struct RunContext {
    /// The name of the run.
    pub run: String,
    /// Where everything lies.
    pub store: Store,
    /// The connection's name.
    pub connection: String,
    /// Label in CloudZero's Cloud Provider dimension.
    pub cloud_provider: String,
    /// ISO 4217 code; shown, never converted.
    pub currency: String,
    /// Path or URL of the CSV file of tags.
    pub tags: Option<String>,
    /// Mapping and checks.
    pub sql: SqlFiles,
    /// Limits of the engine.
    pub limits: Limits,
    /// Windows read at once.
    pub concurrency: usize,
    /// Days after a month's end from which a successful pull settles it.
    pub settle_days: u64,
    /// Where it delivers to.
    pub destinations: destinations::Destinations,
    /// The time.
    pub clock: Clock,
    /// Who hears of progress.
    pub progress: Progress,
}
