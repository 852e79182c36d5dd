//! Settings of CloudZero's side: where line items go, and how to ask its API.

use std::time::Duration;

use url::Url;

use super::Environment;
use crate::cloudzero::client::{self, ENDPOINT};
use crate::confluent::client::{
    CONNECT_TIMEOUT, MAX_ATTEMPTS, READ_TIMEOUT, RETRY_ELAPSED, TOTAL_TIMEOUT,
};
use crate::error::{Error, Result};
use crate::http::Timeouts;
use crate::http::retry::Policy;
use crate::pipeline::targets::Wanted;
use crate::store::runs::Granularity;

/// How long a delivery waits to see that CloudZero holds it.
const READ_BACK: Duration = Duration::from_secs(60);

/// Reads the settings of targets.
///
/// # Errors
/// Class configuration, naming the variable and what it should be.
pub fn targets(environment: &Environment) -> Result<Wanted> {
    let granularity = match environment.get("BILLSTREAM_GRANULARITY") {
        None | Some("daily") => Granularity::Daily,
        Some("hourly") => Granularity::Hourly,
        Some(other) => {
            return Err(Error::config(format!(
                "BILLSTREAM_GRANULARITY=`{other}` is neither daily nor hourly"
            )));
        }
    };
    let text = |name| environment.get(name).map(str::to_string);
    let stream = text("CLOUDZERO_CONNECTION_ID");
    if let Some(id) = &stream
        && !id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    {
        return Err(Error::config(
            "CLOUDZERO_CONNECTION_ID has characters that no connection id has",
        ));
    }
    Ok(Wanted {
        bucket: text("BILLSTREAM_BUCKET"),
        stream,
        api: api(environment)?,
        granularity,
        read_back: environment.seconds("BILLSTREAM_READ_BACK_SECS", READ_BACK)?,
    })
}

fn api(environment: &Environment) -> Result<Option<client::Settings>> {
    let Some(key) = environment.get("CLOUDZERO_API_KEY") else {
        return Ok(None);
    };
    let endpoint = environment.get("CLOUDZERO_API_URL").unwrap_or(ENDPOINT);
    let endpoint = Url::parse(endpoint)
        .map_err(|e| Error::config(format!("CLOUDZERO_API_URL is not a URL: {e}")))?;
    let seconds = |name, default| environment.seconds(name, default);
    Ok(Some(client::Settings {
        endpoint,
        key: key.to_string().into(),
        timeouts: Timeouts {
            connect: seconds("BILLSTREAM_CONNECT_TIMEOUT_SECS", CONNECT_TIMEOUT)?,
            read: seconds("BILLSTREAM_READ_TIMEOUT_SECS", READ_TIMEOUT)?,
            total: seconds("BILLSTREAM_TOTAL_TIMEOUT_SECS", TOTAL_TIMEOUT)?,
        },
        policy: Policy {
            max_attempts: environment.parsed(
                "BILLSTREAM_RETRY_ATTEMPTS",
                "a number of attempts",
                MAX_ATTEMPTS,
            )?,
            max_elapsed: seconds("BILLSTREAM_RETRY_ELAPSED_SECS", RETRY_ELAPSED)?,
        },
    }))
}
