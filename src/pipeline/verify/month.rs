//! A month side by side, and how its sides compare.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::costs;
use crate::cloudzero::read_back::LineItemTotals;
use crate::decimal;

/// CloudZero shows what it took within a day.
const LATE_AFTER: TimeDelta = TimeDelta::days(1);
/// Its totals are floats: they are compared to a cent.
const CENT: i128 = 10i128.pow(22);

/// How a month compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All sides agree.
    Equal,
    /// The month was pointed back or cleared, and CloudZero has what was put there.
    Pinned,
    /// CloudZero was given the month less than a day ago and does not show it yet.
    Pending,
    /// An open or settling month moved at Confluent since it was imported.
    Behind,
    /// Sides differ that should not.
    Differs,
}

/// One side of a month.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// Costs, line items or rows; CloudZero's totals have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Sum of `cost/cost`: the net amount.
    pub cost: String,
    /// Sum of `cost/discounted_cost`.
    pub discounted_cost: String,
    /// Sum of `cost/on_demand_cost`.
    pub on_demand_cost: String,
}

/// A month, side by side; sides that were not asked are missing.
#[derive(Debug, Serialize)]
pub struct Month {
    /// The connection.
    pub connection: String,
    /// The month.
    pub billing_period: BillingPeriod,
    /// What Confluent gives now.
    pub confluent: Option<Side>,
    /// The published line items.
    pub store: Side,
    #[serde(skip)]
    published: LineItemTotals,
    /// The files of the drop in force.
    pub bucket: Option<Side>,
    /// What CloudZero's stream holds.
    pub stream: Option<Side>,
    /// What CloudZero shows: billed, discounted and on-demand cost.
    pub cloudzero: Option<Side>,
    /// How they compare.
    pub status: Status,
    /// What differs, or was not compared, in words.
    pub notes: Vec<String>,
    /// When CloudZero was given what is published.
    #[serde(skip)]
    pub given_at: Option<DateTime<Utc>>,
}

impl From<&LineItemTotals> for Side {
    fn from(sums: &LineItemTotals) -> Side {
        Side {
            rows: Some(sums.rows),
            cost: decimal::to_plain_string(sums.cost),
            discounted_cost: decimal::to_plain_string(sums.discounted),
            on_demand_cost: decimal::to_plain_string(sums.on_demand),
        }
    }
}

impl Month {
    /// A month of which nothing but the published line items is known yet.
    pub fn new(connection: &str, period: BillingPeriod, published: LineItemTotals) -> Month {
        Month {
            connection: connection.to_string(),
            billing_period: period,
            confluent: None,
            store: Side::from(&published),
            published,
            bucket: None,
            stream: None,
            cloudzero: None,
            status: Status::Equal,
            notes: Vec::new(),
            given_at: None,
        }
    }

    /// Notes what keeps the sides from being equal.
    pub fn note(&mut self, status: Status, words: impl Into<String>) {
        self.status = self.status.max(status);
        self.notes.push(words.into());
    }

    /// What CloudZero's side lacks is pending for a day.
    pub fn lacking(&self, now: DateTime<Utc>) -> Status {
        match self.given_at {
            Some(given) if now - given < LATE_AFTER => Status::Pending,
            _ => Status::Differs,
        }
    }

    /// Adds CloudZero's totals of the month, in units of 1e-24 and the order of
    /// [`costs::COST_TYPES`], and compares them to a cent.
    pub fn compare_totals(&mut self, shown: [i128; 3], now: DateTime<Utc>) {
        let [cost, discounted, on_demand] = shown;
        let side = LineItemTotals {
            rows: 0,
            cost,
            discounted,
            on_demand,
        };
        self.cloudzero = Some(Side {
            rows: None,
            ..Side::from(&side)
        });
        if self.status == Status::Pinned {
            return;
        }
        let status = self.lacking(now);
        let LineItemTotals {
            cost,
            discounted,
            on_demand,
            ..
        } = self.published;
        let published = [cost, discounted, on_demand];
        for ((name, shown), published) in costs::COST_TYPES.iter().zip(shown).zip(published) {
            if (published - shown).abs() >= CENT {
                let (shown, published) = (
                    decimal::to_plain_string(shown),
                    decimal::to_plain_string(published),
                );
                self.note(
                    status,
                    format!("CloudZero shows a {name} of {shown}, published is {published}"),
                );
            }
        }
    }
}
