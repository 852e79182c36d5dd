//! Sides of a comparison: a month of the published tables, at its current or an earlier version.

use datafusion::common::ScalarValue;

use crate::billing_period::BillingPeriod;
use crate::error::{Error, Result};
use crate::query::parameters::Parameters;
use crate::query::session::Session;
use crate::query::statements::Statement;
use crate::query::tables::nothing_imported;
use crate::store::tables::{Commit, Table};
use crate::store::{Store, TableName};

const SIDE: &str = include_str!("../../../sql/diff/side.sql");

/// One side: queries of its line items and of the costs that they result from.
pub(super) struct Side {
    pub(super) description: String,
    line_items: String,
    costs: String,
}

impl Side {
    pub(super) fn current(period: BillingPeriod) -> Side {
        let month =
            |table: &str| format!("select * from {table} where billing_period = '{period}'");
        Side {
            description: period.to_string(),
            line_items: month("line_items"),
            costs: month("costs"),
        }
    }

    /// Creates the view of the side, in the columns that `sql/diff/changes.sql` reads.
    pub(super) async fn define_view(
        &self,
        session: &Session,
        name: &str,
        connection: Option<&str>,
        per_day: bool,
    ) -> Result<()> {
        let none = Parameters::new();
        for (input, sql) in [
            ("side_line_items", &self.line_items),
            ("side_costs", &self.costs),
        ] {
            let statement = Statement::new(sql.as_str());
            session.define_view(input, &statement, &none).await?;
        }
        let connection = connection.map_or(ScalarValue::Null, ScalarValue::from);
        let parameters = Parameters::from([
            ("connection".to_string(), connection.into()),
            ("per_day".to_string(), per_day.into()),
        ]);
        session
            .define_view(name, &Statement::from_file(SIDE), &parameters)
            .await
    }
}

/// Commits of a month, newest first.
pub(super) struct History {
    period: BillingPeriod,
    line_items: Vec<Commit>,
    costs: Vec<Commit>,
}

impl History {
    pub(super) async fn load(
        store: &Store,
        connection: Option<&str>,
        period: BillingPeriod,
    ) -> Result<History> {
        let commits = |table: TableName| async move {
            let Some(table) = Table::open(store, table).await? else {
                return Err(nothing_imported(store));
            };
            let mut commits = table.history().await?;
            commits.retain(|commit| {
                commit.period == period && connection.is_none_or(|name| name == commit.connection)
            });
            Ok(commits)
        };
        Ok(History {
            period,
            line_items: commits(TableName::LineItems).await?,
            costs: commits(TableName::Costs).await?,
        })
    }

    /// The versions to compare: the given ones, else the newest and the one before.
    pub(super) fn versions(&self, from: Option<u64>, to: Option<u64>) -> Result<(u64, u64)> {
        let period = self.period;
        let versions = || self.line_items.iter().map(|commit| commit.record.version);
        let newest = versions().next().ok_or_else(|| {
            Error::usage(format!("{period} was never published"))
                .with_hint("run `billstream query \"select * from versions\"` to list what was")
        })?;
        let to = to.unwrap_or(newest);
        let before = versions().find(|version| *version < to);
        let from = from.or(before).ok_or_else(|| {
            Error::usage(format!("{period} has no version before {to}")).with_hint(
                "select two versions with --from-version and --to-version, or compare two months",
            )
        })?;
        Ok((from, to))
    }

    /// The side at a version, with the version of `costs` that its line items result from.
    pub(super) fn side(&self, version: u64) -> Side {
        let period = self.period;
        let commit = self
            .line_items
            .iter()
            .find(|commit| commit.record.version <= version);
        let digest = commit.map(|commit| commit.record.digest.as_str());
        let costs = self
            .costs
            .iter()
            .find(|commit| Some(commit.record.digest.as_str()) == digest);
        Side {
            description: format!("{period} at version {version}"),
            line_items: format!("select * from line_items_at('{period}', {version})"),
            costs: match costs {
                Some(commit) => {
                    let version = commit.record.version;
                    format!("select * from costs_at('{period}', {version})")
                }
                None => "select * from costs where false".to_string(),
            },
        }
    }
}
