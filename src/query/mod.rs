//! SQL over the published tables, with views, other cost sources, reports and differences.
//!
//! Read-only, unless writing is allowed.
//!
//! ```text
//! store tables · system tables · sources ─ catalog ─ views ─▶ session ─ statement ─▶ rows ─▶ crate::cli
//!                                                             report · diff ───────────┘
//! ```

mod binding;
pub(crate) mod catalog;
pub(crate) mod charts;
mod currencies;
mod diagnostics;
pub(crate) mod diff;
pub(crate) mod export;
pub mod labels;
pub(crate) mod names;
pub(crate) mod parameters;
mod permissions;
mod rates;
pub(crate) mod reports;
pub(crate) mod rows;
pub(crate) mod session;
pub mod sources;
pub(crate) mod statements;
mod system_tables;
mod tables;
pub(crate) mod threads;
mod versioned_tables;
pub(crate) mod watch;
