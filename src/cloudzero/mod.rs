//! CloudZero's side: the Common Bill Format, and the drops that CloudZero picks up.

pub mod cbf;
pub mod csv;
pub mod drop;
pub mod read_back;
