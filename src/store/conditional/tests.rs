use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    PutMultipartOptions,
};

use super::*;

/// What a server does with the conditions of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Complete,
    IgnoresCreate,
    IgnoresUpdate,
    RejectsCreate,
    RejectsUpdate,
    RefusesEveryUpdate,
}

#[derive(Debug)]
struct Fake {
    inner: InMemory,
    server: Server,
    puts: AtomicUsize,
}

impl fmt::Display for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fake")
    }
}

fn rejected() -> object_store::Error {
    object_store::Error::Generic {
        store: "S3",
        source: "Error performing PUT http://127.0.0.1:9000/b/x in 3s, after 5 retries - Server returned non-2xx \
                 status code: 501 Not Implemented: <Error><Code>NotImplemented</Code><Message>A header you provided \
                 implies functionality that is not implemented</Message></Error>"
            .into(),
    }
}

#[async_trait]
impl ObjectStore for Fake {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.puts.fetch_add(1, Ordering::SeqCst);
        match (self.server, &options.mode) {
            (Server::IgnoresCreate, PutMode::Create)
            | (Server::IgnoresUpdate, PutMode::Update(_)) => options.mode = PutMode::Overwrite,
            (Server::RejectsCreate, PutMode::Create)
            | (Server::RejectsUpdate, PutMode::Update(_)) => return Err(rejected()),
            (Server::RefusesEveryUpdate, PutMode::Update(_)) => {
                return Err(object_store::Error::Precondition {
                    path: location.to_string(),
                    source: "412".into(),
                });
            }
            _ => {}
        }
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn store(server: Server) -> (Store, Arc<Fake>) {
    let fake = Arc::new(Fake {
        inner: InMemory::new(),
        server,
        puts: AtomicUsize::new(0),
    });
    (Store::over(fake.clone()), fake)
}

#[tokio::test]
async fn a_complete_server_is_probed_once() {
    let (store, fake) = store(Server::Complete);
    require(&store).await.unwrap();
    let puts = fake.puts.load(Ordering::SeqCst);
    assert_eq!(store.list("").await.unwrap(), [PASSED]);
    require(&store).await.unwrap();
    assert_eq!(fake.puts.load(Ordering::SeqCst), puts);
}

#[tokio::test]
async fn servers_without_conditions_are_refused_and_keep_nothing() {
    for (server, message) in [
        (
            Server::IgnoresCreate,
            "ignores the condition of a write (If-None-Match)",
        ),
        (
            Server::IgnoresUpdate,
            "ignores the condition of a write (If-Match)",
        ),
        (
            Server::RejectsCreate,
            "does not support conditional writes (If-None-Match: NotImplemented: A header",
        ),
        (
            Server::RejectsUpdate,
            "conditional writes (If-Match: NotImplemented",
        ),
        (
            Server::RefusesEveryUpdate,
            "(If-Match: 412 for an object that has not changed)",
        ),
    ] {
        let (store, _) = store(server);
        let error = require(&store).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.hint().unwrap().contains("--single-writer"));
        assert_eq!(store.list("").await.unwrap(), [""; 0]);
    }
}

#[tokio::test]
async fn a_single_writer_gets_its_conditions_on_any_server() {
    for server in [
        Server::Complete,
        Server::IgnoresCreate,
        Server::IgnoresUpdate,
        Server::RejectsCreate,
        Server::RejectsUpdate,
        Server::RefusesEveryUpdate,
    ] {
        let (store, _) = store(server);
        let store = store.with_single_writer(true);
        require(&store).await.unwrap();
        store.put_if_unchanged("m", "1".into(), None).await.unwrap();
        let second = store.put_if_unchanged("m", "2".into(), None).await;
        assert_eq!(second.unwrap_err().kind(), ErrorKind::Locked);
        let (_, seen) = store.get_with_meta("m").await.unwrap().unwrap();
        for is_first in [true, false] {
            let put = store.put_if_unchanged("m", "3".into(), Some(&seen)).await;
            assert_eq!(put.is_ok(), is_first, "{server:?}");
        }
    }
}

#[tokio::test]
async fn a_local_store_needs_no_probe() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().display().to_string()).unwrap();
    require(&store).await.unwrap();
    assert_eq!(store.list("").await.unwrap(), [""; 0]);
}
