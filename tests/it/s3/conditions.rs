//! Servers without conditional writes.

use super::server::Bucket;
use super::{assert_month_is, import};
use crate::support::*;

const PASSED: &str = "runs/conditional-writes.json";

#[test]
fn conditional_writes_are_probed_before_the_first_write_and_once() {
    let sandbox = Sandbox::start(&[]);
    let bucket = Bucket::new("probed", "store");
    let billstream = bucket.billstream().from(&sandbox);
    billstream.import(MONTH).ok().status("published");
    assert!(bucket.get(PASSED).is_some());
    let probes = |bucket: &Bucket| {
        let log = bucket.log();
        log.iter()
            .filter(|line| line.contains("/runs/probe-"))
            .count()
    };
    let first = bucket
        .log()
        .into_iter()
        .find(|line| line.starts_with("PUT"));
    assert!(first.unwrap().contains("/runs/probe-"));
    let before = probes(&bucket);
    billstream.import(MONTH).ok().status("unchanged");
    assert_eq!(probes(&bucket), before);
    let left = bucket.objects("runs/probe-");
    assert!(left.is_empty());
}

#[test]
fn a_server_that_ignores_or_rejects_conditions_is_refused_unless_one_insists() {
    let sandbox = Sandbox::start(&[]);
    for (name, words) in [
        (
            "ignoring",
            [
                "ignores the condition of a write (If-None-Match)",
                "two runs at once",
            ],
        ),
        (
            "rejecting",
            ["does not support conditional writes", "NotImplemented"],
        ),
    ] {
        let bucket = Bucket::new(name, "store");
        if name == "ignoring" {
            bucket.ignore_conditions();
        } else {
            bucket.reject_conditions();
        }
        let billstream = bucket.billstream().from(&sandbox);
        let before = sandbox.requests();
        billstream
            .import(MONTH)
            .code(3)
            .says(&words)
            .says(&["hint: ", "--single-writer"]);
        assert_eq!(sandbox.requests(), before, "no request to Confluent");
        assert!(bucket.objects("").is_empty());

        let mut insisting = import().to_vec();
        insisting.push("--single-writer");
        billstream.run(&insisting).ok().status("published");
        assert_month_is(&bucket, &billstream, &sandbox.totals(MONTH));
        let billstream = billstream.env("BILLSTREAM_SINGLE_WRITER", "true");
        billstream.import(MONTH).ok().status("unchanged");
        assert!(bucket.get(PASSED).is_none());
    }
}
