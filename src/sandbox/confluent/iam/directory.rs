//! Who and what is there: organizations, service accounts, role bindings, API keys.

use crate::sandbox::Options;
use crate::sandbox::confluent::access::{Caller, Denied};
use crate::sandbox::confluent::iam::id_generator::Mint;
use crate::sandbox::confluent::iam::roles::{BILLING_ADMIN, OPERATOR, ORGANIZATION_ADMIN};
use chrono::{SecondsFormat, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use std::time::{Duration, Instant};

/// Id of the service account that the main key belongs to.
pub const SERVICE_ACCOUNT: &str = "sa-sandbox";
/// Id of the user that the admin's key belongs to.
const ADMIN: &str = "u-admin";
/// When what is there from the start was made.
const BEGINNING: &str = "2024-01-15T08:00:00.000000Z";
/// `spec.resource.id` of keys that are not for one cluster.
pub const CLOUD: &str = "cloud";

/// An organization.
#[derive(Debug)]
pub struct Organization {
    /// A UUID.
    pub id: String,
    /// Its name.
    pub display_name: String,
    /// When it was made.
    pub made: String,
}

/// A service account.
#[derive(Debug)]
pub struct Account {
    /// `sa-…`.
    pub id: String,
    /// Its name, which no other one has.
    pub display_name: String,
    /// What it is for.
    pub description: String,
    /// When it was made.
    pub made: String,
}

/// A role that somebody has in an organization.
#[derive(Debug, Clone)]
pub struct Binding {
    /// `rb-…`.
    pub id: String,
    /// `User:` and the id of a service account or user.
    pub principal: String,
    /// The role.
    pub role_name: &'static str,
    /// The organization, as a CRN.
    pub crn_pattern: String,
    /// When it was made.
    pub made: String,
}

/// An API key.
#[derive(Debug)]
pub struct Key {
    /// The key itself.
    pub id: String,
    /// Its secret.
    pub secret: SecretString,
    /// Its name.
    pub display_name: String,
    /// What it is for.
    pub description: String,
    /// Id of the service account or user that it belongs to.
    pub owner: String,
    /// What it opens: [`CLOUD`], or the id of a cluster.
    pub resource: String,
    /// When it was made.
    pub made: String,
    /// Since when it is there; `None` for always.
    pub since: Option<Instant>,
}

/// All of them, each kind in the order they were made.
#[derive(Debug)]
pub struct Directory {
    /// The first one is that of the costs.
    pub organizations: Vec<Organization>,
    /// Service accounts.
    pub accounts: Vec<Account>,
    /// Role bindings.
    pub bindings: Vec<Binding>,
    /// API keys.
    pub keys: Vec<Key>,
    /// How long a new key is not known yet.
    pub key_delay: Duration,
    /// Makes ids.
    pub mint: Mint,
}

impl Directory {
    /// What is there from the start: an admin, and a service account with two roles.
    pub fn new(options: &Options) -> Directory {
        let mut mint = Mint::new(options.seed);
        let organizations: Vec<Organization> = (1..=options.organizations.max(1))
            .map(|number| Organization {
                id: mint.uuid(),
                display_name: if number == 1 {
                    "Sandbox".to_owned()
                } else {
                    format!("Sandbox {number}")
                },
                made: BEGINNING.to_owned(),
            })
            .collect();
        let mut directory = Directory {
            organizations,
            accounts: vec![Account {
                id: SERVICE_ACCOUNT.to_owned(),
                display_name: "sandbox".to_owned(),
                description: "Reads costs and sees resources".to_owned(),
                made: BEGINNING.to_owned(),
            }],
            bindings: Vec::new(),
            keys: Vec::new(),
            key_delay: options.key_delay,
            mint,
        };
        let all: Vec<String> = directory.organizations.iter().map(crn).collect();
        for organization in &all {
            directory.bind(ADMIN, ORGANIZATION_ADMIN, organization);
        }
        for role in [BILLING_ADMIN, OPERATOR] {
            let home = all.first().map_or("", String::as_str);
            directory.bind(SERVICE_ACCOUNT, role, home);
        }
        let (admin, main) = (&options.admin_secret, &options.secret);
        directory.keys = vec![
            key(&options.admin_key, admin, ADMIN),
            key(&options.key, main, SERVICE_ACCOUNT),
        ];
        directory
    }

    /// Id of the organization that the costs are of.
    pub fn home(&self) -> &str {
        self.organizations
            .first()
            .map_or("", |organization| &organization.id)
    }

    /// Whether somebody with this id can have roles and keys.
    pub fn has_owner(&self, id: &str) -> bool {
        id == ADMIN || self.accounts.iter().any(|account| account.id == id)
    }

    /// The owner of a key with the roles of this moment.
    pub fn caller(&self, key: &str, secret: &str) -> Result<Caller, Denied> {
        let known = |found: &&Key| {
            found.id == key
                && found.secret.expose_secret() == secret
                && found
                    .since
                    .is_none_or(|since| since.elapsed() >= self.key_delay)
        };
        let key = self.keys.iter().find(known).ok_or(Denied::UnknownKey)?;
        if key.resource != CLOUD {
            return Err(Denied::WrongKind);
        }
        let principal = principal(&key.owner);
        let bindings = || {
            self.bindings
                .iter()
                .filter(|binding| binding.principal == principal)
        };
        let organizations = self.organizations.iter().filter(|organization| {
            let crn = crn(organization);
            bindings().any(|binding| binding.crn_pattern == crn)
        });
        Ok(Caller {
            roles: bindings().map(|binding| binding.role_name).collect(),
            organizations: organizations.map(|found| found.id.clone()).collect(),
        })
    }

    fn bind(&mut self, owner: &str, role_name: &'static str, crn_pattern: &str) {
        let binding = Binding {
            id: self.mint.id("rb"),
            principal: principal(owner),
            role_name,
            crn_pattern: crn_pattern.to_owned(),
            made: BEGINNING.to_owned(),
        };
        self.bindings.push(binding);
    }
}

fn key(id: &str, secret: &SecretString, owner: &str) -> Key {
    Key {
        id: id.to_owned(),
        secret: secret.clone(),
        display_name: id.to_owned(),
        description: String::new(),
        owner: owner.to_owned(),
        resource: CLOUD.to_owned(),
        made: BEGINNING.to_owned(),
        since: None,
    }
}

/// How role bindings name somebody: service accounts are users there, too.
pub fn principal(id: &str) -> String {
    format!("User:{id}")
}

/// How role bindings name an organization.
pub fn crn(organization: &Organization) -> String {
    format!("crn://confluent.cloud/organization={}", organization.id)
}

/// The current time, as objects have it.
pub fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)
}
