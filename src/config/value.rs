//! A setting's value as a text, and who said so.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::settings::{Key, Kind};
use crate::error::{Error, Result};

const A_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Who said what a setting is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody.
    Default,
    /// A line of the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// An environment variable.
    Variable(&'static str),
    /// A flag, such as `--store`.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Origin::Variable(name) | Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// A text without what a URL in it may hide: a name and password, or a token in its query.
pub fn shown(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_string();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let host = authority.rsplit_once('@').map(|(_, host)| host);
    let query = rest.find('?').map(|at| &rest[..at]);
    match (host, query) {
        (None, None) => text.to_string(),
        _ => {
            let host = host.map_or(authority.to_string(), |host| format!("…@{host}"));
            let path = query.map_or(rest.to_string(), |path| format!("{path}?…"));
            format!("{scheme}://{host}{path}")
        }
    }
}

/// A value that is not a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The setting.
    pub key: Key,
    /// As it was given.
    pub text: String,
    /// By whom.
    pub origin: Origin,
}

impl Value {
    /// As people may see it.
    pub fn shown(&self) -> String {
        shown(&self.text)
    }

    /// Says that the value is not what it should be.
    pub fn wrong(&self, why: &str) -> Error {
        let text = &self.text;
        Error::config(match &self.origin {
            Origin::File { .. } => format!("{}: {} = `{text}` {why}", self.origin, self.key.name),
            Origin::Default => format!("{} = `{text}` {why}", self.key.name),
            Origin::Variable(name) => format!("{name}=`{text}` {why}"),
            Origin::Flag(name) => format!("{name} `{text}` {why}"),
        })
    }

    /// Says that the value is not what it should be, without showing it: it may be a secret by mistake.
    pub fn refused(&self, why: &str) -> Error {
        let name = self.key.name;
        Error::config(match &self.origin {
            Origin::File { .. } => format!("{}: {name} {why}", self.origin),
            Origin::Default => format!("{name} {why}"),
            Origin::Variable(name) | Origin::Flag(name) => format!("{name} {why}"),
        })
    }

    /// A whole number within the setting's bounds.
    pub fn whole(&self) -> Result<u64> {
        let Kind::Whole { of, least, most } = self.key.kind else {
            return Err(Error::bug(format!("{} is no number", self.key.name)));
        };
        let number = self.text.parse().ok();
        number
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| self.wrong(&format!("is not a number of {of} from {least} to {most}")))
    }

    /// A time in seconds, a year at most.
    pub fn seconds(&self) -> Result<Duration> {
        let seconds: Option<f64> = self.text.parse().ok();
        let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let may_be_zero = self.key.kind == (Kind::Seconds { may_be_zero: true });
        time.filter(|time| *time <= A_YEAR && (may_be_zero || !time.is_zero()))
            .ok_or_else(|| {
                let least = if may_be_zero { "0" } else { "more than 0" };
                self.wrong(&format!(
                    "is not a number of seconds, from {least} to a year"
                ))
            })
    }

    /// Yes or no.
    pub fn switch(&self) -> Result<bool> {
        match self.text.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.wrong("is neither true nor false")),
        }
    }

    /// One of the setting's words.
    pub fn word(&self) -> Result<&str> {
        match self.key.kind {
            Kind::OneOf(words) if !words.contains(&self.text.as_str()) => {
                Err(self.wrong(&format!("is not one of {}", words.join(", "))))
            }
            _ => Ok(&self.text),
        }
    }

    /// Whether it is what its setting may be.
    ///
    /// # Errors
    /// Kind configuration, naming who said so and what it should be.
    pub fn check(&self) -> Result<()> {
        match self.key.kind {
            Kind::Whole { .. } => self.whole().map(|_| ()),
            Kind::Seconds { .. } => self.seconds().map(|_| ()),
            Kind::Switch => self.switch().map(|_| ()),
            Kind::OneOf(_) => self.word().map(|_| ()),
            Kind::Text | Kind::Path | Kind::Secret => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_may_hide_is_not_shown() {
        for (text, expected) in [
            (
                "https://u:hush@api.confluent.cloud",
                "https://…@api.confluent.cloud",
            ),
            (
                "https://x.net/tags.csv?sig=hush",
                "https://x.net/tags.csv?…",
            ),
            ("https://hush@x.net/a@b?sig=hush@c", "https://…@x.net/a@b?…"),
            ("s3://bucket/a@b", "s3://bucket/a@b"),
            ("./a?b@c", "./a?b@c"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
