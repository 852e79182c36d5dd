//! What servers say, fit to be shown: no secrets, no control characters, not too long.

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// The most characters of a detail that are shown.
const DETAIL_CHARS: usize = 300;

/// Makes remote text fit to be shown: without credentials and control characters, capped.
pub struct Sanitizer {
    secrets: Vec<SecretString>,
}

impl Sanitizer {
    /// A cleaner that hides each of the secrets wherever it occurs.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let secrets = secrets.into_iter().filter(|secret| !secret.is_empty());
        let mut secrets: Vec<String> = secrets.collect();
        // The longer first, or a secret that holds another one would show its rest.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Sanitizer {
            secrets: secrets.into_iter().map(SecretString::from).collect(),
        }
    }

    /// The text in one line; `None` if nothing is left of it.
    pub fn clean(&self, text: &str) -> Option<String> {
        let shown: String = text
            .chars()
            .map(|c| if c.is_whitespace() { ' ' } else { c })
            .filter(|c| !c.is_control() && !steers_display(*c))
            .collect();
        let mut words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        for secret in &self.secrets {
            words = words.replace(secret.expose_secret(), "[redacted]");
        }
        if words.chars().count() > DETAIL_CHARS {
            words = words.chars().take(DETAIL_CHARS - 1).chain(['…']).collect();
        }
        (!words.is_empty()).then_some(words)
    }
}

/// Characters without a shape of their own, which hide or turn around the ones beside them.
fn steers_display(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What an error body says, not yet cleaned: the first error's detail, title or message, else the
/// message, else the error's message. A body that isn't JSON says nothing.
///
/// Covers the shapes of the Cloud API (`errors`), its announced successor and Connect (`error`), and
/// Schema Registry (`message`).
pub fn detail(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |value: &Value, key: &str| {
        let text = value.get(key)?.as_str()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let first = body
        .get("errors")
        .and_then(|errors| errors.get(0))
        .unwrap_or(&Value::Null);
    let said = ["detail", "title", "message"]
        .iter()
        .find_map(|key| text(first, key));
    if let Some(said) = said {
        let source = first.get("source").unwrap_or(&Value::Null);
        let place = text(source, "parameter").or_else(|| text(source, "pointer"));
        return Some(match place {
            Some(place) if !said.contains(&place) => format!("{said} ({place})"),
            _ => said,
        });
    }
    text(&body, "message")
        .or_else(|| body.get("error").and_then(|error| text(error, "message")))
        .or_else(|| text(&body, "error"))
}

/// ` (request id …)`, or nothing.
pub fn with_request_id(id: Option<&str>) -> String {
    id.map(|id| format!(" (request id {id})"))
        .unwrap_or_default()
}

/// The innermost cause of an error, which says most and holds no address.
pub fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if std::ptr::addr_eq(cause, error) {
        "unknown cause".to_owned()
    } else {
        cause.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_error_shape_gives_its_text() {
        let shapes = [
            (
                r#"{"errors":[{"id":"x","status":"403","detail":"no access"}]}"#,
                "no access",
            ),
            (
                r#"{"errors":[{"detail":null,"title":"Forbidden"}]}"#,
                "Forbidden",
            ),
            (
                r#"{"errors":[{"message":"newest"}],"message":"later"}"#,
                "newest",
            ),
            (r#"{"errors":[],"message":"later"}"#, "later"),
            (
                r#"{"status":400,"error":{"code":"x","message":"shape b"},"requestId":"q"}"#,
                "shape b",
            ),
            (
                r#"{"error":{"code":403,"message":"invalid API key"}}"#,
                "invalid API key",
            ),
            (r#"{"error_code":40403,"message":"shape d"}"#, "shape d"),
            (r#"{"error":"plain"}"#, "plain"),
            (
                r#"{"errors":[{"detail":"bad date","source":{"parameter":"start_date"}}]}"#,
                "bad date (start_date)",
            ),
        ];
        for (body, expected) in shapes {
            assert_eq!(detail(body.as_bytes()).as_deref(), Some(expected), "{body}");
        }
        for nothing in [
            "",
            "<html>502</html>",
            "upstream gone",
            "[]",
            "null",
            "{}",
            r#"{"errors":[1]}"#,
        ] {
            assert_eq!(detail(nothing.as_bytes()), None, "{nothing}");
        }
    }

    #[test]
    fn shown_text_has_no_secret_no_control_characters_and_an_end() {
        let cleaner = Sanitizer::new(["KEY".to_owned(), "KEY-AND-MORE".to_owned(), String::new()]);
        assert_eq!(
            cleaner
                .clean("a\u{1b}[31m\r\n\tb \u{202e}KEY-AND-MORE K\u{0}EY")
                .as_deref(),
            Some("a[31m b [redacted] [redacted]")
        );
        assert_eq!(cleaner.clean("\u{0} \n"), None);
        let long = cleaner.clean(&"ä".repeat(1_000)).unwrap();
        assert_eq!(long.chars().count(), 300);
        let at_the_edge = cleaner
            .clean(&format!("{}KEY-AND-MORE", "x".repeat(295)))
            .unwrap();
        assert!(!at_the_edge.contains("KEY"));
    }
}
