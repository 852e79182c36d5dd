//! What commands print: summaries of runs, results of several connections, and rows of queries.

pub(crate) mod aggregate;
pub(crate) mod rows;
pub(crate) mod summary;
pub(crate) mod summary_table;
