//! Decimals for people.

use crate::decimal;

const SCALE: u32 = decimal::SCALE.unsigned_abs() as u32;

/// Returns `units` (of 1e-24) with `decimals` digits after the point, rounded half-even, thousands separated.
pub(crate) fn round_half_even(units: i128, decimals: u32) -> String {
    let divisor = 10u128.pow(SCALE - decimals);
    let (mut quotient, remainder) = (
        units.unsigned_abs() / divisor,
        units.unsigned_abs() % divisor,
    );
    // Without digits to round away the divisor is 1, the remainder 0.
    let is_above_half = remainder > divisor - remainder;
    let is_half = remainder > 0 && remainder == divisor - remainder;
    if is_above_half || (is_half && quotient % 2 == 1) {
        quotient += 1;
    }
    let sign = if units < 0 && quotient > 0 { "-" } else { "" };
    let power = 10u128.pow(decimals);
    let whole = group_thousands(&(quotient / power).to_string());
    if decimals == 0 {
        return format!("{sign}{whole}");
    }
    let width = decimals as usize;
    format!("{sign}{whole}.{:0width$}", quotient % power)
}

/// Separates groups of three of a text of digits.
pub(crate) fn group_thousands(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
