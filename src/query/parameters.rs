//! Parameters of statements: `name=value` and `name:type=value`.
//!
//! A value without a type is text, which takes the type of what it is compared with: `007` stays `007` beside a text
//! and is 7 beside a number, as a quoted literal does; see [`crate::query::binding`].

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use datafusion::common::ScalarValue;

use crate::decimal;
use crate::error::{Error, Result};
use crate::query::names::suggestion;

/// Values of `$name` in statements.
pub(crate) type Parameters = BTreeMap<String, Parameter>;

/// Value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parameter {
    /// Text that takes the type of its context.
    Untyped(String),
    Typed(ScalarValue),
}

impl Parameter {
    /// Value without a type.
    pub(crate) fn untyped(text: impl Into<String>) -> Parameter {
        Parameter::Untyped(text.into())
    }
}

impl<T: Into<ScalarValue>> From<T> for Parameter {
    fn from(value: T) -> Parameter {
        Parameter::Typed(value.into())
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Parameter::Untyped(text) => f.write_str(text),
            Parameter::Typed(value) => write!(f, "{value}"),
        }
    }
}

/// Parses `name=value` or `name:type=value`.
///
/// # Errors
/// Kind usage, for any other form, an invalid name or type, and a value that is not of the type.
pub(crate) fn parse_parameter(text: &str) -> Result<(String, Parameter)> {
    let (name, value) = split_assignment(text)?;
    match name.split_once(':') {
        None => {
            check_name(name)?;
            Ok((name.to_string(), Parameter::untyped(value)))
        }
        Some((name, type_name)) => {
            check_name(name)?;
            Ok((
                name.to_string(),
                Parameter::Typed(typed(name, type_name, value)?),
            ))
        }
    }
}

/// Splits `name=value`, whose value has no type.
///
/// # Errors
/// Kind usage, for any other form or an invalid name.
pub(crate) fn parse_assignment(text: &str) -> Result<(String, String)> {
    let (name, value) = split_assignment(text)?;
    check_name(name)?;
    Ok((name.to_string(), value.to_string()))
}

fn split_assignment(text: &str) -> Result<(&str, &str)> {
    text.split_once('=').ok_or_else(|| {
        Error::usage(format!("`{text}` is not name=value"))
            .with_hint("pass for example --param month=2026-10, which the SQL uses as $month")
    })
}

fn check_name(name: &str) -> Result<()> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_legal) {
        return Err(Error::usage(format!("invalid parameter name `{name}`"))
            .with_hint("use letters, digits and _"));
    }
    Ok(())
}

/// Types of `name:type=value` with an example.
const TYPES: [(&str, &str); 7] = [
    ("text", "007"),
    ("int", "7"),
    ("decimal", "0.07"),
    ("bool", "true"),
    ("date", "2026-10-01"),
    ("timestamp", "2026-10-01T12:00:00Z"),
    ("null", ""),
];

fn typed(name: &str, type_name: &str, text: &str) -> Result<ScalarValue> {
    let Some((type_name, example)) = TYPES.iter().find(|(known, _)| *known == type_name) else {
        let known: Vec<String> = TYPES.map(|(known, _)| known.to_string()).to_vec();
        let error = Error::usage(format!(
            "the parameter `{name}` has the unknown type `{type_name}`"
        ));
        return Err(error.with_hint(suggestion(type_name, &known, "types").unwrap_or_default()));
    };
    let value = match *type_name {
        "text" => Some(ScalarValue::from(text)),
        "int" => text.parse::<i64>().ok().map(ScalarValue::from),
        "decimal" => exact_decimal(text),
        "bool" => boolean(text),
        "date" => date(text),
        "timestamp" => timestamp(text),
        _ => text.is_empty().then_some(ScalarValue::Null),
    };
    value.ok_or_else(|| {
        let article = if *type_name == "int" { "an" } else { "a" };
        Error::usage(format!(
            "the parameter `{name}` is not {article} {type_name}: `{text}`"
        ))
        .with_hint(format!(
            "pass for example --param {name}:{type_name}={example}"
        ))
    })
}

/// The number of a text: whole, else with decimals; `None` for text that is no number or has too many digits.
pub(super) fn number(text: &str) -> Option<ScalarValue> {
    match text.parse::<i64>() {
        Ok(integer) => Some(ScalarValue::from(integer)),
        Err(_) => exact_decimal(text),
    }
}

pub(super) fn boolean(text: &str) -> Option<ScalarValue> {
    text.parse::<bool>().ok().map(ScalarValue::from)
}

fn exact_decimal(text: &str) -> Option<ScalarValue> {
    let number = decimal::parse(text).ok().filter(|number| !number.rounded)?;
    Some(ScalarValue::Decimal128(
        Some(number.units),
        decimal::PRECISION,
        decimal::SCALE,
    ))
}

fn date(text: &str) -> Option<ScalarValue> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    Some(ScalarValue::Date32(i32::try_from(days).ok()))
}

/// A time with an offset, or in UTC.
fn timestamp(text: &str) -> Option<ScalarValue> {
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    let time = time.or_else(|_| {
        let text = text.replacen(' ', "T", 1);
        NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").map(|time| time.and_utc())
    });
    let micros = time.ok()?.timestamp_micros();
    Some(ScalarValue::TimestampMicrosecond(
        Some(micros),
        Some("UTC".into()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Parameter {
        parse_parameter(text).unwrap().1
    }

    #[test]
    fn text_without_a_type_stays_as_it_is() {
        for text in [
            "007", "null", "true", "1e5", "'7'", "", "a=b", "2026-10", " x ",
        ] {
            assert_eq!(value(&format!("v={text}")), Parameter::untyped(text));
        }
        // A colon in the value is none of the name's.
        assert_eq!(value("v=a:int=b"), Parameter::untyped("a:int=b"));
    }

    #[test]
    fn a_type_is_forced() {
        let micros = 1_790_856_000_000_000;
        let noon = ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()));
        for (text, expected) in [
            ("v:text=007", ScalarValue::from("007")),
            ("v:int=007", ScalarValue::from(7i64)),
            (
                "v:decimal=1e-1",
                ScalarValue::Decimal128(Some(10i128.pow(23)), 38, 24),
            ),
            ("v:bool=false", ScalarValue::from(false)),
            ("v:date=1970-01-02", ScalarValue::Date32(Some(1))),
            ("v:timestamp=2026-10-01T14:00:00+02:00", noon.clone()),
            ("v:timestamp=2026-10-01 12:00:00", noon),
            ("v:null=", ScalarValue::Null),
        ] {
            assert_eq!(value(text), Parameter::Typed(expected), "{text}");
        }
    }

    #[test]
    fn errors_name_the_parameter_and_the_type() {
        for (text, expected) in [
            ("n:int=1.5", "the parameter `n` is not an int: `1.5`"),
            ("n:int=99999999999999999999", "not an int"),
            ("n:decimal=0.0000000000000000000000001", "not a decimal"),
            ("n:bool=yes", "not a bool"),
            ("n:date=2026-02-30", "not a date"),
            ("n:timestamp=noon", "not a timestamp"),
            ("n:null=0", "not a null"),
            (
                "n:integer=1",
                "the parameter `n` has the unknown type `integer`",
            ),
            ("a b:int=1", "invalid parameter name `a b`"),
            ("month", "`month` is not name=value"),
        ] {
            let error = parse_parameter(text).unwrap_err();
            assert!(error.to_string().contains(expected), "{text}: {error}");
            assert!(error.hint().is_some_and(|hint| !hint.is_empty()), "{text}");
        }
    }
}
