//! What came of delivering a month.

use serde::Serialize;

use crate::billing_period::BillingPeriod;

/// A door into CloudZero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Drops in a bucket that CloudZero reads.
    Bucket,
    /// Requests to CloudZero's API.
    Stream,
}

/// How a delivery of a month came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It is there: written and read back, or held by CloudZero to the last digit.
    Delivered,
    /// It was there before.
    Unchanged,
    /// CloudZero took all of it, and does not show it yet.
    Pending,
    /// The month was pointed back or cleared, and stays so until it is delivered by name.
    Pinned,
    /// The month was pointed back to an earlier drop.
    PointedBack,
    /// The month was cleared.
    Cleared,
    /// All was done but to write or send.
    DryRun,
}

/// A delivery of a month to a target.
#[derive(Debug, Clone, Serialize)]
pub struct Delivery {
    /// The month.
    pub billing_period: BillingPeriod,
    /// Which door.
    pub target: Target,
    /// URL of the bucket's folder, or CloudZero's id of the stream.
    pub place: String,
    /// How it came out.
    pub status: Status,
    /// The drop that is in force.
    pub drop_id: Option<String>,
    /// Files of a bucket, requests of a stream.
    pub parts: usize,
    /// Line items.
    pub rows: u64,
    /// Compressed bytes of a bucket's files, bytes of a stream's requests.
    pub bytes: u64,
}

impl Delivery {
    /// A delivery of which nothing is counted yet.
    pub fn new(period: BillingPeriod, target: Target, place: String, status: Status) -> Self {
        Delivery {
            billing_period: period,
            target,
            place,
            status,
            drop_id: None,
            parts: 0,
            rows: 0,
            bytes: 0,
        }
    }
}
