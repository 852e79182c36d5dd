//! The Costs API: pages, page tokens, and decoding to Arrow.

pub mod decode;
mod page;
pub(crate) mod tokens;
