//! The object store as one process sees it: its requests wait for their turn, and fail as the schedule says.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};
use parking_lot::Mutex;

use super::schedule::{Effect, ProcessId, START, Schedule, Service};
use crate::store::testing::ScriptedStore;

/// A bucket, shared by all processes.
pub(super) struct Bucket {
    pub(super) objects: ScriptedStore,
    /// Uploads in parts that nobody completed or asked to abort, with their process.
    uploads: Mutex<HashMap<u32, ProcessId>>,
    /// The server ignores conditions of writes.
    pub(super) ignores_conditions: bool,
}

impl Bucket {
    pub(super) fn new(ignores_conditions: bool) -> Arc<Bucket> {
        Arc::new(Bucket {
            objects: ScriptedStore::new(START),
            uploads: Mutex::default(),
            ignores_conditions,
        })
    }

    /// Processes that left an upload behind.
    pub(super) fn open_uploads(&self) -> Vec<ProcessId> {
        self.uploads.lock().values().copied().collect()
    }
}

/// A process's way to the bucket.
#[derive(Clone)]
pub(super) struct SimulatedStore {
    bucket: Arc<Bucket>,
    schedule: Arc<Schedule>,
    process: ProcessId,
    faulty: bool,
}

impl SimulatedStore {
    pub(super) fn new(
        bucket: &Arc<Bucket>,
        schedule: &Arc<Schedule>,
        process: ProcessId,
        faulty: bool,
    ) -> SimulatedStore {
        SimulatedStore {
            bucket: bucket.clone(),
            schedule: schedule.clone(),
            process,
            faulty,
        }
    }

    async fn turn(&self, request: &str, changes: bool) -> Effect {
        let (schedule, process) = (&self.schedule, self.process);
        let turn = schedule.turn(process, Service::Store, request, changes, self.faulty);
        turn.await
    }

    async fn read<T>(&self, request: String, read: impl Future<Output = Result<T>>) -> Result<T> {
        match self.turn(&request, false).await {
            Effect::Refused => Err(unavailable()),
            _ => read.await,
        }
    }

    /// Sends a request that changes an object.
    async fn change<T>(
        &self,
        verb: &str,
        location: &Path,
        change: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let request = format!("{verb} {location}");
        let effect = self.turn(&request, true).await;
        if effect == Effect::Refused {
            return Err(unavailable());
        }
        let changed = change.await;
        if changed.is_ok() {
            self.bucket.objects.touch(location, self.schedule.now());
        }
        match effect {
            Effect::ReplyLost => Err(unavailable()),
            Effect::KilledAfter => {
                self.schedule.kill(self.process).await;
                changed
            }
            _ => changed,
        }
    }
}

impl fmt::Debug for SimulatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimulatedStore({})", self.process)
    }
}

impl fmt::Display for SimulatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

fn unavailable() -> object_store::Error {
    object_store::Error::Generic {
        store: "SimulatedStore",
        source: "503 Service Unavailable".into(),
    }
}

#[async_trait]
impl ObjectStore for SimulatedStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        if self.bucket.ignores_conditions {
            options.mode = PutMode::Overwrite;
        }
        let put = self.bucket.objects.put_opts(location, payload, options);
        self.change("put", location, put).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let begin = self.bucket.objects.put_multipart_opts(location, options);
        let inner = self.change("begin upload of", location, begin).await?;
        let mut uploads = self.bucket.uploads.lock();
        let number = uploads.keys().max().map_or(0, |last| last + 1);
        uploads.insert(number, self.process);
        Ok(Box::new(SimulatedUpload {
            store: self.clone(),
            location: location.clone(),
            number,
            inner,
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let get = self.bucket.objects.get_opts(location, options);
        self.read(format!("get {location}"), get).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Path| {
            let store = store.clone();
            async move {
                let delete = store.bucket.objects.delete(&location);
                store.change("delete", &location, delete).await?;
                Ok(location)
            }
        };
        locations.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = self.clone();
        let prefix = prefix.cloned();
        let listed = async move {
            let request = format!("list {}", prefix.clone().unwrap_or_default());
            let all = store.bucket.objects.list(prefix.as_ref());
            let all: Vec<ObjectMeta> = store.read(request, all.try_collect()).await?;
            Ok::<_, object_store::Error>(futures::stream::iter(all.into_iter().map(Ok)))
        };
        futures::stream::once(listed).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let request = format!("list in {}", prefix.cloned().unwrap_or_default());
        let list = self.bucket.objects.list_with_delimiter(prefix);
        self.read(request, list).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let copy = self.bucket.objects.copy_opts(from, to, options);
        self.change("copy", to, copy).await
    }
}

/// Upload in parts.
#[derive(Debug)]
struct SimulatedUpload {
    store: SimulatedStore,
    location: Path,
    number: u32,
    inner: Box<dyn MultipartUpload>,
}

impl SimulatedUpload {
    fn close(&self) {
        self.store.bucket.uploads.lock().remove(&self.number);
    }
}

#[async_trait]
impl MultipartUpload for SimulatedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let part = self.inner.put_part(data);
        let (store, location) = (self.store.clone(), self.location.clone());
        Box::pin(async move { store.change("put part of", &location, part).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (store, location) = (self.store.clone(), self.location.clone());
        let completed = store.change("complete", &location, self.inner.complete());
        let completed = completed.await?;
        self.close();
        Ok(completed)
    }

    async fn abort(&mut self) -> Result<()> {
        let (store, location) = (self.store.clone(), self.location.clone());
        self.close();
        let aborted = store.change("abort", &location, self.inner.abort());
        aborted.await
    }
}
