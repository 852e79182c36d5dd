//! SIGKILL at random moments of imports, transforms, deliveries, restores and deletions of old drops, on a folder and
//! on S3. After each kill another reader sees a version that some run published; in the end the month is exact, and
//! every version that was ever committed can still be read.
//!
//! `BILLSTREAM_KILLS=200 cargo test --test it kills` kills more often.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::s3::server::{Bucket, python, script, settings};
use crate::support::{Billstream, CONNECTION, Exact, MONTH, Sandbox, orphans};

/// Kills in a usual test.
const KILLS: usize = 10;
/// Time at which every drop is old.
const LATER: &str = "2027-02-01T06:00:00Z";
/// Versions of the month that the source shows one after the other.
const REVISIONS: [&str; 3] = ["0", "1", "2"];

fn kills() -> usize {
    std::env::var("BILLSTREAM_KILLS").map_or(KILLS, |kills| kills.parse().unwrap())
}

/// `tests/outside_reader.py` in another process.
struct Reader {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Reader {
    fn start() -> Reader {
        let mut command = python();
        command.arg(script("outside_reader.py")).envs(settings());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the reader starts");
        Reader {
            stdin: child.stdin.take().unwrap(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// Asserts that the newest version, or every one, has a net amount of the month that the source has shown.
    fn assert_known(&mut self, store: &str, every_version: bool, known: &BTreeSet<Exact>) {
        let request = json!({"store": store, "every_version": every_version});
        writeln!(self.stdin, "{request}").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        let tables: Value = serde_json::from_str(&line).expect("the reader can read the store");
        for (table, versions) in tables.as_object().unwrap() {
            for (version, months) in versions.as_object().unwrap() {
                for (month, net) in months.as_object().unwrap() {
                    let net = Exact::of(net.as_str().unwrap());
                    assert!(
                        month == MONTH && known.contains(&net),
                        "version {version} of {table} has {net} in {month}, not one of {known:?}"
                    );
                }
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A store whose runs are killed.
struct Scene<'s> {
    billstream: Box<dyn Fn() -> Billstream + 's>,
    /// Ends the leases of killed runs, as time does.
    expire_leases: Box<dyn Fn() + 's>,
    sandboxes: Vec<Sandbox>,
    random: StdRng,
}

impl<'s> Scene<'s> {
    fn new(
        seed: u64,
        billstream: impl Fn() -> Billstream + 's,
        expire_leases: impl Fn() + 's,
    ) -> Scene<'s> {
        Scene {
            billstream: Box::new(billstream),
            expire_leases: Box::new(expire_leases),
            sandboxes: REVISIONS
                .map(|revision| Sandbox::start(&["--revision", revision]))
                .into(),
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// Billstream, with the source at a revision.
    fn at(&self, revision: usize) -> Billstream {
        (self.billstream)().from(&self.sandboxes[revision])
    }

    fn arguments(&mut self, versions: u64) -> Vec<String> {
        let text = match self.random.random_range(0..10) {
            0 => "transform --month 2026-10",
            1 => "deliver --month 2026-10",
            2 => "deliver --gc 0d",
            3 => {
                let version = self.random.random_range(1..=versions);
                return format!("restore --month 2026-10 --version {version}")
                    .split(' ')
                    .map(str::to_owned)
                    .collect();
            }
            _ => "import --month 2026-10 --allow-missing-data",
        };
        text.split(' ').map(str::to_owned).collect()
    }

    /// Kills runs, and returns how many were still running.
    fn kill_often(&mut self, location: &str) {
        let known: BTreeSet<Exact> = self
            .sandboxes
            .iter()
            .map(|sandbox| Exact::of(&sandbox.totals(MONTH).net))
            .collect();
        assert_eq!(known.len(), REVISIONS.len(), "revisions differ");
        let mut reader = Reader::start();
        let started = Instant::now();
        self.at(0).import(MONTH).ok();
        let whole_run = started.elapsed();
        let mut effective = 0;
        let mut attempts = 0;
        while effective < kills() {
            attempts += 1;
            let arguments = self.arguments(2);
            let mut billstream = self.at(attempts % REVISIONS.len());
            if arguments[1] == "--gc" {
                billstream = billstream.at(LATER);
            }
            let run = billstream.spawn(&arguments);
            std::thread::sleep(whole_run.mul_f64(self.random.random_range(0.05..1.0)));
            effective += usize::from(run.kill());
            (self.expire_leases)();
            reader.assert_known(location, false, &known);
        }
        let last = REVISIONS.len() - 1;
        let imported = self.at(last).import(MONTH).ok();
        let totals = self.sandboxes[last].totals(MONTH);
        crate::support::assert_summary_is(&imported.period(), &totals);
        reader.assert_known(location, true, &known);
        println!("{effective} of {attempts} runs were killed before their end");
    }
}

#[test]
fn a_folder_survives_kills() {
    let store = tempdir().unwrap();
    let location = store.path().display().to_string();
    let mut scene = Scene::new(1, || Billstream::on(store.path()), || ());
    scene.kill_often(&location);
    let last = scene.sandboxes.last().unwrap();
    (scene.billstream)().assert_month_is(MONTH, &last.totals(MONTH));
    assert_eq!(orphans(store.path()), Vec::<String>::new());
}

#[test]
fn a_bucket_survives_kills() {
    let bucket = Bucket::new("kills", "store");
    let lease = format!("runs/leases/{CONNECTION}.json");
    let mut scene = Scene::new(2, || bucket.billstream(), || bucket.delete(&lease));
    scene.kill_often("s3://kills/store");
}
