//! How to reach Confluent, and whether credentials may be sent there.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::error::{Error, Result};
use crate::http::retry::Policy;
use crate::http::{Timeouts, place};

/// Records a page; the most that the API gives.
pub const PAGE_SIZE: u32 = 10_000;
/// Requests a second, retries included. Confluent publishes no limit; this is what careful clients do.
pub const REQUESTS_PER_SECOND: u32 = 10;

/// How to reach one Confluent organization. Debug hides the credentials.
#[derive(Clone)]
pub struct Settings {
    /// The root of the API, such as `https://api.confluent.cloud`.
    pub endpoint: Url,
    /// The id of a Cloud API key.
    pub key: String,
    /// Its secret.
    pub secret: SecretString,
    /// Records a page.
    pub page_size: u32,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// How often and how long a request is repeated.
    pub policy: Policy,
    /// Requests a second, retries included.
    pub requests_per_second: u32,
}

impl Settings {
    /// Settings with the defaults for all that isn't given.
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

/// The same settings for questions that somebody waits for, or that may go unanswered: three attempts within half
/// a minute, if no fewer are configured.
pub fn with_short_retries(settings: &Settings) -> Settings {
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

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("endpoint", &place(&self.endpoint))
            .field("page_size", &self.page_size)
            .field("timeouts", &self.timeouts)
            .field("policy", &self.policy)
            .field("requests_per_second", &self.requests_per_second)
            .finish_non_exhaustive()
    }
}

/// The header of HTTP Basic authentication, and its text, for hiding it.
pub(super) fn basic(key: &str, secret: &SecretString) -> Result<(HeaderValue, String)> {
    let secret = secret.expose_secret();
    let unfit =
        |text: &str| text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control());
    let hint = "set CONFLUENT_CLOUD_API_KEY and CONFLUENT_CLOUD_API_SECRET to a Cloud API key and its \
                secret, without quotes or line breaks";
    for (name, text) in [("key", key), ("secret", secret)] {
        if unfit(text) {
            return Err(Error::config(format!(
                "the Confluent API {name} is empty or has white space in it"
            ))
            .with_hint(hint));
        }
    }
    if key.contains(':') {
        return Err(Error::config("the Confluent API key has a colon in it").with_hint(hint));
    }
    let encoded = STANDARD.encode(format!("{key}:{secret}"));
    let mut header = HeaderValue::from_str(&format!("Basic {encoded}"))
        .map_err(|_| Error::bug("the credentials do not fit into a header"))?;
    header.set_sensitive(true);
    Ok((header, encoded))
}
