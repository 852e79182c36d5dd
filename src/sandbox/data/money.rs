//! Exact money without a decoder: integers that are counted up while the JSON text is written.
//!
//! The totals made here are what tests and demos compare billstream with, so nothing of
//! billstream's own decoding is used.

use std::collections::BTreeMap;

/// Decimal places of [`Units`].
pub const SCALE: u32 = 24;

/// Dollars in steps of 1e-24.
pub type Units = i128;

/// `mantissa` × 10^-`decimals` dollars; `decimals` is at most [`SCALE`].
pub const fn units(mantissa: i64, decimals: u32) -> Units {
    mantissa as i128 * 10i128.pow(SCALE - decimals)
}

/// The plain decimal text of an amount: no exponent, no trailing zeros.
pub fn plain(amount: Units) -> String {
    let digits = format!("{:025}", amount.unsigned_abs());
    let (whole, fraction) = digits.split_at(digits.len() - SCALE as usize);
    let fraction = fraction.trim_end_matches('0');
    let sign = if amount < 0 { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

/// Appends `value` × 10^-`decimals` as a JSON number without trailing zeros.
pub fn push_decimal(out: &mut Vec<u8>, value: i64, decimals: u32) {
    let mut rest = value.unsigned_abs();
    let mut decimals = decimals;
    while decimals > 0 && rest.is_multiple_of(10) {
        rest /= 10;
        decimals -= 1;
    }
    // 20 digits hold any u64; a value below one has one more zero than decimals.
    let mut digits = [b'0'; 48];
    let mut at = digits.len();
    let mut written = 0;
    while rest > 0 || written <= decimals {
        if written == decimals && decimals > 0 {
            at -= 1;
            digits[at] = b'.';
        }
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        written += 1;
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Number and sums of some costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many costs.
    pub costs: u64,
    /// Sum of `original_amount`.
    pub original: Units,
    /// Sum of the net amounts: `amount`, or original minus discount where it is left out.
    pub net: Units,
}

impl Sum {
    /// Adds another sum.
    pub fn add(&mut self, other: Sum) {
        self.costs += other.costs;
        self.original += other.original;
        self.net += other.net;
    }
}

/// Product (if the record has one) and line type.
pub type Key = (Option<&'static str>, &'static str);

/// Sums per product and line type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger(BTreeMap<Key, Sum>);

impl Ledger {
    /// Adds `sum` under `key`.
    pub fn add(&mut self, key: Key, sum: Sum) {
        if sum.costs > 0 {
            self.0.entry(key).or_default().add(sum);
        }
    }

    /// Every key with its sum, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Key, Sum)> {
        self.0.iter().map(|(key, sum)| (*key, *sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(value: i64, decimals: u32) -> String {
        let mut out = Vec::new();
        push_decimal(&mut out, value, decimals);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn numbers_are_written_plainly() {
        assert_eq!(pushed(0, 4), "0");
        assert_eq!(pushed(480, 0), "480");
        assert_eq!(pushed(1_014_576, 4), "101.4576");
        assert_eq!(pushed(9_000, 4), "0.9");
        assert_eq!(pushed(-12_500, 4), "-1.25");
        assert_eq!(pushed(5, 11), "0.00000000005");
        assert_eq!(pushed(i64::MIN, 4), "-922337203685477.5808");
        assert_eq!(plain(0), "0");
        assert_eq!(plain(units(-400, 1)), "-40");
        assert_eq!(
            plain(units(26_019_000_000_000_001, 16)),
            "2.6019000000000001"
        );
        assert_eq!(plain(1), "0.000000000000000000000001");
    }
}
