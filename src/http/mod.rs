//! HTTP client core of both clients: where credentials may go ([`endpoint`]), the retry loop ([`client`]) with its
//! rules ([`retry`], [`idempotency`]), how requests fail ([`request_error`], [`transport`]), what responses may not be
//! ([`json`], [`page_chain`]), and redaction ([`sanitize`]).

pub(crate) mod client;
pub(crate) mod endpoint;
pub(crate) mod idempotency;
pub(crate) mod json;
mod pace;
pub(crate) mod page_chain;
pub(crate) mod proxy;
pub(crate) mod request_error;
pub(crate) mod retry;
mod retry_after;
pub(crate) mod sanitize;
mod secret_forms;
pub(crate) mod transport;

pub use crate::http::endpoint::Timeouts;
