//! Functions of values of any type, computed a column at a time.

use std::hash::{Hash, Hasher};

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

type Compute = fn(&[ArrayRef]) -> Result<ArrayRef>;

/// Creates a function of a number of arguments of any type; `compute` gets a column for each.
pub(super) fn column_function(
    name: &'static str,
    arguments: usize,
    output: DataType,
    compute: Compute,
) -> ScalarUDF {
    ScalarUDF::new_from_impl(ColumnFunction {
        name,
        output,
        compute,
        signature: Signature::any(arguments, Volatility::Immutable),
    })
}

/// Function, identified by its name.
#[derive(Debug)]
struct ColumnFunction {
    name: &'static str,
    output: DataType,
    compute: Compute,
    signature: Signature,
}

impl PartialEq for ColumnFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for ColumnFunction {}

impl Hash for ColumnFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for ColumnFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.output.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = args.args.iter();
        let columns: Vec<ArrayRef> = columns
            .map(|argument| argument.to_array(args.number_rows))
            .collect::<Result<_>>()?;
        Ok(ColumnarValue::Array((self.compute)(&columns)?))
    }
}
