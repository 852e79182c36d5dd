//! Stores over any object store, for unit tests.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;

/// Kind of a request that changes an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Put,
    Delete,
}

fn unavailable() -> object_store::Error {
    object_store::Error::Generic {
        store: "ScriptedStore",
        source: "unavailable".into(),
    }
}

/// Outcome of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PutFault {
    /// It fails and is not applied.
    Refused,
    /// It is applied and fails.
    LostReply,
}

/// Object store in memory with a separate clock, whose changes fail as a test says. Clones share both.
#[derive(Clone)]
pub(crate) struct ScriptedStore {
    inner: Arc<InMemory>,
    script: Arc<Mutex<Script>>,
}

struct Script {
    now: DateTime<Utc>,
    modified: HashMap<Path, DateTime<Utc>>,
    /// Part of a path, and what happens to the next put of such an object.
    puts: Vec<(String, PutFault)>,
    /// Part of the paths that cannot be deleted.
    kept: Option<String>,
    refused_deletes: usize,
    /// Changes that are always refused.
    refuses: fn(Change, &Path) -> bool,
}

impl ScriptedStore {
    /// Empty store whose clock shows `now` until it is moved.
    pub(crate) fn new(now: &str) -> ScriptedStore {
        ScriptedStore::refusing(now, |_, _| false)
    }

    /// As [`ScriptedStore::new`], with changes that are refused, as by a bucket that became unavailable.
    pub(crate) fn refusing(now: &str, refuses: fn(Change, &Path) -> bool) -> ScriptedStore {
        let script = Script {
            refuses,
            now: now.parse().unwrap(),
            modified: HashMap::new(),
            puts: Vec::new(),
            kept: None,
            refused_deletes: 0,
        };
        ScriptedStore {
            inner: Arc::new(InMemory::new()),
            script: Arc::new(Mutex::new(script)),
        }
    }

    /// Moves the store's clock.
    pub(crate) fn advance(&self, by: TimeDelta) {
        self.script.lock().now += by;
    }

    /// Lets the next put of an object fail whose path contains `part`.
    pub(crate) fn fail_put(&self, part: &str, fault: PutFault) {
        self.script.lock().puts.push((part.to_string(), fault));
    }

    /// Number of faults of puts that have not fired.
    pub(crate) fn faults_left(&self) -> usize {
        self.script.lock().puts.len()
    }

    /// Refuses deletions of objects whose path contains `part`; `None` allows all.
    pub(crate) fn refuse_deletes(&self, part: Option<&str>) {
        self.script.lock().kept = part.map(str::to_string);
    }

    /// Number of refused deletions.
    pub(crate) fn refused_deletes(&self) -> usize {
        self.script.lock().refused_deletes
    }

    /// Sets the time of an object's last modification.
    pub(crate) fn touch(&self, location: &Path, at: DateTime<Utc>) {
        self.script.lock().modified.insert(location.clone(), at);
    }

    /// Takes the fault of a put, or of an upload in parts.
    fn next_fault(&self, location: &Path) -> Option<PutFault> {
        let mut script = self.script.lock();
        if (script.refuses)(Change::Put, location) {
            return Some(PutFault::Refused);
        }
        let mut puts = script.puts.iter();
        let at = puts.position(|(part, _)| location.as_ref().contains(part))?;
        Some(script.puts.remove(at).1)
    }

    fn with_time(&self, mut meta: ObjectMeta) -> ObjectMeta {
        let script = self.script.lock();
        if let Some(modified) = script.modified.get(&meta.location) {
            meta.last_modified = *modified;
        }
        meta
    }
}

impl fmt::Debug for ScriptedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScriptedStore")
    }
}

impl fmt::Display for ScriptedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[async_trait]
impl ObjectStore for ScriptedStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let fault = self.next_fault(location);
        if fault == Some(PutFault::Refused) {
            return Err(unavailable());
        }
        let put = self.inner.put_opts(location, payload, options).await?;
        let now = self.script.lock().now;
        self.touch(location, now);
        match fault {
            Some(_) => Err(unavailable()),
            None => Ok(put),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if self.next_fault(location).is_some() {
            return Err(unavailable());
        }
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let mut found = self.inner.get_opts(location, options).await?;
        found.meta = self.with_time(found.meta);
        Ok(found)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let allowed = locations.map(move |location| {
            let location = location?;
            let mut script = store.script.lock();
            let kept = script.kept.as_ref();
            if kept.is_some_and(|part| location.as_ref().contains(part)) {
                script.refused_deletes += 1;
                return Err(unavailable());
            }
            if (script.refuses)(Change::Delete, &location) {
                return Err(unavailable());
            }
            Ok(location)
        });
        self.inner.delete_stream(allowed.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = self.clone();
        let listed = self.inner.list(prefix);
        listed
            .map(move |meta| meta.map(|meta| store.with_time(meta)))
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut listed = self.inner.list_with_delimiter(prefix).await?;
        let objects = std::mem::take(&mut listed.objects).into_iter();
        listed.objects = objects.map(|meta| self.with_time(meta)).collect();
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
