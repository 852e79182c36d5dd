//! Meaning of Confluent's error responses, and what to do next. No secret and no raw body gets into the messages.

use std::fmt;

use chrono::{Days, NaiveDate};
use reqwest::StatusCode;
use serde_json::Value;

use crate::billing_period::Window;
use crate::error::{Error, ErrorKind};
use crate::http::sanitize::request_id_suffix;

/// Longest window that the API takes, in days (docs: invoices and costs, one month).
const MAX_WINDOW_DAYS: u32 = 31;
/// Days that the API looks back (docs: one year; its last day is known to be refused).
const LOOK_BACK_DAYS: u64 = 364;

/// Error response, sanitized for display.
#[derive(Debug, Clone)]
pub(crate) struct ErrorResponse {
    /// HTTP status.
    pub status: StatusCode,
    /// Confluent's id of the request, which its support asks for.
    pub request_id: Option<String>,
    /// Message of the body.
    pub detail: Option<String>,
    /// Host that a redirect points to.
    pub redirect_host: Option<String>,
}

/// Extracts the request id of an error body, for responses without the header.
pub(crate) fn request_id(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(body.get("requestId")?.as_str()?.to_owned())
}

/// Status and detail: `HTTP 403 Forbidden: no access`.
impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            Some(detail) => write!(f, "HTTP {}: {detail}", self.status),
            None => write!(f, "HTTP {}", self.status),
        }
    }
}

/// Condition behind an error response for which repetition does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The key does not exist, its secret is wrong, or it is not active yet.
    #[error("Confluent does not accept the API key")]
    UnknownKey,
    /// The key belongs to a cluster or a Schema Registry.
    #[error("this is not a Cloud API key")]
    NotCloudKey,
    /// The owner of the key lacks a role.
    #[error("the API key may not {action}")]
    MissingRole {
        /// Action that the key may not take.
        action: &'static str,
        /// The role that it takes.
        role: String,
    },
    /// A proxy needs credentials.
    #[error("a proxy requires a user and a password")]
    ProxyCredentials,
    /// Credentials do not follow redirects.
    #[error("the endpoint redirects to {host}")]
    Redirect {
        /// Target of the redirect.
        host: String,
    },
    /// 404 of the Costs API, which is not an empty result.
    #[error("Confluent has no costs at this address")]
    NoCosts,
    /// The window ends before it starts.
    #[error("the window has no days")]
    EmptyWindow,
    /// The window is longer than the API allows.
    #[error("the window is too long")]
    WindowTooLong {
        /// Its days, where they exceed the documented limit.
        days: Option<u32>,
    },
    /// The page token expired.
    #[error("the page token is no longer valid")]
    PageToken,
    /// The window starts before the API's data.
    #[error("the window starts too far back")]
    WindowTooFarBack,
    /// 400 of the Costs API for another reason.
    #[error("Confluent refused the request")]
    BadCostsRequest,
    /// The organization's quota is used up.
    #[error("the organization's quota does not allow it")]
    Quota,
    /// The name exists already.
    #[error("the name is already in use")]
    NameInUse,
    /// 404 of another API.
    #[error("Confluent did not find it")]
    NotFound,
    /// Any other status.
    #[error("Confluent refused the request")]
    Other,
}

/// Refusal with the response behind it.
#[derive(Debug, thiserror::Error)]
#[error("{refusal}: {response}{}", request_id_suffix(response.request_id.as_deref()))]
pub(crate) struct RefusedRequest {
    refusal: Refusal,
    response: ErrorResponse,
}

impl RefusedRequest {
    /// A 401 of an unknown key: a new key takes up to a few minutes to become active.
    pub fn maybe_inactive_key(&self) -> bool {
        self.response.status == StatusCode::UNAUTHORIZED && self.refusal == Refusal::UnknownKey
    }

    /// Converts it into the error of `operation`.
    pub fn into_error(self, operation: &str) -> Error {
        let kind = match self.response.status {
            StatusCode::BAD_REQUEST => ErrorKind::Refused,
            _ => self.refusal.kind(),
        };
        let hint = self.refusal.hint();
        Error::new(kind, self).context(operation).with_hint(hint)
    }
}

impl ErrorResponse {
    /// Returns the refusal of a request for costs. `today` decides which windows start too far back.
    pub fn costs_refusal(&self, window: Window, today: NaiveDate) -> RefusedRequest {
        let detail = self.lowercase_detail();
        let refusal = match self.status {
            StatusCode::NOT_FOUND => Refusal::NoCosts,
            StatusCode::BAD_REQUEST => Refusal::of_window(&detail, window, today),
            _ => self.common_refusal(&detail, "read costs", "BillingAdmin"),
        };
        self.refused(refusal)
    }

    /// Returns the refusal of any other request. `role` is the role that it takes.
    pub fn api_refusal(&self, role: &str) -> RefusedRequest {
        let refusal = match self.status {
            StatusCode::PAYMENT_REQUIRED => Refusal::Quota,
            StatusCode::CONFLICT => Refusal::NameInUse,
            StatusCode::NOT_FOUND => Refusal::NotFound,
            _ => self.common_refusal(&self.lowercase_detail(), "do this", role),
        };
        self.refused(refusal)
    }

    fn common_refusal(&self, detail: &str, action: &'static str, role: &str) -> Refusal {
        match self.status {
            // Some services refuse a key of the wrong type with 403.
            StatusCode::UNAUTHORIZED => Refusal::of_key(detail),
            StatusCode::FORBIDDEN if names_key(detail) => Refusal::of_key(detail),
            StatusCode::FORBIDDEN => Refusal::MissingRole {
                action,
                role: role.to_owned(),
            },
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => Refusal::ProxyCredentials,
            status if status.is_redirection() => {
                let host = self.redirect_host.as_deref().unwrap_or("another address");
                Refusal::Redirect {
                    host: host.to_owned(),
                }
            }
            _ => Refusal::Other,
        }
    }

    fn refused(&self, refusal: Refusal) -> RefusedRequest {
        RefusedRequest {
            refusal,
            response: self.clone(),
        }
    }

    fn lowercase_detail(&self) -> String {
        self.detail.as_deref().unwrap_or_default().to_lowercase()
    }
}

/// True when the detail of a 403 is about the type of the key, not about the rights of its owner.
fn names_key(detail: &str) -> bool {
    ["invalid api key", "cloud api key", "cluster api key"]
        .iter()
        .any(|words| detail.contains(words))
}

impl Refusal {
    /// Confluent's texts are the only sign of a key that belongs to a cluster or a Schema Registry.
    fn of_key(detail: &str) -> Refusal {
        if detail.contains("cloud api") || detail.contains("cluster api key") {
            Refusal::NotCloudKey
        } else {
            Refusal::UnknownKey
        }
    }

    /// A 400 of the Costs API has no code, so the window and Confluent's text tell its reason.
    fn of_window(detail: &str, window: Window, today: NaiveDate) -> Refusal {
        let oldest = today
            .checked_sub_days(Days::new(LOOK_BACK_DAYS))
            .unwrap_or(today);
        let has_any = |words: &[&str]| words.iter().any(|word| detail.contains(word));
        if window.end <= window.start {
            Refusal::EmptyWindow
        } else if window.days() > MAX_WINDOW_DAYS {
            Refusal::WindowTooLong {
                days: Some(window.days()),
            }
        } else if has_any(&["page_token", "page token"]) {
            Refusal::PageToken
        } else if window.start <= oldest || has_any(&["year", "365", "12 month"]) {
            Refusal::WindowTooFarBack
        } else if has_any(&["month", "31 day", "30 day", "date range"]) {
            Refusal::WindowTooLong { days: None }
        } else {
            Refusal::BadCostsRequest
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Refusal::UnknownKey
            | Refusal::NotCloudKey
            | Refusal::MissingRole { .. }
            | Refusal::ProxyCredentials
            | Refusal::Quota => ErrorKind::Config,
            _ => ErrorKind::Data,
        }
    }

    fn hint(&self) -> String {
        let hint = match self {
            Refusal::UnknownKey | Refusal::NotCloudKey => {
                "check key and secret: the key may be deleted, or belong to a cluster or a Schema Registry; costs \
                 need a Cloud API key, created with the scope \"Cloud resource management\"; a new key can take a few \
                 minutes to become active"
            }
            Refusal::MissingRole { role, .. } => {
                return format!(
                    "give the owner of the key (service account or user) the role {role} at the Organization scope, \
                     in Confluent Cloud under Accounts & access"
                );
            }
            Refusal::ProxyCredentials => "add them to HTTPS_PROXY, or add the host to NO_PROXY",
            Refusal::Redirect { .. } => {
                "credentials are only sent to the configured endpoint: check CONFLUENT_CLOUD_REST_ENDPOINT (usually \
                 https://api.confluent.cloud) and proxies"
            }
            Refusal::NoCosts => {
                "check the endpoint (CONFLUENT_CLOUD_REST_ENDPOINT, usually https://api.confluent.cloud), and that \
                 the owner of the key still has the role BillingAdmin; nothing was taken for empty"
            }
            Refusal::EmptyWindow => "choose an end, which is exclusive, after the start",
            Refusal::WindowTooLong { days: Some(days) } => {
                return format!(
                    "Confluent takes at most one month at a time; this window has {days} days"
                );
            }
            Refusal::WindowTooLong { days: None } => {
                "Confluent takes at most one month at a time; try shorter windows"
            }
            Refusal::PageToken => {
                "page tokens expire; run the command again, which starts at the first page"
            }
            Refusal::WindowTooFarBack => {
                "Confluent keeps costs for one year; older months can no longer be pulled"
            }
            Refusal::BadCostsRequest => {
                "check the dates: at most one month at a time, and at most one year back"
            }
            Refusal::Quota => {
                "delete what is not used, or ask Confluent's support for a higher quota"
            }
            Refusal::NameInUse => "choose another name, or delete the other resource",
            Refusal::NotFound => "check its id and the endpoint",
            Refusal::Other => {
                "repetition is not expected to help; Confluent's support can look up the request id"
            }
        };
        hint.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: &str, end: &str) -> Window {
        Window {
            start: start.parse().unwrap(),
            end: end.parse().unwrap(),
        }
    }

    fn refusal(status: u16, detail: &str, window: Window) -> Error {
        let response = ErrorResponse {
            status: StatusCode::from_u16(status).unwrap(),
            request_id: Some("r-1".to_owned()),
            detail: (!detail.is_empty()).then(|| detail.to_owned()),
            redirect_host: None,
        };
        let error = response
            .costs_refusal(window, "2026-11-23".parse().unwrap())
            .into_error("costs of w, first page");
        assert!(error.to_string().contains("request id r-1"), "{error}");
        assert!(
            error.to_string().starts_with("costs of w, first page: "),
            "{error}"
        );
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        error
    }

    fn october() -> Window {
        window("2026-10-01", "2026-11-01")
    }

    #[test]
    fn reads_the_request_id_of_a_body() {
        assert_eq!(request_id(br#"{"requestId":"q"}"#).as_deref(), Some("q"));
        assert_eq!(request_id(b"<html>"), None);
    }

    #[test]
    fn a_refused_key_names_the_required_key() {
        let error = refusal(
            401,
            "invalid API key: make sure you're using a Cloud API Key",
            october(),
        );
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("not a Cloud API key"));
        assert!(error.hint().unwrap().contains("Cloud resource management"));
        let error = refusal(401, "", october());
        assert!(error.to_string().contains("does not accept the API key"));
        let error = refusal(403, "invalid API key", october());
        assert!(error.hint().unwrap().contains("Cloud resource management"));
    }

    #[test]
    fn a_missing_role_is_named() {
        let error = refusal(403, "Forbidden Access", october());
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error
                .hint()
                .unwrap()
                .contains("BillingAdmin at the Organization scope")
        );
    }

    #[test]
    fn a_refused_window_names_its_problem() {
        let cases = [
            (october(), "bad request", "at most one month at a time"),
            (october(), "exceeds one year", "for one year"),
            (october(), "must be within one month", "shorter windows"),
            (october(), "invalid page_token", "starts at the first page"),
            (window("2025-11-01", "2025-12-01"), "", "for one year"),
            (window("2026-10-01", "2026-11-02"), "", "32 days"),
            (window("2026-10-02", "2026-10-01"), "", "after the start"),
        ];
        for (window, detail, expected) in cases {
            let error = refusal(400, detail, window);
            assert_eq!(error.kind(), ErrorKind::Refused);
            assert!(
                error.hint().unwrap().contains(expected),
                "{expected}: {:?}",
                error.hint()
            );
        }
    }

    #[test]
    fn other_refusals_are_data_errors() {
        for status in [204, 302, 402, 404, 409, 422] {
            assert_eq!(
                refusal(status, "so", october()).kind(),
                ErrorKind::Data,
                "{status}"
            );
        }
    }

    #[test]
    fn only_an_unknown_key_with_401_may_be_inactive() {
        let response = |status, detail: &str| ErrorResponse {
            status,
            request_id: None,
            detail: Some(detail.to_owned()),
            redirect_host: None,
        };
        for (status, detail, expected) in [
            (StatusCode::UNAUTHORIZED, "invalid API key", true),
            (StatusCode::UNAUTHORIZED, "use a Cloud API Key", false),
            (StatusCode::FORBIDDEN, "invalid API key", false),
            (StatusCode::FORBIDDEN, "no access", false),
        ] {
            let refused = response(status, detail).api_refusal("Operator");
            assert_eq!(refused.maybe_inactive_key(), expected, "{detail}");
        }
    }
}
