//! Concurrent runs on one S3 store. Held puts force each race.

use serde_json::{Value, json};

use super::server::Bucket;
use super::{CREATED, LEASE, REPLACED, assert_month_is, import, log_entry};
use crate::support::*;

/// Time from a renewal to the end of a lease.
const LIFETIME_SECS: u32 = 300;
const MONTH_OF_COSTS: &str = "costs/connection=confluent/billing_period=2026-10/";
/// Log line of a put that found an object another writer had created.
const TOO_LATE: &str = "412 if-none-match=*";

/// Lease of another run that has expired.
fn expired_claim() -> String {
    json!({ "run": "20201120T000000Z-dead", "lifetime_secs": 0 }).to_string()
}

#[test]
fn one_of_two_imports_that_create_the_lease_at_once_is_refused() {
    let sandbox = Sandbox::start(&[]);
    let bucket = Bucket::new("lease-race", "store");
    let billstream = bucket.billstream().from(&sandbox);
    let both_have_seen_no_lease = bucket.hold(2, LEASE);
    let (one, other) = (billstream.spawn(&import()), billstream.spawn(&import()));
    both_have_seen_no_lease.arrived();
    both_have_seen_no_lease.release();

    let (one, other) = (one.wait(), other.wait());
    let (winner, loser) = if one.code == 0 {
        (one, other)
    } else {
        (other, one)
    };
    winner.ok().status("published");
    loser.code(6).says(&[
        "another run holds the lease of connection `confluent`",
        "hint: ",
    ]);
    assert_eq!(
        (bucket.puts(LEASE, CREATED), bucket.puts(LEASE, TOO_LATE)),
        (1, 1)
    );
    assert_month_is(&bucket, &billstream, &sandbox.totals(MONTH));
}

#[test]
fn two_connections_that_create_the_tables_at_once_both_publish() {
    let sandboxes = [Sandbox::start(&[]), Sandbox::start(&["--seed", "2"])];
    let bucket = Bucket::new("table-race", "store");
    let connections = [("acme", &sandboxes[0]), ("other", &sandboxes[1])]
        .map(|(name, sandbox)| bucket.billstream().from(sandbox).connection(name));
    let races = [
        log_entry("costs", 0),
        log_entry("costs", 1),
        log_entry("line_items", 0),
    ];
    let holds = races.clone().map(|entry| bucket.hold(2, &entry));
    let running = [
        connections[0].spawn(&import()),
        connections[1].spawn(&import()),
    ];
    for hold in holds {
        hold.arrived();
        hold.release();
    }
    for run in running {
        run.wait().ok().status("published");
    }
    for entry in races {
        let puts = (bucket.puts(&entry, CREATED), bucket.puts(&entry, TOO_LATE));
        assert_eq!(puts, (1, 1), "{entry}");
    }
    for (connection, sandbox) in connections.iter().zip(&sandboxes) {
        assert_month_is(&bucket, connection, &sandbox.totals(MONTH));
    }
}

#[test]
fn a_killed_runs_lease_is_reported_and_replaced_once_expired() {
    let sandbox = Sandbox::start(&[]);
    let bucket = Bucket::new("killed", "store");
    let billstream = bucket.billstream().from(&sandbox);
    let writing = bucket.hold(1, MONTH_OF_COSTS);
    let killed = billstream.spawn(&import());
    writing.arrived();
    assert!(killed.kill());
    writing.release();

    let lease: Value = serde_json::from_slice(&bucket.get(LEASE).unwrap()).unwrap();
    let run = lease["run"].as_str().unwrap();
    let refused = billstream.import(MONTH).code(6);
    refused.says(&["another run holds the lease", run, "until", "hint: wait"]);
    assert!(
        !bucket
            .objects("")
            .keys()
            .any(|name| name.contains("_delta_log"))
    );

    bucket.put(LEASE, &expired_claim());
    billstream.import(MONTH).ok().status("published");
    assert!(
        bucket.puts(LEASE, REPLACED) >= 1,
        "replaced by a conditional put"
    );
    assert!(bucket.get(LEASE).is_none());
    assert_month_is(&bucket, &billstream, &sandbox.totals(MONTH));
}

#[test]
fn an_interrupted_lease_is_replaced() {
    let sandbox = Sandbox::start(&[]);
    let bucket = Bucket::new("torn", "store");
    bucket.put(LEASE, "{\"run\":\"2026");
    bucket
        .billstream()
        .from(&sandbox)
        .import(MONTH)
        .ok()
        .status("published");
    assert!(bucket.puts(LEASE, REPLACED) >= 1);
}

#[test]
fn one_of_two_runs_that_find_an_expired_lease_is_refused() {
    let sandbox = Sandbox::start(&[]);
    let bucket = Bucket::new("expired-race", "store");
    bucket.put(LEASE, &expired_claim());
    let billstream = bucket.billstream().from(&sandbox);
    let both_have_seen_it = bucket.hold(2, LEASE);
    let (one, other) = (billstream.spawn(&import()), billstream.spawn(&import()));
    both_have_seen_it.arrived();
    both_have_seen_it.release();
    let mut codes = [one.wait().code, other.wait().code];
    codes.sort();
    assert_eq!(codes, [0, 6]);
    assert!(bucket.puts(LEASE, REPLACED) >= 1);
    assert_eq!(bucket.puts(LEASE, "412 if-match="), 1);
    assert_month_is(&bucket, &billstream, &sandbox.totals(MONTH));
}

/// A run is suspended, as by a laptop that sleeps, until its lease expired; another run took the lease and published.
#[test]
fn a_run_that_lost_its_lease_does_not_undo_the_other_runs_month() {
    let [old, stale, fresh] = ["0", "1", "2"].map(|number| Sandbox::start(&["--revision", number]));
    let bucket = Bucket::new("overtaken", "store");
    bucket.billstream().from(&old).import(MONTH).ok();

    let writing = bucket.hold(1, MONTH_OF_COSTS);
    let suspended = bucket.billstream().from(&stale).spawn(&import());
    writing.arrived();
    suspended.signal("STOP");
    bucket.age(LEASE, LIFETIME_SECS + 1);
    let resumed = bucket.billstream().from(&fresh).at("2026-11-23T12:00:00Z");
    resumed.import(MONTH).ok().status("published");

    writing.release();
    suspended.signal("CONT");
    let refused = suspended.wait().code(6);
    refused.says(&[
        "this run lost the lease of connection `confluent`",
        "hint: this run changes nothing more",
    ]);
    assert_month_is(&bucket, &resumed, &fresh.totals(MONTH));
}

/// As before, but the suspended run goes on and ends while the other still runs.
#[test]
fn a_run_that_lost_its_lease_publishes_nothing_and_keeps_the_other_runs_lease() {
    let [old, stale, fresh] = ["0", "1", "2"].map(|number| Sandbox::start(&["--revision", number]));
    let bucket = Bucket::new("not-mine", "store");
    bucket.billstream().from(&old).import(MONTH).ok();

    let writing = bucket.hold(1, MONTH_OF_COSTS);
    let suspended = bucket.billstream().from(&stale).spawn(&import());
    writing.arrived();
    bucket.put(LEASE, &expired_claim());
    let resumed = bucket.billstream().from(&fresh).at("2026-11-23T12:00:00Z");
    let marking = bucket.hold(1, "runs/staging/costs/confluent/2026-10/");
    let holder = resumed.spawn(&import());
    marking.arrived();
    let lease = bucket.get(LEASE).unwrap();

    writing.release();
    suspended
        .wait()
        .code(6)
        .says(&["this run lost the lease of connection `confluent`"]);
    assert!(
        bucket.get(LEASE) == Some(lease),
        "the other run's lease was deleted"
    );
    assert!(bucket.get(&log_entry("costs", 2)).is_none(), "published");

    marking.release();
    holder.wait().ok().status("published");
    assert_month_is(&bucket, &resumed, &fresh.totals(MONTH));
    assert!(bucket.get(LEASE).is_none());
}

#[test]
fn a_version_whose_run_was_killed_after_its_commits_can_be_restored() {
    let [old, new] = ["0", "1"].map(|number| Sandbox::start(&["--revision", number]));
    let bucket = Bucket::new("before-clean-up", "store");
    let recording = bucket.hold(1, "runs/months/confluent/2026-10.json");
    let killed = bucket.billstream().from(&old).spawn(&import());
    recording.arrived();
    assert!(killed.kill());
    recording.release();
    assert!(bucket.get(&log_entry("line_items", 1)).is_some());
    assert!(!bucket.objects("runs/staging/").is_empty(), "no clean-up");

    bucket.put(LEASE, &expired_claim());
    let billstream = bucket.billstream().from(&new).at("2026-11-23T12:00:00Z");
    billstream.import(MONTH).ok().status("published");
    assert_month_is(&bucket, &billstream, &new.totals(MONTH));
    assert!(bucket.objects("runs/staging/").is_empty());
    let sum = "select sum(\"cost/cost\") as net from line_items_at('2026-10', 1)";
    let net = billstream.query(sum).remove(0);
    assert_eq!(Exact::of(&net["net"]).to_string(), old.totals(MONTH).net);
    billstream
        .run(&["restore", "--month", MONTH, "--version", "1"])
        .ok();
    billstream.run(&["deliver", "--month", MONTH]).ok();
    assert_month_is(&bucket, &billstream, &old.totals(MONTH));
}
