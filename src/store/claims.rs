//! Claims: each gives one connection of the store the sole use of something outside of it.
//!
//! A claim is an object `runs/claims/<scope>/<hash of the subject>.json`, created only if it does not exist, so that of
//! two runs at the same moment one gets it. It stays until its connection releases it. It holds no secrets.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;

const FOLDER: &str = "runs/claims";

/// Kind of the claimed subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Places that line items are delivered to.
    Destinations,
    /// Confluent organizations that costs come from.
    Organizations,
}

impl Scope {
    fn folder(self) -> String {
        let name = match self {
            Scope::Destinations => "destinations",
            Scope::Organizations => "organizations",
        };
        format!("{FOLDER}/{name}")
    }
}

/// Claim of a connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Claim {
    /// Subject, such as the URL of a bucket.
    pub(crate) subject: String,
    /// Name of the connection.
    pub(crate) connection: String,
}

/// Outcome of [`take`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The claim is new.
    New,
    /// The connection had it already.
    Kept,
    /// Another connection has it.
    HeldBy(String),
}

fn path(scope: Scope, subject: &str) -> String {
    let hash = XxHash3_128::oneshot(subject.as_bytes());
    format!("{}/{hash:032x}.json", scope.folder())
}

async fn read(store: &Store, path: &str) -> Result<Option<Claim>> {
    let Some(bytes) = store.get(path).await? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|e| {
        Error::data(format!("could not read `{}`: {e}", store.display(path))).with_hint(
            "delete the file; the next run of the connection that uses it creates it again",
        )
    })
}

/// Name of the connection that has the claim.
pub(crate) async fn holder(store: &Store, scope: Scope, subject: &str) -> Result<Option<String>> {
    let claim = read(store, &path(scope, subject)).await?;
    Ok(claim.map(|claim| claim.connection))
}

/// Takes a claim for a connection, unless another one has it.
///
/// # Errors
/// Those of the store.
pub(crate) async fn take(
    store: &Store,
    scope: Scope,
    subject: &str,
    connection: &str,
) -> Result<Taken> {
    let path = path(scope, subject);
    if let Some(claim) = read(store, &path).await? {
        return Ok(compare(&claim, connection));
    }
    let json = to_json(subject, connection)?;
    let created = store.put_if_unchanged(&path, json, None).await;
    match created {
        Ok(()) => Ok(Taken::New),
        Err(error) if error.kind() == ErrorKind::Locked => {
            // Another run was first, or it was this run's own request, whose reply was lost.
            match read(store, &path).await? {
                Some(claim) => Ok(compare(&claim, connection)),
                None => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// Takes a claim for a connection, even if another one has it.
///
/// # Errors
/// Those of the store.
pub(crate) async fn replace(
    store: &Store,
    scope: Scope,
    subject: &str,
    connection: &str,
) -> Result<()> {
    let json = to_json(subject, connection)?;
    store.put(&path(scope, subject), json).await
}

fn to_json(subject: &str, connection: &str) -> Result<Bytes> {
    let claim = Claim {
        subject: subject.to_string(),
        connection: connection.to_string(),
    };
    let json = serde_json::to_vec_pretty(&claim).map_err(|e| Error::bug(format!("JSON: {e}")))?;
    Ok(Bytes::from(json))
}

fn compare(claim: &Claim, connection: &str) -> Taken {
    if claim.connection == connection {
        Taken::Kept
    } else {
        Taken::HeldBy(claim.connection.clone())
    }
}

/// All claims of a scope.
pub(crate) async fn all(store: &Store, scope: Scope) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    for name in store.list_flat(&scope.folder()).await? {
        claims.extend(read(store, &name).await?);
    }
    Ok(claims)
}

/// Releases the claims of a connection, except for those on the `kept` subjects. The caller holds the connection's
/// lease, and has confirmed it.
pub(crate) async fn release(
    store: &Store,
    scope: Scope,
    connection: &str,
    kept: &BTreeSet<String>,
) -> Result<()> {
    for claim in all(store, scope).await? {
        if claim.connection == connection && !kept.contains(&claim.subject) {
            store.delete(&path(scope, &claim.subject)).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: Scope = Scope::Destinations;

    fn held_by(name: &str) -> Taken {
        Taken::HeldBy(name.to_string())
    }

    #[tokio::test]
    async fn one_connection_has_a_claim_until_it_releases_it() {
        let folder = tempfile::tempdir().unwrap();
        let local = Store::open(&folder.path().display().to_string()).unwrap();
        for store in [local, Store::in_memory()] {
            let take = async |subject, name| take(&store, SCOPE, subject, name).await.unwrap();
            assert_eq!(take("s3://a/b/", "one").await, Taken::New);
            assert_eq!(take("s3://a/b/", "one").await, Taken::Kept);
            assert_eq!(take("s3://a/b/", "two").await, held_by("one"));
            assert_eq!(take("s3://a/c/", "one").await, Taken::New);
            let other_scope = holder(&store, Scope::Organizations, "s3://a/b/").await;
            assert_eq!(other_scope.unwrap(), None);
            let kept = BTreeSet::from(["s3://a/c/".to_string()]);
            release(&store, SCOPE, "one", &kept).await.unwrap();
            assert_eq!(take("s3://a/b/", "two").await, Taken::New);
            assert_eq!(take("s3://a/c/", "two").await, held_by("one"));
            assert_eq!(all(&store, SCOPE).await.unwrap().len(), 2);
        }
    }

    #[tokio::test]
    async fn of_connections_at_the_same_moment_one_gets_the_claim() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().display().to_string()).unwrap();
        let names: Vec<String> = (0..16).map(|n| format!("c{n}")).collect();
        let takes = names.iter().map(|name| take(&store, SCOPE, "place", name));
        let taken: Vec<Taken> = futures::future::try_join_all(takes).await.unwrap();
        let new = taken.iter().filter(|taken| **taken == Taken::New).count();
        assert_eq!(new, 1, "{taken:?}");
        let holder = holder(&store, SCOPE, "place").await.unwrap().unwrap();
        let refused = taken.iter().filter(|taken| **taken == held_by(&holder));
        assert_eq!(refused.count(), 15, "{taken:?}");
    }
}
