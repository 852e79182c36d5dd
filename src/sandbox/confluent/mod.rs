//! Confluent Cloud: costs, IAM and inventory.

pub(crate) mod access;
pub(crate) mod costs;
pub(crate) mod iam;
pub(crate) mod inventory;
pub(crate) mod list;
pub(crate) mod query;
pub(crate) mod request;
