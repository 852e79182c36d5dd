//! Set-up with an administrator's key: a service account with its roles, and a Cloud API key for it.
//!
//! Every step looks before it makes, and is written down before the next one, so that a set-up which was cut
//! off goes on where it stopped. A key whose secret was lost on the way is deleted and made anew.

use std::time::Duration;

use crate::config::secret::Credentials;
use crate::confluent::client::RequestError;
use crate::confluent::iam::{ApiKey, Iam, Organization};
use crate::connections::key_probe::explained;
use crate::connections::setup_state::{Notebook, Progress, ProvisionedResource};
use crate::error::{Error, Result};

/// The role that costs take.
pub const BILLING_ADMIN: &str = "BillingAdmin";
/// The role that names and regions take.
pub const OPERATOR: &str = "Operator";
/// How often a step is tried when nobody knows whether it was done.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// Hears of every step.
pub type Say = dyn Fn(&str) + Send + Sync;

/// What a set-up is for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Name of the connection.
    pub connection: String,
    /// Id of the organization, where the administrator sees several.
    pub organization: Option<String>,
    /// Name of the service account.
    pub service_account: String,
    /// Whether names and regions are wanted.
    pub inventory: bool,
}

/// Finds or makes the service account and its roles.
///
/// # Errors
/// Those of the calls; class usage, for several organizations of which none is named.
pub async fn account(
    iam: &Iam<'_>,
    wish: &Wish,
    notebook: &Notebook,
    progress: &mut Progress,
    say: &Say,
) -> Result<()> {
    let organization = organization(iam, wish).await?;
    let Organization { id, display_name } = &organization;
    say(&format!("organization `{display_name}` ({id}): found"));
    let name = &wish.service_account;
    let find = async || {
        let found = iam.service_account(name).await?;
        Ok(found.map(|account| account.id))
    };
    let make = async || Ok(iam.create_service_account(name).await?.id);
    let before = progress.service_account.as_ref();
    let account = ensure(iam, name, before, find, make).await?;
    say(&format!(
        "service account {}",
        described(&account, before, iam)
    ));
    progress.service_account = Some(account.clone());
    note(iam, notebook, progress)?;

    let roles = [Some(BILLING_ADMIN), wish.inventory.then_some(OPERATOR)];
    for role in roles.into_iter().flatten() {
        let find = async || {
            let found = iam.role_binding(&account.id, role, &organization).await?;
            Ok(found.map(|binding| binding.id))
        };
        let make = async || Ok(iam.bind_role(&account.id, role, &organization).await?.id);
        let before = progress
            .role_bindings
            .iter()
            .find(|binding| binding.name == role);
        let binding = ensure(iam, role, before, find, make).await?;
        say(&format!("role {}", described(&binding, before, iam)));
        progress
            .role_bindings
            .retain(|binding| binding.name != role);
        progress.role_bindings.push(binding);
        note(iam, notebook, progress)?;
    }
    Ok(())
}

/// Makes a Cloud API key of an owner, or goes on with the one that a set-up which was cut off made.
///
/// # Errors
/// Those of the calls, and of holding the key.
pub async fn key(
    iam: &Iam<'_>,
    owner: &str,
    connection: &str,
    notebook: &Notebook,
    progress: &mut Progress,
    say: &Say,
) -> Result<Credentials> {
    if progress.key_name.is_empty() {
        progress.key_name = format!("billstream {connection} {:08x}", rand::random::<u32>());
        note(iam, notebook, progress)?;
    }
    if iam.is_dry() {
        iam.api_keys(owner).await?;
        let key = iam.create_api_key(owner, &progress.key_name).await?.id;
        let secret = String::new().into();
        return Ok(Credentials { key, secret });
    }
    for attempt in 1.. {
        if let Some(held) = usable(iam, owner, notebook, progress, say).await? {
            return Ok(held);
        }
        match iam.create_api_key(owner, &progress.key_name).await {
            Ok(made) => return hold(iam, made, notebook, progress, say).await,
            Err(failure) if failure.outcome_unknown() && attempt < ATTEMPTS => {
                iam.client().sleep(PAUSE).await;
            }
            Err(failure) => return Err(failure.into_error()),
        }
    }
    Err(Error::bug("no API key was made"))
}

/// The key that was made before and is held; others of its name are deleted, as nobody has their secrets.
async fn usable(
    iam: &Iam<'_>,
    owner: &str,
    notebook: &Notebook,
    progress: &Progress,
    say: &Say,
) -> Result<Option<Credentials>> {
    let mut held = notebook.held()?;
    let mut usable = None;
    for key in iam.api_keys(owner).await? {
        if key.display_name() != progress.key_name {
            continue;
        }
        if held.as_ref().is_some_and(|held| held.key == key.id) {
            say(&format!("API key {}: made before", key.id));
            usable = held.take();
        } else {
            iam.delete_api_key(&key.id).await?;
            say(&format!(
                "API key {}: deleted, as its secret was lost",
                key.id
            ));
        }
    }
    Ok(usable)
}

/// Holds a key that was just made: its secret is told once.
async fn hold(
    iam: &Iam<'_>,
    made: ApiKey,
    notebook: &Notebook,
    progress: &mut Progress,
    say: &Say,
) -> Result<Credentials> {
    let credentials = Credentials {
        key: made.id.clone(),
        secret: made.secret().to_string().into(),
    };
    progress.key = Some(made.id.clone());
    let kept = notebook
        .hold(&credentials)
        .and_then(|()| notebook.save(progress));
    if let Err(error) = kept {
        // Nobody could use it.
        iam.delete_api_key(&made.id).await?;
        progress.key = None;
        return Err(error);
    }
    say(&format!(
        "API key {} (`{}`): made",
        made.id, progress.key_name
    ));
    Ok(credentials)
}

async fn organization(iam: &Iam<'_>, wish: &Wish) -> Result<Organization> {
    let asked = iam.organizations().await;
    let mut all = asked.map_err(|failure| explained(failure, iam.client()))?;
    if let Some(id) = &wish.organization {
        let found = all.iter().position(|organization| organization.id == *id);
        return match found {
            Some(at) => Ok(all.swap_remove(at)),
            None => Err(Error::usage(format!("the key sees no organization {id}"))
                .with_hint(format!("it sees {}", names(&all)))),
        };
    }
    match (all.pop(), all.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(Error::config("the key sees no organization")),
        (Some(last), false) => {
            all.push(last);
            Err(Error::usage("the key sees several organizations")
                .with_hint(format!("name one with --organization: {}", names(&all))))
        }
    }
}

fn names(all: &[Organization]) -> String {
    let names = all
        .iter()
        .map(|o| format!("{} (`{}`)", o.id, o.display_name));
    names.collect::<Vec<_>>().join(", ")
}

/// Finds a thing or makes it. A request of which nobody knows whether it was carried out is looked after.
async fn ensure(
    iam: &Iam<'_>,
    name: &str,
    before: Option<&ProvisionedResource>,
    find: impl AsyncFn() -> std::result::Result<Option<String>, RequestError>,
    make: impl AsyncFn() -> std::result::Result<String, RequestError>,
) -> Result<ProvisionedResource> {
    let thing = |id: String, made| ProvisionedResource {
        id,
        name: name.to_string(),
        made,
        earlier: false,
    };
    let mut may_be_ours = false;
    for attempt in 1..=ATTEMPTS {
        if let Some(id) = find().await? {
            let known = before.filter(|before| before.id == id);
            return Ok(known.cloned().unwrap_or_else(|| thing(id, may_be_ours)));
        }
        match make().await {
            Ok(id) => return Ok(thing(id, true)),
            Err(failure) => {
                may_be_ours |= failure.outcome_unknown();
                // A 409 says that it is there: somebody else was faster.
                let look_again = failure.outcome_unknown() || failure.is_conflict();
                if !look_again || attempt == ATTEMPTS {
                    return Err(failure.into_error());
                }
                iam.client().sleep(PAUSE).await;
            }
        }
    }
    Err(Error::bug(format!("`{name}` was neither found nor made")))
}

fn described(
    thing: &ProvisionedResource,
    before: Option<&ProvisionedResource>,
    iam: &Iam<'_>,
) -> String {
    let how = match (thing.made, iam.is_dry()) {
        (true, _) if before == Some(thing) => "made before",
        (true, true) => "would be made",
        (true, false) => "made",
        (false, _) => "found",
    };
    format!("`{}` ({}): {how}", thing.name, thing.id)
}

/// Writes down how far it came, unless nothing is made.
fn note(iam: &Iam<'_>, notebook: &Notebook, progress: &Progress) -> Result<()> {
    match iam.is_dry() {
        true => Ok(()),
        false => notebook.save(progress),
    }
}
