//! What an import or a transform says of its months: the summary on stdout, notes and errors on stderr.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use crate::cli::args::SummaryFormat;
use crate::cli::context::{CommandContext, NetworkScope, Outcome, run_with_lease};
use crate::cli::output::aggregate::{Results, month_errors};
use crate::cli::output::summary_table::summary_table;
use crate::cli::{print, print_json};
use crate::confluent::client::{Client, with_short_retries};
use crate::error::{ErrorKind, Result};
use crate::pipeline;
use crate::pipeline::deliver::delivery;
use crate::pipeline::import::ImportOptions;
use crate::pipeline::summary::{PeriodStatus, PeriodSummary, Summary, reason};
use crate::store::Store;

/// Imports a connection from Confluent, or whoever plays it.
pub async fn from_confluent(
    scene: &CommandContext,
    connection: &str,
    options: &ImportOptions,
) -> Result<Summary> {
    let command = if options.pull_only { "pull" } else { "import" };
    let preparing = async {
        let confluent = scene.config.confluent(connection)?;
        let inventory = match scene.config.connection(connection)?.inventory && !options.dry_run {
            true => Some(Client::with_timing(
                with_short_retries(&confluent),
                scene.timing(),
            )?),
            false => None,
        };
        let client = Arc::new(Client::with_timing(confluent, scene.timing())?);
        let reach = match options.no_deliver {
            true => NetworkScope::Store,
            false => NetworkScope::Targets,
        };
        let (job, bar) = scene.run_context(connection, reach).await?;
        if !options.dry_run {
            job.targets.check_key()?;
        }
        Ok((inventory, client, job, bar))
    };
    let (inventory, client, job, bar) = scene
        .record_if_failed(command, connection, options.dry_run, preparing)
        .await?;
    let work = async {
        if let Some(client) = &inventory {
            pipeline::enrich::enrich(&job, client).await;
        }
        pipeline::import::import(&job, &client, options).await
    };
    let summary = run_with_lease(command, &job, options.dry_run, work, outcome_of).await;
    bar.finish_and_clear();
    let stats = client.stats();
    tracing::info!(
        connection,
        requests = stats.requests,
        retries = stats.retries,
        "Confluent was asked."
    );
    summary
}

/// What the record of a run says of a summary.
pub fn outcome_of(summary: &Summary) -> Outcome<'_> {
    let periods = summary.periods.as_slice();
    Outcome {
        periods,
        received: periods.iter().any(|period| period.received > 0),
        deliveries: periods.iter().flat_map(|p| &p.deliveries).collect(),
        errors: month_errors(&summary.errors),
        exit_code: summary.kind().map_or(0, ErrorKind::exit_code),
    }
}

/// Prints the summaries and the errors of connections and months, and gives the exit code.
pub fn report(store: &Store, results: Results<Summary>, format: SummaryFormat) -> Result<u8> {
    let results = match results.single() {
        Ok(result) => {
            let summary = result?;
            if format == SummaryFormat::Json {
                print_json(&summary)?;
            }
            Results {
                all: vec![(String::new(), Ok(summary))],
                several: false,
            }
        }
        Err(several) => {
            if format == SummaryFormat::Json {
                let why =
                    |summary: &Summary| reason(&month_errors(&summary.errors), &summary.periods);
                print_json(&several.json(Summary::kind, why)?)?;
            }
            several
        }
    };
    if format == SummaryFormat::Table {
        print(summary_table(&results).as_bytes())?;
    }
    let summaries: Vec<&Summary> = results
        .all
        .iter()
        .filter_map(|(_, r)| r.as_ref().ok())
        .collect();
    let mut stderr = std::io::stderr().lock();
    for note in notes(&summaries, results.several) {
        let _ = writeln!(stderr, "{note}");
    }
    let months: Vec<&PeriodSummary> = summaries.iter().flat_map(|s| &s.periods).collect();
    if months.is_empty() && !summaries.is_empty() {
        let _ = writeln!(
            stderr,
            "nothing is due: every month is settled (name one with --month, or all with --all)"
        );
    } else if summaries.iter().all(|s| s.errors.is_empty()) && !summaries.is_empty() {
        let _ = writeln!(stderr, "{}", outcome(store, &months));
    }
    for line in delivered(store, &months) {
        let _ = writeln!(stderr, "{line}");
    }
    drop(stderr);
    results.show_errors(|summary| &summary.errors);
    Ok(results.kind(Summary::kind).map_or(0, ErrorKind::exit_code))
}

/// What was odd, added up over the months, and why months are held or pinned.
fn notes(summaries: &[&Summary], several: bool) -> Vec<String> {
    let periods = || summaries.iter().flat_map(|summary| &summary.periods);
    let whose = |period: &PeriodSummary| match several {
        true => format!("{}: ", period.connection),
        false => String::new(),
    };
    let sum = |count: fn(&PeriodSummary) -> u64| periods().map(count).sum::<u64>();
    let counted = [
        (
            sum(|p| p.data_quality.discount_differs),
            "costs have a discount that is not original - net; the net amount counts",
        ),
        (
            sum(|p| p.data_quality.rounded),
            "numbers had more than 24 decimals and were rounded half-even",
        ),
        (
            sum(|p| p.resumed),
            "windows were taken over from a pull that was cut off",
        ),
        (
            sum(|p| u64::from(p.older_attributes)),
            "settled months keep the names and tags that they were published with; `transform --month` renews them",
        ),
    ];
    let counted = counted
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("note: {n} {what}"));
    let held = periods().filter_map(|period| {
        period
            .hold_reason
            .as_ref()
            .map(|why| format!("held: {}{} {why}", whose(period), period.billing_period))
    });
    let pinned = periods()
        .flat_map(|period| &period.deliveries)
        .filter(|delivery| delivery.status == delivery::Status::Pinned)
        .map(|delivery| {
            let (period, place) = (delivery.billing_period, &delivery.place);
            format!("pinned: {period} stays as it is in {place}; `deliver --month {period}` delivers it again")
        });
    counted.chain(held).chain(pinned).collect()
}

/// What went to targets outside of the store.
fn delivered(store: &Store, months: &[&PeriodSummary]) -> Vec<String> {
    let deliveries = months.iter().flat_map(|month| &month.deliveries);
    let inside = store.display("");
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for delivery in deliveries.filter(|d| d.status == delivery::Status::Delivered) {
        if !delivery.place.starts_with(&inside) {
            *places.entry(&delivery.place).or_default() += 1;
        }
    }
    let line = |(place, count): (&str, usize)| format!("{} delivered to {place}", counted(count));
    places.into_iter().map(line).collect()
}

fn counted(count: usize) -> String {
    match count {
        1 => "1 month".to_string(),
        count => format!("{count} months"),
    }
}

fn outcome(store: &Store, months: &[&PeriodSummary]) -> String {
    let count = |status| months.iter().filter(|month| month.status == status).count();
    let published = count(PeriodStatus::Published);
    let place = store.display("");
    if published > 0 {
        format!("{} published to {place}", counted(published))
    } else if count(PeriodStatus::DryRun) > 0 {
        "dry run: nothing was published".to_string()
    } else {
        format!("nothing changed, so nothing was published to {place}")
    }
}
