//! The synthetic organization and its costs.
//!
//! `catalog`, `organization`, `resource` and `bulk` define resources and their meters; `usage` and
//! `edge_cases` produce records; `day` and `history` generate and cache days; `money` and `random` are
//! shared.

pub(crate) mod bulk;
pub(crate) mod catalog;
pub(crate) mod day;
pub(crate) mod edge_cases;
pub(crate) mod history;
pub(crate) mod money;
pub(crate) mod organization;
pub(crate) mod random;
pub(crate) mod resource;
pub(crate) mod usage;
