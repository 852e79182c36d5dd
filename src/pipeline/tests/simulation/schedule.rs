//! Schedule of a simulation: a seed decides which process acts next, how time passes, and which requests fail.
//!
//! One process acts at a time, from one request to the store or to CloudZero to its next one; all others wait there. Time stands
//! still while a process acts. Requests from other threads than the runtime's, with which the Delta library reads
//! its log, pass at once: their process keeps its turn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// Start of the simulated time.
pub(super) const START: &str = "2026-11-23T06:00:00Z";

/// Number of a process.
pub(super) type ProcessId = usize;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effect {
    /// It succeeds.
    Applied,
    /// It fails and has no effect.
    Refused,
    /// It has its effect, but its reply is lost.
    ReplyLost,
    /// The process is killed before the request has an effect.
    KilledBefore,
    /// The process is killed after the request had its effect.
    KilledAfter,
    /// The process sleeps for minutes before the request is sent.
    Slept,
}

impl Effect {
    /// All effects.
    pub(super) const ALL: [Effect; 6] = [
        Effect::Applied,
        Effect::Refused,
        Effect::ReplyLost,
        Effect::KilledBefore,
        Effect::KilledAfter,
        Effect::Slept,
    ];
}

/// Server of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Service {
    Store,
    CloudZero,
}

/// How often each effect occurred.
pub(super) type EffectCounts = BTreeMap<(Service, Effect), u64>;

/// Chances of faults, in thousandths of the requests.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Odds {
    pub(super) refused: u32,
    pub(super) reply_lost: u32,
    pub(super) killed: u32,
    pub(super) slept: u32,
}

/// Chances of requests to CloudZero, which are few.
const CLOUDZERO_ODDS: Odds = Odds {
    refused: 100,
    reply_lost: 250,
    killed: 80,
    slept: 80,
};

enum Status {
    Acts,
    Waits,
    SleepsUntil(DateTime<Utc>),
    Ended,
}

struct Process {
    name: String,
    status: Status,
    /// Requests that start with the next turn.
    waiting: Vec<oneshot::Sender<()>>,
    task: Option<AbortHandle>,
    was_killed: bool,
}

struct State {
    random: StdRng,
    now: DateTime<Utc>,
    processes: Vec<Process>,
    odds: Odds,
    cloudzero_odds: Odds,
    /// Requests in their order.
    history: Vec<String>,
    effects: EffectCounts,
}

/// The schedule.
pub(super) struct Schedule {
    runtime_thread: ThreadId,
    state: Mutex<State>,
}

/// Ends all processes when one fails an assertion: it would keep its turn.
struct AbortAllOnPanic<'s>(&'s Schedule);

impl Drop for AbortAllOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let state = self.0.state.lock();
            let tasks = state.processes.iter().flat_map(|process| &process.task);
            tasks.for_each(AbortHandle::abort);
        }
    }
}

impl Schedule {
    /// Creates the schedule of a seed. Call it on the thread of the runtime.
    pub(super) fn new(seed: u64, odds: Odds) -> Arc<Schedule> {
        Arc::new(Schedule {
            runtime_thread: std::thread::current().id(),
            state: Mutex::new(State {
                random: StdRng::seed_from_u64(seed),
                now: START.parse().unwrap(),
                processes: Vec::new(),
                odds,
                cloudzero_odds: CLOUDZERO_ODDS,
                history: Vec::new(),
                effects: BTreeMap::new(),
            }),
        })
    }

    /// Simulated time.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.state.lock().now
    }

    /// Random number below `end`.
    pub(super) fn below(&self, end: u32) -> u32 {
        self.state.lock().random.random_range(0..end)
    }

    /// Returns true with a chance in thousandths.
    pub(super) fn chance(&self, thousandths: u32) -> bool {
        self.below(1000) < thousandths
    }

    /// Random element; `None` if there is none.
    pub(super) fn choose_from<'e, T>(&self, elements: &'e [T]) -> Option<&'e T> {
        let count = u32::try_from(elements.len()).unwrap();
        (count > 0).then(|| &elements[self.below(count) as usize])
    }

    /// Ends all faults.
    pub(super) fn end_faults(&self) {
        let mut state = self.state.lock();
        state.odds = Odds::default();
        state.cloudzero_odds = Odds::default();
    }

    /// How often each effect occurred.
    pub(super) fn effects(&self) -> EffectCounts {
        self.state.lock().effects.clone()
    }

    /// The requests so far, in their order.
    pub(super) fn history(&self) -> String {
        self.state.lock().history.join("\n")
    }

    /// Adds a line to the history.
    pub(super) fn note(&self, process: ProcessId, text: &str) {
        let mut state = self.state.lock();
        let line = format!(
            "{} {}: {text}",
            state.now.format("%d %H:%M:%S"),
            state.processes[process].name
        );
        state.history.push(line);
    }

    /// Starts a process with its work; it waits for its first turn.
    pub(super) fn spawn<F: Future<Output = ()> + 'static>(
        self: &Arc<Self>,
        name: &str,
        work: impl FnOnce(ProcessId) -> F,
    ) -> tokio::task::JoinHandle<()> {
        let (sender, started) = oneshot::channel();
        let id = {
            let mut state = self.state.lock();
            state.processes.push(Process {
                name: name.to_owned(),
                status: Status::Waits,
                waiting: vec![sender],
                task: None,
                was_killed: false,
            });
            state.processes.len() - 1
        };
        let (schedule, work) = (self.clone(), work(id));
        let task = tokio::task::spawn_local(async move {
            schedule.next();
            let _ = started.await;
            let _others = AbortAllOnPanic(&schedule);
            work.await;
            schedule.end(id);
        });
        self.state.lock().processes[id].task = Some(task.abort_handle());
        task
    }

    /// Waits for the turn in which a request of a process is sent, and returns what happens to it. `changes` is
    /// false for requests that read.
    pub(super) async fn turn(
        &self,
        id: ProcessId,
        service: Service,
        request: &str,
        changes: bool,
        faulty: bool,
    ) -> Effect {
        if std::thread::current().id() != self.runtime_thread {
            return Effect::Applied;
        }
        self.wait(id, Status::Waits).await;
        let effect = if faulty {
            self.draw(service, changes)
        } else {
            Effect::Applied
        };
        if effect == Effect::Slept {
            self.note(id, "sleeps");
            self.rest(id, TimeDelta::seconds(i64::from(30 + self.below(1_200))))
                .await;
        }
        self.note(id, &format!("{request}: {effect:?}"));
        if effect == Effect::KilledBefore {
            self.kill(id).await;
        }
        effect
    }

    /// Rests a process for a time.
    pub(super) async fn rest(&self, id: ProcessId, time: TimeDelta) {
        let until = self.now() + time;
        self.wait(id, Status::SleepsUntil(until)).await;
    }

    /// Returns true if the process was killed.
    pub(super) fn was_killed(&self, id: ProcessId) -> bool {
        self.state.lock().processes[id].was_killed
    }

    /// Ends a process as SIGKILL does, and never returns.
    pub(super) async fn kill(&self, id: ProcessId) {
        self.note(id, "killed");
        {
            let process = &mut self.state.lock().processes[id];
            process.was_killed = true;
            if let Some(task) = process.task.take() {
                task.abort();
            }
        }
        self.end(id);
        std::future::pending::<()>().await;
    }

    fn draw(&self, service: Service, changes: bool) -> Effect {
        let mut state = self.state.lock();
        let Odds {
            refused,
            reply_lost,
            killed,
            slept,
        } = match service {
            Service::Store => state.odds,
            Service::CloudZero => state.cloudzero_odds,
        };
        let mut drawn: i64 = state.random.random_range(0..1000);
        let mut falls_below = |odds: u32| {
            let is_below = (0..i64::from(odds)).contains(&drawn);
            drawn -= i64::from(odds);
            is_below
        };
        let effect = if falls_below(refused) {
            Effect::Refused
        } else if falls_below(slept) {
            Effect::Slept
        } else if falls_below(killed) {
            Effect::KilledBefore
        } else if changes && falls_below(killed) {
            Effect::KilledAfter
        } else if changes && falls_below(reply_lost) {
            Effect::ReplyLost
        } else {
            Effect::Applied
        };
        *state.effects.entry((service, effect)).or_default() += 1;
        effect
    }

    async fn wait(&self, id: ProcessId, status: Status) {
        let (sender, turn) = oneshot::channel();
        {
            let process = &mut self.state.lock().processes[id];
            if !matches!(process.status, Status::Ended) {
                process.waiting.push(sender);
                // A request that the process sends while it sleeps waits with it.
                if !matches!(process.status, Status::SleepsUntil(_)) {
                    process.status = status;
                }
            }
        }
        self.next();
        if turn.await.is_err() {
            // The process was killed.
            std::future::pending::<()>().await;
        }
    }

    fn end(&self, id: ProcessId) {
        {
            let process = &mut self.state.lock().processes[id];
            process.status = Status::Ended;
            process.waiting.clear();
        }
        self.next();
    }

    /// Gives the turn to a random process, unless one acts.
    fn next(&self) {
        for turn in self.choose() {
            let _ = turn.send(());
        }
    }

    /// Chooses the next process, lets a little time pass, and returns the turns of its requests.
    fn choose(&self) -> Vec<oneshot::Sender<()>> {
        let state = &mut *self.state.lock();
        let acts = |process: &Process| matches!(process.status, Status::Acts);
        if state.processes.iter().any(acts) {
            return Vec::new();
        }
        let mut step = match state.random.random_range(0..100) {
            0..90 => TimeDelta::milliseconds(state.random.random_range(0..500)),
            90..99 => TimeDelta::seconds(state.random.random_range(1..20)),
            _ => TimeDelta::seconds(state.random.random_range(20..90)),
        };
        let ready = |process: &Process, now: DateTime<Utc>| match process.status {
            Status::Waits => true,
            Status::SleepsUntil(until) => until <= now,
            Status::Acts | Status::Ended => false,
        };
        let at = state.now + step;
        let mut candidates: Vec<usize> = (0..state.processes.len())
            .filter(|id| ready(&state.processes[*id], at))
            .collect();
        if candidates.is_empty() {
            let sleepers =
                (0..state.processes.len()).filter_map(|id| match state.processes[id].status {
                    Status::SleepsUntil(until) => Some((until, id)),
                    _ => None,
                });
            let Some((until, id)) = sleepers.min() else {
                return Vec::new();
            };
            step = until - state.now;
            candidates.push(id);
        }
        let chosen = candidates[state.random.random_range(0..candidates.len())];
        let process = &mut state.processes[chosen];
        process.status = Status::Acts;
        let waiting = std::mem::take(&mut process.waiting);
        state.now += step;
        waiting
    }

    /// Lets time pass.
    pub(super) fn pass(&self, time: Duration) {
        self.state.lock().now += time;
    }
}
