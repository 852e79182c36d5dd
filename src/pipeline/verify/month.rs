//! Comparison of one month across its sides.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::costs::{CostType, MonthlyCosts};
use crate::cloudzero::totals::LineItemTotals;
use crate::control_totals::CostTotals;
use crate::decimal;
use crate::error::Error;

/// Time within which CloudZero shows what it accepted.
const SHOWN_WITHIN: TimeDelta = TimeDelta::days(1);
/// Tolerance for CloudZero's totals, which are floats: a cent in units of 1e-24.
const CENT: i128 = 10i128.pow(22);

/// Result of comparing a month, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ComparisonStatus {
    /// All sides agree.
    Equal,
    /// All sides agree on line items of an older mapping or cloud provider label.
    Outdated,
    /// The month was rolled back or cleared, and CloudZero has that content.
    Pinned,
    /// CloudZero received the month less than a day ago and does not show it yet.
    Pending,
    /// An open or settling month changed at Confluent since it was imported.
    Behind,
    /// Confluent has costs, but the month was never published.
    Missing,
    /// Sides differ.
    Differs,
    /// A side cannot be read.
    Unreadable,
}

impl ComparisonStatus {
    /// Returns true if somebody has to act: `verify` then ends with exit code 5.
    pub(crate) fn is_difference(self) -> bool {
        self >= ComparisonStatus::Missing
    }
}

/// Totals of one side of a month.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SideTotals {
    /// Costs, line items or rows. CloudZero's totals have no count.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    /// Sum of `cost/cost`: the net amount.
    pub(crate) cost: String,
    /// Sum of `cost/discounted_cost`.
    discounted_cost: String,
    /// Sum of `cost/on_demand_cost`.
    on_demand_cost: String,
    /// Sum of `usage/amount`, as numbers of whatever unit. Absent where it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_amount: Option<String>,
}

impl SideTotals {
    /// Totals of costs, in the columns of the line items that they become.
    pub(super) fn of_costs(sums: &CostTotals) -> SideTotals {
        let line_items = LineItemTotals {
            rows: sums.costs,
            cost: sums.net,
            discounted: sums.net,
            on_demand: sums.original - sums.credit_original,
            ..LineItemTotals::default()
        };
        SideTotals {
            usage_amount: sums.quantities.map(|sums| sums.used().to_string()),
            ..SideTotals::from(&line_items)
        }
    }

    /// The totals without usage amounts, for a side that may lack them.
    pub(super) fn without_usage(self) -> SideTotals {
        SideTotals {
            usage_amount: None,
            ..self
        }
    }
}

/// Month side by side. Sides that were not compared are `None`.
#[derive(Debug, Serialize)]
pub(crate) struct MonthComparison {
    connection: String,
    pub(crate) billing_period: BillingPeriod,
    /// Costs that Confluent returns now.
    pub(crate) confluent: Option<SideTotals>,
    /// Published line items.
    pub(crate) store: Option<SideTotals>,
    #[serde(skip)]
    published: LineItemTotals,
    /// Files of the active drop.
    pub(crate) bucket: Option<SideTotals>,
    /// Rows of CloudZero's stream.
    pub(crate) stream: Option<SideTotals>,
    /// Billed, discounted and on-demand cost that CloudZero shows.
    pub(crate) cloudzero: Option<SideTotals>,
    pub(crate) status: ComparisonStatus,
    /// Differences, and reasons why a side was not compared.
    pub(crate) notes: Vec<String>,
    /// Time at which CloudZero received the published line items.
    #[serde(skip)]
    pub(super) received_at: Option<DateTime<Utc>>,
}

impl From<&LineItemTotals> for SideTotals {
    fn from(totals: &LineItemTotals) -> SideTotals {
        SideTotals {
            rows: Some(totals.rows),
            cost: decimal::to_plain_string(totals.cost),
            discounted_cost: decimal::to_plain_string(totals.discounted),
            on_demand_cost: decimal::to_plain_string(totals.on_demand),
            usage_amount: Some(totals.usage.to_string()),
        }
    }
}

impl From<&MonthlyCosts> for SideTotals {
    fn from(costs: &MonthlyCosts) -> SideTotals {
        SideTotals {
            rows: None,
            cost: decimal::to_plain_string(costs.billed),
            discounted_cost: decimal::to_plain_string(costs.discounted),
            on_demand_cost: decimal::to_plain_string(costs.on_demand),
            usage_amount: None,
        }
    }
}

impl MonthComparison {
    /// Creates a comparison with the store as its only side.
    pub(crate) fn new(
        connection: &str,
        period: BillingPeriod,
        published: LineItemTotals,
    ) -> MonthComparison {
        MonthComparison {
            store: Some(SideTotals::from(&published)),
            published,
            ..MonthComparison::unpublished(connection, period)
        }
    }

    /// Creates a comparison without a side, of a month that is not published.
    pub(super) fn unpublished(connection: &str, period: BillingPeriod) -> MonthComparison {
        MonthComparison {
            connection: connection.to_string(),
            billing_period: period,
            confluent: None,
            store: None,
            published: LineItemTotals::default(),
            bucket: None,
            stream: None,
            cloudzero: None,
            status: ComparisonStatus::Equal,
            notes: Vec::new(),
            received_at: None,
        }
    }

    /// Notes that a side cannot be read, with the cause and what to do about it.
    pub(super) fn note_unreadable(&mut self, side: &str, error: &Error) {
        let hint = error.hint().map(|hint| format!(": {hint}"));
        let note = format!("{side}: {error}{}", hint.unwrap_or_default());
        self.note(ComparisonStatus::Unreadable, note);
    }

    /// Adds a note, and raises the status to at least `status`.
    pub(super) fn note(&mut self, status: ComparisonStatus, note: impl Into<String>) {
        self.status = self.status.max(status);
        self.notes.push(note.into());
    }

    /// Returns the status of a month that CloudZero does not show as published: pending for a day.
    pub(super) fn status_if_missing(&self, now: DateTime<Utc>) -> ComparisonStatus {
        match self.received_at {
            Some(received) if now - received < SHOWN_WITHIN => ComparisonStatus::Pending,
            _ => ComparisonStatus::Differs,
        }
    }

    /// Adds the totals that CloudZero shows, and compares them to a cent.
    pub(super) fn compare_cloudzero(&mut self, shown: MonthlyCosts, now: DateTime<Utc>) {
        self.cloudzero = Some(SideTotals::from(&shown));
        if self.status == ComparisonStatus::Pinned {
            return;
        }
        let status = self.status_if_missing(now);
        let LineItemTotals {
            cost,
            discounted,
            on_demand,
            ..
        } = self.published;
        let published = MonthlyCosts {
            billed: cost,
            discounted,
            on_demand,
        };
        for cost_type in CostType::ALL {
            let (published, shown) = (published.get(cost_type), shown.get(cost_type));
            if (published - shown).abs() >= CENT {
                let (published, shown) = (
                    decimal::to_plain_string(published),
                    decimal::to_plain_string(shown),
                );
                let name = cost_type.name();
                self.note(
                    status,
                    format!("cloudzero: {name} is {shown}, published is {published}"),
                );
            }
        }
    }
}
