//! Display of decimal texts without floats; only axis labels and abbreviations come from a float.

/// Parts of a plain decimal such as `-12.5`.
struct PlainDecimal<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

impl<'a> PlainDecimal<'a> {
    fn parse(text: &'a str) -> Option<PlainDecimal<'a>> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let mut all = whole.bytes().chain(fraction.bytes());
        let plain = all.clone().count() > 0 && all.all(|byte| byte.is_ascii_digit());
        plain.then_some(PlainDecimal {
            negative: text.len() > digits.len(),
            whole,
            fraction,
        })
    }

    /// Digits with `places` of them after the point, rounded half-even; the first one is a spare zero.
    fn rounded(&self, places: usize) -> Vec<u8> {
        let padded = self.fraction.bytes().chain(std::iter::repeat(b'0'));
        let mut digits: Vec<u8> = std::iter::once(b'0')
            .chain(self.whole.bytes())
            .chain(padded.take(places))
            .collect();
        let rest = self.fraction.get(places..).unwrap_or("");
        let odd = digits.last().is_some_and(|digit| digit % 2 == 1);
        let up = match rest.as_bytes().split_first() {
            Some((b'5', more)) => odd || more.iter().any(|&digit| digit != b'0'),
            Some((first, _)) => *first > b'5',
            None => false,
        };
        if up {
            increment(&mut digits);
        }
        digits
    }
}

/// Adds one in the last place; the first digit is a spare zero that takes the carry.
fn increment(digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
}

/// Rounds a decimal half-even and adds thousands separators: `-12345.675` becomes `-12,345.68`.
///
/// Returns any other text unchanged.
pub(super) fn format_decimal(text: &str, places: usize) -> String {
    let Some(plain) = PlainDecimal::parse(text) else {
        return text.to_owned();
    };
    let digits = plain.rounded(places);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let zeros = whole.iter().take_while(|&&digit| digit == b'0').count();
    let whole = &whole[zeros.min(whole.len() - 1)..];
    let mut shown = String::new();
    if plain.negative && digits.iter().any(|&digit| digit != b'0') {
        shown.push('-');
    }
    for (at, &digit) in whole.iter().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            shown.push(',');
        }
        shown.push(char::from(digit));
    }
    if places > 0 {
        shown.push('.');
    }
    shown.extend(fraction.iter().map(|&digit| char::from(digit)));
    shown
}

/// Exact sum of plain decimals; `None` if a text is not one, or there are none.
pub(super) fn exact_sum<'a>(texts: impl Iterator<Item = &'a str>) -> Option<String> {
    let decimals: Vec<PlainDecimal> = texts.map(PlainDecimal::parse).collect::<Option<_>>()?;
    let whole = decimals.iter().map(|plain| plain.whole.len()).max()?;
    let fraction = decimals.iter().map(|plain| plain.fraction.len()).max()?;
    let mut columns = vec![0i64; whole + fraction];
    for plain in &decimals {
        let digits = plain.whole.bytes().chain(plain.fraction.bytes());
        let start = whole - plain.whole.len();
        for (column, digit) in columns[start..].iter_mut().zip(digits) {
            let digit = i64::from(digit - b'0');
            *column += if plain.negative { -digit } else { digit };
        }
    }
    let mut carry = carry_out(&mut columns);
    let negative = carry < 0;
    if negative {
        // Ten's complement: the value is the carry in front plus the columns.
        columns.iter_mut().for_each(|column| *column = -*column);
        carry = -carry + carry_out(&mut columns);
    }
    let digits = |columns: &[i64]| columns.iter().map(i64::to_string).collect::<String>();
    let (whole, fraction) = columns.split_at(whole);
    let sign = if negative { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    let whole = format!("{carry}{}", digits(whole));
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    Some(format!("{sign}{whole}{point}{}", digits(fraction)))
}

/// Reduces every column to one digit; returns the carry out of the first.
fn carry_out(columns: &mut [i64]) -> i64 {
    let mut carry = 0;
    for column in columns.iter_mut().rev() {
        let sum = *column + carry;
        *column = sum.rem_euclid(10);
        carry = sum.div_euclid(10);
    }
    carry
}

/// Three significant digits with a unit: `12.3k`.
pub(super) fn abbreviate(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let step = 10f64.powf(value.abs().log10().floor() - 2.0);
    tick_label(value, step)
}

/// Label of a value on an axis with this step: `500`, `1k`, `1.5k`, `2k`.
pub(super) fn tick_label(value: f64, step: f64) -> String {
    const UNITS: [(f64, &str); 5] = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"), (1.0, "")];
    let value = (value / step).round() * step;
    let size = value.abs();
    if size >= 1e15 || (size > 0.0 && size < 1e-6) {
        return format!("{value:.1e}").replace(".0e", "e");
    }
    let unit = UNITS.into_iter().find(|(unit, _)| size >= *unit);
    let (unit, letter) = unit.unwrap_or((1.0, ""));
    let decimals = (step / unit).log10().floor().clamp(-9.0, 0.0).abs();
    let digits = format!("{:.*}", decimals as usize, value / unit);
    let digits = if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        &digits
    };
    match digits {
        "-0" => "0".to_owned(),
        digits => format!("{digits}{letter}"),
    }
}
