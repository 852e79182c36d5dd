//! Conditional writes for servers without them, where the user promises that only one run writes at a time.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};

/// Object store that compares before it writes, in two requests: another writer between them goes unnoticed.
#[derive(Debug)]
pub(super) struct SingleWriter {
    inner: Arc<dyn ObjectStore>,
}

impl SingleWriter {
    pub(super) fn new(inner: Arc<dyn ObjectStore>) -> SingleWriter {
        SingleWriter { inner }
    }

    async fn head(&self, location: &Path) -> Result<Option<ObjectMeta>> {
        match self.inner.head(location).await {
            Ok(meta) => Ok(Some(meta)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

impl fmt::Display for SingleWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SingleWriter({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for SingleWriter {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        let path = || location.to_string();
        match std::mem::replace(&mut options.mode, PutMode::Overwrite) {
            PutMode::Overwrite => {}
            PutMode::Create => {
                if self.head(location).await?.is_some() {
                    let source = "the object exists".into();
                    return Err(Error::AlreadyExists {
                        path: path(),
                        source,
                    });
                }
            }
            PutMode::Update(seen) => {
                let found = self.head(location).await?;
                if found.is_none_or(|found| found.e_tag != seen.e_tag) {
                    let source = "the object has changed".into();
                    return Err(Error::Precondition {
                        path: path(),
                        source,
                    });
                }
            }
        }
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
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
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
