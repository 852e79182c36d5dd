//! Failures below HTTP: no connection, a broken one, a timeout.

use std::time::Duration;

use url::Url;

use crate::http::endpoint::{Timeouts, address};
use crate::http::sanitize::{Sanitizer, root_cause};

/// Reason why no complete response arrived.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    /// The connection took too long.
    #[error("no connection within {0:?}")]
    ConnectTimeout(Duration),
    /// The response took too long.
    #[error("no byte within {read:?}, or no complete response within {total:?}")]
    ResponseTimeout {
        /// Limit between two bytes.
        read: Duration,
        /// Limit of the whole request.
        total: Duration,
    },
    /// No connection.
    #[error("no connection to {address}: {cause}")]
    NoConnection {
        /// Address of the endpoint.
        address: String,
        /// Sanitized cause.
        cause: String,
        /// Obstacle for which repetition does not help.
        obstacle: Option<Obstacle>,
    },
    /// The connection broke within the response body.
    #[error("the response was cut short: {0}")]
    Interrupted(String),
    /// The connection broke before the response.
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// Obstacle to a connection for which repetition does not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The certificate is not valid at this computer's time.
    CertificateExpired,
    /// The certificate is not trusted.
    CertificateUntrusted,
    /// The proxy refuses the connection.
    Proxy,
}

impl TransportError {
    /// Classifies an error of a request to `endpoint`.
    pub fn new(
        error: &reqwest::Error,
        timeouts: &Timeouts,
        endpoint: &Url,
        sanitizer: &Sanitizer,
    ) -> TransportError {
        let root = root_cause(error);
        let cause = sanitizer.sanitize(&root).unwrap_or_default();
        if error.is_timeout() && error.is_connect() {
            TransportError::ConnectTimeout(timeouts.connect)
        } else if error.is_timeout() {
            let Timeouts { read, total, .. } = *timeouts;
            TransportError::ResponseTimeout { read, total }
        } else if error.is_connect() {
            TransportError::NoConnection {
                address: address(endpoint),
                cause,
                obstacle: Obstacle::detect(&root),
            }
        } else if error.is_body() || error.is_decode() {
            TransportError::Interrupted(cause)
        } else {
            TransportError::Broken(cause)
        }
    }

    /// Obstacle that repetition does not remove.
    pub fn obstacle(&self) -> Option<Obstacle> {
        match self {
            TransportError::NoConnection { obstacle, .. } => *obstacle,
            _ => None,
        }
    }
}

impl Obstacle {
    /// reqwest exposes no types for TLS and proxy failures; the texts of rustls and hyper-util are all there is.
    pub(crate) fn detect(root_cause: &str) -> Option<Obstacle> {
        let has_any = |words: &[&str]| words.iter().any(|word| root_cause.contains(word));
        if root_cause.contains("invalid peer certificate") {
            Some(if has_any(&["xpired", "NotValidYet", "not valid yet"]) {
                Obstacle::CertificateExpired
            } else {
                Obstacle::CertificateUntrusted
            })
        } else if has_any(&["proxy auth", "tunnel"]) {
            Some(Obstacle::Proxy)
        } else {
            None
        }
    }

    /// Advice for people.
    pub fn hint(self) -> &'static str {
        match self {
            Obstacle::CertificateExpired => {
                "the certificate is not valid at this computer's time: check its clock (`date -u`)"
            }
            Obstacle::CertificateUntrusted => {
                "if a proxy opens TLS connections, add its certificate with SSL_CERT_FILE"
            }
            Obstacle::Proxy => {
                "the proxy refuses the connection: check HTTPS_PROXY, its user and password, and NO_PROXY"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detects_obstacles_in_the_texts_of_the_libraries() {
        for (text, expected) in [
            (
                "invalid peer certificate: UnknownIssuer",
                Some(Obstacle::CertificateUntrusted),
            ),
            (
                "invalid peer certificate: certificate expired: verification time 1",
                Some(Obstacle::CertificateExpired),
            ),
            (
                "invalid peer certificate: certificate not valid yet",
                Some(Obstacle::CertificateExpired),
            ),
            ("proxy authorization required", Some(Obstacle::Proxy)),
            ("tunnel error: unsuccessful", Some(Obstacle::Proxy)),
            ("Connection refused (os error 111)", None),
        ] {
            assert_eq!(Obstacle::detect(text), expected, "{text}");
        }
    }
}
