//! Differences: two versions of a month, or two months, line item by line item.

use std::collections::BTreeMap;

use crate::billing_period::BillingPeriod;
use crate::engine::text::Cells;
use crate::error::{Error, Result};
use crate::query::names::near;
use crate::query::permissions::Parameters;
use crate::query::session::Session;
use crate::query::statements::Piece;
use crate::store::Store;
use crate::store::tables::{Commit, Table};
use futures::TryStreamExt;

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub enum Sides {
    /// Two versions of `line_items` that hold a month; without one, the newest, or the one before it.
    Versions {
        /// The month.
        period: BillingPeriod,
        /// The earlier version.
        from: Option<u64>,
        /// The later version.
        to: Option<u64>,
    },
    /// Two months as they are published.
    Months(BillingPeriod, BillingPeriod),
}

/// Columns by which differences may be added up.
pub const COLUMNS: [&str; 10] = [
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
pub const AMOUNTS: [&str; 3] = ["cost_before", "cost_after", "change"];

/// Columns that a narrow table can do without, the first of these most easily.
pub const SECONDARY: [&str; 8] = [
    "rows_before",
    "rows_after",
    "tier",
    "operation",
    "environment",
    "unit",
    "quantity_before",
    "quantity_after",
];

/// A comparison that is ready to be asked.
pub struct Diff {
    /// What is before, for people.
    pub before: String,
    /// What is after, for people.
    pub after: String,
    /// The statement that gives the differences.
    pub piece: Piece,
}

/// CostTotals of both sides, and of their differences.
pub struct Totals {
    /// Line items before and after.
    pub rows: (String, String),
    /// Billed cost before and after.
    pub cost: (String, String),
    /// Their difference.
    pub change: String,
}

/// Prepares a comparison: `before` and `after` become views of the session.
///
/// # Errors
/// Kind usage, for versions or columns that there are not.
pub async fn prepare(
    session: &Session,
    store: &Store,
    connection: Option<&str>,
    sides: Sides,
    by: &[String],
) -> Result<Diff> {
    let (before, after) = match sides {
        Sides::Versions { period, from, to } => {
            let history = history(store, connection, period).await?;
            let (from, to) = chosen(&history, period, from, to)?;
            let side = |version| Side::at(&history, period, version);
            (side(from), side(to))
        }
        Sides::Months(before, after) => (Side::now(before), Side::now(after)),
    };
    let per_day = matches!(sides, Sides::Versions { .. });
    for (name, side) in [("before", &before), ("after", &after)] {
        let sql = format!(
            "create or replace view {name} as {}",
            side.sql(connection, per_day)
        );
        session.execute(&sql).await?;
    }
    let changes = session.catalog().sql().get("diff/changes")?;
    let changes = changes.text.trim().trim_end_matches(';');
    Ok(Diff {
        before: before.name,
        after: after.name,
        piece: Piece {
            sql: added_up(changes, by)?,
            line: 1,
        },
    })
}

/// One side: where its line items and its tiers come from.
struct Side {
    name: String,
    line_items: String,
    costs: Option<String>,
}

impl Side {
    fn now(period: BillingPeriod) -> Side {
        let of = |table: &str| format!("(select * from {table} where billing_period = '{period}')");
        Side {
            name: period.to_string(),
            line_items: of("line_items"),
            costs: Some(of("costs")),
        }
    }

    /// A version, with the version of `costs` that its line items were made from.
    fn at(history: &History, period: BillingPeriod, version: u64) -> Side {
        let in_force = history
            .line_items
            .iter()
            .find(|commit| commit.record.version <= version);
        let digest = in_force.map(|commit| commit.record.digest.as_str());
        let costs = history
            .costs
            .iter()
            .find(|commit| Some(commit.record.digest.as_str()) == digest);
        Side {
            name: format!("{period} at version {version}"),
            line_items: format!("line_items_at('{period}', {version})"),
            costs: costs.map(|commit| format!("costs_at('{period}', {})", commit.record.version)),
        }
    }

    /// The line items in the columns that `sql/diff/changes.sql` reads.
    fn sql(&self, connection: Option<&str>, per_day: bool) -> String {
        let day = match per_day {
            true => "cast(l.\"time/usage_start\" as date)",
            false => "cast(null as date)",
        };
        // Few costs have a tier: they are the small side, whose rows are held.
        let (tier, tiers) = match &self.costs {
            Some(costs) => (
                "t.tier_dimensions",
                format!(
                    "(select record_id, tier_dimensions from {costs} where tier_dimensions <> '') as t \
                     right join {} as l on t.record_id = replace(l.\"lineitem/id\", '-discount', '')",
                    self.line_items
                ),
            ),
            None => ("cast(null as varchar)", format!("{} as l", self.line_items)),
        };
        let only = match connection {
            Some(connection) => format!(" where l.connection = '{connection}'"),
            None => String::new(),
        };
        format!(
            "select {day} as usage_date, l.connection as connection, l.\"lineitem/type\" as line_item_type, \
             l.\"resource/id\" as resource_id, l.\"resource/service\" as service, \
             l.\"resource/account\" as environment, l.\"action/usage_type\" as usage_type, \
             l.\"action/operation\" as operation, {tier} as tier, l.\"usage/units\" as unit, \
             l.\"usage/amount\" as quantity, l.\"cost/cost\" as cost from {tiers}{only}"
        )
    }
}

/// Commits of a month, newest first.
struct History {
    line_items: Vec<Commit>,
    costs: Vec<Commit>,
}

async fn history(
    store: &Store,
    connection: Option<&str>,
    period: BillingPeriod,
) -> Result<History> {
    let of = |table: &'static str| async move {
        let Some(table) = Table::open(store, table).await? else {
            return Err(crate::query::tables::nothing_imported(store));
        };
        let mut commits = table.history().await?;
        commits.retain(|commit| {
            commit.period == period && connection.is_none_or(|name| name == commit.connection)
        });
        Ok(commits)
    };
    Ok(History {
        line_items: of("line_items").await?,
        costs: of("costs").await?,
    })
}

/// The two versions: as named, else the newest and the one before it.
fn chosen(
    history: &History,
    period: BillingPeriod,
    from: Option<u64>,
    to: Option<u64>,
) -> Result<(u64, u64)> {
    let versions = || {
        history
            .line_items
            .iter()
            .map(|commit| commit.record.version)
    };
    let newest = versions().next().ok_or_else(|| {
        Error::usage(format!("nothing of {period} was published"))
            .with_hint("`select * from versions` says what was")
    })?;
    let to = to.unwrap_or(newest);
    let before = versions().find(|version| *version < to);
    let from = from.or(before).ok_or_else(|| {
        Error::usage(format!("{period} has no version before {to}")).with_hint(
            "name two versions with --from-version and --to-version, or compare two months",
        )
    })?;
    Ok((from, to))
}

fn added_up(changes: &str, by: &[String]) -> Result<String> {
    let known = COLUMNS.map(str::to_string);
    if let Some(wrong) = by.iter().find(|column| !known.contains(column)) {
        return Err(
            Error::usage(format!("differences have no column `{wrong}`"))
                .with_hint(near(wrong, &known, "columns").unwrap_or_default()),
        );
    }
    if by.is_empty() {
        return Ok(format!(
            "select * from (\n{changes}\n) order by abs(change) desc, {}",
            COLUMNS.join(", ")
        ));
    }
    let by = by.join(", ");
    Ok(format!(
        "select {by}, \
         count(*) filter (where what = 'changed') as changed, \
         count(*) filter (where what = 'added') as added, \
         count(*) filter (where what = 'gone') as gone, \
         sum(quantity_before) as quantity_before, sum(quantity_after) as quantity_after, \
         sum(cost_before) as cost_before, sum(cost_after) as cost_after, sum(change) as change \
         from (\n{changes}\n) group by {by} order by abs(sum(change)) desc, {by}"
    ))
}

/// Adds up both sides and the differences.
///
/// # Errors
/// Kind reconcile, when the differences are not the difference of the totals.
pub async fn totals(session: &Session) -> Result<Totals> {
    let changes = session.catalog().sql().get("diff/changes")?;
    let sql = format!(
        "select 'before' as side, count(*) as rows, sum(cost) as cost from before \
         union all select 'after', count(*), sum(cost) from after \
         union all select 'change', sum(rows_after) - sum(rows_before), sum(change) from (\n{}\n)",
        changes.text.trim().trim_end_matches(';')
    );
    let piece = Piece { sql, line: 1 };
    let rows = session.start(&piece, &Parameters::new()).await?;
    let batches: Vec<_> = rows
        .try_collect()
        .await
        .map_err(|e| session.explain(&piece, &e))?;
    let mut sums: BTreeMap<String, (i128, i128)> = BTreeMap::new();
    for batch in &batches {
        let cells = Cells::new(batch)?;
        for row in 0..batch.num_rows() {
            let text = |column| cells.text(row, column).unwrap_or_else(|| "0".to_string());
            let rows = text(1).parse().unwrap_or_default();
            let cost = crate::decimal::parse(&text(2)).map_or(0, |parsed| parsed.units);
            sums.insert(text(0), (rows, cost));
        }
    }
    let side = |name: &str| sums.get(name).copied().unwrap_or_default();
    let (before, after, change) = (side("before"), side("after"), side("change"));
    if after.0 - before.0 != change.0 || after.1 - before.1 != change.1 {
        return Err(Error::reconcile(
            "the differences do not add up to the difference of the totals",
        )
        .with_hint("this is a bug, or an override of sql/diff/changes.sql that leaves rows out"));
    }
    let plain = crate::decimal::plain;
    Ok(Totals {
        rows: (before.0.to_string(), after.0.to_string()),
        cost: (plain(before.1), plain(after.1)),
        change: plain(change.1),
    })
}
