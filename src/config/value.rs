//! A setting's value as a text, and who said so.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::keys::{Key, Kind};
use crate::error::{Error, Result};

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

    /// A time in seconds.
    pub fn seconds(&self) -> Result<Duration> {
        let seconds: Option<f64> = self.text.parse().ok();
        seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .ok_or_else(|| self.wrong("is not a number of seconds"))
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
    /// Class configuration, naming who said so and what it should be.
    pub fn check(&self) -> Result<()> {
        match self.key.kind {
            Kind::Whole { .. } => self.whole().map(|_| ()),
            Kind::Seconds => self.seconds().map(|_| ()),
            Kind::Switch => self.switch().map(|_| ()),
            Kind::OneOf(_) => self.word().map(|_| ()),
            Kind::Text | Kind::Path | Kind::Secret => Ok(()),
        }
    }
}
