//! billstream brings Confluent Cloud costs into CloudZero.
//!
//! Data goes one way through the rooms of this crate:
//!
//! ```text
//! confluent ─ record batches ─▶ store (costs) ─ engine + sql/models ─▶ staged line items
//!                                             ─ sql/checks, any row stops the publish ─▶
//!                               store (line_items) ─▶ cloudzero (drops, Stream) · explore (queries)
//! ```
//!
//! - [`cli`] turns arguments into calls and answers into text and exit codes.
//! - [`config`] resolves settings: defaults, then a file, then environment, then flags; it keeps secrets.
//! - [`connect`] sets connections up: keys are made, proven and written down.
//! - [`confluent`] is the source: windows, pages, retries, decoding to Arrow; IAM and inventory.
//! - [`engine`] is the DataFusion session, the SQL files and the functions they may use.
//! - [`store`] is what lies on object storage: Delta tables, leases, run records, targets.
//! - [`pipeline`] is the run: pull, transform, check, publish, deliver, one file a stage.
//! - [`cloudzero`] is the Common Bill Format and both doors into CloudZero: drops in a bucket, the Stream API.
//! - [`explore`] answers SQL over what was imported.
//! - [`sandbox`] plays Confluent and CloudZero on loopback, for the demo, the tests and the benches.
//! - [`http`] is what both HTTP clients share.
//! - [`decimal`] and [`totals`] keep money exact; [`error`] holds classes, hints and exit codes;
//!   [`memory`] says what the C library may keep; [`nearest`] finds the name that was meant.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "tests may panic"
    )
)]

pub mod cli;
pub mod cloudzero;
pub mod config;
pub mod confluent;
pub mod connect;
pub mod decimal;
pub mod engine;
pub mod error;
pub mod explore;
pub mod http;
pub mod memory;
pub mod nearest;
pub mod pipeline;
pub mod sandbox;
pub mod store;
pub mod totals;
