//! Start of a run: it is recorded, so that a run that was killed is found by the next one.

use chrono::{DateTime, Utc};

use crate::connections::state::{self, Running};
use crate::error::Result;
use crate::pipeline::RunContext;
use crate::pipeline::summary::UnendedRun;
use crate::store::runs;

/// Records that a run begins, and what became of the one before if that never ended. The caller holds the lease.
///
/// # Errors
/// Those of the store.
pub(super) async fn record(
    command: &'static str,
    context: &RunContext,
    tentative: bool,
    started_at: DateTime<Utc>,
) -> Result<()> {
    let fence = context.fence()?;
    if let Some(unended) = state::running(&context.store, &context.connection).await? {
        record_unended(context, &unended).await?;
    }
    let running = Running {
        run: context.run.to_string(),
        command: command.to_string(),
        started_at,
        tentative,
    };
    state::run_began(&fence, &running).await
}

/// Records a run that held the lease before and never ended. This run has the lease, so that one is gone.
async fn record_unended(context: &RunContext, unended: &Running) -> Result<()> {
    if runs::is_recorded(&context.store, &unended.run).await? {
        return Ok(());
    }
    const DID_NOT_END: &str = "the run did not end: it was killed, or its machine stopped";
    let (run, command) = (unended.run.as_str(), unended.command.as_str());
    tracing::warn!(run, command, started_at = %unended.started_at, "An earlier run did not end");
    let record = UnendedRun {
        run,
        command,
        connection: &context.connection,
        started_at: unended.started_at,
        ended_at: None,
        exit_code: None,
        errors: [DID_NOT_END],
    };
    runs::save_run(&context.store, run, &record).await?;
    if unended.tentative {
        return Ok(());
    }
    let outcome = state::RunOutcome {
        command,
        cloud_provider: None,
        at: unended.started_at,
        received: false,
        error: Some(DID_NOT_END.to_string()),
    };
    state::run_ended(&context.fence()?, outcome).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;
    use serde_json::Value;

    use super::*;
    use crate::cli::context::{Outcome, run_with_lease};
    use crate::pipeline::testing;
    use crate::store::Store;
    use crate::store::lease::Fence;

    const NOW: &str = "2026-11-23T06:00:00Z";

    fn context(store: &Store) -> RunContext {
        testing::context(store, NOW)
    }

    /// A run that is killed after it began.
    async fn killed(store: &Store, command: &'static str, tentative: bool) -> RunContext {
        let context = context(store);
        let fence = Fence::unchecked(store, "acme", &context.run);
        context.set_fence(Some(&fence));
        record(command, &context, tentative, (context.clock)())
            .await
            .unwrap();
        context
    }

    async fn run(store: &Store, command: &'static str) {
        let context = context(store);
        let work = async { Ok(0) };
        let ended = run_with_lease(command, &context, false, work, |_: &i32| Outcome::default());
        ended.await.unwrap();
    }

    async fn recorded(store: &Store, run: &str) -> Value {
        let record = store.get(&format!("runs/{run}.json")).await.unwrap();
        serde_json::from_slice(&record.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn the_next_run_records_one_that_was_killed() {
        let store = Store::over(Arc::new(InMemory::new()));
        let killed = killed(&store, "import", false).await;
        let running = state::running(&store, "acme").await.unwrap().unwrap();
        assert_eq!(running.run, &*killed.run);

        run(&store, "deliver").await;
        let record = recorded(&store, &killed.run).await;
        assert_eq!(record["command"], "import");
        assert!(record["exit_code"].is_null() && record["ended_at"].is_null());
        assert!(
            record["errors"][0]
                .as_str()
                .unwrap()
                .contains("did not end")
        );
        assert_eq!(runs::records(&store).await.unwrap().len(), 2);
        assert_eq!(state::running(&store, "acme").await.unwrap(), None);
        let errors = async || {
            state::load(&store, "acme")
                .await
                .unwrap()
                .run
                .unwrap()
                .errors
        };
        assert_eq!(errors().await.into_keys().collect::<Vec<_>>(), ["import"]);
        run(&store, "import").await;
        assert!(errors().await.is_empty(), "it succeeded since");
    }

    #[tokio::test]
    async fn a_killed_dry_run_does_not_change_the_state_of_the_connection() {
        let store = Store::over(Arc::new(InMemory::new()));
        let killed = killed(&store, "import", true).await;
        run(&store, "deliver").await;
        assert!(recorded(&store, &killed.run).await["exit_code"].is_null());
        let state = state::load(&store, "acme").await.unwrap();
        assert!(state.run.unwrap().errors.is_empty());
    }
}
