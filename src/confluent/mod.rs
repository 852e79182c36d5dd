//! The source: Confluent Cloud's Costs API (docs: Cloud API reference, Costs).

pub mod answer;
pub mod client;
pub mod decode;
pub mod page;
pub mod windows;
