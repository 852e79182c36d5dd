//! The Costs API: pages, page tokens, and decoding to Arrow.

pub mod decode;
pub mod page;
pub(crate) mod tokens;
