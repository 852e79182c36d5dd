//! Exact money as integers, summed while the JSON text is written.
//!
//! Tests and demos compare billstream with these totals, so they do not use its decoder.

use std::collections::BTreeMap;

/// Decimal places of [`Units`].
pub(crate) const SCALE: u32 = 24;

/// Dollars in units of 1e-24.
pub(crate) type Units = i128;

/// `mantissa` × 10^-`decimals` dollars; `decimals` is at most [`SCALE`].
pub(crate) const fn units(mantissa: i64, decimals: u32) -> Units {
    mantissa as i128 * 10i128.pow(SCALE - decimals)
}

/// Decimal text of an amount without exponent and trailing zeros.
pub(crate) fn to_plain_string(amount: Units) -> String {
    let digits = format!("{:025}", amount.unsigned_abs());
    let (whole, fraction) = digits.split_at(digits.len() - SCALE as usize);
    let fraction = fraction.trim_end_matches('0');
    let sign = if amount < 0 { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

/// Appends `value` × 10^-`decimals` as a JSON number without trailing zeros.
pub(crate) fn push_decimal(out: &mut Vec<u8>, value: i64, decimals: u32) {
    let mut rest = value.unsigned_abs();
    let mut decimals = decimals;
    while decimals > 0 && rest.is_multiple_of(10) {
        rest /= 10;
        decimals -= 1;
    }
    // A u64 has at most 20 digits; a value below 1 needs one leading zero.
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

/// Number and sums of costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) costs: u64,
    /// Sum of `original_amount`.
    pub(crate) original: Units,
    /// Sum of the net amounts: `amount`, or original minus discount where it is omitted.
    pub(crate) net: Units,
}

impl Totals {
    pub(crate) fn add(&mut self, other: Totals) {
        self.costs += other.costs;
        self.original += other.original;
        self.net += other.net;
    }
}

/// Product, if the record has one, and line type.
pub(crate) type GroupKey = (Option<&'static str>, &'static str);

/// Totals per product and line type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GroupTotals(BTreeMap<GroupKey, Totals>);

impl GroupTotals {
    pub(crate) fn add(&mut self, key: GroupKey, totals: Totals) {
        if totals.costs > 0 {
            self.0.entry(key).or_default().add(totals);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (GroupKey, Totals)> {
        self.0.iter().map(|(key, totals)| (*key, *totals))
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
    fn writes_numbers_without_exponents() {
        assert_eq!(pushed(0, 4), "0");
        assert_eq!(pushed(480, 0), "480");
        assert_eq!(pushed(1_014_576, 4), "101.4576");
        assert_eq!(pushed(9_000, 4), "0.9");
        assert_eq!(pushed(-12_500, 4), "-1.25");
        assert_eq!(pushed(5, 11), "0.00000000005");
        assert_eq!(pushed(i64::MIN, 4), "-922337203685477.5808");
        assert_eq!(to_plain_string(0), "0");
        assert_eq!(to_plain_string(units(-400, 1)), "-40");
        assert_eq!(
            to_plain_string(units(26_019_000_000_000_001, 16)),
            "2.6019000000000001"
        );
        assert_eq!(to_plain_string(1), "0.000000000000000000000001");
    }
}
