//! Digests of the rows of each day, with which a written drop is compared column by column.
//!
//! A digest is the number of rows and the sum of their 128-bit hashes modulo 2^128, so the order of rows and their
//! distribution over files do not matter. The hash of a row covers name and value of every column that is not
//! empty, in the order of names; a column without values, such as the tag of another month, changes nothing.
//!
//! Both sides hash values, not text: those of record batches before they are written, and those parsed from the
//! written files. So the writer's formatting is part of what is compared. A value is encoded as
//!
//! | type | encoding |
//! |---|---|
//! | text | length (32 bits), then UTF-8; NULL equals the empty text, as in CSV |
//! | number | units of 1e-24 (128 bits) |
//! | time | seconds since 1970 (64 bits), as delivered times have no fraction |

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use arrow::array::{Array, RecordBatch};
use twox_hash::XxHash3_128;

use crate::cloudzero::columns::{LineItemColumn, SECOND_MICROS, day_of, typed_columns};
use crate::error::{Error, Result};

/// Column by which rows are assigned to days.
const START: &str = "time/usage_start";
/// Seconds of a day.
const DAY: i64 = 86_400;

/// Digest of some rows.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct RowDigest {
    rows: u64,
    /// Sum of the hashes modulo 2^128.
    sum: u128,
}

/// Day whose rows differ between two sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DayDifference {
    /// The day, such as `2026-10-01`.
    pub(crate) day: String,
    /// Number of rows that are expected.
    pub(crate) expected: u64,
    /// Number of rows that were found.
    pub(crate) actual: u64,
}

/// Digests by day.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct RowDigests(BTreeMap<i64, RowDigest>);

impl RowDigests {
    /// Adds a row that starts at `start` (seconds since 1970).
    pub(crate) fn add(&mut self, start: i64, hash: u128) {
        let row = RowDigest { rows: 1, sum: hash };
        self.add_digest(start.div_euclid(DAY), row);
    }

    fn add_digest(&mut self, day: i64, digest: RowDigest) {
        match self.0.entry(day) {
            Entry::Vacant(entry) => {
                entry.insert(digest);
            }
            Entry::Occupied(mut entry) => {
                let sum = entry.get_mut();
                sum.rows += digest.rows;
                sum.sum = sum.sum.wrapping_add(digest.sum);
            }
        }
    }

    /// Adds the rows of a batch of line items.
    ///
    /// # Errors
    /// Kind `Bug` for a batch without line items' columns; kind `Data` for a row without a start.
    pub(crate) fn add_batch(&mut self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema_ref();
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let mut encoder = RowEncoder::new(names);
        let columns = typed_columns(batch)?;
        let start = schema.index_of(START).ok().map(|index| &columns[index]);
        let Some(LineItemColumn::Time(starts)) = start else {
            return Err(Error::bug(format!("line items without {START}")));
        };
        for row in 0..batch.num_rows() {
            if starts.is_null(row) {
                return Err(Error::data(format!("a line item has no {START}")));
            }
            let hash = encoder.hash(|index, value| {
                match &columns[index] {
                    LineItemColumn::Text(array) if array.is_valid(row) => {
                        value.text(array.value(row).as_bytes());
                    }
                    LineItemColumn::Number(array) if array.is_valid(row) => {
                        value.number(array.value(row));
                    }
                    LineItemColumn::Time(array) if array.is_valid(row) => {
                        value.time(array.value(row).div_euclid(SECOND_MICROS));
                    }
                    _ => {}
                }
                Ok::<(), Error>(())
            })?;
            self.add(starts.value(row).div_euclid(SECOND_MICROS), hash);
        }
        Ok(())
    }

    /// Adds the rows of `other`.
    pub(crate) fn merge(&mut self, other: RowDigests) {
        for (day, digest) in other.0 {
            self.add_digest(day, digest);
        }
    }

    /// Returns the first day whose rows differ in `actual`.
    pub(crate) fn first_difference(&self, actual: &RowDigests) -> Option<DayDifference> {
        let of = |all: &RowDigests, day: &i64| all.0.get(day).copied().unwrap_or_default();
        let differs = |day: &&i64| of(self, day) != of(actual, day);
        let first = self.0.keys().chain(actual.0.keys()).filter(differs).min()?;
        Some(DayDifference {
            day: day_of(first * DAY * SECOND_MICROS),
            expected: of(self, first).rows,
            actual: of(actual, first).rows,
        })
    }
}

/// Encoder of the rows of a table or file.
pub(crate) struct RowEncoder {
    /// Index of each column and the hash of its name, in the order of names.
    columns: Vec<(usize, [u8; 8])>,
    row: Vec<u8>,
}

impl RowEncoder {
    /// Creates an encoder of rows with these columns.
    pub(crate) fn new<'n>(names: impl Iterator<Item = &'n str>) -> RowEncoder {
        let mut names: Vec<(&str, usize)> = names
            .enumerate()
            .map(|(index, name)| (name, index))
            .collect();
        names.sort_unstable();
        // A fixed length keeps rows short; 64 bits tell the names of a file apart.
        let hash = |name: &str| (XxHash3_128::oneshot(name.as_bytes()) as u64).to_le_bytes();
        RowEncoder {
            columns: names
                .into_iter()
                .map(|(name, index)| (index, hash(name)))
                .collect(),
            row: Vec::with_capacity(1024),
        }
    }

    /// Returns the hash of a row. `encode` is called with the index of each column and encodes its value.
    ///
    /// # Errors
    /// The first error of `encode`.
    pub(crate) fn hash<E>(
        &mut self,
        mut encode: impl FnMut(usize, &mut ValueEncoder<'_>) -> std::result::Result<(), E>,
    ) -> std::result::Result<u128, E> {
        self.row.clear();
        for (index, name) in &self.columns {
            let mut value = ValueEncoder {
                row: &mut self.row,
                name,
            };
            encode(*index, &mut value)?;
        }
        Ok(XxHash3_128::oneshot(&self.row))
    }
}

/// Encoder of one value. A column whose value is not encoded is empty.
pub(crate) struct ValueEncoder<'r> {
    row: &'r mut Vec<u8>,
    name: &'r [u8; 8],
}

impl ValueEncoder<'_> {
    /// Encodes a text.
    pub(crate) fn text(&mut self, text: &[u8]) {
        if !text.is_empty() {
            self.row.extend_from_slice(self.name);
            self.row
                .extend_from_slice(&(text.len() as u32).to_le_bytes());
            self.row.extend_from_slice(text);
        }
    }

    /// Encodes a number in units of 1e-24.
    pub(crate) fn number(&mut self, units: i128) {
        self.row.extend_from_slice(self.name);
        self.row.extend_from_slice(&units.to_le_bytes());
    }

    /// Encodes a time in seconds since 1970.
    pub(crate) fn time(&mut self, seconds: i64) {
        self.row.extend_from_slice(self.name);
        self.row.extend_from_slice(&seconds.to_le_bytes());
    }
}
