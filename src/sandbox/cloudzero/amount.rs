//! Parsing of plain decimal text to exact integers, without billstream's decoder.

use crate::sandbox::data::money::{SCALE, Units};

/// Returns whether `text` is a plain decimal: digits with an optional point between them and an optional
/// minus sign, no exponent.
///
/// CloudZero's published pattern has no sign, but its documentation and examples have negative amounts.
pub(crate) fn is_plain_decimal(text: &str) -> bool {
    let number = text.strip_prefix('-').unwrap_or(text);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match number.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(number),
    }
}

/// Parses an amount; `None` if it is not a plain decimal or not a multiple of 1e-24.
pub(crate) fn parse(text: &str) -> Option<Units> {
    if !is_plain_decimal(text) {
        return None;
    }
    let number = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    let missing = (SCALE as usize).checked_sub(fraction.len())?;
    let mut units: Units = 0;
    let zeros = std::iter::repeat_n(b'0', missing);
    for digit in whole.bytes().chain(fraction.bytes()).chain(zeros) {
        units = units.checked_mul(10)?.checked_add((digit - b'0').into())?;
    }
    Some(if number.len() < text.len() {
        -units
    } else {
        units
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::data::money::to_plain_string;

    #[test]
    fn parses_plain_decimals_exactly() {
        for (text, expected) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("12.50", "12.5"),
            ("-0.000000000000000000000001", "-0.000000000000000000000001"),
            ("0.10000000000000000000000000", "0.1"),
            (
                "123456789012.000000000000000000000001",
                "123456789012.000000000000000000000001",
            ),
        ] {
            assert_eq!(
                parse(text).map(to_plain_string).as_deref(),
                Some(expected),
                "{text}"
            );
        }
        for text in [
            "",
            "-",
            ".5",
            "5.",
            "+1",
            "1e3",
            "1E-3",
            "1,5",
            " 1",
            "NaN",
            "--1",
            "1.2.3",
            "0.0000000000000000000000001",
            "999999999999999999",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
