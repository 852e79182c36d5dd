//! Lists longer than a page.

use std::collections::BTreeMap;

use billstream::confluent::client::{Client, Settings};
use billstream::confluent::lists;
use billstream::error::ErrorKind;
use serde_json::Value;

use crate::support::Sandbox;
use crate::support::inventory::items;

/// Enough costs for an environment with more clusters than a page holds.
const MANY: [&str; 2] = ["--costs-per-day", "30000"];
const CLUSTERS: [&str; 3] = ["cmk", "v2", "clusters"];

fn client(sandbox: &Sandbox) -> Client {
    let settings = Settings {
        requests_per_second: 1000,
        ..Settings::new(
            sandbox.url().parse().unwrap(),
            "sandbox-key",
            "sandbox-secret".into(),
        )
    };
    Client::new(settings).unwrap()
}

/// The environment with the most Kafka clusters, and their number.
fn largest(sandbox: &Sandbox) -> (String, usize) {
    let environments = items(sandbox, "/org/v2/environments", "");
    let counted = environments.iter().map(|environment| {
        let id = environment["id"].as_str().unwrap();
        let query = format!("environment={id}&");
        (items(sandbox, "/cmk/v2/clusters", &query).len(), id)
    });
    let (count, id) = counted.max().unwrap();
    assert!(count > 99, "{count}");
    (id.to_string(), count)
}

async fn clusters(
    sandbox: &Sandbox,
    environment: &str,
) -> Result<Vec<Value>, billstream::error::Error> {
    let query = [("environment", environment)];
    let client = client(sandbox);
    let listed = lists::all(&client, "clusters", &CLUSTERS, &query, "Operator").await;
    listed.map_err(|failure| failure.into_error())
}

#[tokio::test]
async fn reads_a_paged_list_completely_and_without_duplicates() {
    let sandbox = Sandbox::start(&MANY);
    let (environment, count) = largest(&sandbox);
    let before = sandbox.inventory_requests();
    let listed = clusters(&sandbox, &environment).await.unwrap();
    assert_eq!(
        sandbox.inventory_requests() - before,
        count.div_ceil(99) as u64
    );
    let by_id: BTreeMap<&str, &Value> = listed
        .iter()
        .map(|c| (c["id"].as_str().unwrap(), c))
        .collect();
    assert_eq!((listed.len(), by_id.len()), (count, count));
    let query = format!("environment={environment}&");
    let asked = items(&sandbox, "/cmk/v2/clusters", &query);
    assert!(
        asked
            .iter()
            .all(|c| by_id[c["id"].as_str().unwrap()]["spec"] == c["spec"])
    );
}

#[tokio::test]
async fn repeated_or_expired_page_tokens_are_errors() {
    for (fault, words, kind) in [
        ("repeat-token", "token", ErrorKind::Data),
        ("expired-token", "expired", ErrorKind::Refused),
    ] {
        let (environment, _) = largest(&Sandbox::start(&MANY));
        let sandbox = Sandbox::start(&[&MANY[..], &["--fault", fault]].concat());
        let error = clusters(&sandbox, &environment).await.unwrap_err();
        assert_eq!(sandbox.fired(fault), 1);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}
