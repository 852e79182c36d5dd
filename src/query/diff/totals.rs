//! Totals of a comparison, reconciled with its differences.

use std::collections::BTreeMap;

use crate::decimal;
use crate::engine::text::Cells;
use crate::error::{Error, Result};
use crate::query::parameters::Parameters;
use crate::query::session::Session;
use crate::query::statements::Statement;

const TOTALS: &str = include_str!("../../../sql/diff/totals.sql");

/// Totals of both sides and of their differences.
pub(crate) struct DiffTotals {
    pub(crate) before: SideTotals,
    pub(crate) after: SideTotals,
    /// Exact decimal: billed cost after − before.
    pub(crate) change: String,
}

pub(crate) struct SideTotals {
    pub(crate) line_items: u64,
    /// Exact decimal: billed cost.
    pub(crate) cost: String,
}

/// Counts of line items, and costs in units of the decimal scale.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    line_items: i128,
    cost: i128,
}

impl Sums {
    fn totals(self) -> SideTotals {
        SideTotals {
            line_items: u64::try_from(self.line_items).unwrap_or_default(),
            cost: decimal::to_plain_string(self.cost),
        }
    }
}

/// Adds up both sides and the differences of a prepared comparison.
///
/// # Errors
/// Kind reconcile, if the differences are not the difference of the totals.
pub(crate) async fn totals(session: &Session) -> Result<DiffTotals> {
    let (_, batches) = session
        .collect(&Statement::from_file(TOTALS), &Parameters::new())
        .await?;
    let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
    for batch in &batches {
        let cells = Cells::new(batch)?;
        for row in 0..batch.num_rows() {
            let text = |column| cells.text(row, column).unwrap_or_else(|| "0".to_string());
            let line_items = text(1).parse().unwrap_or_default();
            let cost = decimal::parse(&text(2)).map_or(0, |parsed| parsed.units);
            sums.insert(text(0), Sums { line_items, cost });
        }
    }
    let side = |name: &str| sums.get(name).copied().unwrap_or_default();
    let (before, after, change) = (side("before"), side("after"), side("change"));
    let difference = Sums {
        line_items: after.line_items - before.line_items,
        cost: after.cost - before.cost,
    };
    if difference != change {
        return Err(Error::reconcile(
            "the differences do not add up to the difference of the totals",
        )
        .with_hint("this is a bug, or an override of sql/diff/changes.sql that omits rows"));
    }
    Ok(DiffTotals {
        before: before.totals(),
        after: after.totals(),
        change: decimal::to_plain_string(change.cost),
    })
}
