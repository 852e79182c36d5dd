//! Integration tests, in one binary so that the engine is linked once.
//!
//! They run the real `billstream` binary against the sandbox in another process, on stores in
//! temporary folders or on a local S3 server, with a fixed clock.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may panic"
)]

mod support;

mod architecture;
mod cli;
mod cloudzero_api;
mod config;
mod connections;
mod corpus;
mod damage;
mod deliver;
mod disk_full;
pub mod ends;
mod enrichment;
mod exact;
mod export;
mod faults;
mod hostile;
mod import;
mod kills;
mod months;
mod organizations;
mod paths;
mod query;
mod report_months;
mod report_values;
mod reports;
mod runs_at_once;
mod s3;
mod sandbox;
mod slt;
mod source_files;
mod source_rows;
mod sources;
mod tags;
mod traps;
mod versions;
