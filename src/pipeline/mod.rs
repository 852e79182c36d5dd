//! The stages of a run, one module each, in the order of the data flow:
//!
//! [`enrich`] → [`pull`] → [`transform`] (mapping and checks) → [`publish`] → [`deliver`]
//!
//! [`select`] chooses the months of a run, [`import`] runs all stages, [`verify`] compares the results
//! across systems, and [`summary`] holds the outcome. Stages share a [`RunContext`].

mod context;
pub mod deliver;
pub mod enrich;
pub mod import;
pub mod publish;
pub mod pull;
pub mod select;
mod stage_timer;
pub mod summary;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(all(test, feature = "sandbox"))]
mod tests;
pub mod transform;
pub mod verify;

pub use crate::pipeline::context::{Progress, RunContext, StageOptions};

pub(crate) use crate::pipeline::stage_timer::StageTimer;
