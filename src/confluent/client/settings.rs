//! Access to a Confluent organization: endpoint, credentials, limits.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use twox_hash::XxHash3_128;
use url::Url;

use crate::error::{Error, Result};
use crate::http::Timeouts;
use crate::http::endpoint::address;
use crate::http::retry::Policy;

/// Records per page; the API's maximum.
pub const PAGE_SIZE: u32 = 10_000;
/// Most requests per second, including retries. Confluent publishes no limit and asks clients to follow its answers,
/// which [`crate::http::client`] does below this ceiling.
pub const REQUESTS_PER_SECOND: u32 = 50;

/// Access to one Confluent organization. Debug hides the credentials.
#[derive(Clone)]
pub struct Settings {
    /// Root of the API, such as `https://api.confluent.cloud`.
    pub endpoint: Url,
    /// Id of a Cloud API key.
    pub key: String,
    /// Secret of the key.
    pub secret: SecretString,
    /// Records per page.
    pub page_size: u32,
    /// Time limits of a request.
    pub timeouts: Timeouts,
    /// Limits of retries.
    pub policy: Policy,
    /// Requests per second, including retries.
    pub requests_per_second: u32,
}

impl Settings {
    /// Settings with default limits.
    pub fn new(endpoint: Url, key: impl Into<String>, secret: SecretString) -> Self {
        Settings {
            endpoint,
            key: key.into(),
            secret,
            page_size: PAGE_SIZE,
            timeouts: Timeouts::default(),
            policy: Policy::default(),
            requests_per_second: REQUESTS_PER_SECOND,
        }
    }
}

/// Returns the settings with at most three attempts within half a minute, for interactive requests and for
/// optional results.
pub(crate) fn with_short_retries(settings: &Settings) -> Settings {
    let configured = settings.policy;
    let policy = Policy {
        max_attempts: configured.max_attempts.min(3),
        max_elapsed: configured.max_elapsed.min(Duration::from_secs(30)),
    };
    Settings {
        policy,
        ..settings.clone()
    }
}

/// Digest of the endpoint and the id of the key, without the secret.
pub(super) fn origin(settings: &Settings) -> String {
    let text = format!("{}\0{}", settings.endpoint, settings.key);
    format!("{:032x}", XxHash3_128::oneshot(text.as_bytes()))
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("endpoint", &address(&self.endpoint))
            .field("page_size", &self.page_size)
            .field("timeouts", &self.timeouts)
            .field("policy", &self.policy)
            .field("requests_per_second", &self.requests_per_second)
            .finish_non_exhaustive()
    }
}

/// Returns the header of HTTP Basic authentication, and its encoded text for redaction.
pub(super) fn basic_authorization(
    key: &str,
    secret: &SecretString,
) -> Result<(HeaderValue, String)> {
    let secret = secret.expose_secret();
    let is_unfit =
        |text: &str| text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control());
    let hint = "set CONFLUENT_CLOUD_API_KEY and CONFLUENT_CLOUD_API_SECRET to a Cloud API key and its \
                secret, without quotes or line breaks";
    for (name, text) in [("key", key), ("secret", secret)] {
        if is_unfit(text) {
            return Err(Error::config(format!(
                "the Confluent API {name} is empty or contains white space"
            ))
            .with_hint(hint));
        }
    }
    if key.contains(':') {
        return Err(Error::config("the Confluent API key contains a colon").with_hint(hint));
    }
    let encoded = STANDARD.encode(format!("{key}:{secret}"));
    let mut header = HeaderValue::from_str(&format!("Basic {encoded}"))
        .map_err(|_| Error::bug("the credentials do not fit into a header"))?;
    header.set_sensitive(true);
    Ok((header, encoded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_is_the_endpoint_and_the_key_but_not_the_secret() {
        let of = |endpoint: &str, key: &str, secret: &str| {
            let secret = SecretString::from(secret.to_string());
            origin(&Settings::new(endpoint.parse().unwrap(), key, secret))
        };
        let one = of("https://a", "key", "secret");
        assert_eq!(one, of("https://a", "key", "rotated"));
        assert_ne!(one, of("https://b", "key", "secret"));
        assert_ne!(one, of("https://a", "other", "secret"));
    }
}
