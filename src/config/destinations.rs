//! Settings of destinations, and of CloudZero's API.

use crate::cloudzero::client;
use crate::config::{Config, settings};
use crate::error::Result;
use crate::pipeline::deliver::destinations::DestinationConfig;
use crate::store::runs::Granularity;

impl Config {
    /// Returns the configured destinations of a connection.
    ///
    /// # Errors
    /// Kind `Config`, naming the source of a wrong value and what is allowed.
    pub(crate) fn destinations(&self, connection: &str) -> Result<DestinationConfig> {
        let granularity = match self.required(&settings::GRANULARITY, None)?.word()? {
            "hourly" => Granularity::Hourly,
            _ => Granularity::Daily,
        };
        let stream = self.value(&settings::STREAM, Some(connection));
        let is_legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if let Some(id) = stream.as_ref().filter(|id| !id.text.bytes().all(is_legal)) {
            return Err(
                id.invalid_unquoted("has characters that are not allowed in a connection id")
            );
        }
        Ok(DestinationConfig {
            bucket: self
                .value(&settings::BUCKET, Some(connection))
                .map(|value| value.text),
            stream: stream.map(|value| value.text),
            api: self.cloudzero_api()?,
            granularity,
            read_back: self.required(&settings::READ_BACK_SECS, None)?.seconds()?,
        })
    }

    /// Returns the settings of CloudZero's API, if there is a key.
    fn cloudzero_api(&self) -> Result<Option<client::Settings>> {
        let setting = settings::CLOUDZERO_API_KEY;
        let in_file = || Some(self.file.as_ref()?.secret(&setting, None)?.0);
        let key = match (self.environment.get(setting.variable), in_file()) {
            (Some(key), _) => key.to_string().into(),
            (None, Some(secret)) => secret.read(&self.environment, "CloudZero's API key")?,
            (None, None) => return Ok(None),
        };
        let url = self
            .required(&settings::CLOUDZERO_ENDPOINT, None)?
            .endpoint()?;
        Ok(Some(client::Settings {
            endpoint: url,
            key,
            timeouts: self.timeouts()?,
            policy: self.policy()?,
        }))
    }
}
