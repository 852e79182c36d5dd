//! Looking at what was imported: SQL over the published tables, views of them, other cost sources beside
//! them, reports and differences. Read-only, unless writing was allowed.
//!
//! ```text
//! store tables · history · sources ─ catalog ─ views ─▶ session ─ statement ─▶ rows ─▶ crate::cli
//!                                                        report · diff ──────────┘
//! ```

pub mod catalog;
pub mod charts;
pub mod diagnostics;
pub mod diff;
pub mod names;
pub mod permissions;
pub mod reports;
pub mod session;
pub mod sources;
pub mod statements;
pub mod system_tables;
pub mod tables;
