//! The body of a drop for a stream (spec: createOneAnyCostStreamConnectionBillingDrop).

use crate::sandbox::cloudzero::period::{Month, hour};
use crate::sandbox::cloudzero::rows::Row;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What to do with the rows that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// They are replaced.
    ReplaceDrop,
    /// Those in an hour that the new ones have are replaced.
    ReplaceHourly,
    /// The new ones are added.
    Sum,
}

/// A body as it came.
#[derive(Debug, Deserialize)]
pub struct Upload {
    month: Option<String>,
    operation: Option<String>,
    data: Vec<Map<String, Value>>,
}

/// Reads the JSON of a body.
pub fn read(body: &[u8]) -> Result<Upload, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body cannot be read: {error}"))
}

impl Upload {
    /// Rows in it.
    pub fn rows(&self) -> usize {
        self.data.len()
    }

    /// Its month and operation for the journal, as they came where they make no sense.
    pub fn shown(&self) -> (Option<String>, Option<String>) {
        let month = match self.month() {
            Ok(month) => Some(month.to_string()),
            Err(_) => self.month.clone(),
        };
        let operation = self.operation.clone();
        (month, operation.or_else(|| Some("replace_drop".to_owned())))
    }

    /// The month of all rows. Only `data` is required: without a month the first row decides.
    pub fn month(&self) -> Result<Month, String> {
        if let Some(month) = &self.month {
            let form = "month must be YYYY-MM or an ISO 8601 datetime";
            return Month::read(month).ok_or_else(|| form.to_owned());
        }
        let start = self
            .data
            .first()
            .and_then(|row| row.get("time/usage_start"));
        let hour = start.and_then(Value::as_str).and_then(hour);
        hour.and_then(Month::of_hour)
            .ok_or_else(|| "month is missing, and no row tells it".to_owned())
    }

    /// What to do with it.
    pub fn operation(&self) -> Result<Operation, String> {
        match self.operation.as_deref() {
            None | Some("replace_drop") => Ok(Operation::ReplaceDrop),
            Some("replace_hourly") => Ok(Operation::ReplaceHourly),
            Some("sum") => Ok(Operation::Sum),
            Some(other) => Err(format!("there is no operation `{other}`")),
        }
    }

    /// The rows, all good; else what is wrong with the first `most` bad ones.
    pub fn checked(&self, month: Month, most: usize) -> Result<Vec<Row>, Vec<String>> {
        let mut rows = Vec::with_capacity(self.data.len());
        let mut wrong = Vec::new();
        for (index, columns) in self.data.iter().enumerate() {
            match row(columns, month) {
                Ok(row) => rows.push(row),
                Err(error) => wrong.push(format!("data[{index}]: {error}")),
            }
            if wrong.len() == most {
                break;
            }
        }
        if wrong.is_empty() {
            Ok(rows)
        } else {
            Err(wrong)
        }
    }

    /// Makes the cost of the middle row a dollar more.
    pub fn corrupt(&mut self) {
        use crate::sandbox::data::money::{plain, units};
        let middle = self.data.len() / 2;
        let cell = self
            .data
            .get_mut(middle)
            .and_then(|row| row.get_mut("cost/cost"));
        if let Some(cell) = cell {
            let cost = cell
                .as_str()
                .and_then(super::amount::read)
                .unwrap_or_default();
            *cell = Value::String(plain(cost + units(1, 0)));
        }
    }
}

fn row(columns: &Map<String, Value>, month: Month) -> Result<Row, String> {
    let cells: Result<Vec<_>, String> = columns
        .iter()
        .map(|(name, value)| match value.as_str() {
            Some(text) => Ok((name.as_str(), text)),
            None => Err(format!("{name} must be a string")),
        })
        .collect();
    let mut row = Row::read(cells?, month)?;
    row.text = serde_json::to_string(columns)
        .map_err(|error| error.to_string())?
        .into();
    Ok(row)
}
