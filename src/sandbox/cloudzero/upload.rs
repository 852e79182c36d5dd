//! Body of a drop for a stream (spec: createOneAnyCostStreamConnectionBillingDrop).

use crate::sandbox::cloudzero::amount;
use crate::sandbox::cloudzero::line_item::LineItem;
use crate::sandbox::cloudzero::period::{Month, parse_hour};
use crate::sandbox::data::money::{to_plain_string, units};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Treatment of the existing rows of the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DropOperation {
    /// Replaces all rows.
    ReplaceDrop,
    /// Replaces the rows of the hours in the drop.
    ReplaceHourly,
    /// Adds the rows of the drop.
    Sum,
}

/// Parsed but not validated body.
#[derive(Debug, Deserialize)]
pub(crate) struct DropUpload {
    month: Option<String>,
    operation: Option<String>,
    data: Vec<Map<String, Value>>,
}

pub(crate) fn parse(body: &[u8]) -> Result<DropUpload, String> {
    serde_json::from_slice(body).map_err(|error| format!("could not parse the body: {error}"))
}

impl DropUpload {
    pub(crate) fn row_count(&self) -> usize {
        self.data.len()
    }

    /// Month and operation for the request log; invalid values are unchanged.
    pub(crate) fn month_and_operation(&self) -> (Option<String>, Option<String>) {
        let month = match self.month() {
            Ok(month) => Some(month.to_string()),
            Err(_) => self.month.clone(),
        };
        let operation = self.operation.clone();
        (month, operation.or_else(|| Some("replace_drop".to_owned())))
    }

    /// Month as sent.
    pub(crate) fn month_text(&self) -> Option<String> {
        self.month.clone()
    }

    /// Errors of the first `max_errors` negative amounts, by the published pattern.
    pub(crate) fn sign_errors(&self, max_errors: usize) -> Vec<String> {
        let is_amount = |name: &str| name.starts_with("cost/") || name == "usage/amount";
        let rows = self.data.iter().enumerate();
        let errors = rows.flat_map(|(index, columns)| {
            let amounts = columns.iter().filter(move |(name, _)| is_amount(name));
            amounts.filter_map(move |(name, value)| {
                let value = value.as_str().filter(|value| value.starts_with('-'))?;
                Some(format!(
                    r"data[{index}].{name}: '{value}' does not match '^\d+(\.\d{{1,}})?$'"
                ))
            })
        });
        errors.take(max_errors).collect()
    }

    /// Month of all rows. Only `data` is required: the default month is that of the first row.
    pub(crate) fn month(&self) -> Result<Month, String> {
        if let Some(month) = &self.month {
            let form = "month must be YYYY-MM or an ISO 8601 datetime";
            return Month::parse(month).ok_or_else(|| form.to_owned());
        }
        let start = self
            .data
            .first()
            .and_then(|row| row.get("time/usage_start"));
        let hour = start.and_then(Value::as_str).and_then(parse_hour);
        hour.and_then(Month::of_hour)
            .ok_or_else(|| "month is missing, and no row has one".to_owned())
    }

    pub(crate) fn operation(&self) -> Result<DropOperation, String> {
        match self.operation.as_deref() {
            None | Some("replace_drop") => Ok(DropOperation::ReplaceDrop),
            Some("replace_hourly") => Ok(DropOperation::ReplaceHourly),
            Some("sum") => Ok(DropOperation::Sum),
            Some(other) => Err(format!("no operation `{other}`")),
        }
    }

    /// Line items if all rows are valid, otherwise the errors of the first `max_errors` invalid rows.
    pub(crate) fn line_items(
        &self,
        month: Month,
        max_errors: usize,
    ) -> Result<Vec<LineItem>, Vec<String>> {
        let mut line_items = Vec::with_capacity(self.data.len());
        let mut errors = Vec::new();
        for (index, columns) in self.data.iter().enumerate() {
            match parse_row(columns, month) {
                Ok(line_item) => line_items.push(line_item),
                Err(error) => errors.push(format!("data[{index}]: {error}")),
            }
            if errors.len() == max_errors {
                break;
            }
        }
        if errors.is_empty() {
            Ok(line_items)
        } else {
            Err(errors)
        }
    }

    /// Adds a dollar to the cost of the middle row.
    pub(crate) fn corrupt(&mut self) {
        let middle = self.data.len() / 2;
        let cell = self
            .data
            .get_mut(middle)
            .and_then(|row| row.get_mut("cost/cost"));
        if let Some(cell) = cell {
            let cost = cell.as_str().and_then(amount::parse).unwrap_or_default();
            *cell = Value::String(to_plain_string(cost + units(1, 0)));
        }
    }
}

fn parse_row(columns: &Map<String, Value>, month: Month) -> Result<LineItem, String> {
    let cells: Result<Vec<_>, String> = columns
        .iter()
        .map(|(name, value)| match value.as_str() {
            Some(text) => Ok((name.as_str(), text)),
            None => Err(format!("{name} must be a string")),
        })
        .collect();
    let mut line_item = LineItem::parse(cells?, month)?;
    line_item.text = serde_json::to_string(columns)
        .map_err(|error| error.to_string())?
        .into();
    Ok(line_item)
}
