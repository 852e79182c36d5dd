//! Roles that can be bound at an organization (docs: predefined RBAC roles).

/// Has every permission.
pub(crate) const ORGANIZATION_ADMIN: &str = "OrganizationAdmin";
/// Reads costs.
pub(crate) const BILLING_ADMIN: &str = "BillingAdmin";
/// Lists resources.
pub(crate) const OPERATOR: &str = "Operator";

/// All roles; those without a constant grant no permission in the sandbox.
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

pub(crate) fn find_role(name: &str) -> Option<&'static str> {
    ROLES.into_iter().find(|role| *role == name)
}
