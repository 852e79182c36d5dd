//! Outcome of a run per month: the summary on stdout and the run's record in the store.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use crate::billing_period::BillingPeriod;
use crate::confluent::costs::decode::DataQualityCounts;
use crate::control_totals::CostTotals;
use crate::decimal;
use crate::error::{Error, ErrorKind};
use crate::pipeline::deliver::delivery::Delivery;
use crate::store::names::RunId;
use crate::store::runs::MonthState;
use crate::store::tables::OwnTotals;

/// Outcome of a month in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeriodStatus {
    /// New content is published.
    Published,
    /// The content equals the published one.
    Unchanged,
    /// Confluent has no costs yet, and none are published.
    Empty,
    /// Published costs are missing from the new ones; nothing was changed.
    #[serde(rename = "held")]
    OnHold,
    /// An error occurred; nothing was changed.
    Failed,
    /// Every stage before publish completed.
    DryRun,
}

/// Summary of one month. Amounts are exact decimals in the connection's currency.
#[derive(Debug, Clone, Serialize)]
pub struct PeriodSummary {
    /// Name of the connection.
    pub connection: String,
    /// The month.
    pub billing_period: BillingPeriod,
    /// Number of costs.
    pub costs: u64,
    /// Number of line items.
    pub line_items: u64,
    /// Part of the line items that comes from no cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<OwnTotals>,
    /// List value before discounts.
    pub original_amount: String,
    /// `original_amount - net_amount`.
    pub discount_amount: String,
    /// Value after discounts.
    pub net_amount: String,
    /// Net amount published before the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_net_amount: Option<String>,
    /// Outcome.
    pub status: PeriodStatus,
    /// Version of the `line_items` table that holds the month.
    pub version: Option<u64>,
    /// Digest of the costs, independent of their order.
    pub digest: Option<String>,
    /// Last day with complete costs.
    pub complete_through: Option<NaiveDate>,
    /// State of the month after the run: `open`, `pending`, `incomplete`, `on hold`, `settling` or `settled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// Days without costs that should have some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_days: Vec<NaiveDate>,
    /// The month was written again with the costs that were published: a file of it was damaged.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_repaired: bool,
    /// The published costs are others than before.
    #[serde(skip)]
    pub has_new_costs: bool,
    /// The month was settled before the run.
    #[serde(skip)]
    pub was_settled: bool,
    /// Deliveries of the month in this run.
    #[serde(skip)]
    pub deliveries: Vec<Delivery>,
    /// Irregularities in the received costs.
    #[serde(skip)]
    pub data_quality: DataQualityCounts,
    /// Number of windows resumed from an interrupted pull.
    #[serde(skip)]
    pub resumed: u64,
    /// Number of costs received from Confluent in this run.
    #[serde(skip)]
    pub received: u64,
    /// The month is settled and keeps resource attributes that differ from today's.
    #[serde(skip)]
    pub older_attributes: bool,
    /// Reason of [`PeriodStatus::OnHold`].
    #[serde(skip)]
    pub hold_reason: Option<String>,
}

impl PeriodSummary {
    /// An empty month.
    pub(crate) fn new(connection: &str, period: BillingPeriod, status: PeriodStatus) -> Self {
        PeriodSummary {
            connection: connection.to_string(),
            billing_period: period,
            costs: 0,
            line_items: 0,
            original_amount: "0".into(),
            discount_amount: "0".into(),
            net_amount: "0".into(),
            own: None,
            previous_net_amount: None,
            status,
            version: None,
            digest: None,
            complete_through: None,
            state: None,
            missing_days: Vec::new(),
            is_repaired: false,
            has_new_costs: false,
            was_settled: false,
            deliveries: Vec::new(),
            data_quality: DataQualityCounts::default(),
            resumed: 0,
            received: 0,
            older_attributes: false,
            hold_reason: None,
        }
    }

    /// Returns the summary with the completeness of `state`.
    pub(crate) fn with_state(mut self, state: &MonthState, today: NaiveDate) -> Self {
        self.complete_through = state.complete_through;
        self.state = Some(state.name(self.billing_period, today));
        self.missing_days
            .clone_from(&state.completeness.missing_days);
        self
    }

    /// Returns the summary with the amounts of `totals`.
    pub(crate) fn with_totals(mut self, totals: &CostTotals) -> Self {
        self.costs = totals.costs;
        self.original_amount = decimal::to_plain_string(totals.original);
        self.discount_amount = decimal::to_plain_string(totals.discount());
        self.net_amount = decimal::to_plain_string(totals.net);
        self
    }
}

/// Summary of a run.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Identifier of the run.
    pub run: RunId,
    /// Months, oldest first.
    pub periods: Vec<PeriodSummary>,
    /// Months that Confluent refuses because it holds no costs of them (HTTP 400).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unavailable: Vec<BillingPeriod>,
    /// Errors of single months.
    #[serde(skip)]
    pub errors: Vec<(BillingPeriod, Error)>,
}

impl Summary {
    /// Kind that decides the exit code; `None` on success.
    ///
    /// A failed check outranks everything else. Any other error counts with its own kind if no month
    /// completed, and as `Partial` if some did; a month on hold counts as `Partial`.
    pub(crate) fn kind(&self) -> Option<ErrorKind> {
        let kinds = || self.errors.iter().map(|(_, error)| error.kind());
        let failed_check = [ErrorKind::Reconcile, ErrorKind::Data]
            .into_iter()
            .find(|kind| kinds().any(|k| k == *kind));
        if failed_check.is_some() {
            return failed_check;
        }
        let completed =
            |p: &PeriodSummary| !matches!(p.status, PeriodStatus::Failed | PeriodStatus::OnHold);
        match kinds().next() {
            Some(kind) if !self.periods.iter().any(completed) => Some(kind),
            Some(_) => Some(ErrorKind::Partial),
            None => self
                .periods
                .iter()
                .any(|p| p.status == PeriodStatus::OnHold)
                .then_some(ErrorKind::Partial),
        }
    }
}

/// Record of a run in the store.
#[derive(Debug, Serialize)]
pub(crate) struct RunRecord<'a> {
    /// Identifier of the run.
    pub(crate) run: &'a str,
    /// `import`, `pull`, `transform`, `deliver` or `verify`.
    pub(crate) command: &'a str,
    /// Version of billstream.
    pub(crate) billstream: &'static str,
    /// Name of the connection.
    pub(crate) connection: &'a str,
    /// Start time.
    pub(crate) started_at: DateTime<Utc>,
    /// End time.
    pub(crate) ended_at: DateTime<Utc>,
    /// Exit code of the process.
    pub(crate) exit_code: u8,
    /// Months of the run.
    pub(crate) periods: &'a [PeriodSummary],
    /// Deliveries of the run.
    pub(crate) deliveries: Vec<&'a Delivery>,
    /// Errors, as shown to the user.
    pub(crate) errors: Vec<String>,
}

/// Record of a run that was killed, or whose machine stopped; a later run writes it.
#[derive(Debug, Serialize)]
pub(crate) struct UnendedRun<'a> {
    /// Identifier of the run.
    pub(crate) run: &'a str,
    /// Name of the command.
    pub(crate) command: &'a str,
    /// Name of the connection.
    pub(crate) connection: &'a str,
    /// Start time.
    pub(crate) started_at: DateTime<Utc>,
    /// Always `None`: the run ended at an unknown time.
    pub(crate) ended_at: Option<DateTime<Utc>>,
    /// Always `None`.
    pub(crate) exit_code: Option<u8>,
    /// What is known of its end.
    pub(crate) errors: [&'a str; 1],
}

/// One line that says why a run did not succeed.
pub(crate) fn reason(errors: &[String], periods: &[PeriodSummary]) -> String {
    let first = errors.first().and_then(|error| error.lines().next());
    let on_hold = || {
        let month = periods.iter().find(|period| period.hold_reason.is_some())?;
        let reason = month.hold_reason.as_deref()?;
        Some(format!("{} is on hold: {reason}", month.billing_period))
    };
    let more = match errors.len() {
        0 | 1 => String::new(),
        many => format!(" (and {} more)", many - 1),
    };
    match first.map(str::to_string).or_else(on_hold) {
        Some(reason) => reason + &more,
        None => "completed with errors".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_one_line() {
        let errors = |texts: &[&str]| texts.iter().map(|t| t.to_string()).collect::<Vec<_>>();
        assert_eq!(reason(&errors(&["a\nb", "c", "d"]), &[]), "a (and 2 more)");
        assert_eq!(reason(&[], &[]), "completed with errors");
    }
}
