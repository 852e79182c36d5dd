//! Months without published line items, for which Confluent is asked.

use std::sync::Arc;

use crate::billing_period::BillingPeriod;
use crate::confluent::client::Client;
use crate::error::{Error, Result};
use crate::pipeline::publish::{self, PublishedMonth, Tables};
use crate::pipeline::select::{self, Selection};
use crate::pipeline::verify::month::{ComparisonStatus, MonthComparison, SideTotals};
use crate::pipeline::{RunContext, deliver, pull};

/// Months that a run verifies, oldest first.
pub(super) struct VerifiedMonths {
    /// Months with published line items.
    pub(super) published: Vec<BillingPeriod>,
    /// Months without, which Confluent may have costs for.
    pub(super) unpublished: Vec<BillingPeriod>,
    /// First of all published months, selected or not.
    first_published: Option<BillingPeriod>,
    /// True if the user named the months.
    are_named: bool,
}

/// Returns the months of a selection. Without names those are the published months and, if `asks_confluent`,
/// all others that Confluent still holds.
///
/// # Errors
/// Kind `Usage` for a named month that is not published and that Confluent cannot be asked for.
pub(super) async fn months(
    run: &RunContext,
    tables: &Tables,
    selection: &Selection,
    asks_confluent: bool,
) -> Result<VerifiedMonths> {
    let today = (run.clock)().date_naive();
    let all = deliver::published_months(run, tables, &Selection::All).await?;
    let first_published = all.first().copied();
    let is_unpublished = |month: &BillingPeriod| !all.contains(month);
    let mut months = match selection {
        Selection::Named(named) => {
            let (unpublished, published): (Vec<_>, Vec<_>) =
                named.iter().copied().partition(is_unpublished);
            if !asks_confluent || select::refuse_unpullable(&unpublished, today).is_err() {
                // Fails with the first month that is not published.
                deliver::published_months(run, tables, selection).await?;
            }
            VerifiedMonths {
                published,
                unpublished,
                first_published,
                are_named: true,
            }
        }
        _ => VerifiedMonths {
            unpublished: select::pullable(today)
                .into_iter()
                .filter(|month| asks_confluent && is_unpublished(month))
                .collect(),
            published: all,
            first_published,
            are_named: false,
        },
    };
    months.published.sort_unstable();
    months.unpublished.sort_unstable();
    Ok(months)
}

/// Asks Confluent for the costs of an unpublished month. Returns `None` if it has none and the month was not
/// named.
///
/// # Errors
/// Those of the pull. A refusal (status 400) of a month before all published ones is none: the organization may be
/// younger, and servers may hold fewer months.
pub(super) async fn compare(
    run: &Arc<RunContext>,
    client: &Arc<Client>,
    tables: &Tables,
    months: &VerifiedMonths,
    period: BillingPeriod,
) -> Result<Option<MonthComparison>> {
    let stored = tables.month(run, period).await?;
    let today = BillingPeriod::of((run.clock)().date_naive());
    let is_early = period < months.first_published.unwrap_or(today);
    let pulled = match pull::pull(run, client, period, &stored.costs).await {
        Ok(pulled) => Ok(Some(pulled)),
        Err(failure) if failure.is_bad_request() && is_early => {
            tracing::debug!(error = %failure.error(), "Confluent does not hold the month");
            Ok(None)
        }
        Err(failure) => Err(Error::from(failure)),
    };
    let pulled = publish::with_staging_cleanup(run, tables, period, pulled).await?;
    let mut month = MonthComparison::unpublished(&run.connection, period);
    match pulled {
        Some(pulled) if pulled.digest.count() > 0 => {
            month.confluent = Some(SideTotals::of_costs(&pulled.totals.sum()?));
            note_missing(run, &stored, &mut month);
        }
        Some(_) if months.are_named => {
            let note = "not published, and Confluent returns no costs for it";
            month.notes.push(note.into());
        }
        None if months.are_named => {
            let note = "not published, and Confluent refuses it (HTTP 400): it holds no costs of the month";
            month.notes.push(note.into());
        }
        _ => return Ok(None),
    }
    Ok(Some(month))
}

fn note_missing(run: &RunContext, stored: &PublishedMonth, month: &mut MonthComparison) {
    let period = month.billing_period;
    if !stored.costs.is_empty() {
        month.note(
            ComparisonStatus::Missing,
            format!(
                "store: the costs are stored without line items: run `billstream transform --month {period}`"
            ),
        );
    } else if select::complete_through(period, (run.clock)()).is_none() {
        // No import can have published a complete day of it yet.
        month.note(
            ComparisonStatus::Behind,
            "store: the month has begun and is not published yet: the next import publishes it",
        );
    } else {
        month.note(
            ComparisonStatus::Missing,
            format!(
                "store: the month was never published: run `billstream import --month {period}`"
            ),
        );
    }
}
