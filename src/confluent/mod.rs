//! The source: Confluent Cloud's Costs API, and its neighbours for set-up and names (docs: Cloud API reference).

pub mod answer;
pub mod client;
pub mod decode;
pub mod iam;
pub mod inventory;
pub mod page;
pub mod pages;
pub mod windows;
