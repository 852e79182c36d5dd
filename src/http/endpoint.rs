//! Checks of the address that credentials are sent to.

use std::time::Duration;

use reqwest::redirect;
use url::{Host, ParseError, Url};

use crate::error::{Error, Result};
use crate::http::proxy;
use crate::http::sanitize::root_cause;

/// A remote service, and how its endpoint is configured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    /// Name in messages.
    pub name: &'static str,
    /// Environment variable of the endpoint.
    pub endpoint_variable: &'static str,
    /// Endpoint that almost everybody uses.
    pub default_endpoint: &'static str,
    /// Header of idempotency keys, where the service supports them.
    pub idempotency_header: Option<&'static str>,
}

/// Time limits of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To open a connection.
    pub connect: Duration,
    /// Between two received bytes.
    pub read: Duration,
    /// For the whole request, including the response body.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(10),
            read: Duration::from_secs(60),
            total: Duration::from_secs(300),
        }
    }
}

impl Service {
    /// Creates a client for `endpoint`. It follows no redirects, which could lead credentials elsewhere.
    ///
    /// # Errors
    /// Kind configuration, when the endpoint is not https (plain http is allowed to this computer only), and for a proxy
    /// that is not supported.
    pub fn http_client(&self, endpoint: &Url, timeouts: Timeouts) -> Result<reqwest::Client> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("billstream/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .gzip(true)
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.read)
            .timeout(timeouts.total);
        builder = if self.is_plain_http(endpoint)? {
            // A proxy would be another host that receives the credentials unencrypted.
            builder.no_proxy().tls_built_in_root_certs(false)
        } else {
            proxy::check(endpoint)?;
            builder.https_only(true)
        };
        builder.build().map_err(|error| {
            Error::config(format!(
                "could not set up https for {}: {}",
                address(endpoint),
                root_cause(&error)
            ))
            .with_hint("check the certificates of this computer (SSL_CERT_FILE, SSL_CERT_DIR)")
        })
    }

    /// Parses the address of an endpoint; the error is what is wrong with it, without quoting it.
    pub fn parse_endpoint(text: &str) -> std::result::Result<Url, &'static str> {
        if !text.contains("://") {
            return Err("is not a URL: it does not start with https://");
        }
        let url = Url::parse(text).map_err(|e| match e {
            ParseError::EmptyHost => "has no host",
            ParseError::InvalidPort => "is not a URL: its port is not a number",
            _ => "is not a URL",
        })?;
        match url.cannot_be_a_base() {
            true => Err("is not a URL"),
            false => Ok(url),
        }
    }

    fn is_plain_http(&self, endpoint: &Url) -> Result<bool> {
        let refused = |problem: &str| {
            let message = format!("the {} endpoint {} {problem}", self.name, address(endpoint));
            let (variable, example) = (self.endpoint_variable, self.default_endpoint);
            Err(Error::config(message)
                .with_hint(format!("set {variable} to an address such as {example}")))
        };
        if !endpoint.username().is_empty() || endpoint.password().is_some() {
            return refused("holds credentials: configure them as key and secret");
        }
        if endpoint.query().is_some() || endpoint.fragment().is_some() {
            return refused("has a query or a fragment");
        }
        let is_loopback = match endpoint.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => return refused("has no host"),
        };
        match endpoint.scheme() {
            "https" => Ok(false),
            "http" if is_loopback => Ok(true),
            "http" => refused("is plain http, which is allowed to this computer only"),
            _ => refused("is not https"),
        }
    }
}

/// Address without credentials and query, for display.
pub(crate) fn address(url: &Url) -> String {
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!(
        "{}://{}{port}{}",
        url.scheme(),
        url.host_str().unwrap_or_default(),
        url.path()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_without_a_scheme_are_refused_without_quoting_them() {
        for wrong in [
            "api.confluent.cloud",
            "api.confluent.cloud:443",
            "localhost:8080",
            "//api.confluent.cloud",
            "",
            "https://",
            "https://host:hush",
            "https://[::1",
            "hush",
        ] {
            let problem = Service::parse_endpoint(wrong).unwrap_err();
            assert!(!problem.contains("hush"), "{problem}");
        }
        assert!(Service::parse_endpoint("https://api.confluent.cloud").is_ok());
    }
}
