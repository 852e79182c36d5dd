//! Plain decimal text to exact integers, without billstream's decoder.

use crate::sandbox::data::money::{SCALE, Units};

/// Whether `text` is a plain decimal: digits, at most one point between digits, a minus before.
///
/// CloudZero's published pattern has no sign, its documentation and examples send negative
/// amounts: they are taken. Exponents are not.
pub fn is_plain(text: &str) -> bool {
    let number = text.strip_prefix('-').unwrap_or(text);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match number.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(number),
    }
}

/// Reads an amount. `None` for what is not a plain decimal, or not exact in steps of 1e-24.
pub fn read(text: &str) -> Option<Units> {
    if !is_plain(text) {
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
    use crate::sandbox::data::money::plain;

    #[test]
    fn plain_decimals_are_read_exactly() {
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
            assert_eq!(read(text).map(plain).as_deref(), Some(expected), "{text}");
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
            assert_eq!(read(text), None, "{text}");
        }
    }
}
