//! Rate limit of a client.

use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Spaces requests evenly, without bursts.
pub(crate) struct RateLimit(DefaultDirectRateLimiter);

impl RateLimit {
    /// Allows `requests` per second; 0 counts as 1.
    pub fn per_second(requests: u32) -> RateLimit {
        let rate = NonZeroU32::new(requests).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(rate).allow_burst(NonZeroU32::MIN);
        RateLimit(RateLimiter::direct(quota))
    }

    /// Waits until the next request may start.
    pub async fn wait(&self) {
        self.0.until_ready().await;
    }
}
