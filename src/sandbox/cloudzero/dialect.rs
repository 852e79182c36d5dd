//! What is uncertain about CloudZero: where its document and its guide disagree, a sandbox can follow either.

use crate::error::{Error, Result};
use std::str::FromStr;

/// Way in which a sandbox reads requests where it is uncertain what CloudZero does.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dialect {
    /// Validation refuses negative amounts, as the pattern of the document does.
    pub refuses_signs: bool,
    /// Accepted months in request bodies.
    pub months_in_bodies: AcceptedMonths,
    /// Accepted months in the path of a stream's month.
    pub months_in_paths: AcceptedMonths,
    /// Runs operations with a test key like those without, as a server that does not know the header would.
    pub ignores_test_keys: bool,
}

/// Accepted forms of months: `any`, `datetime` or `year-month`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AcceptedMonths {
    /// Both forms.
    #[default]
    Any,
    /// Only a datetime such as `2026-10-01T00:00:00Z`.
    Datetime,
    /// Only `2026-10`.
    YearMonth,
}

impl FromStr for AcceptedMonths {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "any" => Ok(AcceptedMonths::Any),
            "datetime" => Ok(AcceptedMonths::Datetime),
            "year-month" => Ok(AcceptedMonths::YearMonth),
            _ => Err(Error::usage(format!(
                "unknown form of months `{text}`: use one of any, datetime, year-month"
            ))),
        }
    }
}

impl AcceptedMonths {
    /// Checks the form of a month; whether it is one is checked elsewhere.
    pub(crate) fn check(self, text: &str) -> std::result::Result<(), String> {
        let is_datetime = text.contains('T');
        match self {
            AcceptedMonths::Datetime if !is_datetime => Err(format!(
                r"month: '{text}' does not match '^\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(([+-]\d\d:\d\d)|Z)?$'"
            )),
            AcceptedMonths::YearMonth if is_datetime => {
                Err(format!("month: '{text}' is not in format YYYY-MM"))
            }
            _ => Ok(()),
        }
    }
}
