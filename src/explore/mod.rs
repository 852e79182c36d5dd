//! Looking at what was imported: SQL over the published tables, views of them, other cost sources beside
//! them, reports and differences. Read-only, unless writing was allowed.
//!
//! ```text
//! store tables · history · sources ─ catalog ─ views ─▶ session ─ statement ─▶ rows ─▶ crate::cli
//!                                                        report · diff ──────────┘
//! ```

pub mod catalog;
pub mod chart;
pub mod diff;
pub mod history;
pub mod mistake;
pub mod names;
pub mod pieces;
pub mod report;
pub mod session;
pub mod source;
pub mod statement;
pub mod tables;
