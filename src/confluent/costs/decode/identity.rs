//! Identities of records, and the digest of a set of records.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use twox_hash::XxHash3_128;

use crate::confluent::costs::decode::DecodedPage;
use crate::confluent::costs::decode::schema::SCHEMA;
use crate::error::{Error, Result};

/// Identities of the records of one window, assigned page by page.
pub struct Identities {
    seed: Vec<u8>,
    seen: HashMap<u128, i32>,
    digest: Digest,
}

/// Digest of a set of records, independent of their order: the sum of their identities modulo 2^128, and their number.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    sum: u128,
    count: u64,
}

impl Digest {
    /// Adds one record.
    pub fn add(&mut self, identity: u128) {
        self.sum = self.sum.wrapping_add(identity);
        self.count += 1;
    }

    /// Number of records.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds the records of another set.
    pub fn merge(&mut self, other: Digest) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.count += other.count;
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}-{}", self.sum, self.count)
    }
}

impl FromStr for Digest {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        text.split_once('-')
            .and_then(|(sum, count)| {
                Some(Digest {
                    sum: u128::from_str_radix(sum, 16).ok()?,
                    count: count.parse().ok()?,
                })
            })
            .ok_or_else(|| Error::data("could not read a stored digest"))
    }
}

impl Identities {
    /// Starts a window of `connection`.
    pub fn new(connection: &str) -> Self {
        Identities {
            seed: connection.as_bytes().to_vec(),
            seen: HashMap::new(),
            digest: Digest::default(),
        }
    }

    /// Converts the page into a batch of [`SCHEMA`], with `record_id` and `ordinal`.
    ///
    /// # Errors
    /// Kind bug, when the columns do not form a batch.
    pub fn identify(&mut self, page: DecodedPage) -> Result<RecordBatch> {
        let rows = page.hashes.len();
        let mut ids = String::with_capacity(rows * 32);
        let mut ordinals = Vec::with_capacity(rows);
        let mut key = std::mem::take(&mut self.seed);
        let seed = key.len();
        for hash in &page.hashes {
            let ordinal = self.seen.entry(*hash).or_insert(-1);
            *ordinal += 1;
            ordinals.push(*ordinal);
            key.truncate(seed);
            key.push(0);
            key.extend_from_slice(&hash.to_le_bytes());
            key.extend_from_slice(&ordinal.to_le_bytes());
            let identity = XxHash3_128::oneshot(&key);
            self.digest.add(identity);
            push_hex(&mut ids, identity);
        }
        key.truncate(seed);
        self.seed = key;
        let ids = StringArray::from_iter_values((0..rows).map(|row| &ids[row * 32..row * 32 + 32]));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(Int32Array::from(ordinals))];
        columns.extend(page.columns);
        RecordBatch::try_new(SCHEMA.clone(), columns)
            .map_err(|e| Error::bug(format!("costs batch: {e}")))
    }

    /// Digest of all records so far.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

fn push_hex(out: &mut String, value: u128) {
    for shift in (0..32).rev() {
        let digit = ((value >> (shift * 4)) & 0xf) as u32;
        out.push(char::from_digit(digit, 16).unwrap_or('0'));
    }
}
