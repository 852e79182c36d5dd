//! Looking at what was imported.

pub mod query;
