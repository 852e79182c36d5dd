//! Logs on stderr. Texts from outside are made fit for display.

use std::fmt::{self, Debug};
use std::io::IsTerminal;

use tracing::field::Field;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::prelude::*;

use crate::display_text::for_display;

/// Starts logging: warnings, with `-v` information, with `-vv` details.
pub(crate) fn start(verbosity: u8) {
    let own = match verbosity {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let targets = Targets::new()
        // Debug output of libraries could contain payloads.
        .with_default(LevelFilter::ERROR)
        // Log what they also return, some with a backtrace, and every lost commit race, although the commit is retried.
        .with_target("deltalake", LevelFilter::OFF)
        .with_target("buoyant_kernel", LevelFilter::OFF)
        .with_target("billstream", own);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .fmt_fields(debug_fn(write_field).delimited(" "))
        .with_ansi(std::env::var_os("NO_COLOR").is_none() && std::io::stderr().is_terminal())
        .with_target(false)
        // A closed stderr is not an error either.
        .log_internal_errors(false);
    // As a global filter: a per-layer filter drops the event that follows a filtered one.
    let registry = tracing_subscriber::registry().with(targets);
    // Fails only if a test harness has already installed a subscriber.
    let _ = registry.with(lines).try_init();
}

/// Writes a field as `name=value`, and the message alone.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let value = for_display(&format!("{value:?}"));
    match (field.name(), writer.has_ansi_escapes()) {
        ("message", _) => write!(writer, "{value}"),
        (name, true) => write!(writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{value}"),
        (name, false) => write!(writer, "{name}={value}"),
    }
}
