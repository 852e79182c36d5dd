//! The Confluent organization that a connection's costs come from. Under two connections of a store, every dollar of it
//! would count twice.
//!
//! An organization is recognized by its id, which Confluent is asked for once and only if the store has other
//! connections; by the API key; and by equal costs ([`same_costs`]). The first connection claims the id and the key.

pub(crate) mod same_costs;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use crate::confluent::client::{Client, Settings};
use crate::confluent::iam::Iam;
use crate::error::{Error, Result};
use crate::http::retry::{Policy, Timing};
use crate::store::claims::{self, Scope, Taken};
use crate::store::{Store, connection_state};

/// Name of the state object.
const OBJECT: &str = "organization";
/// Time until Confluent is asked again after a failure other than a refusal.
const ASK_AGAIN: TimeDelta = TimeDelta::days(1);

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
}

/// Another connection of the store or the configuration.
pub(crate) struct OtherConnection {
    pub(crate) name: String,
    /// Its access to Confluent, if configured.
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
    // After a refusal only what the connection had before stays claimed.
    let current = checked.as_ref().unwrap_or(&saved);
    if checked.is_err() || current.subjects() != saved.subjects() {
        let kept = current.subjects();
        claims::release(store, Scope::Organizations, connection, &kept).await?;
    }
    let current = checked?;
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
    match holder.filter(|holder| holder != connection) {
        Some(holder) if candidate.allow => {
            state.allowed.insert(holder);
            Ok(())
        }
        Some(holder) if !state.allowed.contains(&holder) => Err(shared(connection, &holder)),
        _ => Ok(()),
    }
}

/// Claims the organizations of connections that were imported before organizations were claimed, so that the new
/// connection is refused and not the earlier one.
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
        // A conflict is reported by the other connection's own run.
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

/// Asks Confluent for the organization of a key, with one attempt. A key with several organizations does not tell.
async fn ask(access: &Settings, timing: &Timing) -> Answer {
    let policy = Policy {
        max_attempts: 1,
        ..access.policy
    };
    let settings = Settings {
        policy,
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

/// Forgets the organization of a connection, and releases its claims.
pub(crate) async fn release(store: &Store, connection: &str) -> Result<()> {
    claims::release(store, Scope::Organizations, connection, &BTreeSet::new()).await?;
    connection_state::delete(store, connection, OBJECT).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// No server listens there, so that every request fails.
    fn access(key: &str) -> Settings {
        Settings::new("http://127.0.0.1:9".parse().unwrap(), key, "secret".into())
    }

    async fn check_key(store: &Store, connection: &str, key: &str, allow: bool) -> Result<()> {
        let candidate = Candidate {
            store,
            connection,
            access: &access(key),
            timing: Timing::real(),
            now: "2026-11-23T06:00:00Z".parse().unwrap(),
            allow,
            dry_run: false,
            ask_again: false,
        };
        check(&candidate, async || Ok(Vec::new())).await
    }

    #[tokio::test]
    async fn refuses_a_second_connection_with_the_same_key() {
        let store = Store::in_memory();
        check_key(&store, "acme", "KEY-OF-ACME", false)
            .await
            .unwrap();
        let refused = check_key(&store, "globex", "KEY-OF-ACME", false).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config);
        assert!(refused.to_string().contains("`acme`"), "{refused}");
        assert_eq!(load(&store, "globex").await.unwrap(), Default::default());
        check_key(&store, "globex", "ANOTHER-KEY", false)
            .await
            .unwrap();
        check_key(&store, "acme", "KEY-OF-ACME", false)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn remembers_that_the_user_insisted_on_the_same_organization() {
        let store = Store::in_memory();
        check_key(&store, "acme", "KEY", false).await.unwrap();
        check_key(&store, "globex", "KEY", true).await.unwrap();
        check_key(&store, "globex", "KEY", false).await.unwrap();
        check_key(&store, "acme", "KEY", false).await.unwrap();
        check_key(&store, "third", "KEY", false).await.unwrap_err();
        release(&store, "acme").await.unwrap();
        check_key(&store, "third", "KEY", false).await.unwrap();
    }

    #[tokio::test]
    async fn a_replaced_key_releases_the_former_one() {
        let store = Store::in_memory();
        check_key(&store, "acme", "OLD", false).await.unwrap();
        check_key(&store, "acme", "NEW", false).await.unwrap();
        check_key(&store, "globex", "OLD", false).await.unwrap();
        check_key(&store, "third", "NEW", false).await.unwrap_err();
    }

    #[tokio::test]
    async fn never_stores_the_key() {
        let store = Store::in_memory();
        check_key(&store, "acme", "KEY-OF-ACME", false)
            .await
            .unwrap();
        let names = store.list("runs").await.unwrap();
        assert_eq!(names.len(), 2, "{names:?}");
        for name in names {
            let bytes = store.get(&name).await.unwrap().unwrap();
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            assert!(
                !text.contains("KEY-OF-ACME") && !name.contains("KEY-OF-ACME"),
                "{text}"
            );
        }
    }

    #[test]
    fn asks_once_unless_the_request_failed_for_a_moment() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let asked = OrganizationState {
            asked_at: Some(at("2026-11-23T06:00:00Z")),
            ..OrganizationState::default()
        };
        assert!(OrganizationState::default().is_due(at("2026-11-23T06:00:00Z")));
        assert!(!asked.is_due(at("2026-11-24T05:59:59Z")));
        assert!(asked.is_due(at("2026-11-24T06:00:00Z")));
        let refused = OrganizationState {
            refused: true,
            ..asked.clone()
        };
        assert!(!refused.is_due(at("2027-11-24T06:00:00Z")));
    }
}
