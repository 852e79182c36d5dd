//! Hash of a Parquet file's bytes, taken while they are written and kept where the log names the file. It finds damage
//! that leaves the size and the footer as they were.

use std::fmt;
use std::str::FromStr;

use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use twox_hash::xxhash3_128::Hasher;

use crate::store::{Operation, Store};

/// XXH3-128 of a file's bytes; written as 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHash(u128);

impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for FileHash {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> std::result::Result<FileHash, Self::Err> {
        u128::from_str_radix(text, 16).map(FileHash)
    }
}

/// Hash and size of bytes that are written or read in pieces.
#[derive(Clone, Default)]
pub(super) struct FileHasher {
    hasher: Hasher,
    size: u64,
}

impl FileHasher {
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.hasher.write(bytes);
        self.size += bytes.len() as u64;
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn hash(&self) -> FileHash {
        FileHash(self.hasher.finish_128())
    }
}

/// Reads a file, and returns its size and its hash; `None` if it does not exist.
///
/// # Errors
/// Those of the store.
pub(crate) async fn of_file(
    store: &Store,
    name: &str,
) -> crate::error::Result<Option<(u64, FileHash)>> {
    let failed = |e| store.error(Operation::Read, name, &e);
    let mut bytes = match store.root().get(&store.path(name)).await {
        Ok(found) => found.into_stream(),
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let mut hasher = FileHasher::default();
    while let Some(piece) = bytes.try_next().await.map_err(failed)? {
        hasher.write(&piece);
    }
    Ok(Some((hasher.size(), hasher.hash())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hashes_in_pieces_as_at_once_and_reads_back_what_it_writes() {
        let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        let store = Store::in_memory();
        store.put("f", bytes.clone()).await.unwrap();
        let (size, whole) = of_file(&store, "f").await.unwrap().unwrap();
        assert_eq!(size, bytes.len() as u64);
        for piece in [1, 7, 4096, 70_000] {
            let mut hasher = FileHasher::default();
            for piece in bytes.chunks(piece) {
                hasher.write(piece);
            }
            assert_eq!((hasher.size(), hasher.hash()), (size, whole));
        }
        assert_eq!(whole.to_string().parse(), Ok(whole));
        assert_eq!(whole.to_string().len(), 32);
        assert_eq!(of_file(&store, "lost").await.unwrap(), None);
    }
}
