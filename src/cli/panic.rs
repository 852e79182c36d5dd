//! Panics end the process with the exit code of a bug.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::ErrorKind;

/// Set once the command has ended and the runtime shuts down.
static IS_SHUTTING_DOWN: AtomicBool = AtomicBool::new(false);

/// Installs the panic hook.
pub(crate) fn install_hook() {
    std::panic::set_hook(Box::new(|panic| {
        // An abandoned task may still use the runtime after its shutdown; the outcome is already decided.
        if IS_SHUTTING_DOWN.load(Ordering::Relaxed) {
            return;
        }
        let location = panic
            .location()
            .map(|location| format!(" at {}:{}", location.file(), location.line()));
        eprintln!("error: internal error{}", location.unwrap_or_default());
        eprintln!("hint: report it with the command and the output of `billstream --version`");
        std::process::exit(ErrorKind::Bug.exit_code().into());
    }));
}

/// Ignores panics from now on.
pub(crate) fn ignore_during_shutdown() {
    IS_SHUTTING_DOWN.store(true, Ordering::Relaxed);
}
