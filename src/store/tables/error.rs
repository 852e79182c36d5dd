//! Errors of publishing a month.

use crate::billing_period::BillingPeriod;
use crate::error::{Error, ErrorKind};

/// Month that was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The month changed after this table was opened. Nothing was published.
    #[error("another run published {period} of `{connection}` to {table} first")]
    MonthChanged {
        /// Connection of the month.
        connection: String,
        /// The month.
        period: BillingPeriod,
        /// Location of the table.
        table: String,
    },
    /// Refused, because a commit without files would empty the month.
    #[error("replacing {period} of `{connection}` by nothing")]
    NoFiles {
        /// Connection of the month.
        connection: String,
        /// The month.
        period: BillingPeriod,
    },
}

impl From<PublishError> for Error {
    fn from(error: PublishError) -> Error {
        match error {
            PublishError::MonthChanged { .. } => Error::new(ErrorKind::Locked, error).with_hint(
                "nothing of this run was published for the month; run the command again",
            ),
            PublishError::NoFiles { .. } => Error::new(ErrorKind::Bug, error),
        }
    }
}
