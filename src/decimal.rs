//! Exact decimals: JSON number literals to `Decimal128(38, 24)` and back to plain text, without floats.
//!
//! Scale 24 holds every digit of a double of billing size: 17 significant digits of an amount as small as 1e-7.
//! Digits past it are rounded half-even, and the caller counts them. Absolute values stay below 1e14. The
//! engine's own parsers truncate or go through floats, so none is used.
//!
//! ```
//! use billstream::decimal::{self, ParseError};
//!
//! let text = |literal: &str| decimal::parse(literal).map(|parsed| decimal::to_plain_string(parsed.units));
//! assert_eq!(text("0.20999999999999999").as_deref(), Ok("0.20999999999999999"));
//! assert_eq!(text("2.6e-05").as_deref(), Ok("0.000026"));
//! assert_eq!(text("-1.50E+3").as_deref(), Ok("-1500"));
//! assert_eq!(text("1e14"), Err(ParseError::TooLarge));
//! assert_eq!(text("NaN"), Err(ParseError::Syntax));
//! ```

pub(crate) mod display;
mod quantity_sum;

use arrow::datatypes::DataType;

pub use crate::decimal::quantity_sum::QuantitySum;

/// Total digits of every money and quantity column.
pub const PRECISION: u8 = 38;
/// Digits after the point, of every money and quantity column.
pub const SCALE: i8 = 24;
/// Arrow type of every money and quantity column.
pub const TYPE: DataType = DataType::Decimal128(PRECISION, SCALE);

const LIMIT: u128 = 10u128.pow(PRECISION as u32);
const DIGITS: i64 = SCALE as i64;
/// Powers of ten up to 1e38.
const POWERS: [u128; 39] = {
    let mut powers = [1; 39];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// Parsed literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parsed {
    /// Value in units of 1e-24.
    pub units: i128,
    /// True if digits past the scale were rounded away.
    pub rounded: bool,
}

/// Literal that is not a usable number. Its text continues a sentence about the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not a number in JSON's grammar.
    #[error("is not a number")]
    Syntax,
    /// 1e14 or more, in either direction.
    #[error("is too large (the limit is 1e14)")]
    TooLarge,
}

/// Parses a JSON number literal: sign, digits, fraction, exponent.
///
/// Digits past the scale are rounded half-even:
///
/// ```
/// use billstream::decimal::parse;
///
/// let tie_to_even = parse("0.0000000000000000000000005")?;
/// assert_eq!((tie_to_even.units, tie_to_even.rounded), (0, true));
/// let tie_to_even = parse("0.0000000000000000000000015")?;
/// assert_eq!((tie_to_even.units, tie_to_even.rounded), (2, true));
/// let above_the_tie = parse("0.00000000000000000000000051")?;
/// assert_eq!((above_the_tie.units, above_the_tie.rounded), (1, true));
/// # Ok::<(), billstream::decimal::ParseError>(())
/// ```
pub fn parse(text: &str) -> Result<Parsed, ParseError> {
    let bytes = text.as_bytes();
    let negative = bytes.first() == Some(&b'-');
    let mut at = usize::from(negative);
    let mut mantissa: u64 = 0;
    let mut digits = 0usize; // leading zeros included
    let mut significant = 0u32;
    let mut fraction: i64 = 0;
    let mut point = None;
    let start = at;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                fraction += i64::from(point.is_some());
                if significant > 0 || byte != b'0' {
                    significant += 1;
                    if significant <= 19 {
                        mantissa = mantissa * 10 + u64::from(byte - b'0');
                    }
                }
            }
            b'.' if point.is_none() && digits > 0 => point = Some(at),
            _ => break,
        }
        at += 1;
    }
    let end = at;
    let integer_digits = point.unwrap_or(end) - start;
    let leading_zero = integer_digits > 1 && bytes[start] == b'0';
    if digits == 0 || leading_zero || point == Some(end.wrapping_sub(1)) {
        return Err(ParseError::Syntax);
    }
    let exponent = parse_exponent(&bytes[at..])?;
    let shift = exponent.saturating_sub(fraction).saturating_add(DIGITS);
    let (units, rounded) = if mantissa == 0 {
        (0, false)
    } else if significant <= 19 && (0..=38).contains(&shift) {
        let units = u128::from(mantissa)
            .checked_mul(POWERS[shift as usize])
            .ok_or(ParseError::TooLarge)?;
        (units, false)
    } else {
        scale_digits(&bytes[start..end], shift)?
    };
    if units >= LIMIT {
        return Err(ParseError::TooLarge);
    }
    let units = units as i128;
    Ok(Parsed {
        units: if negative { -units } else { units },
        rounded,
    })
}

fn parse_exponent(rest: &[u8]) -> Result<i64, ParseError> {
    let digits = match rest {
        [] => return Ok(0),
        [b'e' | b'E', b'+' | b'-', digits @ ..] | [b'e' | b'E', digits @ ..] => digits,
        _ => return Err(ParseError::Syntax),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(ParseError::Syntax);
    }
    let value = digits.iter().fold(0i64, |value, digit| {
        value
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'))
    });
    Ok(if rest[1] == b'-' { -value } else { value })
}

/// Slow path: more digits than a u64 holds, or digits past the scale.
fn scale_digits(text: &[u8], shift: i64) -> Result<(u128, bool), ParseError> {
    let digits: Vec<u8> = text
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .map(|byte| byte - b'0')
        .skip_while(|digit| *digit == 0)
        .collect();
    let kept = (digits.len() as i64).saturating_add(shift);
    if kept > i64::from(PRECISION) {
        return Err(ParseError::TooLarge);
    }
    if kept < 0 {
        return Ok((0, true));
    }
    let kept = kept as usize;
    let mut units = digits
        .iter()
        .copied()
        .chain(std::iter::repeat(0))
        .take(kept)
        .fold(0u128, |units, digit| units * 10 + u128::from(digit));
    let rest = digits.get(kept..).unwrap_or_default();
    let rounded = rest.iter().any(|digit| *digit != 0);
    if rounded {
        let tail = rest[1..].iter().any(|digit| *digit != 0);
        let up = match rest[0].cmp(&5) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Equal => tail || units % 2 == 1,
        };
        units += u128::from(up);
    }
    Ok((units, rounded))
}

/// Appends `units` (of 1e-24) as plain text: no exponent, no trailing zeros, no trailing point.
pub fn write_plain(out: &mut Vec<u8>, units: i128) {
    if units < 0 {
        out.push(b'-');
    }
    // Two parts of twelve digits after the point, because divisions of 128 bits are slow.
    const PART: u128 = 10u128.pow(SCALE as u32 / 2);
    let magnitude = units.unsigned_abs();
    let rest = magnitude / PART;
    let low_part = (magnitude - rest * PART) as u64;
    let whole = rest / PART;
    let high_part = (rest - whole * PART) as u64;
    let mut whole = whole as u64; // below 1e14 by the type's precision
    let mut buffer = [0u8; 20];
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + (whole % 10) as u8;
        whole /= 10;
        if whole == 0 {
            break;
        }
    }
    out.extend_from_slice(&buffer[at..]);
    if low_part == 0 && high_part == 0 {
        return;
    }
    let mut text = [0u8; SCALE as usize];
    let (high, low) = text.split_at_mut(SCALE as usize / 2);
    for (part, mut value) in [(high, high_part), (low, low_part)] {
        for slot in part.iter_mut().rev() {
            *slot = b'0' + (value % 10) as u8;
            value /= 10;
        }
    }
    let end = text
        .iter()
        .rposition(|digit| *digit != b'0')
        .map_or(0, |last| last + 1);
    out.push(b'.');
    out.extend_from_slice(&text[..end]);
}

/// Returns `units` (of 1e-24) as plain text.
///
/// ```
/// use billstream::decimal::{SCALE, to_plain_string};
///
/// let one = 10i128.pow(SCALE as u32);
/// assert_eq!(to_plain_string(-25 * one / 10), "-2.5");
/// assert_eq!(to_plain_string(one / 1000), "0.001");
/// assert_eq!(to_plain_string(0), "0");
/// ```
pub fn to_plain_string(units: i128) -> String {
    let mut out = Vec::with_capacity(40);
    write_plain(&mut out, units);
    out.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn units(text: &str) -> i128 {
        parse(text).unwrap().units
    }

    /// Expected text by string arithmetic: moves the point in the digits, then rounds half-even.
    fn oracle(text: &str) -> Option<(String, bool)> {
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i64>().ok()?),
            None => (text, 0),
        };
        let negative = mantissa.starts_with('-');
        let mantissa = mantissa.trim_start_matches('-');
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits: String = format!("{whole}{fraction}");
        let mut point = whole.len() as i64 + exponent;
        while point < 0 {
            digits.insert(0, '0');
            point += 1;
        }
        while (digits.len() as i64) < point + 24 {
            digits.push('0');
        }
        let cut = point as usize + 24;
        let (kept, rest) = digits.split_at(cut);
        let mut kept: Vec<u8> = std::iter::once(b'0').chain(kept.bytes()).collect();
        let rounded = rest.bytes().any(|b| b != b'0');
        let odd = kept.last().is_some_and(|b| (b - b'0') % 2 == 1);
        let half = format!("5{}", "0".repeat(rest.len().saturating_sub(1)));
        if !rest.is_empty() && (rest > half.as_str() || (rest == half && odd)) {
            for slot in kept.iter_mut().rev() {
                if *slot == b'9' {
                    *slot = b'0';
                } else {
                    *slot += 1;
                    break;
                }
            }
        }
        let text = String::from_utf8(kept).ok()?;
        let (whole, fraction) = text.split_at(text.len() - 24);
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        if whole.len() > 14 {
            return None;
        }
        let whole = if whole.is_empty() { "0" } else { whole };
        let mut plain = whole.to_string();
        if !fraction.is_empty() {
            plain = format!("{plain}.{fraction}");
        }
        if negative && plain != "0" {
            plain = format!("-{plain}");
        }
        Some((plain, rounded))
    }

    #[test]
    fn keeps_every_digit_of_the_apis_literals() {
        for (text, expected) in [
            ("24", "24"),
            ("0", "0"),
            ("-0.0", "0"),
            ("2.6e-05", "0.000026"),
            ("1E-7", "0.0000001"),
            ("2.5e+1", "25"),
            ("0.20999999999999999", "0.20999999999999999"),
            ("-12.5", "-12.5"),
            ("3.4100000000000001e-05", "0.000034100000000000001"),
            (
                "99999999999999.999999999999999999999999",
                "99999999999999.999999999999999999999999",
            ),
        ] {
            assert_eq!(to_plain_string(units(text)), expected, "{text}");
        }
    }

    #[test]
    fn rounds_digits_past_the_scale_half_even_and_reports_it() {
        let tiny = parse("0.0000000000000000000000005").unwrap();
        assert_eq!((tiny.units, tiny.rounded), (0, true));
        let odd = parse("0.0000000000000000000000015").unwrap();
        assert_eq!((odd.units, odd.rounded), (2, true));
        assert_eq!(units("1e-400"), 0);
    }

    #[test]
    fn rejects_malformed_and_too_large_literals() {
        for text in [
            "", "-", ".5", "1.", "01", "1e", "1e+", "+1", "0x1", "NaN", "1 ", "1.2.3", "\"1\"",
        ] {
            assert_eq!(parse(text), Err(ParseError::Syntax), "{text}");
        }
        for text in ["1e14", "100000000000000", "-1e99999999999999999999"] {
            assert_eq!(parse(text), Err(ParseError::TooLarge), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn equals_string_arithmetic(
            text in r"-?(0|[1-9][0-9]{0,16})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?"
        ) {
            match (parse(&text), oracle(&text)) {
                (Ok(parsed), Some((expected, rounded))) => {
                    prop_assert_eq!(to_plain_string(parsed.units), expected);
                    prop_assert_eq!(parsed.rounded, rounded);
                }
                (Err(ParseError::TooLarge), None) => {}
                (parsed, expected) => prop_assert!(false, "{:?} {:?}", parsed, expected),
            }
        }

        #[test]
        fn plain_text_parses_back(units in -(10i128.pow(38) - 1)..10i128.pow(38)) {
            prop_assert_eq!(parse(&to_plain_string(units)), Ok(Parsed { units, rounded: false }));
        }

        #[test]
        fn accepts_what_serde_json_accepts(text in r"[-+0-9.eE]{1,8}") {
            let expected = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
            prop_assert_eq!(parse(&text) != Err(ParseError::Syntax), expected);
        }
    }
}
