use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::FutureExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, ObjectMeta, PutMultipartOptions, PutOptions,
    PutResult, UploadPart,
};

use super::*;

const LIMIT: Duration = Duration::from_secs(60);

/// Object store in memory that counts aborted uploads, and fails or stalls a step of an upload.
#[derive(Debug, Default)]
struct Parted {
    inner: InMemory,
    begun: AtomicUsize,
    aborted: Arc<AtomicUsize>,
    fails: &'static str,
    stalls: &'static str,
    stalled: Arc<AtomicBool>,
    answered: tokio::sync::Notify,
}

impl fmt::Display for Parted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parted")
    }
}

#[derive(Debug)]
struct CountedUpload {
    inner: Box<dyn MultipartUpload>,
    aborted: Arc<AtomicUsize>,
    fails: &'static str,
    stalls: &'static str,
    stalled: Arc<AtomicBool>,
}

async fn step(
    name: &'static str,
    fails: &'static str,
    stalls: &'static str,
    stalled: &AtomicBool,
) -> Result<()> {
    if name == stalls {
        stalled.store(true, Ordering::SeqCst);
        futures::future::pending::<()>().await;
    }
    if name == fails {
        return Err(object_store::Error::Generic {
            store: "Parted",
            source: "unavailable".into(),
        });
    }
    Ok(())
}

#[async_trait]
impl MultipartUpload for CountedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let put = self.inner.put_part(data);
        let (fails, stalls, stalled) = (self.fails, self.stalls, self.stalled.clone());
        async move {
            step("part", fails, stalls, &stalled).await?;
            put.await
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        step("complete", self.fails, self.stalls, &self.stalled).await?;
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.aborted.fetch_add(1, Ordering::SeqCst);
        self.inner.abort().await
    }
}

#[async_trait]
impl ObjectStore for Parted {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if self.stalls == "begin" {
            self.stalled.store(true, Ordering::SeqCst);
            // The server answers after the caller has gone.
            self.answered.notified().await;
        }
        self.begun.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(CountedUpload {
            inner: self.inner.put_multipart_opts(location, options).await?,
            aborted: self.aborted.clone(),
            fails: self.fails,
            stalls: self.stalls,
            stalled: self.stalled.clone(),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn path() -> Path {
    Path::from("file")
}

/// Uploads `size` bytes in pieces of 3 MB.
async fn upload(store: &Arc<Parted>, uploads: &Uploads, size: usize) -> Result<()> {
    let mut upload = Upload::new(store.clone(), path(), uploads);
    let content = Bytes::from(vec![7; size]);
    for start in (0..size).step_by(3 << 20) {
        let end = size.min(start + (3 << 20));
        upload.write(content.slice(start..end)).await?;
    }
    upload.finish().await
}

#[tokio::test]
async fn small_files_are_one_request_and_large_ones_parts() {
    for (size, begun) in [(0, 0), (1000, 0), (PART_BYTES, 1), (12 << 20, 1)] {
        let (store, uploads) = (Arc::new(Parted::default()), Uploads::default());
        upload(&store, &uploads, size).await.unwrap();
        assert_eq!(store.begun.load(Ordering::SeqCst), begun, "{size}");
        assert_eq!(store.aborted.load(Ordering::SeqCst), 0);
        let meta = store.head(&path()).await.unwrap();
        assert_eq!(meta.size, size as u64);
        assert!(uploads.ended(LIMIT).await);
    }
}

#[tokio::test]
async fn a_failed_upload_is_aborted() {
    for fails in ["part", "complete"] {
        let store = Arc::new(Parted {
            fails,
            ..Parted::default()
        });
        let uploads = Uploads::default();
        upload(&store, &uploads, 12 << 20).await.unwrap_err();
        assert!(uploads.ended(LIMIT).await);
        assert_eq!(store.aborted.load(Ordering::SeqCst), 1, "{fails}");
        assert!(store.head(&path()).await.is_err());
    }
}

#[tokio::test]
async fn an_upload_that_is_dropped_anywhere_is_aborted() {
    for stalls in ["begin", "part", "complete"] {
        let store = Arc::new(Parted {
            stalls,
            ..Parted::default()
        });
        let uploads = Uploads::default();
        let run = upload(&store, &uploads, 12 << 20);
        let stalled = async {
            while !store.stalled.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            _ = run => panic!("{stalls} did not stall"),
            () = stalled => {}
        }
        store.answered.notify_one();
        assert!(uploads.ended(LIMIT).await, "{stalls}");
        assert_eq!(store.aborted.load(Ordering::SeqCst), 1, "{stalls}");
    }
}
