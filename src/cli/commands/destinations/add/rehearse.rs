//! `billstream destinations add --rehearse`: tries the set-up of a stream and the delivery of a month in a test
//! namespace of CloudZero, and remembers nothing.

use tracing::Instrument;

use super::{AddArgs, Lookup, find_or_create, with_destination};
use crate::billing_period::BillingPeriod;
use crate::cli::commands::deliver::{DeliverReport, table};
use crate::cli::context::{NetworkScope, run_unrecorded};
use crate::cli::output::aggregate::ConnectionResults;
use crate::cli::output::stderr::note;
use crate::cloudzero::client::Client;
use crate::config::Connection;
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::deliver::published_months;
use crate::pipeline::deliver::rehearsal::Rehearsal;
use crate::pipeline::publish::Tables;
use crate::pipeline::select::Selection;
use crate::store::destinations;

/// Runs `destinations add --rehearse`.
pub(super) async fn run(args: &AddArgs) -> Result<u8> {
    if args.bucket.is_some() {
        return Err(Error::usage(
            "--rehearse applies to a stream: CloudZero has no test namespace for the files of a bucket",
        )
        .with_hint("preview a drop with `billstream deliver --dry-run`"));
    }
    let (context, connection) = args.connection.open()?;
    let name = connection.name.as_str();
    let (run, bar) = context
        .run_context(name, NetworkScope::Destinations)
        .await?;
    let report = run_unrecorded(&run, rehearse(args, &run, &connection)).await;
    bar.finish_and_clear();
    let results = ConnectionResults {
        all: vec![(name.to_string(), report)],
        several: false,
    };
    results.print(
        args.format.unwrap_or_default(),
        DeliverReport::kind,
        |report| &report.errors,
        |_, report| table(report),
        |_, _| {},
    )
}

async fn rehearse(
    args: &AddArgs,
    run: &RunContext,
    connection: &Connection,
) -> Result<DeliverReport> {
    let Some(api) = run.destinations.api.as_deref() else {
        return Err(
            Error::config("could not rehearse: CLOUDZERO_API_KEY is not set").with_hint(
                "create an API key in CloudZero (Settings, API Keys) and set CLOUDZERO_API_KEY",
            ),
        );
    };
    let tables = Tables::open(run).await?;
    let period = month(args, run, &tables).await?;
    let namespace = api.in_test_namespace()?;
    let id = billing_connection(args, run, &namespace, connection).await?;
    let rehearsal = Rehearsal::new(api, namespace, id);
    let rehearsed = rehearsal
        .rehearse(run, &tables, period, false)
        .instrument(run.period_span(period))
        .await;
    let mut report = DeliverReport::new(run);
    report.add(period, rehearsed)?;
    Ok(report)
}

/// Returns the month to send: the named one, else the last published one.
async fn month(args: &AddArgs, run: &RunContext, tables: &Tables) -> Result<BillingPeriod> {
    let selection = match args.month {
        Some(month) => Selection::Named(vec![month]),
        None => Selection::All,
    };
    let published = published_months(run, tables, &selection).await?;
    published.last().copied().ok_or_else(|| {
        Error::usage(format!(
            "could not rehearse: connection `{}` has no published line items",
            run.connection
        ))
        .with_hint("run `billstream import --no-deliver` first")
    })
}

/// Finds the billing connection, or creates it in the namespace.
async fn billing_connection(
    args: &AddArgs,
    run: &RunContext,
    namespace: &Client,
    connection: &Connection,
) -> Result<String> {
    let (store, name) = (&run.store, &connection.name);
    let named = args.cloudzero_connection.as_deref();
    let record = destinations::load(store, name).await?;
    let added = with_destination(record, None, named);
    destinations::refuse_shared(store, name, &added.places()).await?;
    if let Some(id) = named {
        return Ok(id.to_string());
    }
    note!("rehearsing in a test namespace of CloudZero, where nothing lasts longer than an hour");
    let wanted = args.billing_connection_name(connection);
    match find_or_create(namespace, &wanted, connection, None).await? {
        Lookup::Known(id) => Ok(id),
        Lookup::Manual { reason } => Err(Error::config(format!("could not rehearse: {reason}"))
            .with_hint("name an existing billing connection with --cloudzero-connection ID")),
        Lookup::NotNeeded => Err(Error::bug("a stream without a billing connection")),
    }
}
