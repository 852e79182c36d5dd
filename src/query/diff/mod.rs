//! Differences between two versions of a month, or two months, line item by line item.

mod sides;
mod totals;

use crate::billing_period::BillingPeriod;
use crate::error::{Error, Result};
use crate::query::diff::sides::{History, Side};
pub(crate) use crate::query::diff::totals::totals;
use crate::query::names::suggestion;
use crate::query::parameters::Parameters;
use crate::query::session::Session;
use crate::query::statements::Statement;
use crate::store::Store;

const CHANGES_BY: &str = include_str!("../../../sql/diff/changes_by.sql");

/// Sides of a comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Comparison {
    /// Two versions of `line_items` of one month; by default the newest and the one before.
    Versions {
        period: BillingPeriod,
        from: Option<u64>,
        to: Option<u64>,
    },
    /// Two months at their current versions.
    Months(BillingPeriod, BillingPeriod),
}

/// Columns by which differences can be added up.
const COLUMNS: [&str; 10] = [
    "usage_date",
    "connection",
    "line_item_type",
    "resource_id",
    "service",
    "environment",
    "usage_type",
    "operation",
    "tier",
    "unit",
];

/// Columns of amounts, which add up over all rows.
pub(crate) const AMOUNTS: [&str; 3] = ["cost_before", "cost_after", "change"];

/// Columns that a narrow table can do without, the first of these most easily.
pub(crate) const SECONDARY: [&str; 8] = [
    "rows_before",
    "rows_after",
    "tier",
    "operation",
    "environment",
    "unit",
    "quantity_before",
    "quantity_after",
];

/// A prepared comparison.
pub(crate) struct Diff {
    /// Description of the earlier side.
    pub(crate) before: String,
    /// Description of the later side.
    pub(crate) after: String,
    /// Statement that returns the differences.
    pub(crate) statement: Statement,
}

/// Prepares a comparison: creates the views `before`, `after` and `changes` in the session.
///
/// # Errors
/// Kind usage, for versions or columns that do not exist.
pub(crate) async fn prepare(
    session: &Session,
    store: &Store,
    connection: Option<&str>,
    comparison: Comparison,
    by: &[String],
) -> Result<Diff> {
    let statement = changes_statement(by)?;
    let (before, after) = match comparison {
        Comparison::Versions { period, from, to } => {
            let history = History::load(store, connection, period).await?;
            let (from, to) = history.versions(from, to)?;
            (history.side(from), history.side(to))
        }
        Comparison::Months(before, after) => (Side::current(before), Side::current(after)),
    };
    let per_day = matches!(comparison, Comparison::Versions { .. });
    for (name, side) in [("before", &before), ("after", &after)] {
        side.define_view(session, name, connection, per_day).await?;
    }
    let file = session.catalog().sql().get("diff/changes")?;
    let changes = Statement::from_file(&file.text);
    session
        .define_view("changes", &changes, &Parameters::new())
        .await
        .map_err(|e| e.context(file.display()))?;
    Ok(Diff {
        before: before.description,
        after: after.description,
        statement,
    })
}

fn changes_statement(by: &[String]) -> Result<Statement> {
    let known = COLUMNS.map(str::to_string);
    if let Some(unknown) = by.iter().find(|column| !known.contains(column)) {
        return Err(
            Error::usage(format!("could not add up differences by `{unknown}`"))
                .with_hint(suggestion(unknown, &known, "columns").unwrap_or_default()),
        );
    }
    Ok(if by.is_empty() {
        let columns = COLUMNS.join(", ");
        Statement::new(format!(
            "select * from changes order by abs(change) desc, {columns}"
        ))
    } else {
        Statement::from_file(&CHANGES_BY.replace("$columns", &by.join(", ")))
    })
}
