//! Sanitizes server messages for display: no secrets, no control characters, a limited length.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::display_text::for_display;
use crate::http::secret_forms::{base64_forms, redact, redact_encoded};

/// Longest displayed detail, in characters.
const MAX_DETAIL_CHARS: usize = 300;
/// Longest text that is searched for secrets, in bytes. Messages are shorter; of a longer one only the start is shown.
const MAX_TEXT_BYTES: usize = 16 << 10;

/// Redacts credentials and control characters in remote text, and cuts it.
pub(crate) struct Sanitizer {
    /// Base64 forms of the secrets, the longest first.
    encoded: Vec<SecretString>,
    /// The secrets, the longest first.
    plain: Vec<SecretString>,
}

impl Sanitizer {
    /// Creates a sanitizer that redacts each of the secrets wherever it occurs: as it is, in Base64, alone or within
    /// a longer text, and with any of its characters escaped as in URLs, JSON or HTML.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let secrets = secrets.into_iter().filter(|secret| !secret.is_empty());
        let plain: Vec<String> = secrets.collect();
        let encoded = plain.iter().flat_map(|secret| base64_forms(secret));
        // Longer ones first, or a secret that contains another one would show its rest.
        let sorted = |mut secrets: Vec<String>| -> Vec<SecretString> {
            secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
            secrets.into_iter().map(SecretString::from).collect()
        };
        Sanitizer {
            encoded: sorted(encoded.collect()),
            plain: sorted(plain),
        }
    }

    /// Returns a sanitizer that redacts another secret too.
    pub fn with_secret(&self, secret: &str) -> Sanitizer {
        let known = self.plain.iter().map(|known| known.expose_secret());
        Sanitizer::new(known.chain([secret]).map(str::to_owned))
    }

    /// Returns the text on one line; `None` if nothing is left of it.
    pub fn sanitize(&self, text: &str) -> Option<String> {
        let text = start_of(text, MAX_TEXT_BYTES);
        // Removed rather than escaped: a secret with invisible characters in it is still one.
        let shown: String = text
            .chars()
            .map(|c| if c.is_whitespace() { ' ' } else { c })
            .filter(|c| !c.is_control() && !steers_display(*c))
            .collect();
        let mut words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        for secret in &self.plain {
            words = redact(&words, secret.expose_secret());
        }
        for secret in &self.encoded {
            words = redact_encoded(&words, secret.expose_secret());
        }
        let mut words = for_display(&words);
        if words.chars().count() > MAX_DETAIL_CHARS {
            words = words
                .chars()
                .take(MAX_DETAIL_CHARS - 1)
                .chain(['…'])
                .collect();
        }
        (!words.is_empty()).then_some(words)
    }
}

/// Hides the secrets.
impl fmt::Debug for Sanitizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sanitizer").finish_non_exhaustive()
    }
}

/// Returns the first `max` bytes of a text, or less, as characters are not split.
fn start_of(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Invisible characters that hide or reverse the ones beside them.
fn steers_display(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Extracts the message of an error body, not yet sanitized: the first error's detail, title or message, else the
/// message, else the error's message. `None` for a body that is not JSON.
///
/// Covers the shapes of the Cloud API (`errors`), its announced successor and Connect (`error`), and Schema Registry
/// (`message`).
pub(crate) fn error_detail(body: &[u8]) -> Option<String> {
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
        let location = text(source, "parameter").or_else(|| text(source, "pointer"));
        return Some(match location {
            Some(location) if !said.contains(&location) => format!("{said} ({location})"),
            _ => said,
        });
    }
    text(&body, "message")
        .or_else(|| body.get("error").and_then(|error| text(error, "message")))
        .or_else(|| text(&body, "error"))
}

/// Returns ` (request id …)`, or nothing.
pub(crate) fn request_id_suffix(id: Option<&str>) -> String {
    id.map(|id| format!(" (request id {id})"))
        .unwrap_or_default()
}

/// Returns the innermost cause of an error, which says most and contains no address.
pub(crate) fn root_cause(error: &reqwest::Error) -> String {
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
    fn extracts_the_message_of_every_known_error_shape() {
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
            assert_eq!(
                error_detail(body.as_bytes()).as_deref(),
                Some(expected),
                "{body}"
            );
        }
        for silent in [
            "",
            "<html>502</html>",
            "upstream gone",
            "[]",
            "null",
            "{}",
            r#"{"errors":[1]}"#,
        ] {
            assert_eq!(error_detail(silent.as_bytes()), None, "{silent}");
        }
    }

    #[test]
    fn sanitized_text_has_no_secrets_and_no_control_characters_and_is_cut() {
        let sanitizer =
            Sanitizer::new(["KEY".to_owned(), "KEY-AND-MORE".to_owned(), String::new()]);
        assert_eq!(
            sanitizer
                .sanitize("a\u{1b}[31m\r\n\tb \u{202e}KEY-AND-MORE K\u{0}EY")
                .as_deref(),
            Some("a[31m b [redacted] [redacted]")
        );
        assert_eq!(sanitizer.sanitize("\u{0} \n"), None);
        let long = sanitizer.sanitize(&"ä".repeat(1_000)).unwrap();
        assert_eq!(long.chars().count(), 300);
        let at_the_edge = sanitizer
            .sanitize(&format!("{}KEY-AND-MORE", "x".repeat(295)))
            .unwrap();
        assert!(!at_the_edge.contains("KEY"));
    }

    #[test]
    fn urls_lose_their_queries_and_long_texts_their_ends() {
        let sanitizer = Sanitizer::new([]);
        assert_eq!(
            sanitizer
                .sanitize("see https://u:p@host/x?sig=hush now")
                .as_deref(),
            Some("see https://…@host/x?… now")
        );
        let endless = "é".repeat(MAX_TEXT_BYTES);
        assert_eq!(sanitizer.sanitize(&endless).unwrap().chars().count(), 300);
    }
}
