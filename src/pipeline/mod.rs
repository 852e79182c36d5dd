//! The stages of a run, one module each, in the order of the data flow:
//!
//! [`enrich`] → [`pull`] → [`assess`] → [`transform`] (mapping and checks) → `publish` → [`deliver`]
//!
//! `select` chooses the months of a run, `import` runs all stages, `verify` compares the results across
//! systems, `damage` finds months whose files were lost, `organization` keeps connections to one organization apart, and `summary` has the outcome. Stages share a [`RunContext`].

pub mod assess;
mod clock_check;
mod context;
pub(crate) mod damage;
pub mod deliver;
pub mod enrich;
pub(crate) mod import;
pub(crate) mod organization;
pub(crate) mod publish;
pub mod pull;
pub(crate) mod select;
mod stage_timer;
pub(crate) mod summary;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(all(test, feature = "sandbox"))]
mod tests;
pub mod transform;
pub(crate) mod verify;

pub use crate::pipeline::context::{HeldLease, Progress, RunContext, StageOptions};

pub(crate) use crate::pipeline::stage_timer::StageTimer;

use crate::billing_period::BillingPeriod;

/// Command line for months of a connection, as hints and notes name it.
pub(crate) fn command_for<'m>(
    command: &str,
    connection: &str,
    months: impl IntoIterator<Item = &'m BillingPeriod>,
) -> String {
    let months = months.into_iter().map(|month| format!(" --month {month}"));
    let months: String = months.collect();
    format!("billstream {command} --connection {connection}{months}")
}
