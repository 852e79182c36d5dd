//! Months that did not reach their end: published but not mapped or delivered, or no longer as they were published.

use crate::billing_period::BillingPeriod;
use crate::connections::health::Expectations;
use crate::error::Result;
use crate::pipeline::damage::ListedMonths;
use crate::pipeline::deliver;
use crate::pipeline::deliver::destinations::Destinations;
use crate::store::Store;
use crate::store::damage::repair_hint;
use crate::store::runs::MonthState;

/// Explains each month whose state belongs to other costs than the table has: the table lost a commit or was deleted.
pub(super) fn lost_months(
    months: &[(BillingPeriod, MonthState)],
    listed: &ListedMonths,
) -> Vec<String> {
    let lost = months.iter().filter_map(|(period, state)| {
        let published = listed.costs.get(period);
        let what = match published {
            _ if state.describes(published) => return None,
            Some(_) => "has other costs than its last run published",
            None => "was published, but the table of costs no longer has it",
        };
        Some(format!("{period} {what}; {}", repair_hint(*period)))
    });
    lost.collect()
}

/// Explains which published costs have no line items, or which published line items no destination has received. `None`
/// for a connection that only stores costs, or delivers nowhere.
///
/// # Errors
/// Kind bug if the hourly SQL is missing.
pub(super) fn undelivered(
    store: &Store,
    months: &[(BillingPeriod, MonthState)],
    listed: &ListedMonths,
    expected: &Expectations,
) -> Result<Option<String>> {
    let is_behind = |(period, costs): &(&BillingPeriod, &String)| {
        let record = listed.line_items.get(period);
        record.is_none_or(|record| record.digest != **costs)
    };
    let costs = listed
        .costs
        .iter()
        .map(|(period, record)| (period, &record.digest));
    let unmapped: Vec<BillingPeriod> = costs.filter(is_behind).map(|(period, _)| *period).collect();
    if !unmapped.is_empty() && !listed.line_items.is_empty() {
        return Ok(Some(format!(
            "the line items of {} are older than the costs: run `billstream transform`",
            shown(&unmapped)
        )));
    }
    let Ok(destinations) = &expected.destinations else {
        return Ok(None);
    };
    if expected.currency != "USD" || !delivers(store, months, destinations) {
        return Ok(None);
    }
    let mut undelivered = Vec::new();
    for (period, record) in &listed.line_items {
        let state = months.iter().find(|(month, _)| month == period);
        let state = state.map(|(_, state)| state.clone()).unwrap_or_default();
        let source = deliver::source_by(&expected.sql, destinations.granularity, record)?;
        if deliver::lacks_source(store, destinations, &state, &source) {
            undelivered.push(*period);
        }
    }
    Ok((!undelivered.is_empty()).then(|| {
        format!(
            "{} published but not delivered: run `billstream deliver`",
            match undelivered.as_slice() {
                [only] => format!("{only} is"),
                several => format!("{} are", shown(several)),
            }
        )
    }))
}

/// Returns false for the default folder in the store as long as nothing was delivered there: nobody may read it.
fn delivers(
    store: &Store,
    months: &[(BillingPeriod, MonthState)],
    destinations: &Destinations,
) -> bool {
    let has_received = || months.iter().any(|(_, state)| state.bucket.is_some());
    let bucket = destinations.bucket.as_ref();
    destinations.stream.is_some() || bucket.is_some_and(|b| !b.is_in(store) || has_received())
}

/// Months as text, at most two of them.
fn shown(months: &[BillingPeriod]) -> String {
    match months {
        [first, second, _, ..] => {
            let more = months.len() - 2;
            format!("{first}, {second} and {more} more")
        }
        few => {
            let few: Vec<String> = few.iter().map(ToString::to_string).collect();
            few.join(" and ")
        }
    }
}
