//! Currencies of a report: one run for each, a selected one, or all converted to one.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use chrono::NaiveDate;

use crate::error::{Error, Result};
use crate::query::rates::{Rates, is_code};
use crate::query::reports::COSTS;
use crate::query::reports::notes::Selection;
use crate::query::session::Session;
use crate::query::sources::CURRENCY;
use crate::query::statements::Statement;

/// Parameter that selects a currency, as every report has it.
pub(super) const ONE: &str = "currency";
/// Parameter that converts all amounts to a currency.
pub(super) const CONVERT: &str = "convert";

/// Amounts that a report covers.
#[derive(Debug, PartialEq, Eq)]
enum Currencies {
    /// Each currency apart.
    Each,
    /// One currency alone.
    One(String),
    /// All currencies, converted to one.
    Converted(String),
}

impl Currencies {
    fn of(given: &[(String, String)]) -> Result<Currencies> {
        let value = |parameter: &str| {
            let found = given.iter().rfind(|(name, _)| name == parameter);
            let code = found.map(|(_, value)| value.to_ascii_uppercase());
            match code {
                Some(code) if !is_code(&code) => {
                    Err(Error::usage(format!("`{code}` is not a currency"))
                        .with_hint("use a code such as USD"))
                }
                code => Ok(code),
            }
        };
        match (value(ONE)?, value(CONVERT)?) {
            (None, None) => Ok(Currencies::Each),
            (Some(code), None) => Ok(Currencies::One(code)),
            (None, Some(code)) => Ok(Currencies::Converted(code)),
            (Some(_), Some(_)) => Err(Error::usage(
                "amounts are either selected by currency or converted to one",
            )
            .with_hint("pass --currency or --convert")),
        }
    }
}

/// Currencies of a report, each with the SQL of its costs if these are not all costs as they are.
///
/// # Errors
/// Kind usage, for a currency without costs and for what is not a currency; those of the line items and the rates.
pub(super) async fn layers(
    session: &Session,
    selection: &Selection,
    given: &[(String, String)],
    notes: &mut Vec<String>,
) -> Result<Vec<(String, Option<Statement>)>> {
    let selected = Currencies::of(given)?;
    if let Currencies::Converted(to) = selected {
        let layer = converted(session, selection, &to).await?;
        return Ok(vec![(to, Some(layer))]);
    }
    let found = of_months(session, selection).await?;
    if let Currencies::One(one) = selected {
        if !found.contains(&one) {
            let error = Error::usage(format!("there are no costs in {one} to report"));
            return Err(error.with_hint(format!("costs are in {}", found.join(" and "))));
        }
        let layer = in_currency(&one);
        return Ok(vec![(one, Some(layer))]);
    }
    if let [_] = found.as_slice() {
        return Ok(found.into_iter().map(|one| (one, None)).collect());
    }
    notes.push(format!(
        "costs in {} are apart; --currency shows one of them, --convert adds them up by exchange rates",
        found.join(" and ")
    ));
    let parts = found.into_iter().map(|one| {
        let layer = in_currency(&one);
        (one, Some(layer))
    });
    Ok(parts.collect())
}

/// Currencies of the costs in the months of a report, at least one.
///
/// # Errors
/// Those of the line items.
async fn of_months(session: &Session, selection: &Selection) -> Result<Vec<String>> {
    if let Some(only) = session.only_currency() {
        return Ok(vec![only.to_string()]);
    }
    let sql = "select billing_period, currency from all_line_items group by 1, 2";
    let mut all = BTreeSet::new();
    let mut selected = BTreeSet::new();
    for [period, currency] in rows(session, sql).await? {
        if selection.covers(&period) {
            selected.insert(currency.clone());
        }
        all.insert(currency);
    }
    // A report of months without costs is empty, in any currency.
    let first = all.into_iter().take(usize::from(selected.is_empty()));
    let found = first.chain(selected).collect();
    Ok(found)
}

/// SQL of the costs in one currency.
fn in_currency(currency: &str) -> Statement {
    let currency = currency.replace('\'', "''");
    Statement::new(format!(
        "select * from {COSTS} where {CURRENCY} = '{currency}'"
    ))
}

/// SQL of all costs, converted by the rates of their days. Outside the months of the report, costs of days without a
/// rate are NULL.
///
/// # Errors
/// Kind configuration or data, without the rate of a day in these months.
async fn converted(session: &Session, selection: &Selection, to: &str) -> Result<Statement> {
    let rates = Rates::read(session.rates())?;
    let sql =
        format!("select usage_date, {CURRENCY}, billing_period from {COSTS} group by 1, 2, 3");
    let mut values = Vec::new();
    for [day, from, period] in rows(session, &sql).await? {
        let date: NaiveDate = day
            .parse()
            .map_err(|_| Error::bug(format!("usage_date is `{day}`")))?;
        match rates.rate(&from, to, date) {
            Ok(rate) => values.push(format!(
                "(date '{day}', '{}', cast('{rate}' as decimal(38, 24)))",
                from.replace('\'', "''")
            )),
            Err(error) if selection.covers(&period) => return Err(error),
            Err(_) => {}
        }
    }
    values.sort();
    values.dedup();
    if values.is_empty() {
        return Ok(Statement::new(format!("select * from {COSTS}")));
    }
    let columns = session.columns(COSTS).await?;
    let amounts = columns.iter().map(|(name, _)| name);
    let amounts = amounts.filter(|name| name.ends_with("_cost"));
    let amounts: Vec<String> = amounts
        .map(|name| format!("times({name}, rate) as {name}"))
        .collect();
    Ok(Statement::new(format!(
        "select * exclude (rate_day, rate_currency, rate) \
         replace ({}, cast('{to}' as varchar) as {CURRENCY}) \
         from (values {}) as rates(rate_day, rate_currency, rate) \
         right join {COSTS} on rate_day = usage_date and rate_currency = {CURRENCY}",
        amounts.join(", "),
        values.join(", ")
    )))
}

/// Rows of texts; NULL is empty.
async fn rows<const N: usize>(session: &Session, sql: &str) -> Result<Vec<[String; N]>> {
    let rows = session.texts(&Statement::new(sql.to_string())).await?;
    let filled = rows
        .into_iter()
        .map(|row| row.map(Option::unwrap_or_default));
    Ok(filled.collect())
}

/// Adds the column `currency`, the last one, unless the report has it.
///
/// # Errors
/// Kind bug, if Arrow refuses the column.
pub(super) fn with_currency(batch: &RecordBatch, currency: &str) -> Result<RecordBatch> {
    let schema = batch.schema();
    if schema.field_with_name(CURRENCY).is_ok() {
        return Ok(batch.clone());
    }
    let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(CURRENCY, DataType::Utf8, false)));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
        currency,
        batch.num_rows(),
    )));
    let columns = batch.columns().iter().cloned().chain([texts]).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(|e| Error::bug(format!("column {CURRENCY}: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_selected_or_converted_not_both() {
        let given = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            let pairs: Vec<_> = pairs.map(|(n, v)| (n.to_string(), v.to_string())).collect();
            Currencies::of(&pairs)
        };
        assert_eq!(given(&[("month", "2026-10")]).unwrap(), Currencies::Each);
        let one = given(&[("currency", "eur")]).unwrap();
        assert_eq!(one, Currencies::One("EUR".to_string()));
        let converted = given(&[("convert", "EUR")]).unwrap();
        assert_eq!(converted, Currencies::Converted("EUR".to_string()));
        assert!(given(&[("convert", "EUR"), ("currency", "USD")]).is_err());
        assert!(given(&[("currency", "euro")]).is_err());
    }
}
