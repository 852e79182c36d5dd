//! Settings of CloudZero's side: where line items go, and how to ask its API.

use url::Url;

use crate::cloudzero::client;
use crate::config::{Config, settings};
use crate::error::Result;
use crate::pipeline::deliver::destinations::DestinationConfig;
use crate::store::runs::Granularity;

impl Config {
    /// Where a connection delivers to, as configured.
    ///
    /// # Errors
    /// Kind configuration, naming who said so and what it should be.
    pub fn targets(&self, connection: &str) -> Result<DestinationConfig> {
        let granularity = match self.required(&settings::GRANULARITY, None)?.word()? {
            "hourly" => Granularity::Hourly,
            _ => Granularity::Daily,
        };
        let stream = self.value(&settings::STREAM, Some(connection));
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if let Some(id) = stream.as_ref().filter(|id| !id.text.bytes().all(legal)) {
            return Err(id.invalid_unquoted("has characters that no connection id has"));
        }
        Ok(DestinationConfig {
            bucket: self
                .value(&settings::BUCKET, Some(connection))
                .map(|value| value.text),
            stream: stream.map(|value| value.text),
            api: self.cloudzero()?,
            granularity,
            read_back: self.required(&settings::READ_BACK_SECS, None)?.seconds()?,
        })
    }

    /// How to ask CloudZero's API, where there is a key.
    fn cloudzero(&self) -> Result<Option<client::Settings>> {
        let key = settings::CLOUDZERO_API_KEY;
        let of_file = || Some(self.file.as_ref()?.secret(&key, None)?.0);
        let secret = match (self.environment.get(key.variable), of_file()) {
            (Some(secret), _) => secret.to_string().into(),
            (None, Some(place)) => place.read(&self.environment, "CloudZero's API key")?,
            (None, None) => return Ok(None),
        };
        let endpoint = self.required(&settings::CLOUDZERO_ENDPOINT, None)?;
        let url = Url::parse(&endpoint.text)
            .map_err(|e| endpoint.invalid_unquoted(&format!("is not a URL: {e}")))?;
        Ok(Some(client::Settings {
            endpoint: url,
            key: secret,
            timeouts: self.timeouts()?,
            policy: self.policy()?,
        }))
    }
}
