//! Decoding of pages to Arrow record batches, with totals, identities and data quality counts.
//!
//! A record has no reliable id (Confluent: unique per scope only, and mostly absent), so its identity is its content
//! plus an ordinal among equal records. Ordinals are counted per window: equal records have equal dates, and windows
//! tile the days.

mod builder;
mod dates;
mod identity;
mod schema;
#[cfg(test)]
mod tests;

use arrow::array::ArrayRef;

use crate::billing_period::Window;
use crate::confluent::client::BodyError;
use crate::confluent::costs::decode::builder::{FieldError, PageBuilder};
use crate::confluent::costs::page::read_page;
use crate::control_totals::ControlTotals;
use crate::error::{Error, ErrorKind};

pub use crate::confluent::costs::decode::identity::{Digest, Identities};
pub use crate::confluent::costs::decode::schema::SCHEMA;

/// Counts of tolerated irregularities.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DataQualityCounts {
    /// Numbers with digits past the scale, rounded half-even.
    pub rounded: u64,
    /// Records whose discount differs from original minus net.
    pub discount_differs: u64,
    /// Records of several days, which count on their first day.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub several_days: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl DataQualityCounts {
    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: DataQualityCounts) {
        self.rounded += other.rounded;
        self.discount_differs += other.discount_differs;
        self.several_days += other.several_days;
    }
}

/// Decoded page: everything but the identity of its records.
pub struct DecodedPage {
    /// `metadata.next` as received.
    pub next: Option<String>,
    /// Totals of the page.
    pub totals: ControlTotals,
    /// Irregularities of the page.
    pub data_quality: DataQualityCounts,
    /// Columns of [`SCHEMA`] from `start_date` on.
    columns: Vec<ArrayRef>,
    /// Content hash of each record.
    hashes: Vec<u128>,
}

impl DecodedPage {
    /// Number of records.
    pub fn rows(&self) -> usize {
        self.hashes.len()
    }
}

/// Decodes the text of a page of `window`.
///
/// # Errors
/// [`BodyError::Unreadable`] when the text is not JSON. [`BodyError::Wrong`] when it does not contain costs, for a
/// missing or unparsable date or amount, and for a cost outside the window or longer than a year; the message names row
/// and field.
pub fn decode_page(text: &str, window: Window) -> std::result::Result<DecodedPage, BodyError> {
    let mut builder = PageBuilder::new(text.len() / 400);
    let next = read_page(text, &mut |row, record| {
        builder
            .push(record, window)
            .map_err(|error| Error::new(ErrorKind::Data, RecordError { row, error }))
    })?;
    Ok(builder.finish(next))
}

/// Wrong field of a record. Never quotes the record.
#[derive(Debug, thiserror::Error)]
#[error("row {row}, {error}")]
struct RecordError {
    row: usize,
    error: FieldError,
}
