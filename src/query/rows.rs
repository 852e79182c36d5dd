//! Rows of a running statement.

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::error::{Error, Result};
use crate::query::threads::{Busy, panic_error};
use crate::query::watch::Watch;

/// Rows of a statement, computed on the engine's threads as they are read. Dropping them stops the statement.
pub(crate) struct Rows {
    schema: SchemaRef,
    batches: mpsc::Receiver<datafusion::common::Result<RecordBatch>>,
    /// `None` once it has ended.
    task: Option<JoinHandle<()>>,
    watch: Watch,
    /// True if the statement reads amounts and no currency.
    pub(crate) ignores_currency: bool,
    explain: Box<dyn Fn(&DataFusionError) -> Error + Send>,
}

impl Rows {
    pub(super) fn start(
        runtime: &Handle,
        busy: &Busy,
        mut stream: SendableRecordBatchStream,
        watch: Watch,
        explain: impl Fn(&DataFusionError) -> Error + Send + 'static,
    ) -> Rows {
        let schema = stream.schema();
        let busy = busy.guard();
        let (sender, batches) = mpsc::channel(1);
        // Some operators compute for minutes without yielding, which must not delay the caller.
        let task = runtime.spawn(async move {
            let _busy = busy;
            while let Some(batch) = stream.next().await {
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
        });
        Rows {
            schema,
            batches,
            task: Some(task),
            watch,
            ignores_currency: false,
            explain: Box::new(explain),
        }
    }

    pub(super) fn ignoring_currency(mut self, ignores_currency: bool) -> Rows {
        self.ignores_currency = ignores_currency;
        self
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Next rows; `None` after the last.
    ///
    /// # Errors
    /// Those of the statement, and for one that exceeds its limits.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let watch = self.watch;
        let next = watch.wait_for(async { Ok(self.batches.recv().await) });
        match next.await? {
            Some(Ok(batch)) => Ok(Some(batch)),
            Some(Err(error)) => Err((self.explain)(&error)),
            None => {
                // A panic closes the channel as well, and the rows would be incomplete.
                if let Some(task) = self.task.take() {
                    let ended = task.await;
                    ended.map_err(|_| panic_error())?;
                }
                Ok(None)
            }
        }
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
