//! What the HTTP clients of Confluent and CloudZero share: where credentials may be sent, when to ask
//! again ([`retry`]), how it can fail ([`failure`]), and how to show what a server said ([`words`]).

pub mod request_error;
pub mod retry;
pub mod sanitize;

use std::time::Duration;

use reqwest::redirect;
use url::{Host, Url};

use crate::error::{Error, Result};
use crate::http::sanitize::{Sanitizer, root};

/// The root of a service's API, and how people configure it.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint<'a> {
    /// Its address.
    pub url: &'a Url,
    /// Whose it is.
    pub service: &'static str,
    /// The environment variable that sets it.
    pub variable: &'static str,
    /// What it usually is.
    pub usual: &'static str,
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To open a connection.
    pub connect: Duration,
    /// Without a single byte.
    pub read: Duration,
    /// For one request, its body included.
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

impl Endpoint<'_> {
    /// A client for it, which follows no redirects, as they could lead credentials elsewhere.
    ///
    /// # Errors
    /// Kind configuration, when it is not https (plain http is for this computer only).
    pub fn client(&self, timeouts: Timeouts) -> Result<reqwest::Client> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("billstream/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .gzip(true)
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.read)
            .timeout(timeouts.total);
        builder = if self.is_plain()? {
            // A proxy would be another host that gets the credentials in the clear.
            builder.no_proxy().tls_built_in_root_certs(false)
        } else {
            builder.https_only(true)
        };
        builder.build().map_err(|error| {
            Error::config(format!(
                "setting up https for {}: {}",
                place(self.url),
                root(&error)
            ))
            .with_hint("check the certificates of this computer (SSL_CERT_FILE, SSL_CERT_DIR)")
        })
    }

    /// Whether it is plain http, which only this computer may be.
    fn is_plain(&self) -> Result<bool> {
        let (url, service) = (self.url, self.service);
        let wrong = |why: &str| {
            let hint = format!("{} is an address such as {}", self.variable, self.usual);
            Err(
                Error::config(format!("the {service} endpoint {} {why}", place(url)))
                    .with_hint(hint),
            )
        };
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("holds credentials: give them as key and secret");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return wrong("has a query or a fragment");
        }
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => return wrong("names no host"),
        };
        match url.scheme() {
            "https" => Ok(false),
            "http" if loopback => Ok(true),
            "http" => {
                wrong("is plain http, over which credentials are not sent to another computer")
            }
            _ => wrong("is not https"),
        }
    }
}

impl Timeouts {
    /// What broke a request to `endpoint`, without its address.
    pub fn cause(&self, error: &reqwest::Error, endpoint: &Url, cleaner: &Sanitizer) -> String {
        let root = cleaner.clean(&root(error)).unwrap_or_default();
        if error.is_timeout() && error.is_connect() {
            format!("no connection within {:?}", self.connect)
        } else if error.is_timeout() {
            let Timeouts { read, total, .. } = self;
            format!("no byte within {read:?}, or no whole answer within {total:?}")
        } else if error.is_connect() {
            format!("no connection to {}: {root}", place(endpoint))
        } else if error.is_body() || error.is_decode() {
            format!("the answer was cut short: {root}")
        } else {
            format!("the connection broke: {root}")
        }
    }
}

/// An address without credentials and query.
pub fn place(url: &Url) -> String {
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
