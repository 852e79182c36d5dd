//! Errors of object storage: one condition each, with the kind and the hint that belong to it.

mod response;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;

use super::remote::S3_CREDENTIALS;
use crate::error::{Error, ErrorKind};
use crate::http::transport::Obstacle;
use response::{Response, connection_failure};

/// Operation on an object or a folder of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Read,
    Write,
    Delete,
    List,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Read => "read",
            Operation::Write => "write",
            Operation::Delete => "delete",
            Operation::List => "list",
        })
    }
}

/// Failed operation on object storage.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StorageError {
    /// The file system refused; permissions or free space.
    #[error("could not {operation} `{location}`: {cause}")]
    LocalFolder {
        operation: Operation,
        location: String,
        cause: String,
        is_full: bool,
    },
    #[error("could not {operation} `{location}`: the bucket does not exist")]
    MissingBucket {
        operation: Operation,
        location: String,
    },
    #[error("could not {operation} `{location}`: it does not exist")]
    NotFound {
        operation: Operation,
        location: String,
    },
    #[error(
        "could not {operation} `{location}`: the credentials are missing or refused ({response})"
    )]
    CredentialsRefused {
        operation: Operation,
        location: String,
        response: String,
    },
    /// A conditional write found another object than its writer had read.
    #[error("could not write `{location}`: another writer changed it first")]
    Conflict { location: String },
    /// The server ended an upload in parts before it was complete.
    #[error("could not write `{location}`: the upload no longer exists")]
    UploadEnded { location: String },
    /// The server does not know this kind of request.
    #[error("could not {operation} `{location}`: the server does not support it ({response})")]
    Unsupported {
        operation: Operation,
        location: String,
        response: String,
    },
    #[error(
        "could not {operation} `{location}`: no connection{}: {cause}",
        to(server)
    )]
    NoConnection {
        operation: Operation,
        location: String,
        /// Host and port.
        server: Option<String>,
        cause: String,
        obstacle: Option<Obstacle>,
    },
    #[error("could not {operation} `{location}`: {response}")]
    Unavailable {
        operation: Operation,
        location: String,
        response: String,
    },
}

/// Returns true if the disk, a quota or a limit of the process has no room for a write.
pub(crate) fn is_full(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

fn to(server: &Option<String>) -> String {
    server
        .as_ref()
        .map(|server| format!(" to {server}"))
        .unwrap_or_default()
}

impl StorageError {
    /// Condition of an object_store error.
    pub(crate) fn new(
        operation: Operation,
        location: String,
        is_local: bool,
        error: &object_store::Error,
    ) -> StorageError {
        let is_missing = matches!(error, object_store::Error::NotFound { .. });
        if is_local {
            return StorageError::local(operation, location, is_missing, error);
        }
        let text = error.to_string();
        let response = Response::of(&text);
        if response.code == Some("NoSuchUpload") {
            return StorageError::UploadEnded { location };
        }
        // S3 answers 404 for an object and for a bucket; only the bucket of a listing and of a put may be missing.
        let asks_for_bucket = operation == Operation::List || response.is_put();
        let is_missing_bucket = is_missing && asks_for_bucket && response.code != Some("NoSuchKey");
        if response.code == Some("NoSuchBucket") || is_missing_bucket {
            return StorageError::MissingBucket {
                operation,
                location,
            };
        }
        if is_missing {
            return StorageError::NotFound {
                operation,
                location,
            };
        }
        let is_refused = matches!(
            error,
            object_store::Error::PermissionDenied { .. }
                | object_store::Error::Unauthenticated { .. }
        );
        if is_refused || response.is_refusal() {
            return StorageError::CredentialsRefused {
                operation,
                location,
                response: response.summary(),
            };
        }
        let is_unsupported = matches!(error, object_store::Error::NotImplemented { .. });
        if is_unsupported || response.is_unsupported() {
            return StorageError::Unsupported {
                operation,
                location,
                response: response.summary(),
            };
        }
        if let Some(cause) = connection_failure(error) {
            return StorageError::NoConnection {
                operation,
                location,
                server: response.server(),
                obstacle: Obstacle::detect(&cause),
                cause,
            };
        }
        StorageError::Unavailable {
            operation,
            location,
            response: response.summary(),
        }
    }

    fn local(
        operation: Operation,
        location: String,
        is_missing: bool,
        error: &object_store::Error,
    ) -> StorageError {
        if is_missing && operation == Operation::Read {
            return StorageError::NotFound {
                operation,
                location,
            };
        }
        let mut cause: &(dyn std::error::Error + 'static) = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        StorageError::LocalFolder {
            operation,
            location,
            cause: cause.to_string(),
            is_full: kind.is_some_and(is_full),
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            StorageError::LocalFolder { .. }
            | StorageError::MissingBucket { .. }
            | StorageError::CredentialsRefused { .. }
            | StorageError::Unsupported { .. } => ErrorKind::Config,
            StorageError::NotFound { .. } => ErrorKind::Data,
            StorageError::Conflict { .. } => ErrorKind::Locked,
            StorageError::UploadEnded { .. }
            | StorageError::NoConnection { .. }
            | StorageError::Unavailable { .. } => ErrorKind::Remote,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            StorageError::LocalFolder { is_full: true, .. } => {
                "free some space, or raise the limit of file sizes (`ulimit -f`), then run the command again: what is \
                 published is complete"
            }
            StorageError::LocalFolder { .. } => "check the folder, its permissions and its disk",
            StorageError::MissingBucket { .. } => {
                "check the bucket's name, AWS_REGION and AWS_ENDPOINT_URL"
            }
            StorageError::NotFound { .. } => {
                "check whether another tool deleted it; `billstream status` names the months that cannot be read"
            }
            StorageError::CredentialsRefused { response, .. } => {
                if response.starts_with("RequestTimeTooSkewed") {
                    "check this computer's clock (`date -u`)"
                } else if response.starts_with("ExpiredToken") {
                    "the session has ended: get new credentials, then run the command again"
                } else {
                    S3_CREDENTIALS
                }
            }
            StorageError::Conflict { .. } => "run the command again",
            StorageError::UploadEnded { .. } => {
                "run the command again; if it happens each time, check the bucket's lifecycle rules for incomplete uploads"
            }
            StorageError::Unsupported { .. } => {
                "use a server that supports what Amazon S3 does, and check AWS_ENDPOINT_URL"
            }
            StorageError::NoConnection { obstacle, .. } => match obstacle {
                Some(obstacle) => obstacle.hint(),
                None => {
                    "check AWS_ENDPOINT_URL, AWS_REGION and the network, then run the command again"
                }
            },
            StorageError::Unavailable { .. } => {
                "check endpoint, region, bucket and network, then run the command again"
            }
        }
    }
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Error {
        let hint = error.hint();
        Error::new(error.kind(), error).with_hint(hint)
    }
}
