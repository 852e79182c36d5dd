//! Output of commands, from the inside out:
//!
//! - [`money`], [`table`], [`stdout`]: numbers, tables and bytes.
//! - [`summary_table`], [`deliveries_table`], [`verify_table`], [`connections_table`]: one table per command.
//! - [`aggregate`]: results of several connections. [`summary`]: the summary of an import.
//! - [`rows`]: rows of SQL in seven formats, exact, or laid out as a report.

pub(crate) mod aggregate;
pub(crate) mod connections_table;
pub(crate) mod deliveries_table;
pub(crate) mod money;
mod month_notes;
pub(crate) mod rows;
pub(crate) mod stderr;
pub(crate) mod stdout;
pub(crate) mod summary;
pub(crate) mod summary_table;
pub(crate) mod table;
pub(crate) mod verify_table;
