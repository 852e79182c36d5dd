//! What a run did to each month: the summary on stdout, and the run's record in the store.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use crate::billing_period::BillingPeriod;
use crate::confluent::costs::decode::DataQualityCounts;
use crate::control_totals::CostTotals;
use crate::decimal;
use crate::error::{Error, ErrorKind};
use crate::pipeline::deliver::delivery::Delivery;

/// How a month came out of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// New content is published.
    Published,
    /// The content is the one that was published before.
    Unchanged,
    /// Confluent has no costs yet, and none were published.
    Empty,
    /// A published day came back without costs: nothing was changed.
    Held,
    /// An error: nothing was changed.
    Failed,
    /// All was done but to publish.
    DryRun,
}

/// A month of the summary. Amounts are exact decimals in the connection's currency.
#[derive(Debug, Clone, Serialize)]
pub struct PeriodSummary {
    /// The connection.
    pub connection: String,
    /// The month.
    pub billing_period: BillingPeriod,
    /// Number of costs.
    pub costs: u64,
    /// Number of line items.
    pub line_items: u64,
    /// List value before discounts.
    pub original_amount: String,
    /// original - net.
    pub discount_amount: String,
    /// Value after discounts.
    pub net_amount: String,
    /// Net amount published before the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_net_amount: Option<String>,
    /// How it came out.
    pub status: Status,
    /// The version of the `line_items` table that holds it.
    pub version: Option<u64>,
    /// Digest of the costs, whatever their order.
    pub digest: Option<String>,
    /// The last day whose costs were complete.
    pub covered_until: Option<NaiveDate>,
    /// What was delivered of it.
    #[serde(skip)]
    pub deliveries: Vec<Delivery>,
    /// What was tolerated in it.
    #[serde(skip)]
    pub oddities: DataQualityCounts,
    /// Windows taken over from a pull that was cut off.
    #[serde(skip)]
    pub resumed: u64,
    /// Costs that Confluent gave in this run.
    #[serde(skip)]
    pub received: u64,
    /// Whether it is settled and keeps facts of resources that are not today's.
    #[serde(skip)]
    pub older_facts: bool,
    /// Why it is held.
    #[serde(skip)]
    pub held: Option<String>,
}

impl PeriodSummary {
    /// A month with nothing in it yet.
    pub fn new(connection: &str, period: BillingPeriod, status: Status) -> Self {
        PeriodSummary {
            connection: connection.to_string(),
            billing_period: period,
            costs: 0,
            line_items: 0,
            original_amount: "0".into(),
            discount_amount: "0".into(),
            net_amount: "0".into(),
            previous_net_amount: None,
            status,
            version: None,
            digest: None,
            covered_until: None,
            deliveries: Vec::new(),
            oddities: DataQualityCounts::default(),
            resumed: 0,
            received: 0,
            older_facts: false,
            held: None,
        }
    }

    /// With the amounts of `sums`.
    pub fn with_sums(mut self, sums: &CostTotals) -> Self {
        self.costs = sums.costs;
        self.original_amount = decimal::plain(sums.original);
        self.discount_amount = decimal::plain(sums.discount());
        self.net_amount = decimal::plain(sums.net);
        self
    }
}

/// The whole run.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// The run's name.
    pub run: String,
    /// Its months, oldest first.
    pub periods: Vec<PeriodSummary>,
    /// Errors of single months.
    #[serde(skip)]
    pub errors: Vec<(BillingPeriod, Error)>,
}

impl Summary {
    /// The class that decides the exit code; `None` when all is well.
    ///
    /// A failed check decides over everything else. Any other error gives its own class when no
    /// month came through, and `Partial` when some did; so does a month that is held.
    pub fn kind(&self) -> Option<ErrorKind> {
        let classes = || self.errors.iter().map(|(_, error)| error.kind());
        let failed_check = [ErrorKind::Reconcile, ErrorKind::Data]
            .into_iter()
            .find(|class| classes().any(|c| c == *class));
        if failed_check.is_some() {
            return failed_check;
        }
        let through = |p: &PeriodSummary| !matches!(p.status, Status::Failed | Status::Held);
        match classes().next() {
            Some(class) if !self.periods.iter().any(through) => Some(class),
            Some(_) => Some(ErrorKind::Partial),
            None => self
                .periods
                .iter()
                .any(|p| p.status == Status::Held)
                .then_some(ErrorKind::Partial),
        }
    }
}

/// The record of a run, kept in the store.
#[derive(Debug, Serialize)]
pub struct RunRecord<'a> {
    /// The run's name.
    pub run: &'a str,
    /// `import`, `pull`, `transform`, `deliver` or `verify`.
    pub command: &'a str,
    /// Version of billstream.
    pub billstream: &'static str,
    /// The connection.
    pub connection: &'a str,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// The process's exit code.
    pub exit_code: u8,
    /// Its months.
    pub periods: &'a [PeriodSummary],
    /// What was delivered.
    pub deliveries: Vec<&'a Delivery>,
    /// Errors, as they were shown.
    pub errors: Vec<String>,
}

/// Why a run did not end well, in a line.
pub fn reason(errors: &[String], periods: &[PeriodSummary]) -> String {
    let first = errors.first().and_then(|error| error.lines().next());
    let held = || {
        let held = periods.iter().find(|period| period.held.is_some())?;
        Some(format!(
            "{} is held: {}",
            held.billing_period,
            held.held.as_deref()?
        ))
    };
    let more = match errors.len() {
        0 | 1 => String::new(),
        many => format!(" (and {} more)", many - 1),
    };
    match first.map(str::to_string).or_else(held) {
        Some(reason) => reason + &more,
        None => "not all went well".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_a_line() {
        let errors = |texts: &[&str]| texts.iter().map(|t| t.to_string()).collect::<Vec<_>>();
        assert_eq!(reason(&errors(&["a\nb", "c", "d"]), &[]), "a (and 2 more)");
        assert_eq!(reason(&[], &[]), "not all went well");
    }
}
