//! Panics: each names itself, ends the run that it happened in, and the process with the exit code of a bug.

use std::any::Any;
use std::panic::{AssertUnwindSafe, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;

use crate::error::{Error, Result};
use crate::query::threads;

/// Set once the command has ended and the runtime shuts down.
static IS_SHUTTING_DOWN: AtomicBool = AtomicBool::new(false);
/// Set by the first panic.
static HAS_PANICKED: AtomicBool = AtomicBool::new(false);

/// Longest message that is shown.
const MAX_MESSAGE: usize = 200;

/// Installs the panic hook. It only reports: the panic unwinds to the run that it belongs to, and the runs of other
/// connections complete.
pub(crate) fn install_hook() {
    std::panic::set_hook(Box::new(|panic| {
        // An abandoned task may still use the runtime after its shutdown; the outcome is already decided.
        if IS_SHUTTING_DOWN.load(Ordering::Relaxed) {
            return;
        }
        let description = description(panic);
        if threads::record_panic(&description) {
            return;
        }
        HAS_PANICKED.store(true, Ordering::Relaxed);
        eprintln!("error: internal error: {description}");
        eprintln!(
            "hint: report this line with the command and the output of `billstream --version`; costs and secrets \
             are not in it"
        );
    }));
}

/// Ignores panics from now on.
pub(crate) fn ignore_during_shutdown() {
    IS_SHUTTING_DOWN.store(true, Ordering::Relaxed);
}

/// Returns true if any thread has panicked.
pub(crate) fn has_panicked() -> bool {
    HAS_PANICKED.load(Ordering::Relaxed)
}

/// Runs the work of one connection. A panic ends this work alone.
///
/// # Errors
/// Kind bug, after a panic; those of `work`.
pub(crate) async fn contained<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    // Whatever the work shares with others, it shares through locks that do not poison, and through the store.
    let ended = AssertUnwindSafe(work).catch_unwind().await;
    ended.unwrap_or_else(|_| {
        Err(Error::bug("the run ended with an internal error")
            .with_hint("nothing of it was published after that; run the command again to resume"))
    })
}

fn description(panic: &PanicHookInfo<'_>) -> String {
    let message = message(panic.payload());
    match panic.location() {
        Some(location) => format!("{message} at {}:{}", location.file(), location.line()),
        None => message,
    }
}

/// Constant part of a panic's message: values follow a colon, a semicolon or a backquote, and may be payloads.
fn message(payload: &dyn Any) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("panic").lines().next().unwrap_or_default();
    let end = [": ", "; ", " of `", " \""]
        .iter()
        .filter_map(|mark| text.find(mark))
        .min();
    let constant = &text[..end.unwrap_or(text.len())];
    let printable = constant.chars().filter(|c| !c.is_control());
    printable.take(MAX_MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_has_no_values() {
        for (text, shown) in [
            (
                "attempt to add with overflow",
                "attempt to add with overflow",
            ),
            (
                "index out of bounds: the len is 3 but the index is 5",
                "index out of bounds",
            ),
            (
                "called `Result::unwrap()` on an `Err` value: \"secret\"",
                "called `Result::unwrap()` on an `Err` value",
            ),
            (
                "byte index 1 is not a char boundary; it is inside 'é' (bytes 0..2) of `secret`",
                "byte index 1 is not a char boundary",
            ),
            (
                "byte index 9 is out of bounds of `secret`",
                "byte index 9 is out of bounds",
            ),
            (
                "assertion `left == right` failed\n left: secret",
                "assertion `left == right` failed",
            ),
        ] {
            assert_eq!(message(&text.to_string()), shown);
        }
        assert_eq!(message(&1), "panic");
    }

    #[tokio::test]
    async fn panic_of_one_run_leaves_the_others_alone() {
        let panics = contained(async {
            tokio::task::yield_now().await;
            panic!("defect")
        });
        let sibling = contained(async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            Ok(1)
        });
        let (panicked, sibling) = tokio::join!(panics, sibling);
        let panicked: Result<()> = panicked;
        assert_eq!(panicked.unwrap_err().kind(), crate::error::ErrorKind::Bug);
        assert_eq!(sibling.unwrap(), 1);
    }
}
