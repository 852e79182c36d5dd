//! `sum` that fails where the engine's own wraps around.
//!
//! The engine sums decimals and integers modulo their width: 9e13 + 9e13 at scale 24 becomes -16028236692093.8.
//! Other types use its implementation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, AsArray, BooleanArray};
use arrow::compute::sum_checked;
use arrow::datatypes::{DataType, Decimal128Type, FieldRef, Int64Type, UInt64Type};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature,
};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;

/// Creates the function, to be registered over the engine's.
pub(super) fn checked_sum() -> AggregateUDF {
    AggregateUDF::new_from_impl(CheckedSum { engine: sum_udaf() })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckedSum {
    engine: Arc<AggregateUDF>,
}

/// Calls a generic function for the checked types.
macro_rules! for_checked {
    ($data_type:expr, $function:ident($($argument:expr),*), $otherwise:expr) => {
        match $data_type {
            DataType::Decimal128(..) => Ok($function::<Decimal128Type>($($argument),*)),
            DataType::Int64 => Ok($function::<Int64Type>($($argument),*)),
            DataType::UInt64 => Ok($function::<UInt64Type>($($argument),*)),
            _ => $otherwise,
        }
    };
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.engine.return_type(arguments)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return self.engine.accumulator(args);
        }
        let data_type = args.return_field.data_type();
        for_checked!(data_type, running(data_type), self.engine.accumulator(args))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return self.engine.create_sliding_accumulator(args);
        }
        let data_type = args.return_field.data_type();
        let engine = &self.engine;
        for_checked!(
            data_type,
            running(data_type),
            engine.create_sliding_accumulator(args)
        )
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.engine.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.engine.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let data_type = args.return_field.data_type();
        for_checked!(
            data_type,
            grouped(data_type),
            self.engine.create_groups_accumulator(args)
        )
    }
}

fn overflow() -> DataFusionError {
    DataFusionError::Execution(
        "sum: the total is too large for its type; cast the amounts to a smaller scale, such as decimal(38, 6), before \
         summing"
            .to_string(),
    )
}

/// Returns true if a decimal has more digits than its type allows.
fn too_many_digits(values: &ArrayRef) -> bool {
    match values.data_type() {
        DataType::Decimal128(precision, _) => values
            .as_primitive::<Decimal128Type>()
            .validate_decimal_precision(*precision)
            .is_err(),
        _ => false,
    }
}

// ------------------------------------------------------------------------------------ one group

fn running<T: ArrowPrimitiveType<Native: ArrowNativeTypeOp> + std::fmt::Debug>(
    data_type: &DataType,
) -> Box<dyn Accumulator> {
    Box::new(Running::<T> {
        sum: T::Native::default(),
        count: 0,
        data_type: data_type.clone(),
    })
}

/// Sum and number of values; a sum of no values is NULL.
#[derive(Debug)]
struct Running<T: ArrowPrimitiveType> {
    sum: T::Native,
    count: usize,
    data_type: DataType,
}

impl<T: ArrowPrimitiveType<Native: ArrowNativeTypeOp> + std::fmt::Debug> Accumulator
    for Running<T>
{
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = values[0].as_primitive::<T>();
        if let Some(sum) = sum_checked(values).map_err(|_| overflow())? {
            self.sum = self.sum.add_checked(sum).map_err(|_| overflow())?;
            self.count += values.len() - values.null_count();
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = values[0].as_primitive::<T>();
        if let Some(sum) = sum_checked(values).map_err(|_| overflow())? {
            self.sum = self.sum.sub_checked(sum).map_err(|_| overflow())?;
            self.count -= values.len() - values.null_count();
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = (self.count > 0).then_some(self.sum);
        let value = ScalarValue::new_primitive::<T>(sum, &self.data_type)?;
        if too_many_digits(&value.to_array()?) {
            return Err(overflow());
        }
        Ok(value)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

// ---------------------------------------------------------------------------------- many groups

fn grouped<T: ArrowPrimitiveType<Native: ArrowNativeTypeOp> + Send>(
    data_type: &DataType,
) -> Box<dyn GroupsAccumulator> {
    let overflowed = Arc::new(AtomicBool::new(false));
    let seen = overflowed.clone();
    let sums = PrimitiveGroupsAccumulator::<T, _>::new(data_type, move |sum, value| {
        match sum.add_checked(value) {
            Ok(added) => *sum = added,
            Err(_) => seen.store(true, Ordering::Relaxed),
        }
    });
    Box::new(Grouped {
        sums: Box::new(sums),
        overflowed,
    })
}

/// The engine's sums of groups, with an addition that detects overflow.
struct Grouped {
    sums: Box<dyn GroupsAccumulator>,
    overflowed: Arc<AtomicBool>,
}

impl Grouped {
    fn checked<T>(&self, result: Result<T>) -> Result<T> {
        if self.overflowed.load(Ordering::Relaxed) {
            return Err(overflow());
        }
        result
    }
}

impl GroupsAccumulator for Grouped {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        let updated = self.sums.update_batch(values, groups, filter, total_groups);
        self.checked(updated)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = self.sums.evaluate(emit_to)?;
        if too_many_digits(&sums) {
            return Err(overflow());
        }
        Ok(sums)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.sums.state(emit_to)
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        total_groups: usize,
    ) -> Result<()> {
        let merged = self.sums.merge_batch(states, groups, total_groups);
        self.checked(merged)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.sums.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        self.sums.size()
    }
}
