//! The source: Confluent Cloud's Costs API, and its neighbours for set-up and names (docs: Cloud API reference).

pub mod client;
pub mod costs;
pub mod error_response;
pub mod iam;
pub mod inventory;
pub mod lists;
