//! Settings of CloudZero's side: where line items go, and how to ask its API.

use url::Url;

use super::{Config, keys};
use crate::cloudzero::client;
use crate::error::Result;
use crate::pipeline::targets::Wanted;
use crate::store::runs::Granularity;

impl Config {
    /// Where a connection delivers to, as configured.
    ///
    /// # Errors
    /// Class configuration, naming who said so and what it should be.
    pub fn targets(&self, connection: &str) -> Result<Wanted> {
        let granularity = match self.known(&keys::GRANULARITY, None)?.word()? {
            "hourly" => Granularity::Hourly,
            _ => Granularity::Daily,
        };
        let stream = self.value(&keys::STREAM, Some(connection));
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if let Some(id) = stream.as_ref().filter(|id| !id.text.bytes().all(legal)) {
            return Err(id.refused("has characters that no connection id has"));
        }
        Ok(Wanted {
            bucket: self
                .value(&keys::BUCKET, Some(connection))
                .map(|value| value.text),
            stream: stream.map(|value| value.text),
            api: self.cloudzero()?,
            granularity,
            read_back: self.known(&keys::READ_BACK_SECS, None)?.seconds()?,
        })
    }

    /// How to ask CloudZero's API, where there is a key.
    fn cloudzero(&self) -> Result<Option<client::Settings>> {
        let key = keys::CLOUDZERO_API_KEY;
        let of_file = || Some(self.file.as_ref()?.secret(&key, None)?.0);
        let secret = match (self.environment.get(key.variable), of_file()) {
            (Some(secret), _) => secret.to_string().into(),
            (None, Some(place)) => place.read(&self.environment, "CloudZero's API key")?,
            (None, None) => return Ok(None),
        };
        let endpoint = self.known(&keys::CLOUDZERO_ENDPOINT, None)?;
        let url = Url::parse(&endpoint.text)
            .map_err(|e| endpoint.refused(&format!("is not a URL: {e}")))?;
        Ok(Some(client::Settings {
            endpoint: url,
            key: secret,
            timeouts: self.timeouts()?,
            policy: self.policy()?,
        }))
    }
}
