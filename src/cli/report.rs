//! What an import or a transform says of its months: the summary on stdout, notes and errors on stderr.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use indicatif::ProgressBar;

use super::args::SummaryFormat;
use super::output::summary_table;
use super::run::{Outcome, month_errors, timing, under_lease};
use super::{print, print_json, show_error};
use crate::config::Settings;
use crate::confluent::client::{self, Client};
use crate::error::{Class, Result};
use crate::pipeline::delivery;
use crate::pipeline::import::Options;
use crate::pipeline::summary::{PeriodSummary, Status, Summary};
use crate::pipeline::{self, Job};

/// Imports from Confluent, or whoever plays it, and reports.
pub async fn from_confluent(
    command: &'static str,
    settings: &Settings,
    (job, bar): (Job, ProgressBar),
    confluent: client::Settings,
    options: Options,
    format: SummaryFormat,
) -> Result<u8> {
    let client = Arc::new(Client::with_timing(confluent, timing(settings))?);
    let work = pipeline::import::import(&job, &client, &options);
    let summary = under_lease(command, &job, work, outcome_of).await;
    bar.finish_and_clear();
    let stats = client.stats();
    tracing::info!(
        requests = stats.requests,
        retries = stats.retries,
        "Confluent was asked."
    );
    report(&job, summary?, format)
}

/// What the record of a run says of a summary.
pub fn outcome_of(summary: &Summary) -> Outcome<'_> {
    let periods = summary.periods.as_slice();
    Outcome {
        periods,
        deliveries: periods.iter().flat_map(|p| &p.deliveries).collect(),
        errors: month_errors(&summary.errors),
        exit_code: summary.class().map_or(0, Class::exit_code),
    }
}

/// Prints the summary and the errors of single months, and gives the exit code.
pub fn report(job: &Job, summary: Summary, format: SummaryFormat) -> Result<u8> {
    match format {
        SummaryFormat::Json => print_json(&summary)?,
        SummaryFormat::Table => print(summary_table(&summary).as_bytes())?,
    }
    let mut stderr = std::io::stderr().lock();
    for note in notes(&summary) {
        let _ = writeln!(stderr, "{note}");
    }
    if summary.periods.is_empty() {
        let _ = writeln!(
            stderr,
            "nothing is due: every month is settled (name one with --month, or all with --all)"
        );
    } else if summary.errors.is_empty() {
        let _ = writeln!(stderr, "{}", outcome(job, &summary));
    }
    for line in delivered(job, &summary) {
        let _ = writeln!(stderr, "{line}");
    }
    drop(stderr);
    for (_, error) in &summary.errors {
        show_error(error);
    }
    Ok(summary.class().map_or(0, Class::exit_code))
}

/// What was odd, added up over the months, and why months are held or pinned.
fn notes(summary: &Summary) -> Vec<String> {
    let sum = |count: fn(&PeriodSummary) -> u64| summary.periods.iter().map(count).sum::<u64>();
    let counted = [
        (
            sum(|p| p.oddities.discount_differs),
            "costs have a discount that is not original - net; the net amount counts",
        ),
        (
            sum(|p| p.oddities.rounded),
            "numbers had more than 24 decimals and were rounded half-even",
        ),
        (
            sum(|p| p.resumed),
            "windows were taken over from a pull that was cut off",
        ),
    ];
    let counted = counted
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("note: {n} {what}"));
    let held = summary.periods.iter().filter_map(|period| {
        period
            .held
            .as_ref()
            .map(|why| format!("held: {} {why}", period.billing_period))
    });
    let pinned = summary.periods.iter().flat_map(|p| &p.deliveries);
    let pinned = pinned
        .filter(|delivery| delivery.status == delivery::Status::Pinned)
        .map(|delivery| {
            let (period, place) = (delivery.billing_period, &delivery.place);
            format!("pinned: {period} stays as it is in {place}; `deliver --month {period}` delivers it again")
        });
    counted.chain(held).chain(pinned).collect()
}

/// What went to targets outside of the store.
fn delivered(job: &Job, summary: &Summary) -> Vec<String> {
    let deliveries = summary.periods.iter().flat_map(|p| &p.deliveries);
    let inside = job.store.display("");
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for delivery in deliveries.filter(|d| d.status == delivery::Status::Delivered) {
        if !delivery.place.starts_with(&inside) {
            *places.entry(&delivery.place).or_default() += 1;
        }
    }
    let line = |(place, count): (&str, usize)| format!("{} delivered to {place}", months(count));
    places.into_iter().map(line).collect()
}

fn months(count: usize) -> String {
    match count {
        1 => "1 month".to_string(),
        count => format!("{count} months"),
    }
}

fn outcome(job: &Job, summary: &Summary) -> String {
    let count = |status| {
        summary
            .periods
            .iter()
            .filter(|p| p.status == status)
            .count()
    };
    let published = count(Status::Published);
    let place = job.store.display("");
    if published > 0 {
        format!("{} published to {place}", months(published))
    } else if count(Status::DryRun) > 0 {
        "dry run: nothing was published".to_string()
    } else {
        format!("nothing changed, so nothing was published to {place}")
    }
}
