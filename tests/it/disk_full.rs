//! No room for a write: a limit of file sizes has the effect of a full disk, without a separate disk.

use std::path::Path;
use std::process::Command;

use tempfile::tempdir;

use crate::support::{Billstream, MONTH, Output, Sandbox, names_below, orphans};

/// Runs billstream with a limit of file sizes, in blocks of 512 or 1,024 bytes, as the shell counts.
fn limited(billstream: &Billstream, blocks: u32, arguments: &[&str]) -> Output {
    let run = billstream.command(arguments);
    let mut command = Command::new("sh");
    // Without the signal the write fails, as on a full disk.
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    command.args(["-c", &script]);
    command.arg(run.get_program()).args(run.get_args());
    command.current_dir(billstream.home()).env_clear();
    let set = |(name, value)| Some((name, value?));
    command.envs(run.get_envs().filter_map(set));
    Output::of(arguments.join(" "), command.output().unwrap())
}

#[test]
fn a_full_store_loses_nothing_and_the_next_run_goes_on() {
    let [old, new] = ["0", "1"].map(|revision| Sandbox::start(&["--revision", revision]));
    let store = tempdir().unwrap();
    let billstream = Billstream::on(store.path()).from(&old);
    billstream.import(MONTH).ok();
    let later = Billstream::on(store.path())
        .from(&new)
        .at("2026-11-23T12:00:00Z");
    let full = limited(&later, 100, &["import", "--month", MONTH]).code(3);
    full.says(&[
        "could not write `",
        ".parquet",
        "too large",
        "hint: free some space",
    ]);
    billstream.assert_month_is(MONTH, &old.totals(MONTH));

    later.import(MONTH).ok().status("published");
    later.assert_month_is(MONTH, &new.totals(MONTH));
    assert_eq!(orphans(store.path()), Vec::<String>::new());
}

#[test]
fn a_full_temporary_folder_is_named() {
    let (store, temporary) = (tempdir().unwrap(), tempdir().unwrap());
    let folder = temporary.path().to_str().unwrap();
    let billstream = Billstream::on(store.path()).env("TMPDIR", folder);
    let sort =
        "select md5(cast(value as varchar)) as hash from generate_series(1, 600000) order by 1";
    let query = ["query", "--memory-mb", "64", "--format", "csv", sort];
    let full = limited(&billstream, 500, &query).code(3);
    full.says(&[
        "could not write temporary files",
        folder,
        "too large",
        "hint: free some space",
        "TMPDIR",
    ]);
    assert_eq!(names_below(Path::new(folder)), Vec::<String>::new());
}
