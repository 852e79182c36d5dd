//! Connecting to an organization: the key is proven ([`proof`]), or made with an administrator's ([`set_up`]), and
//! what was made is written down ([`notebook`]).

pub mod notebook;
pub mod proof;
pub mod set_up;
