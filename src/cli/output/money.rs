//! Exact decimal text as display text: rounded half-even, with thousands separators.

use crate::decimal;
use crate::decimal::display::{group_thousands, round_half_even};

/// Digits after the point of a rounded amount.
const CENTS: u32 = 2;
/// Significant digits of a rounded quantity or price.
const SIGNIFICANT: u32 = 6;
const SCALE: u32 = decimal::SCALE.unsigned_abs() as u32;

/// Precision of the numbers in a table for people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Precision {
    /// Amounts with two decimals, thousands separated.
    #[default]
    Rounded,
    /// All digits, as in JSON and CSV.
    Exact,
}

impl Precision {
    /// Precision selected by `--exact`.
    pub(crate) fn new(is_exact: bool) -> Precision {
        if is_exact {
            Precision::Exact
        } else {
            Precision::Rounded
        }
    }

    /// Returns an amount of money; text that is not a decimal stays as it is.
    pub(crate) fn money(self, exact: &str) -> String {
        self.rounded(exact, |_| CENTS)
    }

    /// Returns an amount with its sign, `+` included; zero has none.
    pub(crate) fn change(self, exact: &str) -> String {
        let shown = self.money(exact);
        let is_zero = !shown.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
        if is_zero || shown.starts_with('-') {
            shown
        } else {
            format!("+{shown}")
        }
    }

    /// Returns a quantity or a unit price, where cents could hide every digit.
    pub(crate) fn quantity(self, exact: &str) -> String {
        let shown = self.rounded(exact, |units| {
            let digits = units
                .unsigned_abs()
                .checked_ilog10()
                .map_or(1, |log| log + 1);
            (SCALE + SIGNIFICANT).saturating_sub(digits).min(SCALE)
        });
        if self == Precision::Rounded && shown.contains('.') {
            return shown
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_string();
        }
        shown
    }

    fn rounded(self, exact: &str, decimals: impl Fn(i128) -> u32) -> String {
        match (self, decimal::parse(exact)) {
            (Precision::Rounded, Ok(parsed)) => {
                round_half_even(parsed.units, decimals(parsed.units))
            }
            _ => exact.to_string(),
        }
    }
}

/// Returns a count with thousands separators.
pub(crate) fn count(number: u64) -> String {
    group_thousands(&number.to_string())
}

/// Returns the exact sum of decimal texts; `None` for text that is not a decimal, or on overflow.
pub(crate) fn sum<'a>(exact: impl IntoIterator<Item = &'a str>) -> Option<String> {
    exact
        .into_iter()
        .try_fold(0i128, |sum, text| {
            sum.checked_add(decimal::parse(text).ok()?.units)
        })
        .map(decimal::to_plain_string)
}

/// Returns the exact difference `later - earlier`.
pub(crate) fn difference(later: &str, earlier: &str) -> Option<String> {
    let units = |text| decimal::parse(text).ok().map(|parsed| parsed.units);
    units(later)?
        .checked_sub(units(earlier)?)
        .map(decimal::to_plain_string)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Rounds half-even on the digits alone, without arithmetic on the value.
    fn oracle(text: &str, decimals: usize) -> String {
        let (negative, text) = match text.strip_prefix('-') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction = format!("{fraction:0<decimals$}");
        let (kept, cut) = fraction.split_at(decimals);
        let mut digits: Vec<u8> = format!("0{whole}{kept}").into_bytes();
        let cut = cut.trim_end_matches('0');
        let is_odd = (digits[digits.len() - 1] - b'0') % 2 == 1;
        let rounds_up = match cut.as_bytes() {
            [] => false,
            [b'5'] => is_odd,
            [first, ..] => *first >= b'5',
        };
        if rounds_up {
            for digit in digits.iter_mut().rev() {
                if *digit == b'9' {
                    *digit = b'0';
                } else {
                    *digit += 1;
                    break;
                }
            }
        }
        let digits = String::from_utf8(digits).unwrap();
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        let whole = whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        let mut groups: Vec<&str> = Vec::new();
        let mut rest = whole;
        while rest.len() > 3 {
            let (before, group) = rest.split_at(rest.len() - 3);
            groups.insert(0, group);
            rest = before;
        }
        groups.insert(0, rest);
        let is_zero = digits.bytes().all(|digit| digit == b'0');
        let sign = if negative && !is_zero { "-" } else { "" };
        let point = if decimals > 0 { "." } else { "" };
        format!("{sign}{}{point}{fraction}", groups.join(","))
    }

    #[test]
    fn rounds_half_even_with_separators_and_sign() {
        for (exact, shown) in [
            ("0", "0.00"),
            ("-0.001", "0.00"),
            ("-0.005", "0.00"),
            ("-0.0051", "-0.01"),
            ("0.005", "0.00"),
            ("0.015", "0.02"),
            ("0.025", "0.02"),
            ("0.025000000000000000000001", "0.03"),
            ("-1234.5", "-1,234.50"),
            ("999.995", "1,000.00"),
            ("999999.995", "1,000,000.00"),
            ("35876.43040168888888168888888", "35,876.43"),
            ("99999999999999.999", "100,000,000,000,000.00"),
        ] {
            assert_eq!(Precision::Rounded.money(exact), shown, "{exact}");
            assert_eq!(Precision::Exact.money(exact), exact);
        }
        assert_eq!(Precision::Rounded.money("-"), "-");
    }

    #[test]
    fn changes_have_a_sign_unless_they_are_zero() {
        let shown = |exact| Precision::Rounded.change(exact);
        assert_eq!(shown("1234.5"), "+1,234.50");
        assert_eq!(shown("-1234.5"), "-1,234.50");
        assert_eq!(shown("0.001"), "0.00");
        assert_eq!(shown("-0.001"), "0.00");
        assert_eq!(Precision::Exact.change("0.001"), "+0.001");
        assert_eq!(Precision::Exact.change("0"), "0");
    }

    #[test]
    fn quantities_keep_six_significant_digits_and_whole_numbers() {
        for (exact, shown) in [
            ("0", "0"),
            ("24", "24"),
            ("1234567.891", "1,234,568"),
            ("12.3456789", "12.3457"),
            ("0.000034100000000000001", "0.0000341"),
            ("-1500.25", "-1,500.25"),
            ("0.000000000000000000000001", "0.000000000000000000000001"),
        ] {
            assert_eq!(Precision::Rounded.quantity(exact), shown, "{exact}");
        }
    }

    #[test]
    fn sums_are_exact() {
        assert_eq!(sum(["0.1", "0.2", "-1"]).as_deref(), Some("-0.7"));
        assert_eq!(sum([]).as_deref(), Some("0"));
        assert_eq!(sum(["1", "-"]), None);
        assert_eq!(difference("5.5", "7").as_deref(), Some("-1.5"));
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn money_equals_string_arithmetic(text in r"-?(0|[1-9][0-9]{0,13})(\.[0-9]{1,24})?") {
            let shown = Precision::Rounded.money(&text);
            prop_assert_eq!(&shown, &oracle(&text, 2));
            prop_assert_ne!(shown, "-0.00");
        }

        #[test]
        fn carries_reach_every_digit(nines in 1usize..14, cut in "[5-9][0-9]{0,20}") {
            let text = format!("{}.99{cut}", "9".repeat(nines));
            prop_assert_eq!(Precision::Rounded.money(&text), oracle(&text, 2));
        }

        #[test]
        fn halves_round_to_the_even_cent(whole in 0u32..2_000_000, cents in 0u32..100, negative in any::<bool>()) {
            let sign = if negative { "-" } else { "" };
            let text = format!("{sign}{whole}.{cents:02}5");
            prop_assert_eq!(Precision::Rounded.money(&text), oracle(&text, 2));
        }

        #[test]
        fn every_number_of_decimals_equals_string_arithmetic(
            text in r"-?(0|[1-9][0-9]{0,13})(\.[0-9]{1,24})?",
            decimals in 0u32..=24,
        ) {
            let units = decimal::parse(&text).unwrap().units;
            prop_assert_eq!(round_half_even(units, decimals), oracle(&text, decimals as usize));
        }
    }
}
