//! Run contexts for unit tests.

use std::sync::{Arc, LazyLock};

use crate::engine::Limits;
use crate::engine::sql_files::SqlFiles;
use crate::pipeline::deliver::destinations::Destinations;
use crate::pipeline::{HeldLease, RunContext, StageOptions};
use crate::store::Store;
use crate::store::lease::Fence;
use crate::store::runs::new_run_id;

static SQL: LazyLock<Arc<SqlFiles>> = LazyLock::new(|| Arc::new(SqlFiles::load(None).unwrap()));

/// Context of a run of the connection `acme` at a fixed time; it delivers to the store only. Its lease is never lost;
/// a test of leases takes one and calls [`RunContext::set_fence`].
pub(crate) fn context(store: &Store, now: &str) -> RunContext {
    let now = now.parse().unwrap();
    let context = RunContext {
        run: new_run_id(now).into(),
        connection: "acme".into(),
        cloud_provider: "Confluent".into(),
        currency: "USD".into(),
        store: store.clone(),
        sql: SQL.clone(),
        limits: Limits::default(),
        destinations: Destinations::in_store(store, "acme"),
        clock: Arc::new(move || now),
        progress: Arc::new(|_| {}),
        options: StageOptions::default(),
        lease: HeldLease::default(),
    };
    let fence = Fence::unchecked(store, "acme", &context.run);
    context.set_fence(Some(&fence));
    context
}
