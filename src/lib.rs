//! billstream brings Confluent Cloud costs into CloudZero.
//!
//! Data flows one way through these modules:
//!
//! ```text
//! confluent ─ record batches ─▶ store: costs ─ engine + sql/models ─▶ staged line items
//!                                            ─ sql/checks, any row stops the publish ─▶
//!                               store: line_items ─▶ cloudzero (drops, Stream API) · query
//! ```
//!
//! In dependency order; a module uses only those above it:
//!
//! - [`error`], [`clock`], [`decimal`], [`billing_period`], [`control_totals`], [`display_text`], [`suggest`], [`os`]:
//!   shared foundations.
//! - [`http`]: one HTTP client core with retries, rate limits and redaction.
//! - [`confluent`]: the source: the Costs API, IAM and inventory.
//! - [`store`]: object storage: Delta tables, commits, leases, run records and state.
//! - [`engine`]: the DataFusion session, SQL functions and SQL files.
//! - [`cloudzero`]: the Common Bill Format and both destinations: bucket drops and the Stream API.
//! - [`pipeline`]: the stages of a run: select, pull, enrich, transform, publish, deliver, verify.
//! - [`config`]: settings from defaults, file, environment and flags; secrets.
//! - [`connections`]: state, health, provisioning, rotation and probing of connections.
//! - [`query`]: SQL over published tables, reports, charts and differences.
//! - [`sandbox`]: fake Confluent and CloudZero servers on loopback, for the demo, tests and benches.
//! - [`cli`]: arguments, output and exit codes.

#![deny(unsafe_code)]
#![allow(
    rustdoc::private_intra_doc_links,
    reason = "the documentation is for contributors and built with private items"
)]
#![allow(
    rustdoc::bare_urls,
    reason = "doc comments of arguments are help texts"
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "tests may panic"
    )
)]

pub mod billing_period;
pub mod cli;
pub mod clock;
pub mod cloudzero;
pub mod config;
pub mod confluent;
pub mod connections;
pub mod control_totals;
pub mod decimal;
pub mod display_text;
pub mod engine;
pub mod error;
pub mod http;
pub mod os;
pub mod pipeline;
pub mod query;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod store;
pub mod suggest;
