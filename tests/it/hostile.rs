//! Hostile and broken answers, texts and settings: nothing steers the terminal, no secret is shown, every limit has a
//! clear error.

mod answers;
mod display;
mod environment;
mod secrets;
mod server;

use std::path::Path;

use crate::support::Billstream;
use server::FakeServer;

/// Runs whose Confluent is a fake server.
fn against(server: &FakeServer, store: &Path) -> Billstream {
    Billstream::on(store)
        .env("CONFLUENT_CLOUD_REST_ENDPOINT", server.url())
        .env("CONFLUENT_CLOUD_API_KEY", "FAKEKEY0ABCDEFGH")
        .env("CONFLUENT_CLOUD_API_SECRET", "fake+secret/of-somebody")
        .env("BILLSTREAM_REQUESTS_PER_SECOND", "100000")
}

/// Page of one cost of 12.50 on 2026-10-01 with more fields, which start with a comma.
fn page(fields: &str) -> String {
    format!(
        r#"{{"api_version":"billing/v1","kind":"CostList","metadata":{{}},"data":[{}]}}"#,
        cost(fields)
    )
}

/// Cost of 12.50 on 2026-10-01 with more fields, which start with a comma.
fn cost(fields: &str) -> String {
    format!(
        r#"{{"start_date":"2026-10-01","end_date":"2026-10-02","original_amount":12.50,"amount":12.50,"quantity":1,"unit":"GB","granularity":"DAILY"{fields}}}"#
    )
}
