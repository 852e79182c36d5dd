//! A local folder as an object store whose writes survive a power cut.
//!
//! object_store's own folder leaves writes to the page cache: after a power cut a commit may exist without the files that
//! it names. Here a write that has returned is on the disk: its data is synced before it appears under its name, and the
//! folder that holds the name afterwards. So whatever is written first also survives first.
//!
//! A file in progress is named `<name>#<number>`, which listings leave out; [`remove_interrupted`] deletes those of
//! killed runs.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};
use parking_lot::Mutex;

/// Object store of a folder; paths start at the folder.
#[derive(Debug)]
pub(super) struct DurableFolder {
    inner: LocalFileSystem,
    disk: Arc<Disk>,
}

impl DurableFolder {
    /// Opens an existing folder, which must be an absolute path.
    pub(super) fn open(folder: &FsPath) -> Result<DurableFolder> {
        Ok(DurableFolder {
            inner: LocalFileSystem::new_with_prefix(folder)?,
            disk: Arc::new(Disk {
                root: folder.to_path_buf(),
                ..Disk::default()
            }),
        })
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Disk>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let disk = self.disk.clone();
        blocking(move || work(&disk)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).err_into().await.flatten()
}

impl fmt::Display for DurableFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableFolder({})", self.disk.root.display())
    }
}

#[async_trait]
impl ObjectStore for DurableFolder {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let create = match options.mode {
            PutMode::Overwrite => false,
            PutMode::Create => true,
            PutMode::Update(_) => {
                return Err(Error::NotImplemented {
                    operation: "conditional update".to_string(),
                    implementer: self.to_string(),
                });
            }
        };
        let path = self.inner.path_to_filesystem(location)?;
        self.on_disk(move |disk| {
            let mut staged = Staged::create(disk, &path).map_err(|e| failed(&path, e))?;
            let written = payload
                .iter()
                .try_for_each(|part| staged.file.write_all(part));
            written
                .and_then(|()| staged.place(create))
                .map_err(|e| failed(&path, e))
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let path = self.inner.path_to_filesystem(location)?;
        let staged =
            self.on_disk(move |disk| Staged::create(disk, &path).map_err(|e| failed(&path, e)));
        Ok(Box::new(Upload {
            staged: Arc::new(Mutex::new(Some(staged.await?))),
            offset: 0,
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        // Not synced: a file that a power cut brings back is deleted again by the next run.
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        sorted(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        sorted(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await?;
        let path = self.inner.path_to_filesystem(to)?;
        self.on_disk(move |disk| {
            let synced = File::open(&path).and_then(|file| disk.sync_file(&file, &path));
            synced
                .and_then(|()| disk.sync_name(&path))
                .map_err(|e| failed(&path, e))
        })
        .await
    }
}

/// In the order of object storage, which readers of the Delta log rely on.
fn sorted(
    listing: BoxStream<'static, Result<ObjectMeta>>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let collected = async {
        let mut all: Vec<ObjectMeta> = listing.try_collect().await?;
        all.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        Ok(stream::iter(all.into_iter().map(Ok)))
    };
    collected.try_flatten_stream().boxed()
}

fn failed(path: &FsPath, source: io::Error) -> Error {
    if source.kind() == ErrorKind::AlreadyExists {
        return Error::AlreadyExists {
            path: path.display().to_string(),
            source: source.into(),
        };
    }
    Error::Generic {
        store: "DurableFolder",
        source: source.into(),
    }
}

/// Syncs of one store's folder.
#[derive(Debug, Default)]
struct Disk {
    root: PathBuf,
    /// Folders whose own names are on the disk.
    durable: Mutex<HashSet<PathBuf>>,
    #[cfg(test)]
    steps: Mutex<Vec<tests::Step>>,
}

impl Disk {
    fn sync_file(&self, file: &File, path: &FsPath) -> io::Result<()> {
        self.record("file", path);
        file.sync_all()
    }

    /// Syncs the folder of a file that was just named, and the names of the folders above that this process has not
    /// synced yet: it, or one that was killed, may have created them.
    fn sync_name(&self, path: &FsPath) -> io::Result<()> {
        let Some(folder) = path.parent() else {
            return Ok(());
        };
        let above: Vec<&FsPath> = {
            let durable = self.durable.lock();
            let unknown = folder
                .ancestors()
                .take_while(|above| above.starts_with(&self.root) && !durable.contains(*above));
            unknown.collect()
        };
        self.sync_folder(folder)?;
        for folder in above {
            if let Some(parent) = folder.parent() {
                self.sync_folder(parent)?;
            }
            self.durable.lock().insert(folder.to_path_buf());
        }
        Ok(())
    }

    fn sync_folder(&self, folder: &FsPath) -> io::Result<()> {
        self.record("folder", folder);
        sync_folder(folder)
    }

    #[cfg_attr(not(test), allow(unused_variables, clippy::unused_self))]
    fn record(&self, step: &'static str, path: &FsPath) {
        #[cfg(test)]
        self.steps.lock().push((step, path.to_path_buf()));
    }
}

fn sync_folder(folder: &FsPath) -> io::Result<()> {
    // Elsewhere folders cannot be opened, and names are on the disk with the file.
    if !cfg!(unix) {
        return Ok(());
    }
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.or_else(|e| match e.kind() {
        // Folders above the store may be unreadable, and some network file systems do not sync folders.
        ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported => Ok(()),
        _ => Err(e),
    })
}

/// Creates a folder and those above it, and syncs their names.
pub(super) fn create_folder(folder: &FsPath) -> io::Result<()> {
    let missing = folder.ancestors().take_while(|above| !above.exists());
    let missing: Vec<&FsPath> = missing.collect();
    fs::create_dir_all(folder)?;
    for folder in missing {
        if let Some(parent) = folder.parent() {
            let parent = if parent.as_os_str().is_empty() {
                FsPath::new(".")
            } else {
                parent
            };
            sync_folder(parent)?;
        }
    }
    Ok(())
}

/// File in progress, deleted unless it is placed.
#[derive(Debug)]
struct Staged {
    disk: Arc<Disk>,
    file: File,
    path: PathBuf,
    destination: PathBuf,
    is_placed: bool,
}

impl Staged {
    /// Creates a file next to its destination, and the folders above that are missing.
    fn create(disk: &Arc<Disk>, destination: &FsPath) -> io::Result<Staged> {
        let mut number = 1;
        loop {
            let mut path = destination.as_os_str().to_owned();
            path.push(format!("#{number}"));
            let path = PathBuf::from(path);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    return Ok(Staged {
                        disk: disk.clone(),
                        file,
                        path,
                        destination: destination.to_path_buf(),
                        is_placed: false,
                    });
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(e) if e.kind() == ErrorKind::NotFound => {
                    let folder = destination.parent().ok_or(e)?;
                    let mut durable = disk.durable.lock();
                    for missing in folder.ancestors().take_while(|above| !above.exists()) {
                        durable.remove(missing);
                    }
                    drop(durable);
                    fs::create_dir_all(folder)?;
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Syncs the file, gives it its name, and syncs that. With `create` it fails if the name exists.
    fn place(mut self, create: bool) -> io::Result<PutResult> {
        // The content of an empty file cannot be lost.
        if self.file.metadata()?.len() > 0 {
            self.disk.sync_file(&self.file, &self.destination)?;
        }
        self.disk.record("name", &self.destination);
        if create {
            // A rename would replace an existing file.
            fs::hard_link(&self.path, &self.destination)?;
            let _ = fs::remove_file(&self.path);
        } else {
            fs::rename(&self.path, &self.destination)?;
        }
        self.is_placed = true;
        self.disk.sync_name(&self.destination)?;
        Ok(PutResult {
            e_tag: None,
            version: None,
        })
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.is_placed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Upload in parts. Dropping it deletes the file in progress.
#[derive(Debug)]
struct Upload {
    /// `None` once it is completed or aborted.
    staged: Arc<Mutex<Option<Staged>>>,
    offset: u64,
}

fn already_ended() -> Error {
    Error::Generic {
        store: "DurableFolder",
        source: "the upload has ended".into(),
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let offset = self.offset;
        self.offset += data.content_length() as u64;
        let staged = self.staged.clone();
        blocking(move || {
            let mut staged = staged.lock();
            let staged = staged.as_mut().ok_or_else(already_ended)?;
            let written = staged.file.seek(SeekFrom::Start(offset));
            written
                .and_then(|_| data.iter().try_for_each(|part| staged.file.write_all(part)))
                .map_err(|e| failed(&staged.destination, e))
        })
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let staged = self.staged.clone();
        blocking(move || {
            let staged = staged.lock().take().ok_or_else(already_ended)?;
            let destination = staged.destination.clone();
            staged.place(false).map_err(|e| failed(&destination, e))
        })
        .await
    }

    async fn abort(&mut self) -> Result<()> {
        let staged = self.staged.clone();
        blocking(move || {
            drop(staged.lock().take());
            Ok(())
        })
        .await
    }
}

/// Deletes files in progress that were last written to before `age`: their run was killed. Returns their number.
pub(super) fn remove_interrupted(folder: &FsPath, age: Duration) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            removed += remove_interrupted(&entry.path(), age)?;
        } else if kind.is_file() && is_in_progress(&entry.path()) {
            let modified = entry.metadata()?.modified()?;
            let is_old = SystemTime::now()
                .duration_since(modified)
                .is_ok_and(|since| since >= age);
            if is_old {
                fs::remove_file(entry.path())?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

fn is_in_progress(path: &FsPath) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.rsplit_once('#').is_some_and(|(_, number)| {
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}
