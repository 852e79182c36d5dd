//! Exact money in SQL: `amount`, `price` and `times`, where the engine would round, wrap or use floats.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, i256};
use arrow::util::display::FormatOptions;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::ScalarUDF;

use crate::decimal::{self, ParseError};
use crate::engine::functions::column_function::column_function;

/// `amount(x)`: a text, float or number as an exact `decimal(38, 24)`. A float counts as its shortest decimal;
/// digits past the scale are rounded half-even; '', `NULL` and `N/A` are NULL.
pub(super) fn amount() -> ScalarUDF {
    column_function("amount", 1, decimal::TYPE, |columns| {
        Ok(Arc::new(to_decimals(&columns[0])?))
    })
}

/// `quantity(x)`: like `amount`, but NULL for a number that does not fit: quantities of bytes or requests may exceed
/// every amount of money.
pub(super) fn quantity() -> ScalarUDF {
    column_function("quantity", 1, decimal::TYPE, |columns| {
        Ok(Arc::new(to_quantities(&columns[0])?))
    })
}

/// `price(amount, quantity)`: quotient, rounded half-even at the scale; NULL where the quantity is 0.
pub(super) fn price() -> ScalarUDF {
    column_function("price", 2, decimal::TYPE, |columns| {
        combine(columns, |amount, quantity| {
            if quantity == 0 {
                return Ok(None);
            }
            let amount = i256::from_i128(amount) * i256::from_i128(ONE);
            quotient_half_even(amount, i256::from_i128(quantity)).map(Some)
        })
    })
}

/// `times(a, b)`: product, rounded half-even at the scale.
pub(super) fn times() -> ScalarUDF {
    column_function("times", 2, decimal::TYPE, |columns| {
        combine(columns, |a, b| {
            let product = i256::from_i128(a) * i256::from_i128(b);
            quotient_half_even(product, i256::from_i128(ONE)).map(Some)
        })
    })
}

/// 1 in units of the scale.
const ONE: i128 = 10i128.pow(decimal::SCALE as u32);
/// First value beyond 38 digits, in units of the scale.
const LIMIT: i128 = 10i128.pow(decimal::PRECISION as u32);

type BinaryOperation = fn(i128, i128) -> Result<Option<i128>>;

/// Applies an operation to two columns of numbers of any type; NULL where one is NULL.
fn combine(columns: &[ArrayRef], operation: BinaryOperation) -> Result<ArrayRef> {
    let (left, right) = (to_decimals(&columns[0])?, to_decimals(&columns[1])?);
    let pairs = left.iter().zip(right.iter());
    let values: Decimal128Array = pairs
        .map(|pair| match pair {
            (Some(a), Some(b)) => operation(a, b),
            _ => Ok(None),
        })
        .collect::<Result<_>>()?;
    Ok(Arc::new(values.with_data_type(decimal::TYPE)))
}

/// Quotient of integers, rounded half-even.
fn quotient_half_even(dividend: i256, divisor: i256) -> Result<i128> {
    let too_large =
        || DataFusionError::Execution("the result has more than 14 digits before the point".into());
    let quotient = dividend.checked_div(divisor).ok_or_else(too_large)?;
    let rest = dividend.wrapping_sub(quotient.wrapping_mul(divisor));
    let twice = rest.wrapping_abs().wrapping_add(rest.wrapping_abs());
    let is_odd = quotient.as_i128() & 1 == 1;
    let is_rounded_away = match twice.cmp(&divisor.wrapping_abs()) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => is_odd,
        std::cmp::Ordering::Less => false,
    };
    let is_negative = dividend.is_negative() != divisor.is_negative();
    let step = i256::from_i128(if !is_rounded_away {
        0
    } else if is_negative {
        -1
    } else {
        1
    });
    quotient
        .wrapping_add(step)
        .to_i128()
        .filter(|value| value.abs() < LIMIT)
        .ok_or_else(too_large)
}

/// Values of any type as exact decimals.
pub(crate) fn to_decimals(array: &ArrayRef) -> Result<Decimal128Array> {
    converted(array, &STRICT, parse_amount)
}

/// Values of any type as exact decimals; those that are too large are NULL.
pub(crate) fn to_quantities(array: &ArrayRef) -> Result<Decimal128Array> {
    converted(array, &CastOptions::default(), parse_quantity)
}

fn converted(
    array: &ArrayRef,
    options: &CastOptions<'_>,
    parse: fn(Option<&str>) -> Result<Option<i128>>,
) -> Result<Decimal128Array> {
    let values: Decimal128Array = match array.data_type() {
        data_type if *data_type == decimal::TYPE => {
            return Ok(array.as_primitive::<Decimal128Type>().clone());
        }
        data_type if data_type.is_integer() || data_type.is_decimal() || data_type.is_null() => {
            let array = cast_with_options(array, &decimal::TYPE, options)?;
            return Ok(array.as_primitive::<Decimal128Type>().clone());
        }
        DataType::Float64 => {
            let floats = array.as_primitive::<Float64Type>().iter();
            let texts = floats.map(|value| value.map(|value| value.to_string()));
            texts
                .map(|text| parse(text.as_deref()))
                .collect::<Result<_>>()?
        }
        DataType::Float32 => {
            let floats = array.as_primitive::<Float32Type>().iter();
            let texts = floats.map(|value| value.map(|value| value.to_string()));
            texts
                .map(|text| parse(text.as_deref()))
                .collect::<Result<_>>()?
        }
        _ => {
            let texts: ArrayRef = cast(array, &DataType::Utf8View)?;
            let texts = texts.as_string_view().iter();
            texts.map(parse).collect::<Result<_>>()?
        }
    };
    Ok(values.with_data_type(decimal::TYPE))
}

/// A number that does not fit is an error instead of NULL.
const STRICT: CastOptions<'static> = CastOptions {
    safe: false,
    format_options: FormatOptions::new(),
};

/// Parses a number as people write it: surrounding spaces, a plus sign and a missing zero are allowed.
fn parse_amount(text: Option<&str>) -> Result<Option<i128>> {
    let parsed = text.map(parse_number).transpose();
    parsed.map(Option::flatten).map_err(|_| not_an_amount(text))
}

/// Parses like [`parse_amount`]; `None` for a number that is too large.
fn parse_quantity(text: Option<&str>) -> Result<Option<i128>> {
    match text.map(parse_number).transpose() {
        Ok(parsed) => Ok(parsed.flatten()),
        Err(ParseError::TooLarge) => Ok(None),
        Err(ParseError::Syntax) => Err(not_an_amount(text)),
    }
}

fn parse_number(text: &str) -> std::result::Result<Option<i128>, ParseError> {
    let text = text.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("null") || text.eq_ignore_ascii_case("n/a") {
        return Ok(None);
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.trim_start_matches('0');
    let zero = if digits.starts_with(|c: char| c.is_ascii_digit()) {
        ""
    } else {
        "0"
    };
    let parsed = decimal::parse(&format!("{sign}{zero}{digits}"))?;
    Ok(Some(parsed.units))
}

fn not_an_amount(text: Option<&str>) -> DataFusionError {
    DataFusionError::Execution(format!(
        "`{}` is not an amount below 1e14",
        text.unwrap_or_default()
            .chars()
            .take(40)
            .collect::<String>()
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parses_amounts_exactly() {
        let units = |text: &str| parse_amount(Some(text)).unwrap();
        assert_eq!(units("1e-7"), Some(10i128.pow(17)));
        assert_eq!(units(" +.5 "), Some(5 * 10i128.pow(23)));
        assert_eq!(units("-007.25"), Some(-725 * 10i128.pow(22)));
        assert_eq!(units("0"), Some(0));
        assert_eq!(units(""), None);
        for wrong in ["1,5", "abc", "1e15", "--1", "1.2.3", "NaN", "0x1"] {
            assert!(parse_amount(Some(wrong)).is_err(), "{wrong}");
        }
        for missing in [" ", "NULL", "null", "N/A"] {
            assert_eq!(units(missing), None, "{missing}");
        }
        assert_eq!(parse_quantity(Some("1e15")).unwrap(), None);
        assert!(parse_quantity(Some("NaN")).is_err());
    }

    proptest! {
        #[test]
        fn quotient_is_the_nearest(a in -(10i128.pow(30))..10i128.pow(30), b in 1i128..10i128.pow(30)) {
            let got = quotient_half_even(i256::from_i128(a), i256::from_i128(b)).unwrap();
            // |a - got·b| is at most half of b; where it is half, got is even.
            let rest = (a - got * b).abs() * 2;
            prop_assert!(rest <= b);
            prop_assert!(rest != b || got % 2 == 0);
        }

        #[test]
        fn price_times_quantity_is_the_amount(amount in -(10i128.pow(30))..10i128.pow(30), whole in 1i128..1000) {
            let quantity = whole * ONE;
            let price = quotient_half_even(i256::from_i128(amount) * i256::from_i128(ONE), i256::from_i128(quantity)).unwrap();
            prop_assert!((price * whole - amount).abs() <= whole);
        }
    }
}
