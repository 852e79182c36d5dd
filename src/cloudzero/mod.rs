//! CloudZero's side: the Common Bill Format, the two doors into CloudZero, and what it holds.
//!
//! - [`cbf`] has the columns of the format, [`columns`] line items as arrays and text.
//! - The bucket: [`drop`] writes drops of [`csv`] files, which [`read_back`] adds up again.
//! - The Stream API: [`rows`] writes line items as JSON, [`bodies`] packs them into requests, [`stream`]
//!   sends them, [`held`] adds up what CloudZero holds.
//! - [`client`] asks the API, [`connections`] and [`costs`] are more of it.

pub mod cbf;
pub mod client;
pub mod columns;
pub mod connections;
pub mod costs;
pub mod csv;
pub mod drop;
pub mod read_back;
pub mod request_bodies;
pub mod rows;
pub mod stream;
pub mod stream_contents;
