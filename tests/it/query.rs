//! `query` and `shell`: SQL over the published tables, from arguments, a pipe and a terminal.

mod allowed;
mod bounded;
mod errors;
mod files;
mod formats;
mod limits;
mod parameters;
mod pipe;
mod readers;
mod shell;
pub mod terminal;
mod views;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use tempfile::{TempDir, tempdir};

use crate::support::{Billstream, Files, MONTH, Sandbox, Totals, files_below, write_files};

/// Months of [`store`], oldest first. The last one is still open.
const MONTHS: [&str; 3] = ["2026-09", MONTH, "2026-11"];

/// Three imported months, with the sandbox's totals of each.
struct Imported {
    files: Files,
    totals: BTreeMap<&'static str, Totals>,
}

fn imported() -> &'static Imported {
    static ONCE: OnceLock<Imported> = OnceLock::new();
    ONCE.get_or_init(|| {
        let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
        Billstream::on(store.path())
            .from(&sandbox)
            .run(&["import", "--from", MONTHS[0], "--to", MONTHS[2]])
            .ok();
        Imported {
            files: files_below(store.path()),
            totals: MONTHS.map(|month| (month, sandbox.totals(month))).into(),
        }
    })
}

/// A separate store with [`MONTHS`].
fn store() -> (TempDir, Billstream) {
    let store = tempdir().unwrap();
    write_files(store.path(), &imported().files);
    let billstream = Billstream::on(store.path());
    (store, billstream)
}
