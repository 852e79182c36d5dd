//! S3's response, or the failure of the connection, inside an object_store error.
//!
//! Text is the only way to a response: the error that holds status and body is a private type of object_store, and a
//! refused listing has neither in its variant.

use url::Url;

use crate::http::sanitize::root_cause;

/// Longest part of a response that is shown, in characters.
const MAX_CHARS: usize = 300;

/// Parts of the text of an error.
pub(super) struct Response<'a> {
    text: &'a str,
    pub(super) code: Option<&'a str>,
    message: Option<&'a str>,
}

impl<'a> Response<'a> {
    pub(super) fn of(text: &'a str) -> Response<'a> {
        let (code, message) = refused_deletion(text).unzip();
        Response {
            text,
            code: element(text, "<Code>").or(code),
            message: element(text, "<Message>").or(message),
        }
    }

    /// Returns true for S3's refusal codes, and for requests to the metadata endpoint: object_store asks the machine's
    /// own role only where the environment holds no keys.
    pub(super) fn is_refusal(&self) -> bool {
        const CODES: [&str; 6] = [
            "AccessDenied",
            "ExpiredToken",
            "InvalidAccessKeyId",
            "InvalidToken",
            "RequestTimeTooSkewed",
            "SignatureDoesNotMatch",
        ];
        const METADATA: [&str; 2] = ["/latest/api/token", "169.254.169.254"];
        self.code.is_some_and(|code| CODES.contains(&code))
            || METADATA.iter().any(|part| self.text.contains(part))
    }

    /// Returns true for a request that the server does not know.
    pub(super) fn is_unsupported(&self) -> bool {
        self.code == Some("NotImplemented") || self.text.contains("501 Not Implemented")
    }

    /// Returns true for a request that writes an object.
    pub(super) fn is_put(&self) -> bool {
        ["PUT", "POST"]
            .iter()
            .any(|method| self.text.contains(&format!("Error performing {method} ")))
    }

    /// Host and port of the request.
    pub(super) fn server(&self) -> Option<String> {
        let urls = self.text.split_whitespace();
        let url = urls
            .filter_map(|word| Url::parse(word).ok())
            .find(|url| matches!(url.scheme(), "http" | "https"))?;
        let host = url.host_str()?;
        Some(match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        })
    }

    /// Code and message, else the status, else the cause without the request.
    pub(super) fn summary(&self) -> String {
        match (self.code, self.message) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_string(),
            _ => {
                let line = self.text.lines().next().unwrap_or_default();
                let (_, cause) = line.rsplit_once(" - ").unwrap_or(("", line));
                let shown = match cause.split_once("status code: ") {
                    Some((_, status)) => {
                        format!("HTTP {}", status.split(':').next().unwrap_or_default())
                    }
                    None => cause.to_string(),
                };
                shown.chars().take(MAX_CHARS).collect()
            }
        }
    }
}

/// Code and message of an object that was not deleted with others. Such an error is not a separate response.
fn refused_deletion(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once("DeleteObjects request failed for key ")?;
    let (rest, code) = rest.rsplit_once(" (code: ")?;
    let (_, message) = rest.split_once(": ")?;
    Some((code.split(')').next()?, message))
}

fn element<'a>(text: &'a str, tag: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(tag)?;
    Some(rest.split_once('<')?.0)
}

/// Cause of a request without a response: no connection, a broken one, or a timeout.
pub(super) fn connection_failure(error: &object_store::Error) -> Option<String> {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    loop {
        if let Some(request) = cause.downcast_ref::<reqwest::Error>() {
            let is_timeout = request.is_timeout();
            return Some(if is_timeout && request.is_connect() {
                "it took too long".to_string()
            } else if is_timeout {
                "the server did not respond in time".to_string()
            } else {
                root_cause(request)
            });
        }
        cause = cause.source()?;
    }
}
