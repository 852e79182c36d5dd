//! One run under the lease of its connection, with its record and its end on a signal.

use std::panic::{AssertUnwindSafe, resume_unwind};

use chrono::{DateTime, Utc};
use futures::FutureExt;
use tracing::Instrument;

use crate::cli::context::run_start;
use crate::cli::signals::{limited_if_stopped, until_stopped};
use crate::connections::state;
use crate::error::{ErrorKind, Result};
use crate::pipeline::RunContext;
use crate::pipeline::deliver::delivery::Delivery;
use crate::pipeline::summary::{PeriodSummary, RunRecord, reason};
use crate::store::lease::Lease;
use crate::store::runs;

/// Outcome of a run, for its record.
#[derive(Default)]
pub(crate) struct Outcome<'a> {
    /// Imported months.
    pub(crate) periods: &'a [PeriodSummary],
    /// Costs were received from Confluent.
    pub(crate) received: bool,
    /// Deliveries.
    pub(crate) deliveries: Vec<&'a Delivery>,
    /// Errors, as shown to the user.
    pub(crate) errors: Vec<String>,
    /// Exit code of the process.
    pub(crate) exit_code: u8,
}

/// Runs `work` under the lease of the connection, until it ends or a signal stops it. Saves the record of the
/// run and, unless `tentative`, the state of the connection.
///
/// # Errors
/// Kind locked, if another run holds the lease; kind partial, after a signal; else the errors of `work`.
/// Failures to save the record or to release the lease are logged only: they never replace the outcome.
pub(crate) async fn run_with_lease<T>(
    command: &'static str,
    context: &RunContext,
    tentative: bool,
    work: impl Future<Output = Result<T>>,
    outcome_of: fn(&T) -> Outcome<'_>,
) -> Result<T> {
    let recorded = async {
        let started_at = (context.clock)();
        if let Err(error) = run_start::record(command, context, tentative, started_at).await {
            tracing::warn!(run = %context.run, %error, "Could not record that the run began");
        }
        let result = until_signal(work).await;
        let outcome = match &result {
            Ok(done) => outcome_of(done),
            Err(error) => Outcome {
                errors: vec![error.to_string()],
                exit_code: error.kind().exit_code(),
                ..Outcome::default()
            },
        };
        // Wrong arguments say nothing about the health of the connection.
        let is_usage_error = matches!(&result, Err(error) if error.kind() == ErrorKind::Usage);
        let tentative = tentative || is_usage_error;
        let saving = async {
            save_record(command, context, tentative, started_at, outcome).await?;
            state::run_recorded(&context.fence()?).await
        };
        if let Err(error) = limited_if_stopped(saving).await {
            tracing::warn!(run = %context.run, %error, "Could not save the run record");
        }
        result
    };
    with_lease(context, recorded).await
}

/// Runs `work` like [`run_with_lease`], but saves nothing.
///
/// # Errors
/// Those of [`run_with_lease`].
pub(crate) async fn run_unrecorded<T>(
    context: &RunContext,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    with_lease(context, until_signal(work)).await
}

async fn with_lease<T>(context: &RunContext, work: impl Future<Output = Result<T>>) -> Result<T> {
    let run = async {
        let lease = Lease::take(&context.store, &context.connection, &context.run).await?;
        context.set_fence(Some(lease.fence()));
        // A panic must not keep the lease from the next run.
        let result = AssertUnwindSafe(work).catch_unwind().await;
        context.set_fence(None);
        context.store.uploads_ended().await;
        if let Some(bucket) = &context.destinations.bucket {
            bucket.store.uploads_ended().await;
        }
        if let Err(error) = limited_if_stopped(lease.release()).await {
            tracing::warn!(run = %context.run, %error, "Could not release the lease");
        }
        result.unwrap_or_else(|panic| resume_unwind(panic))
    };
    run.instrument(context.span()).await
}

async fn until_signal<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let result = until_stopped(work).await;
    result.map_err(|error| match error.kind() {
        ErrorKind::Partial => {
            error.with_hint("published months are complete; run the command again to resume")
        }
        _ => error,
    })
}

async fn save_record(
    command: &'static str,
    context: &RunContext,
    tentative: bool,
    started_at: DateTime<Utc>,
    outcome: Outcome<'_>,
) -> Result<()> {
    let succeeded = outcome.exit_code == 0;
    let ended = state::RunOutcome {
        command,
        cloud_provider: Some(&context.cloud_provider),
        at: started_at,
        received: outcome.received,
        error: (!succeeded).then(|| reason(&outcome.errors, outcome.periods)),
    };
    let record = RunRecord {
        run: &context.run,
        command,
        billstream: env!("CARGO_PKG_VERSION"),
        connection: &context.connection,
        started_at,
        ended_at: (context.clock)(),
        exit_code: outcome.exit_code,
        periods: outcome.periods,
        deliveries: outcome.deliveries,
        errors: outcome.errors,
    };
    runs::save_run(&context.store, &context.run, &record).await?;
    if tentative {
        return Ok(());
    }
    state::run_ended(&context.fence()?, ended).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::error::Error;
    use crate::pipeline::testing;
    use crate::store::tables::Table;
    use crate::store::testing::{Change, ScriptedStore};
    use crate::store::{Store, TableName};

    const NOW: &str = "2026-11-23T06:00:00Z";

    fn context(refuses: fn(Change, &object_store::path::Path) -> bool) -> RunContext {
        let store = Store::over(Arc::new(ScriptedStore::refusing(NOW, refuses)));
        testing::context(&store, NOW)
    }

    /// Runs `result` as the work of a run.
    async fn run(context: &RunContext, result: Result<u8>) -> Result<u8> {
        run_with_lease("import", context, false, async { result }, |code| Outcome {
            exit_code: *code,
            ..Outcome::default()
        })
        .await
    }

    #[tokio::test]
    async fn keeps_the_outcome_if_the_lease_cannot_be_released() {
        let context = context(|change, path| {
            change == Change::Delete && path.as_ref().starts_with("runs/leases/")
        });
        let failed = run(&context, Err(Error::reconcile("totals differ"))).await;
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Reconcile);
        let record = format!("runs/{}.json", context.run);
        let record = context.store.get(&record).await.unwrap().unwrap();
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        assert_eq!(record["exit_code"], 5);
        assert_eq!(record["errors"][0], "totals differ");
    }

    #[tokio::test]
    async fn succeeds_if_only_the_lease_cannot_be_released() {
        let context = context(|change, _| change == Change::Delete);
        assert_eq!(run(&context, Ok(0)).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn keeps_the_outcome_and_releases_the_lease_if_the_record_cannot_be_saved() {
        let context = context(|change, path| {
            let is_record = |folder: &str| path.as_ref().starts_with(folder);
            change == Change::Put && (is_record("runs/2026") || is_record("runs/connections/"))
        });
        assert_eq!(run(&context, Ok(4)).await.unwrap(), 4);
        let failed = run(&context, Err(Error::data("bad data"))).await;
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Data);
        let left = context.store.list("runs").await.unwrap();
        assert_eq!(left, ["runs/conditional-writes.json"]);
    }

    #[tokio::test]
    async fn wrong_arguments_do_not_change_the_state_of_the_connection() {
        let context = context(|_, _| false);
        let refused = run(&context, Err(Error::usage("no such version"))).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Usage);
        assert!(state::names(&context.store).await.unwrap().is_empty());
        let failed = run(&context, Err(Error::data("bad data"))).await;
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Data);
        assert_eq!(state::names(&context.store).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_panic_releases_the_lease_and_goes_on() {
        let context = context(|_, _| false);
        let work = async {
            assert!(context.fence().is_ok());
            panic!("a defect")
        };
        let leased = with_lease(&context, work);
        let panicked: std::thread::Result<Result<()>> =
            AssertUnwindSafe(leased).catch_unwind().await;
        assert!(panicked.is_err());
        assert_eq!(context.store.list("runs/leases").await.unwrap(), [""; 0]);
        assert!(context.fence().is_err(), "nothing more may be changed");
        assert_eq!(run(&context, Ok(0)).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_run_whose_first_write_fails_releases_the_lease() {
        let context =
            context(|change, path| change == Change::Put && path.as_ref().starts_with("costs/"));
        let work = async {
            let fence = context.fence()?;
            let columns = &crate::confluent::costs::decode::SCHEMA;
            let table = Table::open_or_create(&fence, TableName::Costs, columns);
            table.await.map(|_| 0)
        };
        let failed = run_with_lease("import", &context, false, work, |_| Outcome::default());
        assert_eq!(failed.await.unwrap_err().kind(), ErrorKind::Remote);
        assert_eq!(context.store.list("runs/leases").await.unwrap(), [""; 0]);
    }

    #[tokio::test]
    async fn refuses_a_second_run_of_a_connection() {
        let context = context(|_, _| false);
        let lease = Lease::take(&context.store, &context.connection, "other").await;
        let refused = run(&context, Ok(0)).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Locked);
        lease.unwrap().release().await.unwrap();
        assert_eq!(run(&context, Ok(0)).await.unwrap(), 0);
    }
}
