//! Import of one connection, as `import`, `pull`, the demo and `connections add` run it.

use std::sync::Arc;

use crate::cli::check_organization::{CheckOptions, check_organization};
use crate::cli::context::{CommandContext, NetworkScope, Outcome, run_with_lease};
use crate::cli::exit::code_of;
use crate::cli::output::aggregate::month_errors;
use crate::confluent::client::{Client, with_short_retries};
use crate::error::Result;
use crate::pipeline::import::ImportOptions;
use crate::pipeline::summary::Summary;
use crate::pipeline::{enrich, import};

/// Imports a connection from Confluent.
///
/// # Errors
/// Errors of the whole run; those of single months are in the summary.
pub(crate) async fn import_connection(
    context: &CommandContext,
    connection: &str,
    options: &ImportOptions,
) -> Result<Summary> {
    let command = if options.pull_only { "pull" } else { "import" };
    let preparing = async {
        let settings = context.config.confluent(connection)?;
        let has_inventory = context.config.connection(connection)?.inventory;
        let inventory = if has_inventory && !options.dry_run {
            // Names and regions are optional: an unavailable inventory must not delay the costs.
            let settings = with_short_retries(&settings);
            Some(Client::with_timing(settings, context.timing())?)
        } else {
            None
        };
        let access = settings.clone();
        let client = Arc::new(Client::with_timing(settings, context.timing())?);
        let scope = if options.no_deliver {
            NetworkScope::Store
        } else {
            NetworkScope::Destinations
        };
        let (run, bar) = context.run_context(connection, scope).await?;
        if !options.dry_run {
            run.destinations.check_key()?;
        }
        Ok((inventory, access, client, run, bar))
    };
    let (inventory, access, client, run, bar) = context
        .record_if_failed(command, connection, options.dry_run, preparing)
        .await?;
    let check = CheckOptions {
        allow: options.allow_same_organization,
        dry_run: options.dry_run,
        ..CheckOptions::default()
    };
    let work = async {
        check_organization(context, connection, &access, check, Some(&run.fence()?)).await?;
        if let Some(client) = &inventory {
            enrich::enrich(&run, client).await;
        }
        import::import(&run, &client, options).await
    };
    let summary = run_with_lease(command, &run, options.dry_run, work, outcome_of).await;
    bar.finish_and_clear();
    let stats = client.counts();
    tracing::info!(
        connection,
        requests = stats.requests,
        retries = stats.retries,
        "Requests to Confluent"
    );
    summary
}

/// Returns what the record of a run contains of a summary.
pub(crate) fn outcome_of(summary: &Summary) -> Outcome<'_> {
    let periods = summary.periods.as_slice();
    Outcome {
        periods,
        received: periods.iter().any(|period| period.received > 0),
        deliveries: periods.iter().flat_map(|p| &p.deliveries).collect(),
        errors: month_errors(&summary.errors),
        exit_code: code_of(summary.kind()),
    }
}
