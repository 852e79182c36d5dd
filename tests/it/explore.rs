//! `query` and `shell`: SQL over the published tables.
