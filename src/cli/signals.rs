//! Signals that end a command: SIGINT (Ctrl-C), SIGTERM and SIGHUP.
//!
//! The first one stops the work, which then has [`GRACE`] to save its record and release its lease. The second one,
//! or the end of that time, ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use futures::FutureExt;

use crate::cli::exit;
use crate::cli::output::rows::unfinished;
use crate::error::{Error, ErrorKind, Result};

/// Time from the first signal to the end of the process.
const GRACE: Duration = Duration::from_secs(9);
/// Limit of each request to the store after a signal, of which a run needs two.
pub(crate) const LAST_REQUEST: Duration = Duration::from_secs(4);
/// Time that a shell has to end by itself.
const SHELL_GRACE: Duration = Duration::from_millis(500);

/// Set by the first signal: work that has not started does not start.
static IS_STOPPED: AtomicBool = AtomicBool::new(false);

/// Runs `work` until it ends or a signal stops it.
///
/// # Errors
/// Kind partial, after a signal; those of `work`.
pub(crate) async fn until_stopped<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    if IS_STOPPED.load(Ordering::Acquire) {
        return Err(Error::partial("not started: the command was stopped"));
    }
    let mut signals = Signals::listen();
    tokio::select! {
        biased;
        result = work => result,
        name = signals.any() => {
            IS_STOPPED.store(true, Ordering::Release);
            tokio::spawn(end_process_later(signals));
            Err(Error::partial(format!("stopped by {name}")))
        }
    }
}

/// Ctrl-C for a command that goes on after it. While this exists, Ctrl-C does not end the process.
pub(crate) struct Interrupts {
    #[cfg(unix)]
    signal: Option<Signal>,
}

impl Interrupts {
    pub(crate) fn listen() -> Interrupts {
        Interrupts {
            #[cfg(unix)]
            signal: signal(SignalKind::interrupt()).ok(),
        }
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal {
            signal.recv().await;
            return;
        }
        let _ = tokio::signal::ctrl_c().await;
    }

    /// Forgets what was pressed so far: it was not meant for what comes.
    pub(crate) fn forget(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal {
            while let Some(Some(())) = signal.recv().now_or_never() {}
        }
    }

    /// Runs `work` until it ends or Ctrl-C stops it.
    ///
    /// # Errors
    /// Kind partial, after Ctrl-C; those of `work`.
    pub(crate) async fn stop<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            result = work => result,
            () = self.next() => Err(Error::partial("stopped by Ctrl-C")),
        }
    }
}

/// Ends the process soon after SIGTERM or SIGHUP, even while it waits for a line of input.
///
/// Returns a future that is ready at the signal, so that a statement stops and its files are deleted.
pub(crate) fn end_on_termination() -> impl Future<Output = &'static str> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let name = Signals::listen().termination().await;
        // The shell may have ended.
        let _ = sender.send(name);
        tokio::time::sleep(SHELL_GRACE).await;
        unfinished::abort_uploads(LAST_REQUEST).await;
        end_process(&format!("stopped by {name}"));
    });
    async {
        match receiver.await {
            Ok(name) => name,
            Err(_) => std::future::pending().await,
        }
    }
}

/// Limits a request that follows a signal, which may be the reason why the store does not answer.
///
/// # Errors
/// Kind remote, at the limit; those of the request.
pub(crate) async fn limited_if_stopped<T>(request: impl Future<Output = Result<T>>) -> Result<T> {
    if !IS_STOPPED.load(Ordering::Acquire) {
        return request.await;
    }
    match tokio::time::timeout(LAST_REQUEST, request).await {
        Ok(result) => result,
        Err(_) => Err(Error::remote(format!(
            "no answer within {} seconds",
            LAST_REQUEST.as_secs()
        ))),
    }
}

async fn end_process_later(mut signals: Signals) {
    tokio::select! {
        name = signals.any() => end_process(&format!("stopped at once by {name}")),
        () = tokio::time::sleep(GRACE) => end_process("stopped: the store did not answer in time"),
    }
}

fn end_process(why: &str) {
    exit::show_error(&Error::partial(why).with_hint(
        "a lease that this run may still hold expires by itself; run the command again to resume",
    ));
    exit::at_once(ErrorKind::Partial);
}

/// Listeners of the signals. Those that the process was started to ignore stay ignored.
struct Signals {
    #[cfg(unix)]
    terminate: Option<Signal>,
    #[cfg(unix)]
    hang_up: Option<Signal>,
    #[cfg(unix)]
    interrupt: Option<Signal>,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Signals {
        let hang_up = (!crate::os::ignores_hangup()).then(|| signal(SignalKind::hangup()).ok());
        Signals {
            terminate: signal(SignalKind::terminate()).ok(),
            hang_up: hang_up.flatten(),
            interrupt: signal(SignalKind::interrupt()).ok(),
        }
    }

    /// Waits for any signal and returns its name.
    async fn any(&mut self) -> &'static str {
        tokio::select! {
            () = received(&mut self.interrupt) => "Ctrl-C",
            () = received(&mut self.terminate) => "SIGTERM",
            () = received(&mut self.hang_up) => "SIGHUP",
        }
    }

    async fn termination(&mut self) -> &'static str {
        tokio::select! {
            () = received(&mut self.terminate) => "SIGTERM",
            () = received(&mut self.hang_up) => "SIGHUP",
        }
    }
}

#[cfg(unix)]
async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Signals {
        Signals {}
    }

    async fn any(&mut self) -> &'static str {
        let _ = tokio::signal::ctrl_c().await;
        "Ctrl-C"
    }

    async fn termination(&mut self) -> &'static str {
        std::future::pending().await
    }
}
