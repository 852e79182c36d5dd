//! One file per command.

pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod connections;
pub(crate) mod deliver;
#[cfg(feature = "sandbox")]
pub(crate) mod demo;
pub(crate) mod destinations;
pub(crate) mod diff;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod query;
pub(crate) mod report;
pub(crate) mod restore;
#[cfg(feature = "sandbox")]
pub(crate) mod sandbox;
pub(crate) mod shell;
pub(crate) mod verify;
