//! Confluent's IAM: organizations, service accounts, role bindings, API keys (docs: Cloud API reference, `org/v2` and
//! `iam/v2`).
//!
//! A dry run reports every request, sends the reads and skips the changes.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::confluent::client::{Client, RequestError};
use crate::confluent::lists;

/// Role that IAM takes.
const ROLE: &str = "OrganizationAdmin";
/// Resource of a Cloud API key: Cloud resource management.
const CLOUD_RESOURCE: &str = "cloud";
/// Suffix of the placeholder ids of a dry run.
const PLACEHOLDER_SUFFIX: &str = "-NEW";

/// IAM requests with an administrator's key.
pub struct Iam<'c> {
    client: &'c Client,
    /// Callback of a dry run, called with each request.
    report_dry_run: Option<&'c (dyn Fn(&str) + Send + Sync)>,
}

/// Organization.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Organization {
    /// UUID.
    pub id: String,
    /// Name.
    #[serde(default)]
    pub display_name: String,
}

impl Organization {
    /// Name in role bindings.
    fn crn(&self) -> String {
        format!("crn://confluent.cloud/organization={}", self.id)
    }
}

/// Service account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ServiceAccount {
    /// `sa-…`
    pub id: String,
    /// Name, unique in the organization.
    #[serde(default)]
    pub display_name: String,
}

/// Role of a principal on a resource.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RoleBinding {
    /// `rb-…`
    pub id: String,
}

/// API key. Only the response that created it has its secret.
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
    /// Name, which is not unique.
    pub fn display_name(&self) -> &str {
        &self.spec.display_name
    }

    /// Secret; empty unless this is the response that created the key.
    pub fn secret(&self) -> &str {
        &self.spec.secret
    }

    /// Service account or user that the key belongs to.
    pub fn owner(&self) -> Option<&str> {
        self.spec.owner.as_ref().map(|owner| owner.id.as_str())
    }
}

impl<'c> Iam<'c> {
    /// Uses the administrator's key of `client`. With `report_dry_run`, every request is reported and changes are not
    /// sent.
    pub fn new(
        client: &'c Client,
        report_dry_run: Option<&'c (dyn Fn(&str) + Send + Sync)>,
    ) -> Iam<'c> {
        Iam {
            client,
            report_dry_run,
        }
    }

    /// True when nothing is changed.
    pub fn is_dry(&self) -> bool {
        self.report_dry_run.is_some()
    }

    /// Client with the administrator's key.
    pub fn client(&self) -> &Client {
        self.client
    }

    /// Lists the organizations that the key can see.
    pub async fn organizations(&self) -> Result<Vec<Organization>, RequestError> {
        self.list("organizations", &["org", "v2", "organizations"], &[])
            .await
    }

    /// Finds the service account with this name.
    pub async fn service_account(
        &self,
        name: &str,
    ) -> Result<Option<ServiceAccount>, RequestError> {
        let operation = format!("the service account `{name}`");
        let query = [("display_name", name)];
        let found: Vec<ServiceAccount> = self
            .list(&operation, &["iam", "v2", "service-accounts"], &query)
            .await?;
        Ok(found
            .into_iter()
            .find(|account| account.display_name == name))
    }

    /// Creates a service account.
    pub async fn create_service_account(&self, name: &str) -> Result<ServiceAccount, RequestError> {
        let operation = format!("creating the service account `{name}`");
        let body = json!({
            "display_name": name,
            "description": "Reads costs for billstream",
        });
        self.create(
            &operation,
            &["iam", "v2", "service-accounts"],
            &body,
            &format!("sa{PLACEHOLDER_SUFFIX}"),
        )
        .await
    }

    /// Finds the binding of a role to a service account on an organization.
    pub async fn role_binding(
        &self,
        account: &str,
        role: &str,
        organization: &Organization,
    ) -> Result<Option<RoleBinding>, RequestError> {
        let operation = format!("the role {role} of {account}");
        let (principal, crn) = (principal(account), organization.crn());
        let query = [
            ("crn_pattern", crn.as_str()),
            ("principal", &principal),
            ("role_name", role),
        ];
        let found: Vec<RoleBinding> = self
            .list(&operation, &["iam", "v2", "role-bindings"], &query)
            .await?;
        Ok(found.into_iter().next())
    }

    /// Binds a role to a service account on an organization.
    pub async fn bind_role(
        &self,
        account: &str,
        role: &str,
        organization: &Organization,
    ) -> Result<RoleBinding, RequestError> {
        let operation = format!("binding the role {role} to {account}");
        let body = json!({
            "principal": principal(account),
            "role_name": role,
            "crn_pattern": organization.crn(),
        });
        self.create(
            &operation,
            &["iam", "v2", "role-bindings"],
            &body,
            &format!("rb{PLACEHOLDER_SUFFIX}"),
        )
        .await
    }

    /// Lists the Cloud API keys of an owner.
    pub async fn api_keys(&self, owner: &str) -> Result<Vec<ApiKey>, RequestError> {
        let operation = format!("API keys of {owner}");
        let query = [("spec.owner", owner), ("spec.resource", CLOUD_RESOURCE)];
        self.list(&operation, &["iam", "v2", "api-keys"], &query)
            .await
    }

    /// Finds an API key.
    pub async fn api_key(&self, key: &str) -> Result<Option<ApiKey>, RequestError> {
        let (operation, path) = ("the API key", ["iam", "v2", "api-keys", key]);
        self.report("GET", &path, &[], None);
        match self.client.get(operation, &path, &[], ROLE).await {
            Ok(response) => lists::parse(operation, response).map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a Cloud API key. No later response has its secret.
    pub async fn create_api_key(&self, owner: &str, name: &str) -> Result<ApiKey, RequestError> {
        let operation = format!("creating a Cloud API key of {owner}");
        let body = json!({
            "spec": {
                "display_name": name,
                "description": "Reads costs for billstream",
                "owner": { "id": owner },
                "resource": { "id": CLOUD_RESOURCE },
            },
        });
        self.create(
            &operation,
            &["iam", "v2", "api-keys"],
            &body,
            &format!("key{PLACEHOLDER_SUFFIX}"),
        )
        .await
    }

    /// Deletes an API key; a missing one is not an error.
    pub async fn delete_api_key(&self, key: &str) -> Result<(), RequestError> {
        self.delete("deleting the API key", &["iam", "v2", "api-keys", key])
            .await
    }

    /// Removes a role; a missing binding is not an error.
    pub async fn delete_role_binding(&self, id: &str) -> Result<(), RequestError> {
        let operation = format!("deleting the role binding {id}");
        self.delete(&operation, &["iam", "v2", "role-bindings", id])
            .await
    }

    /// Deletes a service account with its keys and roles; a missing one is not an error.
    pub async fn delete_service_account(&self, id: &str) -> Result<(), RequestError> {
        let operation = format!("deleting the service account {id}");
        self.delete(&operation, &["iam", "v2", "service-accounts", id])
            .await
    }

    async fn list<T: serde::de::DeserializeOwned>(
        &self,
        operation: &str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, RequestError> {
        self.report("GET", path, query, None);
        // Placeholders of a dry run do not exist.
        if self.is_dry()
            && query
                .iter()
                .any(|(_, value)| value.ends_with(PLACEHOLDER_SUFFIX))
        {
            return Ok(Vec::new());
        }
        lists::all(self.client, operation, path, query, ROLE).await
    }

    async fn create<T: serde::de::DeserializeOwned>(
        &self,
        operation: &str,
        path: &[&str],
        body: &Value,
        placeholder: &str,
    ) -> Result<T, RequestError> {
        self.report("POST", path, &[], Some(body));
        let response = if self.is_dry() {
            json!({ "id": placeholder })
        } else {
            self.client.post(operation, path, body, ROLE).await?
        };
        lists::parse(operation, response)
    }

    async fn delete(&self, operation: &str, path: &[&str]) -> Result<(), RequestError> {
        self.report("DELETE", path, &[], None);
        if self.is_dry() {
            return Ok(());
        }
        self.client.delete(operation, path, ROLE).await
    }

    /// Reports a request of a dry run.
    fn report(&self, method: &str, path: &[&str], query: &[(&str, &str)], body: Option<&Value>) {
        let Some(report) = self.report_dry_run else {
            return;
        };
        let url = self.client.url(path, query);
        match body {
            Some(body) => report(&format!("{method} {url} {body}")),
            None => report(&format!("{method} {url}")),
        }
    }
}

/// Role bindings call service accounts users.
fn principal(account: &str) -> String {
    format!("User:{account}")
}
