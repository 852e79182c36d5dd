//! Conditional writes of a server, probed once per store: leases, commits and manifests depend on them.
//!
//! Some servers that speak S3 ignore `If-None-Match` and `If-Match`. There, of two runs that meet, the second silently
//! replaces the log entry of the first, and a published month is lost.

#[cfg(test)]
mod tests;

use object_store::{ObjectStore, PutMode, PutOptions, PutPayload, PutResult, UpdateVersion};

use crate::error::{Error, ErrorKind, Result};
use crate::store::{Operation, StorageError, Store};

/// Object that exists once a store's server has passed.
const PASSED: &str = "runs/conditional-writes.json";

/// Server on which two runs could overwrite each other.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConditionalWriteError {
    /// It replaces an object although the request forbids it.
    #[error(
        "the server of `{location}` ignores the condition of a write ({header}): two runs at once could overwrite each \
         other's months"
    )]
    Ignored {
        location: String,
        header: &'static str,
    },
    /// It rejects requests with conditions.
    #[error(
        "the server of `{location}` does not support conditional writes ({header}: {response})"
    )]
    Unsupported {
        location: String,
        header: &'static str,
        response: String,
    },
}

impl From<ConditionalWriteError> for Error {
    fn from(error: ConditionalWriteError) -> Error {
        Error::new(ErrorKind::Config, error).with_hint(
            "use a server that has them, such as Amazon S3; if only one run at a time will ever write to this store, insist \
             with --single-writer or BILLSTREAM_SINGLE_WRITER=true",
        )
    }
}

/// Checks, on the first call for a remote store, that its server refuses a second create of an object and an update of one
/// that has changed. Writes nothing else before.
///
/// # Errors
/// [`ConditionalWriteError`], kind configuration; those of the store.
pub(crate) async fn require(store: &Store) -> Result<()> {
    if store.local().is_some() || store.is_single_writer() || store.head(PASSED).await?.is_some() {
        return Ok(());
    }
    let probe = Probe {
        store,
        name: format!("runs/probe-{:016x}.json", rand::random::<u64>()),
    };
    let probed = probe.run().await;
    // A probe that stays behind does no harm.
    let _ = store.delete(&probe.name).await;
    probed?;
    store.put(PASSED, r#"{"create":true,"update":true}"#).await
}

/// Object that is written under conditions.
struct Probe<'s> {
    store: &'s Store,
    name: String,
}

const CREATE: &str = "If-None-Match";
const UPDATE: &str = "If-Match";

impl Probe<'_> {
    async fn run(&self) -> Result<()> {
        let first = self.put(PutMode::Create).await;
        let first = first.map_err(|e| self.failed(CREATE, &e))?;
        self.refused(CREATE, PutMode::Create).await?;
        let second = self.put(PutMode::Overwrite).await;
        let second = second.map_err(|e| self.store.error(Operation::Write, &self.name, &e))?;
        self.refused(UPDATE, PutMode::Update(version(first)))
            .await?;
        let updated = self.put(PutMode::Update(version(second))).await;
        updated.map(|_| ()).map_err(|e| self.failed(UPDATE, &e))
    }

    /// Puts content that differs each time, so that the e-tag does.
    async fn put(&self, mode: PutMode) -> object_store::Result<PutResult> {
        let content = format!(r#"{{"probe":"{:016x}"}}"#, rand::random::<u64>());
        let (path, payload) = (self.store.path(&self.name), PutPayload::from(content));
        let options = PutOptions::from(mode);
        self.store.root().put_opts(&path, payload, options).await
    }

    /// Expects that a put is refused for its condition.
    async fn refused(&self, header: &'static str, mode: PutMode) -> Result<()> {
        match self.put(mode).await {
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => Ok(()),
            Err(e) => Err(self.failed(header, &e)),
            Ok(_) => Err(ConditionalWriteError::Ignored {
                location: self.store.display(""),
                header,
            }
            .into()),
        }
    }

    fn failed(&self, header: &'static str, error: &object_store::Error) -> Error {
        let unsupported = |response: String| {
            Error::from(ConditionalWriteError::Unsupported {
                location: self.store.display(""),
                header,
                response,
            })
        };
        if matches!(error, object_store::Error::Precondition { .. }) {
            return unsupported("412 for an object that has not changed".to_string());
        }
        let failed = self.store.error(Operation::Write, &self.name, error);
        match failed.source_as() {
            Some(StorageError::Unsupported { response, .. }) => unsupported(response.clone()),
            _ => failed,
        }
    }
}

fn version(put: PutResult) -> UpdateVersion {
    UpdateVersion {
        e_tag: put.e_tag,
        version: put.version,
    }
}
