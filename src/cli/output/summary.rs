//! Summary of an import, a pull or a transform: months on stdout, notes and errors on stderr.

use std::collections::BTreeMap;

use crate::billing_period::BillingPeriod;
use crate::cli::args::{SummaryArgs, SummaryFormat};
use crate::cli::context::CommandContext;
use crate::cli::exit::code_of;
use crate::cli::output::aggregate::{ConnectionResults, month_errors};
use crate::cli::output::money::{Precision, count};
use crate::cli::output::month_notes::month_notes;
use crate::cli::output::stderr::note_line;
use crate::cli::output::stdout::{print_json, print_text, terminal_width};
use crate::cli::output::summary_table::{Currencies, summary_table};
use crate::error::Result;
use crate::pipeline::command_for;
use crate::pipeline::deliver::delivery::DeliveryStatus;
use crate::pipeline::summary::{PeriodStatus, PeriodSummary, Summary, reason};
use crate::store::Store;

/// Prints the summaries and the errors of connections and months, and returns the exit code.
///
/// # Errors
/// The error of the only connection.
pub(crate) fn print_summary(
    context: &CommandContext,
    results: ConnectionResults<Summary>,
    args: SummaryArgs,
) -> Result<u8> {
    let results = match results.single() {
        Ok((name, result)) => {
            let summary = result?;
            if args.format == SummaryFormat::Json {
                print_json(&summary)?;
            }
            ConnectionResults {
                all: vec![(name, Ok(summary))],
                several: false,
            }
        }
        Err(several) => {
            if args.format == SummaryFormat::Json {
                let why =
                    |summary: &Summary| reason(&month_errors(&summary.errors), &summary.periods);
                print_json(&several.json(Summary::kind, why)?)?;
            }
            several
        }
    };
    let summaries: Vec<&Summary> = results
        .all
        .iter()
        .filter_map(|(_, result)| result.as_ref().ok())
        .collect();
    let months: Vec<&PeriodSummary> = summaries.iter().flat_map(|s| &s.periods).collect();
    let has_rows = !months.is_empty() || summaries.len() < results.all.len();
    if args.format == SummaryFormat::Table && has_rows {
        let precision = Precision::new(args.exact);
        let table = summary_table(&results, &currencies(context, &results), precision);
        print_text(&table.render(terminal_width()))?;
    }
    let mut lines = notes(&months, results.several);
    lines.extend(month_notes(&summaries));
    if months.is_empty() && !summaries.is_empty() {
        lines.push(
            "nothing is due: every month is settled (select one with --month, or all with --all)"
                .to_string(),
        );
    } else if summaries.iter().all(|s| s.errors.is_empty()) && !summaries.is_empty() {
        lines.push(outcome(&context.store, &months));
    }
    lines.extend(delivered(&context.store, &months));
    for line in lines {
        note_line(line);
    }
    results.show_errors(|summary| &summary.errors);
    Ok(code_of(results.kind(Summary::kind)))
}

/// Returns the currencies of connections whose configuration is readable.
fn currencies<T>(context: &CommandContext, results: &ConnectionResults<T>) -> Currencies {
    let currency = |(name, _): &(String, Result<T>)| {
        let connection = context.config.connection(name).ok()?;
        Some((name.clone(), connection.currency))
    };
    results.all.iter().filter_map(currency).collect()
}

/// Data quality counts over all months, and reasons of months that are on hold or pinned.
fn notes(months: &[&PeriodSummary], several: bool) -> Vec<String> {
    let prefix = |month: &PeriodSummary| {
        if several {
            format!("{}: ", month.connection)
        } else {
            String::new()
        }
    };
    let sum = |count: fn(&PeriodSummary) -> u64| months.iter().map(|month| count(month)).sum();
    let counted: [(u64, &str); 4] = [
        (
            sum(|m| m.data_quality.discount_differs),
            "costs have a discount other than list - net; the net amount counts",
        ),
        (
            sum(|m| m.data_quality.several_days),
            "costs span several days; each counts on its first day, as in Confluent's totals",
        ),
        (
            sum(|m| m.data_quality.rounded),
            "numbers had more than 24 decimals and were rounded half-even",
        ),
        (
            sum(|m| m.resumed),
            "windows were resumed from an interrupted pull",
        ),
    ];
    let counted = counted
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, text)| format!("note: {} {text}", count(*number)));
    let mut older: BTreeMap<&str, Vec<BillingPeriod>> = BTreeMap::new();
    for month in months.iter().filter(|month| month.older_attributes) {
        let of_connection = older.entry(&month.connection).or_default();
        of_connection.push(month.billing_period);
    }
    let older = older.into_iter().map(|(connection, periods)| {
        let names: Vec<String> = periods.iter().map(ToString::to_string).collect();
        let (names, command) = (names.join(", "), command_for("transform", connection, &periods));
        match periods.len() {
            1 => format!(
                "note: {names} is settled and keeps the names and tags of its last publish; `{command}` maps it again"
            ),
            _ => format!(
                "note: {names} are settled and keep the names and tags of their last publish; `{command}` maps them again"
            ),
        }
    });
    let on_hold = months.iter().filter_map(|month| {
        let reason = month.hold_reason.as_ref()?;
        let (prefix, period) = (prefix(month), month.billing_period);
        Some(format!("held: {prefix}{period} {reason}"))
    });
    let deliveries = months.iter().flat_map(|month| &month.deliveries);
    let pinned = deliveries
        .filter(|delivery| delivery.status == DeliveryStatus::Pinned)
        .map(|delivery| {
            let (period, place) = (delivery.billing_period, &delivery.place);
            format!(
                "pinned: {period} is unchanged in {place}; `deliver --month {period}` delivers it again"
            )
        });
    counted.chain(older).chain(on_hold).chain(pinned).collect()
}

/// Number of months delivered to each place outside of the store.
fn delivered(store: &Store, months: &[&PeriodSummary]) -> Vec<String> {
    let deliveries = months.iter().flat_map(|month| &month.deliveries);
    let inside = store.display("");
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for delivery in deliveries.filter(|d| d.status == DeliveryStatus::Delivered) {
        if !delivery.place.starts_with(&inside) {
            *places.entry(&delivery.place).or_default() += 1;
        }
    }
    let line =
        |(place, count): (&str, usize)| format!("{} delivered to {place}", month_count(count));
    places.into_iter().map(line).collect()
}

fn month_count(count: usize) -> String {
    if count == 1 {
        "1 month".to_string()
    } else {
        format!("{count} months")
    }
}

fn outcome(store: &Store, months: &[&PeriodSummary]) -> String {
    let count = |status| months.iter().filter(|month| month.status == status).count();
    let published = count(PeriodStatus::Published);
    let place = store.display("");
    if published > 0 {
        format!("{} published to {place}", month_count(published))
    } else if count(PeriodStatus::DryRun) > 0 {
        "dry run: nothing was published".to_string()
    } else if count(PeriodStatus::OnHold) + count(PeriodStatus::Failed) > 0 {
        format!("nothing was published to {place}")
    } else {
        format!("nothing changed: nothing was published to {place}")
    }
}
