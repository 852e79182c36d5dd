//! Values of settings and their origin.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::config::settings::{Setting, ValueType};
use crate::display_text::redact_url;
use crate::error::{Error, Result};
use crate::http::endpoint::Service;

const ONE_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Source of a setting's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File {
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// Name of the environment variable.
    Variable(&'static str),
    /// Name of the flag, such as `--store`.
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

/// Value of a setting that is not a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value {
    pub setting: Setting,
    pub text: String,
    pub origin: Origin,
}

impl Value {
    /// Text for display, with secrets in URLs redacted.
    pub(crate) fn redacted(&self) -> String {
        redact_url(&self.text)
    }

    /// Error that quotes the value and names its origin; `problem` reads "is not …".
    pub(crate) fn invalid(&self, problem: &str) -> Error {
        let text = self.redacted();
        let name = self.setting.name;
        Error::config(match &self.origin {
            Origin::File { .. } => format!("{}: {name} = `{text}` {problem}", self.origin),
            Origin::Default => format!("{name} = `{text}` {problem}"),
            Origin::Variable(name) => format!("{name}=`{text}` {problem}"),
            Origin::Flag(name) => format!("{name} `{text}` {problem}"),
        })
    }

    /// Like [`Value::invalid`] without quoting the value, which may be a misplaced secret.
    pub(crate) fn invalid_unquoted(&self, problem: &str) -> Error {
        let name = self.setting.name;
        Error::config(match &self.origin {
            Origin::File { .. } => format!("{}: {name} {problem}", self.origin),
            Origin::Default => format!("{name} {problem}"),
            Origin::Variable(name) | Origin::Flag(name) => format!("{name} {problem}"),
        })
    }

    /// Parses the address of an API.
    ///
    /// # Errors
    /// Kind configuration. The value is not quoted, as it may hold credentials.
    pub(crate) fn endpoint(&self) -> Result<Url> {
        Service::parse_endpoint(&self.text).map_err(|problem| {
            let example = self.setting.default;
            self.invalid_unquoted(problem)
                .with_hint(format!("write the whole address, such as {example}"))
        })
    }

    /// Parses an integer within the setting's bounds.
    pub(crate) fn integer(&self) -> Result<u64> {
        let ValueType::Integer { unit, min, max } = self.setting.value_type else {
            return Err(Error::bug(format!(
                "{} is not an integer",
                self.setting.name
            )));
        };
        let number = self.text.parse().ok();
        number
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| self.invalid(&format!("is not a number of {unit} from {min} to {max}")))
    }

    /// Parses a duration in seconds, one year at most.
    pub(crate) fn seconds(&self) -> Result<Duration> {
        let seconds: Option<f64> = self.text.parse().ok();
        let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let zero_allowed = self.setting.value_type == (ValueType::Seconds { zero_allowed: true });
        duration
            .filter(|duration| *duration <= ONE_YEAR && (zero_allowed || !duration.is_zero()))
            .ok_or_else(|| {
                let min = if zero_allowed { "0" } else { "more than 0" };
                self.invalid(&format!(
                    "is not a number of seconds, from {min} to one year"
                ))
            })
    }

    /// Parses `true` or `false`.
    pub(crate) fn boolean(&self) -> Result<bool> {
        match self.text.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.invalid("is neither true nor false")),
        }
    }

    /// Checks that the value is one of the setting's words.
    pub(crate) fn word(&self) -> Result<&str> {
        match self.setting.value_type {
            ValueType::OneOf(words) if !words.contains(&self.text.as_str()) => {
                Err(self.invalid(&format!("is not one of {}", words.join(", "))))
            }
            _ => Ok(&self.text),
        }
    }

    /// Checks the value against the setting's type.
    ///
    /// # Errors
    /// Kind configuration, with the origin and the expected values.
    pub(crate) fn check(&self) -> Result<()> {
        match self.setting.value_type {
            ValueType::Integer { .. } => self.integer().map(|_| ()),
            ValueType::Seconds { .. } => self.seconds().map(|_| ()),
            ValueType::Boolean => self.boolean().map(|_| ()),
            ValueType::OneOf(_) => self.word().map(|_| ()),
            ValueType::Text | ValueType::Path | ValueType::Secret => Ok(()),
        }
    }
}
