//! CloudZero: the Common Bill Format, both destinations, and what CloudZero reports back.
//!
//! - Format: `cbf` defines the columns, `columns` reads them from record batches, `totals` sums them.
//! - Bucket: `drop` writes drops of `csv` files and moves the manifest; `read_back` sums the written files,
//!   `row_digest` compares their rows.
//! - Stream API: `rows` encodes line items as JSON, `request_bodies` batches them, `stream` sends them,
//!   `stream_contents` sums what the stream holds. `month_form` and `sign_objection` are for what CloudZero's document
//!   and guide disagree on.
//! - Other endpoints through `client`: `connections` and `costs`. `test_key` names the namespaces of rehearsals.

pub(crate) mod cbf;
pub mod client;
pub(crate) mod columns;
pub(crate) mod connections;
pub(crate) mod costs;
pub mod csv;
pub mod drop;
pub(crate) mod month_form;
pub(crate) mod read_back;
pub mod request_bodies;
pub(crate) mod row_digest;
pub mod rows;
pub(crate) mod sign_objection;
pub(crate) mod stream;
pub(crate) mod stream_contents;
pub(crate) mod test_key;
pub(crate) mod totals;
