//! Uploads of files in parts, aborted unless they finish: a part that stays behind is billed and never listed.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{
    MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, PutPayloadMut, Result,
};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

/// S3's smallest part; smaller files are one request.
const PART_BYTES: usize = if cfg!(test) { 4 << 10 } else { 5 << 20 };
/// Parts that are sent concurrently.
const CONCURRENT_PARTS: usize = 8;

/// Number of uploads in parts that have neither finished nor been aborted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Uploads {
    live: Arc<watch::Sender<usize>>,
}

impl Uploads {
    fn begin(&self) -> Live {
        self.live.send_modify(|live| *live += 1);
        Live(self.clone())
    }

    /// Waits until no upload is live, at most for `limit`. Returns false if some are left.
    pub(crate) async fn ended(&self, limit: Duration) -> bool {
        let mut live = self.live.subscribe();
        let ended = tokio::time::timeout(limit, live.wait_for(|live| *live == 0)).await;
        matches!(ended, Ok(Ok(_)))
    }
}

#[derive(Debug)]
struct Live(Uploads);

impl Drop for Live {
    fn drop(&mut self) {
        self.0.live.send_modify(|live| *live -= 1);
    }
}

/// Upload of one object, which appears when it is finished. A drop before that aborts it in the background; see
/// [`Uploads::ended`].
#[derive(Debug)]
pub(crate) struct Upload {
    store: Arc<dyn ObjectStore>,
    path: Path,
    uploads: Uploads,
    /// Less than a part.
    buffer: PutPayloadMut,
    /// `None` until the first part is full.
    parts: Option<Parts>,
}

#[derive(Debug)]
struct Parts {
    upload: Box<dyn MultipartUpload>,
    sending: JoinSet<Result<()>>,
    live: Live,
}

impl Upload {
    /// Starts an upload; sends nothing yet.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, path: Path, uploads: &Uploads) -> Upload {
        Upload {
            store,
            path,
            uploads: uploads.clone(),
            buffer: PutPayloadMut::new(),
            parts: None,
        }
    }

    /// Appends bytes, and sends the parts that are full.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn write(&mut self, mut bytes: Bytes) -> Result<()> {
        while !bytes.is_empty() {
            let room = PART_BYTES - self.buffer.content_length();
            if bytes.len() < room {
                self.buffer.push(bytes);
                break;
            }
            self.buffer.push(bytes.split_to(room));
            self.send_part().await?;
        }
        Ok(())
    }

    /// Makes the object visible.
    ///
    /// # Errors
    /// Those of the store; the upload is then aborted.
    pub(crate) async fn finish(mut self) -> Result<()> {
        if self.parts.is_none() {
            let whole = std::mem::take(&mut self.buffer).freeze();
            return self.store.put(&self.path, whole).await.map(|_| ());
        }
        if !self.buffer.is_empty() {
            self.send_part().await?;
        }
        if let Some(parts) = &mut self.parts {
            parts.sent(1).await?;
            parts.upload.complete().await?;
        }
        self.parts = None;
        Ok(())
    }

    async fn send_part(&mut self) -> Result<()> {
        let part: PutPayload = std::mem::take(&mut self.buffer).freeze();
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => none.insert(begin(&self.store, &self.path, &self.uploads).await?),
        };
        parts.sent(CONCURRENT_PARTS).await?;
        let sending = parts.upload.put_part(part);
        parts.sending.spawn(sending);
        Ok(())
    }
}

/// Begins an upload in parts in a task, so that a caller that is dropped meanwhile leaves none behind.
async fn begin(store: &Arc<dyn ObjectStore>, path: &Path, uploads: &Uploads) -> Result<Parts> {
    let (begun, waiting) = oneshot::channel();
    let (store, path, live) = (store.clone(), path.clone(), uploads.begin());
    tokio::spawn(async move {
        let upload = store.put_multipart(&path).await;
        let parts = upload.map(|upload| Parts {
            upload,
            sending: JoinSet::new(),
            live,
        });
        if let Err(Ok(unwanted)) = begun.send(parts) {
            unwanted.abort().await;
        }
    });
    waiting.await.unwrap_or_else(|_| {
        Err(object_store::Error::Generic {
            store: "Upload",
            source: "the upload ended before it began".into(),
        })
    })
}

impl Parts {
    /// Waits until fewer than `limit` parts are being sent.
    async fn sent(&mut self, limit: usize) -> Result<()> {
        while self.sending.len() >= limit
            && let Some(sent) = self.sending.join_next().await
        {
            sent.map_err(object_store::Error::from)??;
        }
        Ok(())
    }

    async fn abort(mut self) {
        self.sending.shutdown().await;
        if let Err(error) = self.upload.abort().await {
            // The text of the error may hold a signed URL.
            tracing::debug!(
                is_missing = matches!(error, object_store::Error::NotFound { .. }),
                "Could not abort an upload"
            );
        }
        drop(self.live);
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(parts.abort());
        }
    }
}
