//! What processes do: commands as the command line runs them, each under the lease of its connection.

use std::sync::Arc;

use chrono::TimeDelta;

use super::cloudzero::{LONGEST_DELAY, stream_of};
use super::schedule::ProcessId;
use super::{CONNECTIONS, World};
use crate::billing_period::BillingPeriod;
use crate::cloudzero::client::Client;
use crate::cloudzero::drop::DropId;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::RunContext;
use crate::pipeline::deliver::{self, DeliverOptions, bucket, gc};
use crate::pipeline::import::{ImportOptions, import};
use crate::pipeline::publish::Tables;
use crate::pipeline::publish::restore::restore;
use crate::pipeline::select::Selection;
use crate::pipeline::summary::Summary;
use crate::pipeline::tests::{named, options, period};
use crate::pipeline::transform::retransform::retransform;
use crate::store::lease::Lease;
use crate::store::tables::Table;
use crate::store::{Store, TableName, runs};

/// Months with costs.
pub(super) const MONTHS: [&str; 2] = ["2026-10", "2026-11"];

#[derive(Debug, Clone, Copy)]
enum Command {
    Import,
    Transform,
    Deliver,
    Restore,
    RollBack,
    DeleteOldDrops,
}

/// A process.
struct Process<'w> {
    world: &'w World,
    id: ProcessId,
    store: Store,
    /// How far its clock is off.
    skew: TimeDelta,
    cloudzero: Option<Arc<Client>>,
}

impl<'w> Process<'w> {
    fn new(world: &'w World, id: ProcessId, faulty: bool) -> Process<'w> {
        let attempts = if faulty {
            1 + world.schedule.below(3)
        } else {
            8
        };
        let client = || world.cloudzero.client(id, attempts);
        Process {
            store: world.store(id, faulty),
            skew: TimeDelta::zero(),
            cloudzero: (!world.pulls_only).then(client),
            world,
            id,
        }
    }
}

/// Runs one to three random commands.
pub(super) async fn run_some(world: &World, process: ProcessId) {
    let schedule = &world.schedule;
    let runner = Process {
        skew: TimeDelta::minutes([0, 0, 0, 6, -6][schedule.below(5) as usize]),
        ..Process::new(world, process, true)
    };
    for _ in 0..=schedule.below(3) {
        let connection = CONNECTIONS[usize::from(schedule.chance(250))];
        let command = match schedule.below(10) {
            _ if world.pulls_only => Command::Import,
            0..6 => Command::Import,
            6 => Command::Transform,
            7 => Command::Deliver,
            8 if schedule.chance(500) => Command::Restore,
            8 => Command::RollBack,
            _ => Command::DeleteOldDrops,
        };
        let result = runner.run(connection, command).await;
        let text = match &result {
            Ok(()) => "done".to_owned(),
            Err(error) => format!("{:?}: {error}", error.kind()),
        };
        schedule.note(process, &format!("{command:?} of {connection}: {text}"));
        if let Err(error) = result {
            let is_expected = matches!(
                error.kind(),
                ErrorKind::Remote | ErrorKind::Locked | ErrorKind::Usage
            );
            assert!(is_expected, "{command:?} of {connection}: {error}");
            if error.kind() == ErrorKind::Locked {
                // As a scheduler does.
                let minutes = i64::from(1 + schedule.below(7));
                schedule.rest(process, TimeDelta::minutes(minutes)).await;
            }
        }
    }
}

/// Imports and delivers both months of all connections, without faults.
pub(super) async fn run_last(world: &World, process: ProcessId) {
    let runner = Process::new(world, process, false);
    for connection in CONNECTIONS {
        runner.run(connection, Command::Import).await.unwrap();
        if !world.pulls_only {
            // By name, because a drop that was rolled back to stays until then.
            runner.run(connection, Command::Deliver).await.unwrap();
        }
    }
}

impl Process<'_> {
    async fn run(&self, connection: &'static str, command: Command) -> Result<()> {
        let (world, store) = (self.world, &self.store);
        let mut context = world.context(store, self.id, connection, self.skew);
        if self.cloudzero.is_some() {
            let destinations = &mut context.destinations;
            destinations.stream = Some(stream_of(connection));
            destinations.api.clone_from(&self.cloudzero);
            destinations.read_back = 4 * LONGEST_DELAY;
        }
        let context = Arc::new(context);
        let lease = Lease::claim(store, connection, &context.run).await?;
        context.set_fence(Some(lease.fence()));
        let result = execute(world, &context, command).await;
        context.set_fence(None);
        store.uploads_ended().await;
        let released = lease.release().await;
        result.and(released)
    }
}

async fn execute(world: &World, context: &Arc<RunContext>, command: Command) -> Result<()> {
    match command {
        Command::Import => {
            let client = &world.organization(&context.connection).source.client;
            let options = ImportOptions {
                pull_only: world.pulls_only,
                ..options(named(&MONTHS))
            };
            first_error(import(context, client, &options).await?)
        }
        Command::Transform => first_error(retransform(context, &Selection::All, false).await?),
        Command::Deliver => {
            let tables = Tables::open(context).await?;
            for month in deliver::published_months(context, &tables, &Selection::All).await? {
                let options = DeliverOptions {
                    by_name: true,
                    ..DeliverOptions::default()
                };
                let mut done = deliver::deliver(context, &tables, month, options).await;
                if let Some(error) = done.errors.pop() {
                    return Err(error);
                }
            }
            Ok(())
        }
        Command::Restore => {
            let month = random_month(world);
            let versions = versions(context, month).await?;
            let Some(version) = world.schedule.choose_from(&versions) else {
                return Ok(());
            };
            restore(context, month, *version).await.map(|_| ())
        }
        Command::RollBack => {
            let month = random_month(world);
            let state = runs::month_state(&context.store, &context.connection, month).await?;
            let drops: Vec<String> = state.bucket.into_iter().flat_map(|b| b.earlier).collect();
            let Some(drop) = world.schedule.choose_from(&drops) else {
                return Ok(());
            };
            let drop = DropId::from(drop.as_str());
            bucket::roll_back(context, month, &drop, false)
                .await
                .map(|_| ())
        }
        Command::DeleteOldDrops => {
            let age = TimeDelta::minutes(10);
            gc::delete_old_drops(context, age, false).await.map(|_| ())
        }
    }
}

fn random_month(world: &World) -> BillingPeriod {
    period(MONTHS[world.schedule.below(2) as usize])
}

/// Versions of a month's line items.
async fn versions(context: &RunContext, month: BillingPeriod) -> Result<Vec<u64>> {
    let Some(table) = Table::open(&context.store, TableName::LineItems).await? else {
        return Ok(Vec::new());
    };
    let commits = table.history().await?.into_iter();
    let commits = commits.filter(|c| c.connection == context.connection && c.period == month);
    Ok(commits.map(|commit| commit.record.version).collect())
}

fn first_error(mut summary: Summary) -> Result<()> {
    if summary.errors.is_empty() {
        return Ok(());
    }
    let (month, error) = summary.errors.remove(0);
    Err(Error::context(error, month))
}
