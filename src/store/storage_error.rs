//! Errors of object storage: one condition each, with the kind and the hint that belong to it.

use std::fmt;

use super::remote::S3_CREDENTIALS;
use crate::error::{Error, ErrorKind};

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
    #[error("could not {operation} `{location}`: {response}")]
    Unavailable {
        operation: Operation,
        location: String,
        response: String,
    },
}

impl StorageError {
    /// Condition of an object_store error.
    pub(crate) fn new(
        operation: Operation,
        location: String,
        is_local: bool,
        error: &object_store::Error,
    ) -> StorageError {
        let text = error.to_string();
        if is_local {
            return StorageError::LocalFolder {
                operation,
                location,
                cause: text,
            };
        }
        let response = response::Response::of(&text);
        let is_missing = matches!(error, object_store::Error::NotFound { .. });
        // S3 answers 404 for an object and for a bucket; only a read asks for an object that may be missing.
        if response.code == Some("NoSuchBucket") || (is_missing && operation != Operation::Read) {
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
        let response_text = response.summary();
        if is_refused || response.is_refusal() {
            return StorageError::CredentialsRefused {
                operation,
                location,
                response: response_text,
            };
        }
        StorageError::Unavailable {
            operation,
            location,
            response: response_text,
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            StorageError::LocalFolder { .. }
            | StorageError::MissingBucket { .. }
            | StorageError::CredentialsRefused { .. } => ErrorKind::Config,
            StorageError::NotFound { .. } => ErrorKind::Data,
            StorageError::Conflict { .. } => ErrorKind::Locked,
            StorageError::Unavailable { .. } => ErrorKind::Remote,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        Some(match self {
            StorageError::LocalFolder { .. } => {
                "check the folder, its permissions and the free space"
            }
            StorageError::MissingBucket { .. } => {
                "check the bucket's name, AWS_REGION and AWS_ENDPOINT_URL"
            }
            StorageError::NotFound { .. } => return None,
            StorageError::CredentialsRefused { .. } => S3_CREDENTIALS,
            StorageError::Conflict { .. } => "run the command again",
            StorageError::Unavailable { .. } => {
                "check endpoint, region, bucket and network, then run the command again"
            }
        })
    }
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Error {
        let hint = error.hint();
        let error = Error::new(error.kind(), error);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// S3's response inside the text of an object_store error.
///
/// Text is the only way to it: the error that holds status and body is a private type of object_store, and a
/// refused listing has neither in its variant.
mod response {
    pub(super) struct Response<'a> {
        text: &'a str,
        pub(super) code: Option<&'a str>,
        message: Option<&'a str>,
    }

    impl<'a> Response<'a> {
        pub(super) fn of(text: &'a str) -> Response<'a> {
            Response {
                text,
                code: element(text, "<Code>"),
                message: element(text, "<Message>"),
            }
        }

        /// Returns true for S3's refusal codes, and for requests to the metadata endpoint: object_store asks
        /// the machine's own role only where the environment holds no keys.
        pub(super) fn is_refusal(&self) -> bool {
            const CODES: [&str; 3] = [
                "AccessDenied",
                "InvalidAccessKeyId",
                "SignatureDoesNotMatch",
            ];
            const METADATA: [&str; 2] = ["/latest/api/token", "169.254.169.254"];
            self.code.is_some_and(|code| CODES.contains(&code))
                || METADATA.iter().any(|part| self.text.contains(part))
        }

        /// Code and message, or the first line of the text.
        pub(super) fn summary(&self) -> String {
            match (self.code, self.message) {
                (Some(code), Some(message)) => format!("{code}: {message}"),
                (Some(code), None) => code.to_string(),
                _ => {
                    let line = self.text.lines().next().unwrap_or_default();
                    line.chars().take(300).collect()
                }
            }
        }
    }

    fn element<'a>(text: &'a str, tag: &str) -> Option<&'a str> {
        let (_, rest) = text.split_once(tag)?;
        Some(rest.split_once('<')?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic {
            store: "S3",
            source: text.into(),
        }
    }

    fn not_found() -> object_store::Error {
        object_store::Error::NotFound {
            path: "x".into(),
            source: "404".into(),
        }
    }

    fn kind(operation: Operation, is_local: bool, error: &object_store::Error) -> ErrorKind {
        let error = StorageError::new(operation, "s3://b/x".into(), is_local, error);
        Error::from(error).kind()
    }

    #[test]
    fn classifies_responses_by_condition() {
        use Operation::{List, Read, Write};
        let denied = generic("403: <Error><Code>AccessDenied</Code><Message>no</Message></Error>");
        assert_eq!(kind(List, false, &denied), ErrorKind::Config);
        let no_bucket = generic("404: <Error><Code>NoSuchBucket</Code></Error>");
        assert_eq!(kind(List, false, &no_bucket), ErrorKind::Config);
        assert_eq!(kind(Read, false, &not_found()), ErrorKind::Data);
        assert_eq!(kind(Write, false, &not_found()), ErrorKind::Config);
        assert_eq!(kind(Write, true, &not_found()), ErrorKind::Config);
        assert_eq!(kind(Read, false, &generic("timed out")), ErrorKind::Remote);
        let role = generic("PUT http://169.254.169.254/latest/api/token failed");
        assert_eq!(kind(Read, false, &role), ErrorKind::Config);
    }

    #[test]
    fn shows_code_and_message_without_the_rest_of_the_response() {
        let error =
            generic("403: <Error><Code>AccessDenied</Code><Message>no</Message><Id>1</Id></Error>");
        let error = StorageError::new(Operation::Read, "s3://b/x".into(), false, &error);
        assert_eq!(
            error.to_string(),
            "could not read `s3://b/x`: the credentials are missing or refused (AccessDenied: no)"
        );
    }
}
