//! Setup of a connection with an administrator's key: service account, roles and Cloud API key.
//!
//! Every step looks for the resource before creating it, and is saved before the next step, so that an interrupted
//! setup can be resumed.

use std::path::Path;

use crate::config::credential_store::CredentialStore;
use crate::config::secret::Credentials;
use crate::confluent::client::{Client, RequestError};
use crate::confluent::iam::{Iam, Organization};
use crate::connections::Report;
use crate::connections::key_probe::explain;
use crate::connections::new_key::{self, ATTEMPTS, RETRY_WAIT, save};
use crate::connections::setup_state::{ProvisionedResource, SetupFiles, SetupState, still_active};
use crate::error::{Error, Result};

/// Role that reading costs requires.
const BILLING_ADMIN: &str = "BillingAdmin";
/// Role that listing names and regions requires.
const OPERATOR: &str = "Operator";

/// Parameters of a setup.
#[derive(Debug, Clone)]
pub(crate) struct SetupRequest {
    /// Name of the connection.
    pub connection: String,
    /// Id of the organization; required if the administrator has access to several.
    pub organization: Option<String>,
    /// Name of the service account.
    pub service_account: String,
    /// Adds the role for listing names and regions.
    pub inventory: bool,
    /// Storage of the new key.
    pub credential_store: CredentialStore,
}

/// A new key that has not been probed yet.
pub(crate) struct NewKey {
    pub credentials: Credentials,
    /// Set if a role was just bound, which may take a moment to become effective.
    pub role_is_new: bool,
    connection: String,
    files: SetupFiles,
    state: SetupState,
}

/// Reports the requests of a setup to `on_request`. Only reads are sent; nothing is created or saved.
///
/// # Errors
/// Those of the requests.
pub(crate) async fn dry_run(
    admin: &Client,
    request: &SetupRequest,
    on_request: &Report,
    report: &Report,
) -> Result<()> {
    let iam = Iam::new(admin, Some(on_request));
    let connection = &request.connection;
    let files = SetupFiles::beside(Path::new(""), connection, CredentialStore::File);
    let mut state = SetupState::default();
    let owner = provision_account(&iam, request, &files, &mut state, report).await?;
    new_key::create(&iam, &owner, connection, &files, &mut state, report).await?;
    on_request(&format!(
        "GET {}billing/v1/costs (with the new key)",
        admin.endpoint()
    ));
    Ok(())
}

/// Creates service account, roles and key, or resumes an interrupted setup.
///
/// # Errors
/// Those of the requests, with hints on how to resume and how to undo.
pub(crate) async fn set_up(
    admin: &Client,
    config_file: &Path,
    request: &SetupRequest,
    report: &Report,
) -> Result<NewKey> {
    let connection = &request.connection;
    let files = SetupFiles::beside(config_file, connection, request.credential_store);
    let mut state = match files.load()? {
        Some(state) if !state.finished => {
            report(&format!("resuming the interrupted setup of `{connection}`"));
            state
        }
        Some(state) => after_finished_setup(state, report),
        None => SetupState::default(),
    };
    state.endpoint = Some(admin.endpoint().clone());
    state.keyring = request.credential_store == CredentialStore::Keyring;
    let iam = Iam::new(admin, None);
    let created = async {
        let owner = provision_account(&iam, request, &files, &mut state, report).await?;
        new_key::create(&iam, &owner, connection, &files, &mut state, report).await
    };
    let created = created.await;
    let role_is_new = state.role_bindings.iter().any(ProvisionedResource::is_new);
    match created {
        Ok(credentials) => Ok(NewKey {
            credentials,
            role_is_new,
            connection: connection.clone(),
            files,
            state,
        }),
        Err(error) => Err(with_undo_hint(error, connection, &state)),
    }
}

impl NewKey {
    /// Adds to the error of a later step what was created and how to undo it.
    pub(crate) fn with_undo_hint(&self, error: Error) -> Error {
        with_undo_hint(error, &self.connection, &self.state)
    }

    /// Marks the setup as finished; call it once the connection is stored. The state is kept for rotation and
    /// removal.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.state.finished = true;
        self.files.save(&self.state)?;
        self.files.delete_new_key()
    }
}

/// State for a setup that follows a finished one: keeps account and roles, and creates another key.
fn after_finished_setup(finished: SetupState, report: &Report) -> SetupState {
    if let Some(key) = &finished.key {
        report(&still_active(key));
    }
    let earlier = |resource: ProvisionedResource| ProvisionedResource {
        earlier: true,
        ..resource
    };
    SetupState {
        service_account: finished.service_account.map(earlier),
        role_bindings: finished.role_bindings.into_iter().map(earlier).collect(),
        ..SetupState::default()
    }
}

fn with_undo_hint(error: Error, connection: &str, state: &SetupState) -> Error {
    let created = state.created();
    if created.is_empty() {
        return error;
    }
    let account = state.service_account.as_ref();
    // Revoking would also delete the key of the connection that is to be replaced.
    let revoke = if account.is_some_and(|account| account.earlier) {
        String::new()
    } else {
        format!("`billstream connections remove {connection} --revoke` or ")
    };
    error.with_another_hint(format!(
        "created so far: {}; run the same command again to resume, or undo with {revoke}`{}`",
        created.join(", "),
        state.undo_commands().join(" && ")
    ))
}

/// Finds or creates the service account and its roles. Returns the account's id.
async fn provision_account(
    iam: &Iam<'_>,
    request: &SetupRequest,
    files: &SetupFiles,
    state: &mut SetupState,
    report: &Report,
) -> Result<String> {
    let organization = organization(iam, request).await?;
    let Organization { id, display_name } = &organization;
    report(&format!("organization `{display_name}` ({id}): found"));
    let name = &request.service_account;
    let find = async || {
        let found = iam.service_account(name).await?;
        Ok(found.map(|account| account.id))
    };
    let create = async || Ok(iam.create_service_account(name).await?.id);
    let before = state.service_account.as_ref();
    let account = find_or_create(iam, name, before, find, create).await?;
    report(&format!(
        "service account {}",
        describe(&account, before, iam)
    ));
    state.service_account = Some(account.clone());
    save(iam, files, state)?;

    let roles = [Some(BILLING_ADMIN), request.inventory.then_some(OPERATOR)];
    for role in roles.into_iter().flatten() {
        let find = async || {
            let found = iam.role_binding(&account.id, role, &organization).await?;
            Ok(found.map(|binding| binding.id))
        };
        let create = async || Ok(iam.bind_role(&account.id, role, &organization).await?.id);
        let before = state
            .role_bindings
            .iter()
            .find(|binding| binding.name == role);
        let binding = find_or_create(iam, role, before, find, create).await?;
        report(&format!("role {}", describe(&binding, before, iam)));
        state.role_bindings.retain(|binding| binding.name != role);
        state.role_bindings.push(binding);
        save(iam, files, state)?;
    }
    Ok(account.id)
}

/// Id of the organization that a setup would use.
///
/// # Errors
/// Those of the request; kind usage, if there are several organizations and none is chosen.
pub(crate) async fn organization_id(admin: &Client, request: &SetupRequest) -> Result<String> {
    let organization = organization(&Iam::new(admin, None), request).await?;
    Ok(organization.id)
}

async fn organization(iam: &Iam<'_>, request: &SetupRequest) -> Result<Organization> {
    let listed = iam.organizations().await;
    let mut all = listed.map_err(|failure| explain(failure, iam.client()))?;
    if let Some(id) = &request.organization {
        let found = all.iter().position(|organization| organization.id == *id);
        return match found {
            Some(index) => Ok(all.swap_remove(index)),
            None => Err(
                Error::usage(format!("the key has no access to organization {id}"))
                    .with_hint(format!("choose one of: {}", describe_all(&all))),
            ),
        };
    }
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(Error::config("the key has access to no organization")),
        (Some(last), false) => {
            all.push(last);
            Err(
                Error::usage("the key has access to several organizations").with_hint(format!(
                    "choose one with --organization: {}",
                    describe_all(&all)
                )),
            )
        }
    }
}

fn describe_all(organizations: &[Organization]) -> String {
    let described = organizations
        .iter()
        .map(|o| format!("{} (`{}`)", o.id, o.display_name));
    described.collect::<Vec<_>>().join(", ")
}

/// Finds a resource or creates it. After a request whose outcome is unknown it looks for the resource again.
async fn find_or_create(
    iam: &Iam<'_>,
    name: &str,
    before: Option<&ProvisionedResource>,
    find: impl AsyncFn() -> std::result::Result<Option<String>, RequestError>,
    create: impl AsyncFn() -> std::result::Result<String, RequestError>,
) -> Result<ProvisionedResource> {
    let resource = |id: String, created| ProvisionedResource {
        id,
        name: name.to_string(),
        created,
        earlier: false,
    };
    let mut may_be_ours = false;
    for attempt in 1..=ATTEMPTS {
        if let Some(id) = find().await? {
            let saved = before.filter(|before| before.id == id);
            return Ok(saved.cloned().unwrap_or_else(|| resource(id, may_be_ours)));
        }
        match create().await {
            Ok(id) => return Ok(resource(id, true)),
            Err(failure) => {
                may_be_ours |= failure.outcome_unknown();
                // 409: someone else created it in the meantime.
                let look_again = failure.outcome_unknown() || failure.is_conflict();
                if !look_again || attempt == ATTEMPTS {
                    return Err(failure.into_error());
                }
                iam.client().sleep(RETRY_WAIT).await;
            }
        }
    }
    Err(Error::bug(format!(
        "`{name}` was neither found nor created"
    )))
}

fn describe(
    resource: &ProvisionedResource,
    before: Option<&ProvisionedResource>,
    iam: &Iam<'_>,
) -> String {
    let outcome = if !resource.created {
        "found"
    } else if before == Some(resource) {
        "created earlier"
    } else if iam.is_dry() {
        "would be created"
    } else {
        "created"
    };
    format!("`{}` ({}): {outcome}", resource.name, resource.id)
}
