//! The roles that can be bound at an organization (docs: predefined RBAC roles).

/// May do everything.
pub const ORGANIZATION_ADMIN: &str = "OrganizationAdmin";
/// May read costs.
pub const BILLING_ADMIN: &str = "BillingAdmin";
/// May see resources.
pub const OPERATOR: &str = "Operator";

/// All of them; those without a constant have no right that the sandbox asks for.
const ROLES: [&str; 9] = [
    ORGANIZATION_ADMIN,
    BILLING_ADMIN,
    OPERATOR,
    "AccountAdmin",
    "DataDiscovery",
    "DataSteward",
    "MetricsViewer",
    "NetworkAdmin",
    "ResourceKeyAdmin",
];

/// The role called `name`.
pub fn role(name: &str) -> Option<&'static str> {
    ROLES.into_iter().find(|role| *role == name)
}
