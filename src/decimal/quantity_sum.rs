//! Sums of quantities, which outgrow a decimal of 128 bits.

use std::fmt;

use arrow::datatypes::{DataType, i256};

use crate::decimal::{ParseError, SCALE};

/// Exact sum of quantities: 256 bits, in units of 1e-24.
///
/// A single quantity may come close to 1e14 (bytes, records), and two of those exceed `Decimal128(38, 24)`. An
/// import whose money is fine must not fail on its quantities, so they are summed with twice the bits. 2^64
/// quantities of 1e14 stay below 1e34 and the limit is 1e52, so no sum overflows.
///
/// ```
/// use billstream::decimal::QuantitySum;
///
/// let large = QuantitySum::of(9 * 10i128.pow(37));
/// let mut sum = large;
/// sum.add(large);
/// assert_eq!(sum.to_string(), "180000000000000");
/// sum.add(QuantitySum::of(-1));
/// assert_eq!(sum.to_string(), "179999999999999.999999999999999999999999");
/// assert_eq!(sum.to_string().parse(), Ok(sum));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuantitySum(i256);

impl QuantitySum {
    /// Digits of [`QuantitySum::TYPE`].
    pub const PRECISION: u8 = 76;
    /// Arrow type of sums of quantities.
    pub const TYPE: DataType = DataType::Decimal256(QuantitySum::PRECISION, SCALE);

    /// Sum of one quantity, in units of 1e-24.
    pub fn of(units: i128) -> QuantitySum {
        QuantitySum(i256::from_i128(units))
    }

    /// Sum in units of 1e-24.
    pub fn from_units(units: i256) -> QuantitySum {
        QuantitySum(units)
    }

    /// Returns the sum in units of 1e-24.
    pub fn units(self) -> i256 {
        self.0
    }

    /// Returns the sum without `other`.
    #[must_use]
    pub fn minus(self, other: QuantitySum) -> QuantitySum {
        QuantitySum(self.0.wrapping_sub(other.0))
    }

    /// Adds `other`.
    pub fn add(&mut self, other: QuantitySum) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

/// Plain text: no exponent, no trailing zeros, no trailing point.
impl fmt::Display for QuantitySum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let (sign, digits) = match digits.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", digits.as_str()),
        };
        let places = usize::from(SCALE.unsigned_abs());
        let padded = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = padded.split_at(padded.len() - places);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{point}{fraction}")
    }
}

impl std::str::FromStr for QuantitySum {
    type Err = ParseError;

    /// Parses the text that `Display` writes.
    fn from_str(text: &str) -> Result<QuantitySum, ParseError> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let places = usize::from(SCALE.unsigned_abs());
        let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty()
            || !are_digits(whole)
            || !are_digits(fraction)
            || fraction.len() > places
        {
            return Err(ParseError::Syntax);
        }
        let sign = if unsigned.len() < text.len() { "-" } else { "" };
        i256::from_string(&format!("{sign}{whole}{fraction:0<places$}"))
            .map(QuantitySum)
            .ok_or(ParseError::TooLarge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decimal::to_plain_string;
    use proptest::prelude::*;

    #[test]
    fn rejects_other_texts() {
        for text in [
            "",
            "-",
            ".5",
            "1e3",
            "+1",
            "1.2.3",
            "1.0000000000000000000000001",
            "x",
        ] {
            assert_eq!(
                text.parse::<QuantitySum>(),
                Err(ParseError::Syntax),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn text_is_that_of_a_128_bit_decimal_and_parses_back(units in -(10i128.pow(38) - 1)..10i128.pow(38)) {
            let sum = QuantitySum::of(units);
            prop_assert_eq!(sum.to_string(), to_plain_string(units));
            prop_assert_eq!(sum.to_string().parse(), Ok(sum));
        }
    }
}
