//! State and request log of the fake IAM.

use serde_json::Value;

use super::Scene;

/// Snapshot of `/sandbox/iam`.
#[derive(Debug, Clone, PartialEq)]
pub struct Iam(Value);

impl Scene {
    pub fn iam(&self) -> Iam {
        Iam(self.sandbox.get("/sandbox/iam"))
    }
}

impl Iam {
    fn of(&self, kind: &str, is: impl Fn(&Value) -> bool, what: &str) -> Vec<String> {
        let all = self.0[kind].as_array().unwrap().iter();
        all.filter(|resource| is(resource))
            .map(|resource| resource[what].as_str().unwrap().to_string())
            .collect()
    }

    /// Ids of the service accounts with this name.
    pub fn accounts(&self, name: &str) -> Vec<String> {
        self.of(
            "service_accounts",
            |account| account["display_name"] == name,
            "id",
        )
    }

    /// Roles of a service account.
    pub fn roles(&self, account: &str) -> Vec<String> {
        let principal = format!("User:{account}");
        self.of(
            "role_bindings",
            |binding| binding["principal"] == *principal,
            "role_name",
        )
    }

    /// Ids of its role bindings.
    pub fn bindings(&self, account: &str) -> Vec<String> {
        let principal = format!("User:{account}");
        self.of(
            "role_bindings",
            |binding| binding["principal"] == *principal,
            "id",
        )
    }

    /// Ids of the Cloud API keys of a service account.
    pub fn keys(&self, account: &str) -> Vec<String> {
        self.of("api_keys", |key| key["owner"] == *account, "id")
    }

    /// Ids of the organizations.
    pub fn organizations(&self) -> Vec<String> {
        self.of("organizations", |_| true, "id")
    }

    /// All requests in order: method, path and query.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.0["requests"].as_array().unwrap().iter();
        requests.map(|r| r.as_str().unwrap().to_string()).collect()
    }

    /// Requests that are not reads.
    pub fn changes(&self) -> Vec<String> {
        let mut requests = self.requests();
        requests.retain(|request| !request.starts_with("GET "));
        requests
    }

    /// The snapshot without its request log.
    pub fn resources(&self) -> Value {
        let mut resources = self.0.clone();
        resources["requests"] = Value::Null;
        resources
    }

    /// Asserts that a setup left one account named billstream, with these roles and one key, and nothing else.
    /// Returns account and key.
    #[track_caller]
    pub fn assert_one(&self, roles: &[&str]) -> (String, String) {
        let accounts = self.accounts("billstream");
        assert_eq!(accounts.len(), 1, "{self:?}");
        assert_eq!(self.roles(&accounts[0]), roles, "{self:?}");
        let keys = self.keys(&accounts[0]);
        assert_eq!(keys.len(), 1, "{self:?}");
        // Account and keys of the administrator and of the fake server exist from the start.
        assert_eq!(self.of("service_accounts", |_| true, "id").len(), 2);
        assert_eq!(
            self.of("role_bindings", |_| true, "id").len(),
            3 + roles.len()
        );
        assert_eq!(self.of("api_keys", |_| true, "id").len(), 3);
        (accounts[0].clone(), keys[0].clone())
    }
}
