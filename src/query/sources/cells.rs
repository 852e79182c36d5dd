//! Cells that a mapping reads as amounts, quantities, times or tags: read while their row is known.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, visit_expressions,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::decimal;
use crate::engine::functions;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellType {
    Amount,
    /// Amount of which one that is too large is NULL.
    Quantity,
    Time,
    Tags,
}

/// A mapping's use of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) cell_type: CellType,
    /// True if the mapping reads the column in this way alone, so that its values can be replaced.
    is_only: bool,
}

/// Value that could not be read.
pub(super) struct BadCell {
    /// Row of the array, from 0.
    pub(super) row: usize,
    /// Sentence about the value.
    pub(super) reason: String,
}

impl CellType {
    fn of_function(name: &str) -> Option<CellType> {
        match name {
            "amount" => Some(CellType::Amount),
            "quantity" => Some(CellType::Quantity),
            "utc_time" => Some(CellType::Time),
            "map_json" | "aws_tags" => Some(CellType::Tags),
            _ => None,
        }
    }
}

impl Use {
    /// Type of the column's values once they are read.
    pub(super) fn data_type(self, given: &DataType) -> DataType {
        match self.cell_type {
            CellType::Amount | CellType::Quantity if self.is_only => decimal::TYPE,
            CellType::Time if self.is_only => functions::UTC_TIME,
            _ => given.clone(),
        }
    }

    /// Reads the values; they come in the type of [`Use::data_type`].
    pub(super) fn read(self, array: ArrayRef) -> Result<ArrayRef, BadCell> {
        let read = self.cell_type.read(&array);
        let values = read.map_err(|reason| self.cell_type.first_bad(&array, reason))?;
        Ok(if self.is_only { values } else { array })
    }
}

impl CellType {
    fn read(self, array: &ArrayRef) -> Result<ArrayRef, String> {
        let failed = |e: datafusion::common::DataFusionError| e.strip_backtrace();
        match self {
            CellType::Amount => {
                let values = functions::to_decimals(array).map_err(failed)?;
                Ok(Arc::new(values))
            }
            CellType::Quantity => {
                let values = functions::to_quantities(array).map_err(failed)?;
                Ok(Arc::new(values))
            }
            CellType::Time => functions::to_utc_times(array).map_err(|e| e.to_string()),
            CellType::Tags => {
                let is_readable = |text: &str| {
                    let text = text.trim();
                    text.starts_with('{') && text.ends_with('}') || functions::are_tags(text)
                };
                let texts = array.as_string_view_opt();
                let unreadable = texts.and_then(|texts| {
                    let mut present = texts.iter().flatten();
                    present.find(|text| !is_readable(text))
                });
                match unreadable {
                    Some(_) => Err("not tags".to_string()),
                    None => Ok(array.clone()),
                }
            }
        }
    }

    /// First value that cannot be read.
    fn first_bad(self, array: &ArrayRef, reason: String) -> BadCell {
        let rows = 0..array.len();
        let mut bad = rows.filter(|row| self.read(&array.slice(*row, 1)).is_err());
        let Some(row) = bad.next() else {
            return BadCell { row: 0, reason };
        };
        let expected = match self {
            CellType::Amount => "an amount below 1e14",
            CellType::Quantity => "a number",
            CellType::Time => "a date or time such as 2026-10-31T23:00:00Z",
            CellType::Tags => "a JSON object of tags",
        };
        BadCell {
            row,
            reason: format!("`{}` is not {expected}", value_at(array, row)),
        }
    }
}

/// Text of a value, shortened.
pub(super) fn value_at(array: &ArrayRef, row: usize) -> String {
    const MAX_LENGTH: usize = 40;
    let options = FormatOptions::default();
    let text = ArrayFormatter::try_new(array.as_ref(), &options);
    let text = text.map(|text| text.value(row).to_string());
    let text = text.unwrap_or_default();
    let legible = text.chars().filter(|c| !c.is_control());
    legible.take(MAX_LENGTH).collect()
}

/// Columns that a mapping passes to the functions that read cells.
pub(super) fn uses(sql: &str) -> HashMap<String, Use> {
    let Ok(statements) = Parser::parse_sql(&GenericDialect {}, sql) else {
        return HashMap::new();
    };
    let mut named: HashMap<String, usize> = HashMap::new();
    let mut read: HashMap<String, Vec<CellType>> = HashMap::new();
    let _ = visit_expressions(&statements, |expression| {
        match expression {
            Expr::Function(function) => {
                if let Some((column, cell_type)) = cell_read_by(function) {
                    read.entry(column).or_default().push(cell_type);
                }
            }
            _ => {
                if let Some(column) = column_name(expression) {
                    *named.entry(column).or_default() += 1;
                }
            }
        }
        ControlFlow::<()>::Continue(())
    });
    let uses = read.into_iter().map(|(column, types)| {
        let is_only = named.get(&column) == Some(&types.len())
            && types.iter().all(|cell_type| *cell_type == types[0]);
        // An amount that is too large is an error wherever the column also counts as an amount.
        let cell_type = match types.contains(&CellType::Amount) {
            true => CellType::Amount,
            false => types[0],
        };
        (column, Use { cell_type, is_only })
    });
    uses.collect()
}

fn cell_read_by(function: &Function) -> Option<(String, CellType)> {
    let name = function.name.to_string().to_lowercase();
    let cell_type = CellType::of_function(&name)?;
    let FunctionArguments::List(arguments) = &function.args else {
        return None;
    };
    match arguments.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] => {
            Some((column_name(argument)?, cell_type))
        }
        _ => None,
    }
}

fn column_name(expression: &Expr) -> Option<String> {
    let identifier = match expression {
        Expr::Identifier(identifier) => identifier,
        Expr::CompoundIdentifier(parts) => parts.last()?,
        _ => return None,
    };
    // The engine folds names without quotes.
    Some(match identifier.quote_style {
        Some(_) => identifier.value.clone(),
        None => identifier.value.to_lowercase(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_of_columns_are_found_in_sql() {
        let uses = uses(
            "-- A mapping\nwith given as (select *, amount(\"A\") as a from source)\n\
             select utc_time(t) as x, quantity(given.q), amount(b), nullif(b, '') from given",
        );
        let of = |name: &str| uses.get(name).map(|u| (u.cell_type, u.is_only));
        assert_eq!(of("A"), Some((CellType::Amount, true)));
        assert_eq!(of("t"), Some((CellType::Time, true)));
        assert_eq!(of("q"), Some((CellType::Quantity, true)));
        assert_eq!(of("b"), Some((CellType::Amount, false)));
        assert_eq!(uses.len(), 4);
    }
}
