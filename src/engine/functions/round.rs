//! `round` that keeps a decimal's type.
//!
//! The engine's own changes the scale with the number of places, which its planner does not always expect:
//! `round(amount, 2) = 5.01` fails. Other types use its implementation.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Decimal128Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, FieldRef, Int64Type};
use datafusion::common::{DataFusionError, Result};
use datafusion::functions::math;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// `round(x)` and `round(x, places)`: rounds a decimal half away from zero; negative places are before the point.
pub(crate) fn round() -> ScalarUDF {
    ScalarUDF::new_from_impl(Round {
        engine: math::round(),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Round {
    engine: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for Round {
    fn name(&self) -> &str {
        "round"
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match &arguments[0] {
            decimal @ DataType::Decimal128(..) => Ok(decimal.clone()),
            _ => self.engine.return_type(arguments),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let first = &args.arg_fields[0];
        match first.data_type() {
            DataType::Decimal128(..) => {
                let field = first.as_ref().clone().with_name(self.name());
                Ok(Arc::new(field.with_nullable(true)))
            }
            _ => self.engine.return_field_from_args(args),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::Decimal128(_, scale) = args.args[0].data_type() else {
            return self.engine.invoke_with_args(args);
        };
        let values = args.args[0].to_array(args.number_rows)?;
        let values = values.as_primitive::<Decimal128Type>();
        let places = match args.args.get(1) {
            Some(places) => cast(&places.to_array(args.number_rows)?, &DataType::Int64)?,
            None => Arc::new(Int64Array::from(vec![0; args.number_rows])),
        };
        let rounded: Decimal128Array = values
            .iter()
            .zip(places.as_primitive::<Int64Type>())
            .map(|(value, places)| {
                let both = value.zip(places);
                both.map(|(value, places)| {
                    round_off(value, i64::from(scale).saturating_sub(places))
                })
                .transpose()
            })
            .collect::<Result<_>>()?;
        Ok(ColumnarValue::Array(Arc::new(
            rounded.with_data_type(values.data_type().clone()),
        )))
    }
}

/// Rounds off the last `digits` digits.
fn round_off(value: i128, digits: i64) -> Result<i128> {
    if digits <= 0 {
        return Ok(value);
    }
    let Some(unit) = u32::try_from(digits)
        .ok()
        .and_then(|digits| 10i128.checked_pow(digits))
    else {
        return Ok(0);
    };
    let rest = value % unit;
    let down = value - rest;
    if rest.abs() < unit - rest.abs() {
        return Ok(down);
    }
    let up = down.checked_add(unit * value.signum());
    up.filter(|up| up.abs() < 10i128.pow(38))
        .ok_or_else(|| DataFusionError::Execution("round: the result has too many digits".into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rounds_halves_away_from_zero() {
        let cases = [
            (25, 1, 30),
            (-25, 1, -30),
            (24, 1, 20),
            (-24, 1, -20),
            (7, 0, 7),
            (7, -3, 7),
            (99, 2, 100),
            (99, 40, 0),
        ];
        for (value, digits, expected) in cases {
            assert_eq!(
                round_off(value, digits).unwrap(),
                expected,
                "{value} {digits}"
            );
        }
    }

    proptest! {
        #[test]
        fn result_is_near_and_round(value in -(10i128.pow(36))..10i128.pow(36), digits in 0i64..30) {
            let rounded = round_off(value, digits).unwrap();
            let unit = 10i128.pow(digits as u32);
            prop_assert_eq!(rounded % unit, 0);
            prop_assert!((rounded - value).abs() * 2 <= unit);
        }
    }
}
