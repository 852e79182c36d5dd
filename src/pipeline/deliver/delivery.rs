//! Outcome of delivering a month to a destination.

use serde::Serialize;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::drop::DropId;

/// Kind of destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DestinationKind {
    /// Drops in a bucket that CloudZero reads.
    Bucket,
    /// Requests to CloudZero's Stream API.
    Stream,
}

impl DestinationKind {
    /// Name in tables and messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            DestinationKind::Bucket => "bucket",
            DestinationKind::Stream => "stream",
        }
    }
}

/// Outcome of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryStatus {
    /// The drop is written and read back, or the stream holds the month to the last digit.
    Delivered,
    /// The destination already had the month.
    Unchanged,
    /// CloudZero accepted all requests but does not show them yet.
    Pending,
    /// The month was rolled back or cleared, and stays so until it is delivered by name.
    Pinned,
    /// The month was rolled back to an earlier drop.
    #[serde(rename = "pointed-back")]
    RolledBack,
    /// The month was cleared.
    Cleared,
    /// Nothing was written or sent.
    DryRun,
    /// CloudZero held the month to the last digit in a test namespace.
    Rehearsed,
}

/// Delivery of a month to a destination.
#[derive(Debug, Clone, Serialize)]
pub struct Delivery {
    pub(crate) billing_period: BillingPeriod,
    #[serde(rename = "target")]
    pub(crate) destination: DestinationKind,
    /// URL of the bucket's folder, or CloudZero's id of the stream.
    pub(crate) place: String,
    pub(crate) status: DeliveryStatus,
    /// The active drop of a bucket.
    pub(crate) drop_id: Option<DropId>,
    /// Files of a bucket, or requests of a stream.
    pub(crate) parts: usize,
    /// Number of line items.
    pub(crate) rows: u64,
    /// Compressed bytes of a bucket's files, or bytes of a stream's requests.
    pub(crate) bytes: u64,
}

impl Delivery {
    /// Creates a delivery with all counts zero.
    pub(crate) fn new(
        period: BillingPeriod,
        destination: DestinationKind,
        place: String,
        status: DeliveryStatus,
    ) -> Self {
        Delivery {
            billing_period: period,
            destination,
            place,
            status,
            drop_id: None,
            parts: 0,
            rows: 0,
            bytes: 0,
        }
    }
}
