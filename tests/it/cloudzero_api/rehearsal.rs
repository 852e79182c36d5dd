//! Requests of a rehearsal.

use std::collections::BTreeSet;

use tempfile::tempdir;

use super::recorder::Recorder;
use super::{assert_all_is_published, billstream_through, names};
use crate::support::schema::Api;
use crate::support::{MONTH, Sandbox};

#[test]
fn a_rehearsal_keeps_to_the_published_api() {
    let (api, store, sandbox) = (Api::read(), tempdir().unwrap(), Sandbox::start(&[]));
    let recorder = Recorder::start(&sandbox);
    let billstream = billstream_through(store.path(), &sandbox, &recorder);
    billstream
        .run(&["import", "--month", MONTH, "--no-deliver"])
        .ok();
    billstream
        .run(&["destinations", "add", "cloudzero", "--stream", "--rehearse"])
        .ok();

    let mut exchanges = recorder.take();
    let mut keys = BTreeSet::new();
    for exchange in &mut exchanges {
        let key = exchange.headers.remove("cloudzero-test-key");
        assert!(
            key.is_some() || exchange.method == "GET",
            "{}",
            exchange.path
        );
        keys.extend(key);
    }
    assert_eq!(keys.len(), 1, "{keys:?}");
    let seen = assert_all_is_published(&api, &exchanges);
    let expected = [
        "GET connections/billing 200",
        "POST connections/billing 200",
        "POST validate_billing_drop 200",
        "POST billing_drops 200",
        "GET billing_drops/{month} 404",
        "GET billing_drops/{month} 200",
    ];
    assert_eq!(seen, names(expected));
    assert_eq!(recorder.most_in_flight(), 1);
}
