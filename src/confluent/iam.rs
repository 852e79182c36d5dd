//! Confluent's IAM: organizations, service accounts, role bindings, API keys (docs: Cloud API reference,
//! `org/v2` and `iam/v2`).
//!
//! In a dry run every call is told; what only looks is done, and what would change something is not.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::confluent::client::{Client, RequestError};
use crate::confluent::lists;

/// The role that IAM takes.
const RIGHT: &str = "OrganizationAdmin";
/// The resource of a Cloud API key: Cloud resource management.
const CLOUD: &str = "cloud";
/// How the ids end that a dry run shows for what it would make.
const NEW: &str = "-NEW";

/// Asks IAM with an administrator's key.
pub struct Iam<'c> {
    client: &'c Client,
    /// Who hears of the calls of a dry run.
    dry: Option<&'c (dyn Fn(&str) + Send + Sync)>,
}

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Organization {
    /// A UUID.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub display_name: String,
}

impl Organization {
    /// How role bindings name it.
    fn crn(&self) -> String {
        format!("crn://confluent.cloud/organization={}", self.id)
    }
}

/// A service account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ServiceAccount {
    /// `sa-…`
    pub id: String,
    /// Its name, which the organization has once.
    #[serde(default)]
    pub display_name: String,
}

/// A role of somebody somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RoleBinding {
    /// `rb-…`
    pub id: String,
}

/// An API key without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ApiKey {
    /// The key itself.
    pub id: String,
    #[serde(default)]
    spec: KeySpec,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct KeySpec {
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    secret: String,
    owner: Option<Owner>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Owner {
    id: String,
}

impl ApiKey {
    /// Its name, which other keys may have too.
    pub fn display_name(&self) -> &str {
        &self.spec.display_name
    }

    /// Its secret, in the answer that made it and in no other.
    pub fn secret(&self) -> &str {
        &self.spec.secret
    }

    /// The service account or user that it acts for.
    pub fn owner(&self) -> Option<&str> {
        self.spec.owner.as_ref().map(|owner| owner.id.as_str())
    }
}

impl<'c> Iam<'c> {
    /// With a client that has an administrator's key.
    pub fn new(client: &'c Client, dry: Option<&'c (dyn Fn(&str) + Send + Sync)>) -> Iam<'c> {
        Iam { client, dry }
    }

    /// Whether nothing is changed.
    pub fn is_dry(&self) -> bool {
        self.dry.is_some()
    }

    /// The client.
    pub fn client(&self) -> &Client {
        self.client
    }

    /// The organizations that the key sees.
    pub async fn organizations(&self) -> Result<Vec<Organization>, RequestError> {
        self.list("organizations", &["org", "v2", "organizations"], &[])
            .await
    }

    /// The service account of that name.
    pub async fn service_account(
        &self,
        name: &str,
    ) -> Result<Option<ServiceAccount>, RequestError> {
        let asked = format!("the service account `{name}`");
        let query = [("display_name", name)];
        let found: Vec<ServiceAccount> = self
            .list(&asked, &["iam", "v2", "service-accounts"], &query)
            .await?;
        Ok(found
            .into_iter()
            .find(|account| account.display_name == name))
    }

    /// Makes a service account.
    pub async fn make_service_account(&self, name: &str) -> Result<ServiceAccount, RequestError> {
        let asked = format!("making the service account `{name}`");
        let body = json!({
            "display_name": name,
            "description": "Reads costs for billstream",
        });
        self.make(
            &asked,
            &["iam", "v2", "service-accounts"],
            &body,
            &format!("sa{NEW}"),
        )
        .await
    }

    /// The binding of a role to a service account at an organization.
    pub async fn role_binding(
        &self,
        account: &str,
        role: &str,
        organization: &Organization,
    ) -> Result<Option<RoleBinding>, RequestError> {
        let asked = format!("the role {role} of {account}");
        let (principal, crn) = (principal(account), organization.crn());
        let query = [
            ("crn_pattern", crn.as_str()),
            ("principal", &principal),
            ("role_name", role),
        ];
        let found: Vec<RoleBinding> = self
            .list(&asked, &["iam", "v2", "role-bindings"], &query)
            .await?;
        Ok(found.into_iter().next())
    }

    /// Binds a role to a service account at an organization.
    pub async fn bind_role(
        &self,
        account: &str,
        role: &str,
        organization: &Organization,
    ) -> Result<RoleBinding, RequestError> {
        let asked = format!("binding the role {role} to {account}");
        let body = json!({
            "principal": principal(account),
            "role_name": role,
            "crn_pattern": organization.crn(),
        });
        self.make(
            &asked,
            &["iam", "v2", "role-bindings"],
            &body,
            &format!("rb{NEW}"),
        )
        .await
    }

    /// The Cloud API keys of an owner.
    pub async fn api_keys(&self, owner: &str) -> Result<Vec<ApiKey>, RequestError> {
        let asked = format!("API keys of {owner}");
        let query = [("spec.owner", owner), ("spec.resource", CLOUD)];
        self.list(&asked, &["iam", "v2", "api-keys"], &query).await
    }

    /// An API key; `None` when there is none such.
    pub async fn api_key(&self, key: &str) -> Result<Option<ApiKey>, RequestError> {
        let (asked, path) = ("the API key", ["iam", "v2", "api-keys", key]);
        self.tell("GET", &path, &[], None);
        match self.client.get(asked, &path, &[], RIGHT).await {
            Ok(answer) => lists::read(asked, answer).map(Some),
            Err(failure) if failure.status.is_some_and(|s| s.as_u16() == 404) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Makes a Cloud API key; its secret is in this answer and in no other.
    pub async fn make_api_key(&self, owner: &str, name: &str) -> Result<ApiKey, RequestError> {
        let asked = format!("making a Cloud API key of {owner}");
        let body = json!({
            "spec": {
                "display_name": name,
                "description": "Reads costs for billstream",
                "owner": { "id": owner },
                "resource": { "id": CLOUD },
            },
        });
        self.make(
            &asked,
            &["iam", "v2", "api-keys"],
            &body,
            &format!("key{NEW}"),
        )
        .await
    }

    /// Deletes an API key; one that is not there is no error.
    pub async fn delete_api_key(&self, key: &str) -> Result<(), RequestError> {
        self.delete("deleting the API key", &["iam", "v2", "api-keys", key])
            .await
    }

    /// Takes a role away; one that is not bound is no error.
    pub async fn delete_role_binding(&self, id: &str) -> Result<(), RequestError> {
        let asked = format!("deleting the role binding {id}");
        self.delete(&asked, &["iam", "v2", "role-bindings", id])
            .await
    }

    /// Deletes a service account with its keys and roles; one that is not there is no error.
    pub async fn delete_service_account(&self, id: &str) -> Result<(), RequestError> {
        let asked = format!("deleting the service account {id}");
        self.delete(&asked, &["iam", "v2", "service-accounts", id])
            .await
    }

    async fn list<T: serde::de::DeserializeOwned>(
        &self,
        asked: &str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, RequestError> {
        self.tell("GET", path, query, None);
        // What a dry run did not make has nothing yet.
        if self.is_dry() && query.iter().any(|(_, value)| value.ends_with(NEW)) {
            return Ok(Vec::new());
        }
        lists::all(self.client, asked, path, query, RIGHT).await
    }

    async fn make<T: serde::de::DeserializeOwned>(
        &self,
        asked: &str,
        path: &[&str],
        body: &Value,
        placeholder: &str,
    ) -> Result<T, RequestError> {
        self.tell("POST", path, &[], Some(body));
        let answer = match self.dry {
            Some(_) => json!({ "id": placeholder }),
            None => self.client.post(asked, path, body, RIGHT).await?,
        };
        lists::read(asked, answer)
    }

    async fn delete(&self, asked: &str, path: &[&str]) -> Result<(), RequestError> {
        self.tell("DELETE", path, &[], None);
        match self.dry {
            Some(_) => Ok(()),
            None => self.client.delete(asked, path, RIGHT).await,
        }
    }

    /// Tells a call of a dry run.
    fn tell(&self, method: &str, path: &[&str], query: &[(&str, &str)], body: Option<&Value>) {
        let Some(dry) = self.dry else { return };
        let mut url = self.client.endpoint().clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        match body {
            Some(body) => dry(&format!("{method} {url} {body}")),
            None => dry(&format!("{method} {url}")),
        }
    }
}

/// Service accounts are users to role bindings.
fn principal(account: &str) -> String {
    format!("User:{account}")
}
