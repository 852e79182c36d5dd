//! Fake Confluent Cloud: costs, IAM and inventory.
//!
//! `route` classifies requests, `access` authorizes them, `request` and `paged_list` are shared by `iam`
//! and `inventory`; `costs` and `costs_query` serve the Costs API.

pub(crate) mod access;
pub(crate) mod costs;
pub(crate) mod costs_query;
pub(crate) mod iam;
pub(crate) mod inventory;
pub(crate) mod paged_list;
pub(crate) mod request;
pub(crate) mod route;
