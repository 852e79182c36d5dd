//! Outputs that are not complete: temporary files and uploads, which are discarded however the process ends.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tempfile::NamedTempFile;

use crate::store::upload::{Upload, Uploads};

/// Temporary files. The end of a process runs no destructors.
static FILES: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
/// Uploads that nothing writes to at the moment.
static IDLE: Mutex<Vec<Weak<IdleUpload>>> = Mutex::new(Vec::new());
/// All uploads.
static UPLOADS: LazyLock<Uploads> = LazyLock::new(Uploads::default);

type IdleUpload = Mutex<Option<Upload>>;

/// Temporary file.
pub(super) struct UnfinishedFile(NamedTempFile);

impl UnfinishedFile {
    pub(super) fn new(file: NamedTempFile) -> UnfinishedFile {
        FILES.lock().insert(file.path().to_owned());
        UnfinishedFile(file)
    }

    pub(super) fn file(&mut self) -> &mut NamedTempFile {
        &mut self.0
    }

    /// Gives the file its name.
    pub(super) fn persist(self, path: &Path) -> std::io::Result<()> {
        let temporary = self.0.path().to_owned();
        let persisted = self.0.persist(path);
        FILES.lock().remove(&temporary);
        persisted.map(|_| ()).map_err(|e| e.error)
    }
}

/// Upload that can be aborted while its writer waits for rows, or for a line of input.
pub(super) struct UnfinishedUpload(Arc<IdleUpload>);

impl UnfinishedUpload {
    /// Creates the upload with `create`.
    pub(super) fn new(create: impl FnOnce(&Uploads) -> Upload) -> UnfinishedUpload {
        let upload = Arc::new(Mutex::new(Some(create(&UPLOADS))));
        let mut idle = IDLE.lock();
        idle.retain(|other| other.strong_count() > 0);
        idle.push(Arc::downgrade(&upload));
        UnfinishedUpload(upload)
    }

    /// Takes the upload, to write or finish it. `None` if it was aborted.
    pub(super) fn take(&self) -> Option<Upload> {
        self.0.lock().take()
    }

    /// Returns the upload after a write.
    pub(super) fn put_back(&self, upload: Upload) {
        *self.0.lock() = Some(upload);
    }
}

/// Deletes the temporary files, at the end of a process.
pub(crate) fn delete_files() {
    for path in std::mem::take(&mut *FILES.lock()) {
        // It may have got its name or be gone.
        let _ = std::fs::remove_file(path);
    }
}

/// Aborts uploads that nothing writes to, and waits for the end of all, at most for `limit`.
pub(crate) async fn abort_uploads(limit: Duration) {
    let idle = std::mem::take(&mut *IDLE.lock());
    for upload in idle.iter().filter_map(Weak::upgrade) {
        drop(upload.lock().take());
    }
    if !UPLOADS.ended(limit).await {
        tracing::warn!(
            "Could not abort an upload in time: its parts stay until the bucket's lifecycle rules delete them"
        );
    }
}
