//! Notes on single months of an import: gaps, empty and unavailable months, restatements.

use crate::billing_period::BillingPeriod;
use crate::cli::output::money::{Precision, difference};
use crate::pipeline::assess::days::format_days;
use crate::pipeline::summary::{PeriodStatus, PeriodSummary, Summary};

/// Returns one line per note.
pub(super) fn month_notes(summaries: &[&Summary]) -> Vec<String> {
    let months = || summaries.iter().flat_map(|summary| &summary.periods);
    let mut lines: Vec<String> = months().filter_map(restatement).collect();
    let repaired = months().filter(|month| month.is_repaired);
    let repaired: Vec<BillingPeriod> = repaired.map(|month| month.billing_period).collect();
    if !repaired.is_empty() {
        let periods = format_periods(&repaired);
        lines.push(format!(
            "note: repaired {periods}: a file was damaged, and the month is written again with the same costs"
        ));
    }
    lines.extend(months().filter_map(own_line_items));
    lines.extend(
        months()
            .filter(|month| month.state == Some("incomplete"))
            .map(gap),
    );
    lines.extend(months().filter_map(confirmed_gap));
    let pending = months().filter(|month| month.state == Some("pending"));
    let pending: Vec<BillingPeriod> = pending.map(|month| month.billing_period).collect();
    if !pending.is_empty() {
        let periods = format_periods(&pending);
        lines.push(format!(
            "note: Confluent returned no costs of {periods}; asked again in later runs"
        ));
    }
    let unavailable = summaries.iter().flat_map(|summary| &summary.unavailable);
    let unavailable: Vec<BillingPeriod> = unavailable.copied().collect();
    if !unavailable.is_empty() {
        let periods = format_periods(&unavailable);
        lines.push(format!(
            "note: Confluent refuses {periods} (HTTP 400), as it does for months that it does not hold; what is \
             published of them stays, and they are asked for again in 30 days"
        ));
    }
    lines
}

fn restatement(month: &PeriodSummary) -> Option<String> {
    let previous = month.previous_net_amount.as_deref()?;
    let is_published = month.status == PeriodStatus::Published;
    let is_restated = month.was_settled && month.has_new_costs && is_published;
    let change = difference(&month.net_amount, previous)?;
    is_restated.then(|| {
        let money = Precision::Rounded;
        format!(
            "note: {} was restated after it had settled: net {} instead of {} ({})",
            month.billing_period,
            money.money(&month.net_amount),
            money.money(previous),
            money.change(&change)
        )
    })
}

fn own_line_items(month: &PeriodSummary) -> Option<String> {
    let own = month.own.as_ref()?;
    let money = Precision::Rounded;
    Some(format!(
        "note: {} of `{}` has {} own line items that cost {}, besides the net of Confluent's costs",
        month.billing_period,
        month.connection,
        own.line_items,
        money.money(&own.cost)
    ))
}

fn gap(month: &PeriodSummary) -> String {
    format!(
        "note: {} is incomplete: no costs on {}; pulled again until they arrive or the gap is confirmed",
        month.billing_period,
        format_days(&month.missing_days)
    )
}

/// Says that a month settled although days have no costs.
fn confirmed_gap(month: &PeriodSummary) -> Option<String> {
    let has_settled = month.state == Some("settled") && !month.was_settled;
    let period = month.billing_period;
    if has_settled && month.status == PeriodStatus::Empty {
        return Some(format!(
            "note: {period} settled without costs, as several answers were empty"
        ));
    }
    (has_settled && !month.missing_days.is_empty()).then(|| {
        let days = format_days(&month.missing_days);
        format!("note: {period} settled without costs on {days}, as several answers agree")
    })
}

/// Returns sorted months as text, ranges joined: `2025-12 to 2026-02, 2026-05`.
fn format_periods(periods: &[BillingPeriod]) -> String {
    let mut ranges: Vec<(BillingPeriod, BillingPeriod)> = Vec::new();
    for period in periods {
        match ranges.last_mut() {
            Some((_, last)) if last.next() == *period => *last = *period,
            _ => ranges.push((*period, *period)),
        }
    }
    let text = |(first, last): &(BillingPeriod, BillingPeriod)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first} to {last}")
        }
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_repair_from_a_restatement() {
        let notes = |is_repaired, has_new_costs| {
            let period = "2026-08".parse().unwrap();
            let month = PeriodSummary {
                net_amount: "10".into(),
                previous_net_amount: Some("10".into()),
                was_settled: true,
                is_repaired,
                has_new_costs,
                ..PeriodSummary::new("acme", period, PeriodStatus::Published)
            };
            let summary = Summary {
                run: "run".into(),
                periods: vec![month],
                unavailable: Vec::new(),
                errors: Vec::new(),
            };
            month_notes(&[&summary])
        };
        let repaired = notes(true, false);
        assert_eq!(repaired.len(), 1);
        assert!(repaired[0].contains("repaired 2026-08: a file was damaged"));
        let restated = notes(false, true);
        assert_eq!(restated.len(), 1);
        assert!(restated[0].contains("2026-08 was restated"));
        assert_eq!(notes(false, false), [""; 0], "only the mapping changed");
    }

    #[test]
    fn joins_consecutive_months() {
        let months = |texts: &[&str]| {
            let months: Vec<BillingPeriod> = texts.iter().map(|t| t.parse().unwrap()).collect();
            format_periods(&months)
        };
        assert_eq!(months(&["2026-05"]), "2026-05");
        assert_eq!(
            months(&["2025-12", "2026-01", "2026-02", "2026-05"]),
            "2025-12 to 2026-02, 2026-05"
        );
    }
}
