//! Run contexts for unit tests.

use std::sync::Arc;

use crate::engine::Limits;
use crate::engine::sql_files::SqlFiles;
use crate::pipeline::deliver::destinations::Destinations;
use crate::pipeline::{RunContext, StageOptions};
use crate::store::Store;
use crate::store::runs::new_run_id;

/// Context of a run of the connection `acme` at a fixed time; it delivers to the store only.
pub(crate) fn context(store: &Store, now: &str) -> RunContext {
    let now = now.parse().unwrap();
    RunContext {
        run: new_run_id(now).into(),
        connection: "acme".into(),
        cloud_provider: "Confluent".into(),
        currency: "USD".into(),
        store: store.clone(),
        sql: Arc::new(SqlFiles::load(None).unwrap()),
        limits: Limits::default(),
        destinations: Destinations::in_store(store, "acme"),
        clock: Arc::new(move || now),
        progress: Arc::new(|_| {}),
        options: StageOptions::default(),
    }
}
