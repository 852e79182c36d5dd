//! IAM objects of the sandbox: organizations, service accounts, role bindings, API keys.

use crate::sandbox::Options;
use crate::sandbox::confluent::access::{AccessDenied, Caller};
use crate::sandbox::confluent::iam::id_generator::IdGenerator;
use crate::sandbox::confluent::iam::roles::{BILLING_ADMIN, OPERATOR, ORGANIZATION_ADMIN};
use chrono::{SecondsFormat, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use std::time::{Duration, Instant};

/// Id of the service account that owns the main key.
pub(crate) const SERVICE_ACCOUNT: &str = "sa-sandbox";
/// Id of the user who owns the admin's key.
const ADMIN: &str = "u-admin";
/// Creation time of the initial objects.
const INITIAL_CREATED_AT: &str = "2024-01-15T08:00:00.000000Z";
/// `spec.resource.id` of Cloud API keys.
pub(crate) const CLOUD: &str = "cloud";

#[derive(Debug)]
pub(crate) struct Organization {
    /// UUID.
    pub(crate) id: String,
    pub(crate) display_name: String,
    pub(crate) created_at: String,
}

#[derive(Debug)]
pub(crate) struct ServiceAccount {
    /// `sa-…`.
    pub(crate) id: String,
    /// Unique.
    pub(crate) display_name: String,
    pub(crate) description: String,
    pub(crate) created_at: String,
}

/// Role of a principal in an organization.
#[derive(Debug, Clone)]
pub(crate) struct RoleBinding {
    /// `rb-…`.
    pub(crate) id: String,
    /// `User:` followed by the id of a service account or user.
    pub(crate) principal: String,
    pub(crate) role_name: &'static str,
    /// CRN of the organization.
    pub(crate) crn_pattern: String,
    pub(crate) created_at: String,
}

#[derive(Debug)]
pub(crate) struct ApiKey {
    pub(crate) id: String,
    pub(crate) secret: SecretString,
    pub(crate) display_name: String,
    pub(crate) description: String,
    /// Id of a service account or user.
    pub(crate) owner: String,
    /// [`CLOUD`], or the id of a cluster.
    pub(crate) resource: String,
    pub(crate) created_at: String,
    /// Creation time for the activation delay; `None` for the initial keys, which are active.
    pub(crate) created: Option<Instant>,
}

/// All IAM objects, each kind in order of creation.
#[derive(Debug)]
pub(crate) struct Directory {
    /// The costs belong to the first.
    pub(crate) organizations: Vec<Organization>,
    pub(crate) service_accounts: Vec<ServiceAccount>,
    pub(crate) role_bindings: Vec<RoleBinding>,
    pub(crate) api_keys: Vec<ApiKey>,
    /// Time until a new key is active.
    pub(crate) key_delay: Duration,
    pub(crate) ids: IdGenerator,
}

impl Directory {
    /// Initial objects: an admin, and a service account with two roles.
    pub(crate) fn new(options: &Options) -> Directory {
        let mut ids = IdGenerator::new(options.seed);
        let organizations: Vec<Organization> = (1..=options.organizations.max(1))
            .map(|number| Organization {
                id: ids.uuid(),
                display_name: if number == 1 {
                    "Sandbox".to_owned()
                } else {
                    format!("Sandbox {number}")
                },
                created_at: INITIAL_CREATED_AT.to_owned(),
            })
            .collect();
        let mut directory = Directory {
            organizations,
            service_accounts: vec![ServiceAccount {
                id: SERVICE_ACCOUNT.to_owned(),
                display_name: "sandbox".to_owned(),
                description: "Reads costs and sees resources".to_owned(),
                created_at: INITIAL_CREATED_AT.to_owned(),
            }],
            role_bindings: Vec::new(),
            api_keys: Vec::new(),
            key_delay: options.key_delay,
            ids,
        };
        let organizations: Vec<String> = directory.organizations.iter().map(crn).collect();
        for organization in &organizations {
            directory.add_role_binding(ADMIN, ORGANIZATION_ADMIN, organization);
        }
        for role in [BILLING_ADMIN, OPERATOR] {
            let home_organization = organizations.first().map_or("", String::as_str);
            directory.add_role_binding(SERVICE_ACCOUNT, role, home_organization);
        }
        let (admin, main) = (&options.admin_secret, &options.secret);
        directory.api_keys = vec![
            key(&options.admin_key, admin, ADMIN),
            key(&options.key, main, SERVICE_ACCOUNT),
        ];
        directory
    }

    /// Id of the organization that the costs belong to.
    pub(crate) fn home_organization(&self) -> &str {
        self.organizations
            .first()
            .map_or("", |organization| &organization.id)
    }

    /// Returns whether `id` is a user or service account, which can own keys and roles.
    pub(crate) fn has_owner(&self, id: &str) -> bool {
        id == ADMIN || self.service_accounts.iter().any(|account| account.id == id)
    }

    /// Owner of a key with its current roles.
    pub(crate) fn authenticate(&self, key: &str, secret: &str) -> Result<Caller, AccessDenied> {
        let is_active = |found: &&ApiKey| {
            found.id == key
                && found.secret.expose_secret() == secret
                && found
                    .created
                    .is_none_or(|created| created.elapsed() >= self.key_delay)
        };
        let key = self
            .api_keys
            .iter()
            .find(is_active)
            .ok_or(AccessDenied::UnknownKey)?;
        if key.resource != CLOUD {
            return Err(AccessDenied::ClusterKey);
        }
        let principal = principal(&key.owner);
        let role_bindings = || {
            self.role_bindings
                .iter()
                .filter(|binding| binding.principal == principal)
        };
        let organizations = self.organizations.iter().filter(|organization| {
            let crn = crn(organization);
            role_bindings().any(|binding| binding.crn_pattern == crn)
        });
        Ok(Caller {
            roles: role_bindings().map(|binding| binding.role_name).collect(),
            organizations: organizations.map(|found| found.id.clone()).collect(),
        })
    }

    fn add_role_binding(&mut self, owner: &str, role_name: &'static str, crn_pattern: &str) {
        let binding = RoleBinding {
            id: self.ids.id("rb"),
            principal: principal(owner),
            role_name,
            crn_pattern: crn_pattern.to_owned(),
            created_at: INITIAL_CREATED_AT.to_owned(),
        };
        self.role_bindings.push(binding);
    }
}

fn key(id: &str, secret: &SecretString, owner: &str) -> ApiKey {
    ApiKey {
        id: id.to_owned(),
        secret: secret.clone(),
        display_name: id.to_owned(),
        description: String::new(),
        owner: owner.to_owned(),
        resource: CLOUD.to_owned(),
        created_at: INITIAL_CREATED_AT.to_owned(),
        created: None,
    }
}

/// Principal of role bindings; service accounts are `User:` too.
pub(crate) fn principal(id: &str) -> String {
    format!("User:{id}")
}

/// CRN of an organization.
pub(crate) fn crn(organization: &Organization) -> String {
    format!("crn://confluent.cloud/organization={}", organization.id)
}

/// Current time in the format of `created_at`.
pub(crate) fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)
}
