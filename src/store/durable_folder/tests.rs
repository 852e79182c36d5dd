use std::path::PathBuf;

use object_store::ObjectStoreExt;
use object_store::WriteMultipart;

use super::*;

/// What was synced or named, in order: `file`, `name` or `folder`, and its path.
pub(super) type Step = (&'static str, PathBuf);

fn opened() -> (tempfile::TempDir, DurableFolder) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let store = DurableFolder::open(&path).unwrap();
    (folder, store)
}

/// Steps since the last call, with paths relative to the store.
fn steps(store: &DurableFolder) -> Vec<(&'static str, String)> {
    let root = &store.disk.root;
    let relative = |path: &PathBuf| match path.strip_prefix(root) {
        Ok(path) => path.display().to_string(),
        Err(_) => "..".to_string(),
    };
    let mut steps = store.disk.steps.lock();
    steps
        .drain(..)
        .map(|(step, path)| (step, relative(&path)))
        .collect()
}

fn files(folder: &FsPath) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn owned(steps: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let steps = steps.iter();
    steps
        .map(|(step, path)| (*step, path.to_string()))
        .collect()
}

#[tokio::test]
async fn data_is_synced_before_its_name_and_the_folders_after_it() {
    let (_folder, store) = opened();
    let (path, other) = (Path::from("a/b/file"), Path::from("a/b/other"));
    store.put(&path, "1".into()).await.unwrap();
    assert_eq!(
        steps(&store),
        owned(&[
            ("file", "a/b/file"),
            ("name", "a/b/file"),
            ("folder", "a/b"),
            ("folder", "a"),
            ("folder", ""),
            ("folder", ".."),
        ]),
        "the new folders are synced too"
    );
    for mode in [PutMode::Create, PutMode::Overwrite] {
        store
            .put_opts(&other, "2".into(), mode.into())
            .await
            .unwrap();
        assert_eq!(
            steps(&store),
            owned(&[
                ("file", "a/b/other"),
                ("name", "a/b/other"),
                ("folder", "a/b")
            ])
        );
    }
    let read = store.get(&other).await.unwrap().bytes().await.unwrap();
    assert_eq!(read, "2");
}

#[tokio::test]
async fn a_folder_that_was_deleted_and_created_again_is_synced_again() {
    let (_folder, store) = opened();
    let path = Path::from("a/file");
    store.put(&path, "1".into()).await.unwrap();
    fs::remove_dir_all(store.disk.root.join("a")).unwrap();
    steps(&store);
    store.put(&path, "1".into()).await.unwrap();
    assert!(steps(&store).contains(&("folder", String::new())));
}

#[tokio::test]
async fn a_second_create_is_refused_and_changes_nothing() {
    let (_folder, store) = opened();
    let path = Path::from("file");
    let create = || PutOptions::from(PutMode::Create);
    store.put_opts(&path, "1".into(), create()).await.unwrap();
    let refused = store.put_opts(&path, "2".into(), create()).await;
    assert!(matches!(refused, Err(Error::AlreadyExists { .. })));
    let read = store.get(&path).await.unwrap().bytes().await.unwrap();
    assert_eq!(read, "1");
    assert_eq!(files(&store.disk.root), ["file"]);
}

#[tokio::test]
async fn an_upload_in_parts_is_synced_once_it_is_complete() {
    let (_folder, store) = opened();
    let path = Path::from("file");
    let upload = store.put_multipart(&path).await.unwrap();
    let mut upload = WriteMultipart::new_with_chunk_size(upload, 4);
    upload.write(b"0123456789");
    assert_eq!(steps(&store), []);
    upload.finish().await.unwrap();
    assert_eq!(
        steps(&store),
        owned(&[
            ("file", "file"),
            ("name", "file"),
            ("folder", ""),
            ("folder", "..")
        ])
    );
    let read = store.get(&path).await.unwrap().bytes().await.unwrap();
    assert_eq!(read, "0123456789");
}

#[tokio::test]
async fn uploads_that_are_aborted_or_dropped_leave_nothing() {
    let (_folder, store) = opened();
    for abort in [true, false] {
        let mut upload = store.put_multipart(&Path::from("file")).await.unwrap();
        upload.put_part("12345".into()).await.unwrap();
        assert_eq!(files(&store.disk.root), ["file#1"]);
        if abort {
            upload.abort().await.unwrap();
            assert!(upload.complete().await.is_err());
        }
        drop(upload);
        assert_eq!(files(&store.disk.root), [""; 0]);
    }
}

#[tokio::test]
async fn files_of_killed_runs_are_not_listed_and_are_removed_once_they_are_old() {
    use futures::TryStreamExt;
    let (_folder, store) = opened();
    let root = &store.disk.root;
    fs::create_dir(root.join("a")).unwrap();
    for name in ["a/file#1", "a/file", "a/b#c", "a/#"] {
        fs::write(root.join(name), "x").unwrap();
    }
    let listed: Vec<ObjectMeta> = store.list(None).try_collect().await.unwrap();
    assert_eq!(listed.len(), 3);
    assert_eq!(
        remove_interrupted(root, Duration::from_secs(60)).unwrap(),
        0
    );
    assert_eq!(remove_interrupted(root, Duration::ZERO).unwrap(), 1);
    assert_eq!(files(&root.join("a")), ["#", "b#c", "file"]);
    // The next write takes the first free name.
    store.put(&Path::from("a/file"), "y".into()).await.unwrap();
}

#[test]
fn creates_and_syncs_missing_folders() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b/c");
    create_folder(&deep).unwrap();
    create_folder(&deep).unwrap();
    assert!(deep.is_dir());
}
