//! What is there at the sandbox's IAM, and what it was asked.

use serde_json::Value;

use super::Scene;

/// `/sandbox/iam`, as it was at a moment.
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
        all.filter(|thing| is(thing))
            .map(|thing| thing[what].as_str().unwrap().to_string())
            .collect()
    }

    /// Ids of the service accounts of a name.
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

    /// Cloud API keys of a service account.
    pub fn keys(&self, account: &str) -> Vec<String> {
        self.of("api_keys", |key| key["owner"] == *account, "id")
    }

    /// Ids of the organizations.
    pub fn organizations(&self) -> Vec<String> {
        self.of("organizations", |_| true, "id")
    }

    /// All requests, in their order: method, path and query.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.0["requests"].as_array().unwrap().iter();
        requests.map(|r| r.as_str().unwrap().to_string()).collect()
    }

    /// Those that change something.
    pub fn changes(&self) -> Vec<String> {
        let mut requests = self.requests();
        requests.retain(|request| !request.starts_with("GET "));
        requests
    }

    /// The same but for the requests.
    pub fn things(&self) -> Value {
        let mut things = self.0.clone();
        things["requests"] = Value::Null;
        things
    }

    /// Asserts that there is one account of billstream's name, with these roles and one key, and that nothing
    /// else was left of a set-up. Gives the account and the key.
    #[track_caller]
    pub fn assert_one(&self, roles: &[&str]) -> (String, String) {
        let accounts = self.accounts("billstream");
        assert_eq!(accounts.len(), 1, "{self:?}");
        assert_eq!(self.roles(&accounts[0]), roles, "{self:?}");
        let keys = self.keys(&accounts[0]);
        assert_eq!(keys.len(), 1, "{self:?}");
        // The administrator's and the sandbox's own are there from the start.
        assert_eq!(self.of("service_accounts", |_| true, "id").len(), 2);
        assert_eq!(
            self.of("role_bindings", |_| true, "id").len(),
            3 + roles.len()
        );
        assert_eq!(self.of("api_keys", |_| true, "id").len(), 3);
        (accounts[0].clone(), keys[0].clone())
    }
}
