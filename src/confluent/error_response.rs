//! Turns the answers that Confluent gives in place of costs into words: what it said, what that
//! means, and what to do next. No secret and no raw body gets into them.

use chrono::{Days, NaiveDate};
use reqwest::StatusCode;
use serde_json::Value;

use crate::billing_period::Window;
use crate::error::{Error, ErrorKind};
use crate::http::sanitize::with_request_id;

/// The longest window that the API takes, in days (docs: invoices and costs, one month).
const LONGEST_WINDOW_DAYS: u32 = 31;
/// Days that the API looks back (docs: one year; the last day of it is known to be refused).
const LOOK_BACK_DAYS: u64 = 364;

/// What an answer said, fit to be shown.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// Confluent's name for the request, which its support asks for.
    pub request_id: Option<String>,
    /// What the body said, if it said anything.
    pub detail: Option<String>,
    /// The host that a redirect points to.
    pub redirect_host: Option<String>,
}

/// The request id that an error body holds, for answers without the header.
pub fn request_id(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(body.get("requestId")?.as_str()?.to_owned())
}

impl Answer {
    /// Status and detail: `HTTP 403 Forbidden: no access`.
    pub fn said(&self) -> String {
        match &self.detail {
            Some(detail) => format!("HTTP {}: {detail}", self.status),
            None => format!("HTTP {}", self.status),
        }
    }

    /// Whether the key is one that Confluent does not know, though perhaps in a moment: a new one takes up to
    /// a few minutes.
    pub fn key_may_be_new(&self) -> bool {
        let detail = self.detail.as_deref().unwrap_or_default().to_lowercase();
        self.status == StatusCode::UNAUTHORIZED && !is_of_another_kind(&detail)
    }

    /// The error that an answer means which asking again doesn't change. `asked` is what was asked
    /// for, in words; `today` tells a window that lies too far back.
    pub fn refusal(&self, asked: &str, window: Window, today: NaiveDate) -> Error {
        let detail = self.detail.as_deref().unwrap_or_default().to_lowercase();
        let meaning = match self.status {
            StatusCode::NOT_FOUND => Meaning::data(
                "Confluent has no costs at this address",
                "check the endpoint (CONFLUENT_CLOUD_REST_ENDPOINT, usually \
                 https://api.confluent.cloud), and that the owner of the key still has the role \
                 BillingAdmin; nothing was taken for empty",
            ),
            StatusCode::BAD_REQUEST => request_refused(&detail, window, today),
            _ => self.common(&detail, "read costs", "BillingAdmin"),
        };
        self.error(asked, meaning)
    }

    /// As [`Answer::refusal`], of anything else than costs. `role` is what the owner of the key needs for it.
    pub fn api_error(&self, asked: &str, role: &str) -> Error {
        let detail = self.detail.as_deref().unwrap_or_default().to_lowercase();
        let meaning = match self.status {
            StatusCode::PAYMENT_REQUIRED => Meaning::config(
                "the organization's quota does not allow it",
                "delete what is not used any more, or ask Confluent's support for a higher quota",
            ),
            StatusCode::CONFLICT => Meaning::data(
                "there is one of that name already",
                "choose another name, or delete the other one",
            ),
            StatusCode::NOT_FOUND => Meaning::data(
                "Confluent has no such thing",
                "check its id and the endpoint",
            ),
            _ => self.common(&detail, "do this", role),
        };
        self.error(asked, meaning)
    }

    /// What an answer means, whatever was asked for.
    fn common(&self, detail: &str, what: &str, role: &str) -> Meaning {
        match self.status {
            // Some services refuse a key of the wrong kind with 403.
            StatusCode::UNAUTHORIZED => key_refused(detail),
            StatusCode::FORBIDDEN if names_the_key(detail) => key_refused(detail),
            StatusCode::FORBIDDEN => Meaning::config(
                format!("the API key may not {what}"),
                format!(
                    "give the owner of the key (service account or user) the role {role} at the \
                     Organization scope, in Confluent Cloud under Accounts & access"
                ),
            ),
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => Meaning::config(
                "a proxy on the way wants a user and a password",
                "put them into HTTPS_PROXY, or name the host in NO_PROXY",
            ),
            status if status.is_redirection() => {
                let host = self.redirect_host.as_deref().unwrap_or("another address");
                Meaning::data(
                    format!("the endpoint redirects to {host}"),
                    "credentials are only sent to the configured endpoint: check \
                     CONFLUENT_CLOUD_REST_ENDPOINT (usually https://api.confluent.cloud) and proxies",
                )
            }
            _ => Meaning::data(
                "Confluent refused the request",
                "asking again is not expected to help; Confluent's support can look up the request id",
            ),
        }
    }

    fn error(&self, asked: &str, Meaning { class, words, hint }: Meaning) -> Error {
        let said = self.said() + &with_request_id(self.request_id.as_deref());
        let message = format!("{asked}: {words}: {said}");
        let error = if class == ErrorKind::Config {
            Error::config(message)
        } else {
            Error::data(message)
        };
        error.with_hint(hint)
    }
}

/// What an answer means, and what to do next.
struct Meaning {
    class: ErrorKind,
    words: String,
    hint: String,
}

impl Meaning {
    fn config(words: impl Into<String>, hint: impl Into<String>) -> Meaning {
        Meaning {
            class: ErrorKind::Config,
            words: words.into(),
            hint: hint.into(),
        }
    }

    fn data(words: impl Into<String>, hint: impl Into<String>) -> Meaning {
        Meaning {
            class: ErrorKind::Data,
            ..Meaning::config(words, hint)
        }
    }
}

/// Whether a 403 is about the kind of key, and not about what its owner may do.
fn names_the_key(detail: &str) -> bool {
    ["invalid api key", "cloud api key", "cluster api key"]
        .iter()
        .any(|words| detail.contains(words))
}

/// Whether a refusal says that the key belongs to a cluster or a Schema Registry.
fn is_of_another_kind(detail: &str) -> bool {
    detail.contains("cloud api") || detail.contains("cluster api key")
}

fn key_refused(detail: &str) -> Meaning {
    let words = if is_of_another_kind(detail) {
        "this is not a Cloud API key"
    } else {
        "Confluent does not accept the API key"
    };
    Meaning::config(
        words,
        "the key or its secret is wrong, the key was deleted, or it belongs to a cluster or a \
         Schema Registry: costs need a Cloud API key, made with the scope \"Cloud resource \
         management\"; a new key can take a few minutes to work",
    )
}

fn request_refused(detail: &str, window: Window, today: NaiveDate) -> Meaning {
    let oldest = today
        .checked_sub_days(Days::new(LOOK_BACK_DAYS))
        .unwrap_or(today);
    let says = |words: &[&str]| words.iter().any(|word| detail.contains(word));
    let (words, hint) = if window.end <= window.start {
        (
            "the window has no days",
            "the end, which is exclusive, must come after the start".to_owned(),
        )
    } else if window.days() > LONGEST_WINDOW_DAYS {
        (
            "the window is too long",
            format!(
                "Confluent takes at most one month at a time; this window has {} days",
                window.days()
            ),
        )
    } else if says(&["page_token", "page token"]) {
        (
            "the page token is no longer valid",
            "page tokens expire; run the command again, which starts at the first page".to_owned(),
        )
    } else if window.start <= oldest || says(&["year", "365", "12 month"]) {
        (
            "the window starts too far back",
            "Confluent holds costs for one year; older months cannot be pulled any more".to_owned(),
        )
    } else if says(&["month", "31 day", "30 day", "date range"]) {
        (
            "the window is too long",
            "Confluent takes at most one month at a time; try shorter windows".to_owned(),
        )
    } else {
        (
            "Confluent refused the request",
            "check the dates: at most one month at a time, and at most one year back".to_owned(),
        )
    };
    Meaning::data(words, hint)
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
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            request_id: Some("r-1".to_owned()),
            detail: (!detail.is_empty()).then(|| detail.to_owned()),
            redirect_host: None,
        };
        let error = answer.refusal(
            "costs of w, first page",
            window,
            "2026-11-23".parse().unwrap(),
        );
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
    fn a_body_may_hold_the_request_id() {
        assert_eq!(request_id(br#"{"requestId":"q"}"#).as_deref(), Some("q"));
        assert_eq!(request_id(b"<html>"), None);
    }

    #[test]
    fn a_refused_key_says_which_key_is_wanted() {
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
    fn a_refused_window_says_what_is_wrong_with_it() {
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
            assert_eq!(error.kind(), ErrorKind::Data);
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
}
