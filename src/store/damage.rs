//! Published files that were lost, cut or changed: by another tool, a full or failing disk, or a power cut.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{GetOptions, GetRange, ObjectStore};

use crate::billing_period::BillingPeriod;
use crate::error::{Error, Result};
use crate::store::writer::DataFile;
use crate::store::{Operation, Store, TableName, file_hash};

/// Last bytes of a complete Parquet file.
const MAGIC: &[u8] = b"PAR1";
/// Files that are checked concurrently.
const CONCURRENCY: usize = 16;

/// Published file that cannot be read, or not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DamagedFile {
    /// Path relative to the table, as in the Delta log.
    pub(crate) path: String,
    /// Location as people write it.
    location: String,
    damage: Damage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    Missing,
    OtherSize { expected: u64, actual: u64 },
    NotParquet,
    OtherContent,
}

/// Advice for a month with damaged files.
pub(crate) fn repair_hint(period: BillingPeriod) -> String {
    format!(
        "run `billstream import --month {period}` to pull and publish it again, or restore the file from a backup and run \
         `billstream verify`"
    )
}

/// Month of a data file, which its path names.
pub(crate) fn month_of(path: &str) -> Option<BillingPeriod> {
    let (_, rest) = path.split_once("billing_period=")?;
    rest.split('/').next()?.parse().ok()
}

impl DamagedFile {
    /// Returns true if only reading the whole file shows its damage.
    pub(crate) fn has_other_content(&self) -> bool {
        self.damage == Damage::OtherContent
    }
}

impl fmt::Display for DamagedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let location = &self.location;
        match self.damage {
            Damage::Missing => write!(f, "`{location}` is missing"),
            Damage::OtherSize { expected, actual } => {
                write!(f, "`{location}` has {actual} bytes instead of {expected}")
            }
            Damage::NotParquet => write!(f, "`{location}` is not a complete Parquet file"),
            Damage::OtherContent => {
                write!(f, "`{location}` has other bytes than were written")
            }
        }
    }
}

/// Returns the files among `files` that are missing, have another size, or do not end as Parquet files do. One request
/// per file.
///
/// # Errors
/// Those of the store.
pub(crate) async fn find(
    store: &Store,
    table: TableName,
    files: &[DataFile],
) -> Result<Vec<DamagedFile>> {
    let checks = files.iter().map(|file| async move {
        let name = format!("{table}/{}", file.path);
        let damage = damage(store, &name, file.size).await?;
        Ok::<_, Error>(damage.map(|damage| damaged(store, table, file, damage)))
    });
    found_by(checks).await
}

/// As [`find`], and reads each file to compare its hash with that of the bytes that were written. Files of older versions
/// have none.
///
/// # Errors
/// Those of the store.
pub(crate) async fn find_by_content(
    store: &Store,
    table: TableName,
    files: &[DataFile],
) -> Result<Vec<DamagedFile>> {
    let checks = files.iter().map(|file| async move {
        let name = format!("{table}/{}", file.path);
        let damage = match file.hash {
            None => damage(store, &name, file.size).await?,
            Some(expected) => {
                let found = file_hash::of_file(store, &name).await?;
                let (size, hash) = found.unzip();
                let changed = (hash != Some(expected)).then_some(Damage::OtherContent);
                of_size(file.size, size).or(changed)
            }
        };
        Ok::<_, Error>(damage.map(|damage| damaged(store, table, file, damage)))
    });
    found_by(checks).await
}

/// Files among `files` that were found with other content before, as paths relative to the store in `known`.
pub(crate) fn find_known(
    store: &Store,
    table: TableName,
    files: &[DataFile],
    known: &BTreeSet<String>,
) -> Vec<DamagedFile> {
    let is_known = |file: &&DataFile| known.contains(&format!("{table}/{}", file.path));
    let known = files.iter().filter(is_known);
    known
        .map(|file| damaged(store, table, file, Damage::OtherContent))
        .collect()
}

/// Returns the files among `files` that are missing or have another size, with one listing of `folder`, which is relative
/// to the table.
///
/// # Errors
/// Those of the store.
pub(crate) async fn find_by_listing(
    store: &Store,
    table: TableName,
    folder: &str,
    files: &[DataFile],
) -> Result<Vec<DamagedFile>> {
    let folder = format!("{table}/{folder}");
    let found = store.list_objects(&folder).await?.into_iter();
    let sizes: BTreeMap<_, u64> = found.map(|meta| (meta.location, meta.size)).collect();
    let damaged = files.iter().filter_map(|file| {
        let path = store.path(&format!("{table}/{}", file.path));
        let damage = of_size(file.size, sizes.get(&path).copied())?;
        Some(damaged(store, table, file, damage))
    });
    Ok(damaged.collect())
}

/// Location of the first file that does not exist with its size. One request per file, which reads nothing of it.
///
/// # Errors
/// Those of the store.
pub(crate) async fn first_changed(
    store: &Store,
    table: TableName,
    files: &[DataFile],
) -> Result<Option<String>> {
    let looks = files.iter().map(|file| async move {
        let name = format!("{table}/{}", file.path);
        let meta = store.head(&name).await?;
        let damage = of_size(file.size, meta.map(|meta| meta.size));
        Ok::<_, Error>(damage.map(|_| store.display(&name)))
    });
    Ok(found_by(looks).await?.into_iter().next())
}

/// What checks of files find, in their order.
async fn found_by<T>(
    checks: impl Iterator<Item = impl Future<Output = Result<Option<T>>>>,
) -> Result<Vec<T>> {
    let checked = stream::iter(checks).buffered(CONCURRENCY);
    let checked: Vec<Option<T>> = checked.try_collect().await?;
    Ok(checked.into_iter().flatten().collect())
}

fn damaged(store: &Store, table: TableName, file: &DataFile, damage: Damage) -> DamagedFile {
    DamagedFile {
        path: file.path.clone(),
        location: store.display(&format!("{table}/{}", file.path)),
        damage,
    }
}

fn of_size(expected: u64, actual: Option<u64>) -> Option<Damage> {
    match actual {
        None => Some(Damage::Missing),
        Some(actual) if actual != expected => Some(Damage::OtherSize { expected, actual }),
        Some(_) => None,
    }
}

async fn damage(store: &Store, name: &str, size: u64) -> Result<Option<Damage>> {
    let from = size.saturating_sub(MAGIC.len() as u64);
    let (found, end) = match read_from(store, name, from).await {
        Ok((found, end)) => (Some(found), end),
        Err(object_store::Error::NotFound { .. }) => (None, Bytes::new()),
        Err(error) => {
            // Servers refuse the range if the file is shorter.
            let meta = store.head(name).await?;
            return match of_size(size, meta.map(|meta| meta.size)) {
                None => Err(store.error(Operation::Read, name, &error)),
                damage => Ok(damage),
            };
        }
    };
    let cut = (end != MAGIC).then_some(Damage::NotParquet);
    Ok(of_size(size, found).or(cut))
}

/// Size of an object, and its content from an offset.
async fn read_from(store: &Store, name: &str, from: u64) -> object_store::Result<(u64, Bytes)> {
    let options = GetOptions {
        range: Some(GetRange::Offset(from)),
        ..GetOptions::default()
    };
    let found = store.root().get_opts(&store.path(name), options).await?;
    let size = found.meta.size;
    Ok((size, found.bytes().await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, size: u64) -> DataFile {
        DataFile {
            path: path.to_string(),
            hash: None,
            size,
            rows: 1,
            start_range: None,
        }
    }

    #[tokio::test]
    async fn finds_files_that_are_lost_cut_or_not_parquet() {
        let folder = tempfile::tempdir().unwrap();
        let local = Store::open(&folder.path().display().to_string()).unwrap();
        for store in [local, Store::in_memory()] {
            for (name, content) in [
                ("whole", "PAR1 data PAR1"),
                ("empty", ""),
                ("cut", "PAR1 da"),
                ("longer", "PAR1 data PAR1 data PAR1"),
                ("zeros", "PAR1 data \0\0\0\0"),
            ] {
                store
                    .put(&format!("costs/m/{name}"), content)
                    .await
                    .unwrap();
            }
            let names = ["whole", "lost", "empty", "cut", "longer", "zeros"];
            let files: Vec<DataFile> = names
                .iter()
                .map(|name| file(&format!("m/{name}"), 14))
                .collect();
            let size = |actual| Damage::OtherSize {
                expected: 14,
                actual,
            };
            let by_size = [
                ("m/lost", Damage::Missing),
                ("m/empty", size(0)),
                ("m/cut", size(7)),
                ("m/longer", size(24)),
            ];
            let shown = |found: &[DamagedFile]| -> Vec<(String, Damage)> {
                let found = found.iter();
                found
                    .map(|found| (found.path.clone(), found.damage))
                    .collect()
            };
            let mut expected: Vec<(String, Damage)> = by_size
                .iter()
                .map(|(path, damage)| (path.to_string(), *damage))
                .collect();
            let costs = TableName::Costs;
            let found = find_by_listing(&store, costs, "m", &files).await.unwrap();
            assert_eq!(shown(&found), expected);
            expected.push(("m/zeros".to_string(), Damage::NotParquet));
            let found = find(&store, costs, &files).await.unwrap();
            assert_eq!(shown(&found), expected);
            assert!(found[0].to_string().ends_with("costs/m/lost` is missing"));
        }
    }

    #[tokio::test]
    async fn finds_files_of_the_same_size_with_other_bytes() {
        let store = Store::in_memory();
        let content = "PAR1 data PAR1";
        for name in ["whole", "changed", "of another tool"] {
            store
                .put(&format!("costs/m/{name}"), content)
                .await
                .unwrap();
        }
        let (size, hash) = file_hash::of_file(&store, "costs/m/whole")
            .await
            .unwrap()
            .unwrap();
        let mut files = ["m/whole", "m/changed", "m/of another tool", "m/lost"].map(|path| {
            let hash = Some(hash);
            DataFile {
                hash,
                ..file(path, size)
            }
        });
        files[2].hash = None;
        for name in ["changed", "of another tool"] {
            let changed = content.replace("data", "dat\u{1}");
            store
                .put(&format!("costs/m/{name}"), changed)
                .await
                .unwrap();
        }
        let costs = TableName::Costs;
        let found = find(&store, costs, &files).await.unwrap();
        assert_eq!(found.len(), 1, "the sizes are the same: {found:?}");
        let found = find_by_content(&store, costs, &files).await.unwrap();
        assert_eq!(found[0].path, "m/changed");
        assert_eq!(found[0].damage, Damage::OtherContent);
        assert_eq!(found[1].damage, Damage::Missing);
        assert_eq!(found.len(), 2);

        let known = BTreeSet::from(["costs/m/changed".to_string(), "costs/m/older".to_string()]);
        assert_eq!(find_known(&store, costs, &files, &known), found[..1]);
    }
}
