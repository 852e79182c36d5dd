//! Connecting to an organization: the key is proven ([`proof`]), or made with an administrator's ([`set_up`]), and
//! what was made is written down ([`notebook`]).

pub mod health;
pub mod key_probe;
pub mod provision;
pub mod setup_state;
pub mod state;
