//! The source: Confluent Cloud's Costs API, with IAM for set-up and the inventory for names (docs: Cloud API reference).

pub mod client;
pub mod costs;
mod error_response;
pub(crate) mod iam;
pub mod inventory;
pub mod lists;
