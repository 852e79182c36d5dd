//! The Confluent organization that a connection's costs come from. Under two connections of a store, every dollar of it
//! would count twice.
//!
//! An organization is recognized by its id, which Confluent is asked for once and only if there are other connections;
//! by the API key; and by equal costs ([`same_costs`]). The id and the key are claimed, by the first connection or by
//! the one that published costs first.

pub(crate) mod same_costs;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use crate::confluent::client::{Client, Settings};
use crate::confluent::iam::Iam;
use crate::error::{Error, Result};
use crate::http::Timeouts;
use crate::http::retry::{Policy, Timing};
use crate::store::claims::{self, Scope, Taken};
use crate::store::lease::Fence;
use crate::store::tables::Table;
use crate::store::{Store, TableName, connection_state};

/// Name of the state object.
const OBJECT: &str = "organization";
/// Time until Confluent is asked again after a failure other than a refusal.
const ASK_AGAIN: TimeDelta = TimeDelta::days(1);

/// Time limit of the question.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// What is known of a connection's organization. It holds no secret: of the API key only a hash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrganizationState {
    /// Hash of the endpoint and the id of the API key that the rest was learned with.
    #[serde(default)]
    key: String,
    /// Id of the organization, if Confluent named it.
    organization: Option<String>,
    /// Time at which Confluent was last asked for the id.
    asked_at: Option<DateTime<Utc>>,
    /// The key may not list organizations.
    #[serde(default)]
    refused: bool,
    /// Connections that may have the same organization, because the user insisted.
    #[serde(default)]
    allowed: BTreeSet<String>,
}

impl OrganizationState {
    fn is_due(&self, now: DateTime<Utc>) -> bool {
        let is_old = |asked_at: DateTime<Utc>| !self.refused && now - asked_at >= ASK_AGAIN;
        self.organization.is_none() && self.asked_at.is_none_or(is_old)
    }

    /// Subjects that the connection claims.
    fn subjects(&self) -> BTreeSet<String> {
        let key = (!self.key.is_empty()).then(|| key_subject(&self.key));
        let organization = self.organization.as_deref().map(organization_subject);
        key.into_iter().chain(organization).collect()
    }
}

fn key_subject(hash: &str) -> String {
    format!("Confluent API key {hash}")
}

fn organization_subject(id: &str) -> String {
    format!("Confluent organization {id}")
}

/// Keys have the same hash only at the same endpoint: a fake Confluent has the same keys as another one.
fn key_hash(settings: &Settings) -> String {
    let text = format!("{}\0{}", settings.endpoint, settings.key);
    format!("{:032x}", XxHash3_128::oneshot(text.as_bytes()))
}

/// Connection whose organization is checked.
pub(crate) struct Candidate<'a> {
    pub(crate) store: &'a Store,
    /// Name of the connection.
    pub(crate) connection: &'a str,
    /// Its access to Confluent.
    pub(crate) access: &'a Settings,
    pub(crate) timing: Timing,
    pub(crate) now: DateTime<Utc>,
    /// Accepts, and remembers, that another connection has the same organization.
    pub(crate) allow: bool,
    /// Reads the store only, and asks nothing that it does not know.
    pub(crate) dry_run: bool,
    /// Asks Confluent again even if it refused before.
    pub(crate) ask_again: bool,
    /// Fence of the run that checks. `connections add` and `check` have none: they may be used while a run holds the
    /// lease, claims are created conditionally, and the rest is asked again by the next run.
    pub(crate) fence: Option<&'a Fence>,
}

impl Candidate<'_> {
    /// Confirms the lease of the run, if a run checks. Call it before a change.
    async fn confirm(&self) -> Result<()> {
        match self.fence {
            Some(fence) => fence.confirm().await,
            None => Ok(()),
        }
    }
}

/// Another connection of the store or the configuration.
pub(crate) struct OtherConnection {
    pub(crate) name: String,
    /// Its access to Confluent, if it is configured and may be used.
    pub(crate) access: Option<Settings>,
}

/// Checks that no other connection has the same organization, and claims it. `others` is called only if Confluent may
/// have to be asked. A failure to ask is never an error.
///
/// # Errors
/// Kind `Config`, naming the other connection; those of the store.
pub(crate) async fn check(
    candidate: &Candidate<'_>,
    others: impl AsyncFnOnce() -> Result<Vec<OtherConnection>>,
) -> Result<()> {
    let (store, connection) = (candidate.store, candidate.connection);
    let saved = load(store, connection).await?;
    let checked = claim_organization(candidate, &saved, others).await;
    if candidate.dry_run {
        return checked.map(|_| ());
    }
    let current = match checked {
        Ok(current) => current,
        Err(refused) => {
            candidate.confirm().await?;
            // Only what the connection had before stays claimed.
            let kept = saved.subjects();
            let released = claims::release(store, Scope::Organizations, connection, &kept).await;
            if let Err(error) = released {
                tracing::warn!(%error, "Could not release claims on the organization");
            }
            return Err(refused);
        }
    };
    let kept = current.subjects();
    if current != saved {
        candidate.confirm().await?;
    }
    if kept != saved.subjects() {
        claims::release(store, Scope::Organizations, connection, &kept).await?;
    }
    if current != saved {
        save(store, connection, &current).await?;
    }
    Ok(())
}

async fn claim_organization(
    candidate: &Candidate<'_>,
    saved: &OrganizationState,
    others: impl AsyncFnOnce() -> Result<Vec<OtherConnection>>,
) -> Result<OrganizationState> {
    let key = key_hash(candidate.access);
    let mut state = if saved.key == key {
        saved.clone()
    } else {
        OrganizationState {
            key,
            allowed: saved.allowed.clone(),
            ..OrganizationState::default()
        }
    };
    claim(candidate, &key_subject(&state.key), &mut state).await?;
    let is_due =
        state.is_due(candidate.now) || (candidate.ask_again && state.organization.is_none());
    if is_due && !candidate.dry_run {
        let others = others().await?;
        if !others.is_empty() {
            identify_others(candidate.store, &others, &candidate.timing, candidate.now).await?;
            state.asked_at = Some(candidate.now);
            let answer = ask(candidate.access, &candidate.timing).await;
            state.refused = answer.is_refused;
            state.organization = answer.organization;
        }
    }
    if let Some(id) = state.organization.clone() {
        claim(candidate, &organization_subject(&id), &mut state).await?;
    }
    Ok(state)
}

/// Takes a claim, unless another connection has it and the user does not insist.
async fn claim(
    candidate: &Candidate<'_>,
    subject: &str,
    state: &mut OrganizationState,
) -> Result<()> {
    let (store, connection) = (candidate.store, candidate.connection);
    let holder = if candidate.dry_run {
        claims::holder(store, Scope::Organizations, subject).await?
    } else {
        match claims::take(store, Scope::Organizations, subject, connection).await? {
            Taken::New | Taken::Kept => None,
            Taken::HeldBy(holder) => Some(holder),
        }
    };
    let Some(holder) = holder.filter(|holder| holder != connection) else {
        return Ok(());
    };
    if candidate.allow {
        state.allowed.insert(holder);
        return Ok(());
    }
    let holders = load(store, &holder).await?;
    if state.allowed.contains(&holder) || holders.allowed.contains(connection) {
        return Ok(());
    }
    if !has_published_before(store, connection, &holder).await? {
        return Err(shared(connection, &holder));
    }
    // The holder came later, and is refused at its next run.
    if !candidate.dry_run {
        candidate.confirm().await?;
        claims::replace(store, Scope::Organizations, subject, connection).await?;
    }
    Ok(())
}

/// Returns true if `connection` published costs, and before `other` did.
async fn has_published_before(store: &Store, connection: &str, other: &str) -> Result<bool> {
    let Some(costs) = Table::open(store, TableName::Costs).await? else {
        return Ok(false);
    };
    let files = costs.files().await?;
    let first = |name: &str| {
        let own = files.iter().filter(|file| file.connection == name);
        own.filter_map(|file| Some(file.record.as_ref()?.version))
            .min()
    };
    Ok(match (first(connection), first(other)) {
        (Some(ours), Some(theirs)) => ours < theirs,
        (ours, _) => ours.is_some(),
    })
}

/// Claims the organizations of connections that were never asked, so that a new one is refused when it is added.
async fn identify_others(
    store: &Store,
    others: &[OtherConnection],
    timing: &Timing,
    now: DateTime<Utc>,
) -> Result<()> {
    for other in others {
        let state = load(store, &other.name).await?;
        let Some(access) = other.access.as_ref() else {
            continue;
        };
        if !state.is_due(now) {
            continue;
        }
        let Some(id) = ask(access, timing).await.organization else {
            continue;
        };
        let subject = organization_subject(&id);
        // The other connection's own run reports a conflict.
        claims::take(store, Scope::Organizations, &subject, &other.name).await?;
    }
    Ok(())
}

/// Refuses an organization whose id is known, before anything is created in it.
///
/// # Errors
/// Kind `Config`, naming the other connection; those of the store.
pub(crate) async fn refuse_claimed(
    store: &Store,
    connection: &str,
    id: &str,
    others: &[OtherConnection],
    timing: &Timing,
    now: DateTime<Utc>,
) -> Result<()> {
    identify_others(store, others, timing, now).await?;
    let subject = organization_subject(id);
    let holder = claims::holder(store, Scope::Organizations, &subject).await?;
    match holder.filter(|holder| holder != connection) {
        Some(holder) => Err(shared(connection, &holder)),
        None => Ok(()),
    }
}

struct Answer {
    organization: Option<String>,
    is_refused: bool,
}

/// Asks Confluent for the organization of a key, with one short attempt: the import that waits for it goes on without an
/// answer. A key with several organizations does not tell.
async fn ask(access: &Settings, timing: &Timing) -> Answer {
    let policy = Policy {
        max_attempts: 1,
        ..access.policy
    };
    let limits = access.timeouts;
    let timeouts = Timeouts {
        connect: limits.connect.min(ASK_TIMEOUT),
        read: limits.read.min(ASK_TIMEOUT),
        total: limits.total.min(ASK_TIMEOUT),
    };
    let settings = Settings {
        policy,
        timeouts,
        ..access.clone()
    };
    let unknown = |is_refused| Answer {
        organization: None,
        is_refused,
    };
    let client = match Client::with_timing(settings, timing.clone()) {
        Ok(client) => client,
        Err(error) => {
            tracing::debug!(%error, "Could not ask Confluent for the organization");
            return unknown(false);
        }
    };
    match Iam::new(&client, None).organizations().await {
        Ok(all) => match <[_; 1]>::try_from(all) {
            Ok([only]) => Answer {
                organization: Some(only.id),
                is_refused: false,
            },
            Err(_) => unknown(true),
        },
        Err(error) => {
            tracing::debug!(%error, "Confluent does not name the organization");
            unknown(error.is_forbidden() || error.is_not_found())
        }
    }
}

/// The error for a second connection to an organization.
fn shared(connection: &str, other: &str) -> Error {
    Error::config(format!(
        "connections `{connection}` and `{other}` have the same Confluent organization: every dollar would count twice"
    ))
    .with_hint(format!(
        "use `{other}`, or remove it with `billstream connections remove {other}`; to keep both, run the command once \
         with --allow-same-organization"
    ))
}

async fn load(store: &Store, connection: &str) -> Result<OrganizationState> {
    let state = connection_state::read(store, connection, OBJECT).await?;
    Ok(state.unwrap_or_default())
}

async fn save(store: &Store, connection: &str, state: &OrganizationState) -> Result<()> {
    connection_state::write(store, connection, OBJECT, state).await
}

/// Id of a connection's organization, if Confluent named it.
///
/// # Errors
/// Those of the store.
pub(crate) async fn id(store: &Store, connection: &str) -> Result<Option<String>> {
    Ok(load(store, connection).await?.organization)
}

/// Forgets the organization of a connection, and releases its claims.
pub(crate) async fn release(store: &Store, connection: &str) -> Result<()> {
    claims::release(store, Scope::Organizations, connection, &BTreeSet::new()).await?;
    connection_state::delete(store, connection, OBJECT).await
}
