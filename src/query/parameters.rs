//! Parameters of statements: `name=value` texts and their typed values.

use std::collections::BTreeMap;

use datafusion::common::ScalarValue;

use crate::decimal;
use crate::error::{Error, Result};

/// Values of `$name` in statements.
pub(crate) type Parameters = BTreeMap<String, ScalarValue>;

/// Parses `name=value` with a typed value, see [`typed_value`].
///
/// # Errors
/// As [`parse_assignment`].
pub(crate) fn parse_parameter(text: &str) -> Result<(String, ScalarValue)> {
    let (name, value) = parse_assignment(text)?;
    Ok((name, typed_value(&value)))
}

/// Splits `name=value`.
///
/// # Errors
/// Kind usage, for any other form or an invalid name.
pub(crate) fn parse_assignment(text: &str) -> Result<(String, String)> {
    let (name, value) = text.split_once('=').ok_or_else(|| {
        Error::usage(format!("`{text}` is not name=value"))
            .with_hint("pass for example --param month=2026-10, which the SQL uses as $month")
    })?;
    let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_legal) {
        return Err(Error::usage(format!("invalid parameter name `{name}`"))
            .with_hint("use letters, digits and _"));
    }
    Ok((name.to_string(), value.to_string()))
}

/// The value of a text: a number, `true`, `false` or `null`, else the text itself.
///
/// Quotes make a text of anything: `'7'`.
pub(crate) fn typed_value(text: &str) -> ScalarValue {
    let quoted = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\''));
    if let Some(quoted) = quoted {
        return ScalarValue::from(quoted);
    }
    match text {
        "true" => return ScalarValue::from(true),
        "false" => return ScalarValue::from(false),
        "null" => return ScalarValue::Null,
        _ => {}
    }
    if let Ok(integer) = text.parse::<i64>() {
        return ScalarValue::from(integer);
    }
    match decimal::parse(text) {
        Ok(number) if !number.rounded => {
            ScalarValue::Decimal128(Some(number.units), decimal::PRECISION, decimal::SCALE)
        }
        _ => ScalarValue::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infers_the_type_of_a_value_from_its_text() {
        let value = |text: &str| parse_parameter(text).unwrap().1;
        assert_eq!(value("n=12"), ScalarValue::from(12i64));
        assert_eq!(
            value("x=0.1"),
            ScalarValue::Decimal128(Some(10i128.pow(23)), 38, 24)
        );
        assert_eq!(value("m=2026-10"), ScalarValue::from("2026-10"));
        assert_eq!(value("m='7'"), ScalarValue::from("7"));
        assert_eq!(value("m="), ScalarValue::from(""));
        assert_eq!(value("m=a=b"), ScalarValue::from("a=b"));
        assert!(parse_parameter("month").is_err());
        assert!(parse_parameter("a b=1").is_err());
    }
}
