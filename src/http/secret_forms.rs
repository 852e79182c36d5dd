//! Secrets as servers echo them: in Base64, or with characters escaped as in URLs, JSON or HTML.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shortest part of a secret in Base64 that is recognized within a longer text.
const MIN_BASE64_CHARS: usize = 10;
/// Replaces a secret.
const REDACTED: &str = "[redacted]";

/// Returns what every Base64 text contains that encodes the secret, for each of its three alignments.
pub(super) fn base64_forms(secret: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for offset in 0..3 {
        let mut bytes = vec![0; offset];
        bytes.extend_from_slice(secret.as_bytes());
        // Characters that other bytes share are not known.
        let first = (offset * 8).div_ceil(6);
        let end = bytes.len() * 8 / 6;
        for encoded in [
            STANDARD_NO_PAD.encode(&bytes),
            URL_SAFE_NO_PAD.encode(&bytes),
        ] {
            let known = encoded.get(first..end).unwrap_or_default();
            if known.len() >= MIN_BASE64_CHARS {
                forms.push(known.to_owned());
            }
        }
    }
    forms
}

/// Replaces a secret in a text, whose characters may be escaped.
pub(super) fn redact(text: &str, secret: &str) -> String {
    redact_with(text, secret, |_| 0)
}

/// As [`redact`], for a form of [`base64_forms`], with the rest of the Base64 after it.
pub(super) fn redact_encoded(text: &str, form: &str) -> String {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=-_".contains(c);
    redact_with(text, form, |rest| {
        rest.find(|c| !is_base64(c)).unwrap_or(rest.len())
    })
}

/// Replaces a secret and as many bytes after it as `tail` returns.
fn redact_with(text: &str, secret: &str, tail: impl Fn(&str) -> usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match match_escaped(rest, secret) {
            Some(len) => {
                out.push_str(REDACTED);
                rest = &rest[len..];
                rest = &rest[tail(rest)..];
            }
            None => {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    out
}

/// Length of the secret at the start of a text, with any of its bytes escaped.
fn match_escaped(text: &str, secret: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    // `%25` can be three characters or one: all ends of what matched so far.
    let mut ends = vec![0];
    for expected in secret.bytes() {
        ends = ends
            .iter()
            .flat_map(|end| {
                let rest = &bytes[*end..];
                let plain = (rest.first() == Some(&expected)).then_some(1);
                let lengths = plain.into_iter().chain(escaped_byte(rest, expected));
                lengths.map(|length| *end + length).collect::<Vec<_>>()
            })
            .collect();
        if ends.is_empty() {
            return None;
        }
        ends.sort_unstable();
        ends.dedup();
    }
    let end = ends.pop()?;
    text.is_char_boundary(end).then_some(end)
}

/// Length of an escaped byte at the start of a text: `%2B`, `\u002b`, `\/`, `&#43;`, `&#x2b;` or `&amp;`.
fn escaped_byte(text: &[u8], expected: u8) -> Option<usize> {
    let is_hex = |digits: Option<&[u8]>| {
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) == Some(expected.into())
    };
    match text {
        [b'%', ..] if is_hex(text.get(1..3)) => Some(3),
        [b'\\', b'u' | b'U', ..] if is_hex(text.get(2..6)) => Some(6),
        [b'\\', next, ..] if *next == expected => Some(2),
        [b'&', ..] => {
            let end = text.iter().take(8).position(|b| *b == b';')?;
            let entity = std::str::from_utf8(text.get(1..end)?).ok()?;
            (entity_byte(entity)? == expected).then_some(end + 1)
        }
        _ => None,
    }
}

/// Byte of an entity of HTML, such as `amp` or `#x2b`.
fn entity_byte(entity: &str) -> Option<u8> {
    match entity {
        "amp" => Some(b'&'),
        "lt" => Some(b'<'),
        "gt" => Some(b'>'),
        "quot" => Some(b'"'),
        "apos" => Some(b'\''),
        _ => {
            let number = entity.strip_prefix('#')?;
            match number.strip_prefix(['x', 'X']) {
                Some(digits) => u8::from_str_radix(digits, 16).ok(),
                None => number.parse().ok(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::sanitize::Sanitizer;

    #[test]
    fn secrets_are_redacted_in_every_usual_encoding() {
        let secret = "Ab/c+D&e=f\"0123456789";
        let sanitizer = Sanitizer::new([secret.to_owned()]);
        let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let percent: String = secret.bytes().map(|b| format!("%{b:02x}")).collect();
        let base64 = |text: &str| STANDARD_NO_PAD.encode(text);
        for echoed in [
            secret.to_owned(),
            form.clone(),
            form.to_lowercase().replace("ab", "Ab").replace("d%", "D%"),
            percent,
            serde_json::Value::from(secret).to_string(),
            secret.replace('/', "\\/"),
            secret.replace('&', "&amp;").replace('"', "&quot;"),
            secret.replace('&', "&#38;").replace('"', "&#x22;"),
            secret.replace('+', "\\u002b"),
            base64(secret),
            URL_SAFE_NO_PAD.encode(secret),
            base64(&format!("user:{secret}")),
            base64(&format!("Bearer {secret} and more")),
            base64(&format!("a{secret}"))
                .replace('+', "%2B")
                .replace('/', "%2F"),
        ] {
            let shown = sanitizer.sanitize(&format!("bad key {echoed}!")).unwrap();
            assert!(shown.contains(REDACTED), "{echoed}: {shown}");
            for part in [
                "0123456",
                &base64("0123456789")[..8],
                "IzNDU2Nzg5"[..8].trim(),
            ] {
                assert!(!shown.contains(part), "{echoed}: {shown}");
            }
        }
        assert_eq!(sanitizer.sanitize("Ab/c+D").as_deref(), Some("Ab/c+D"));
    }

    #[test]
    fn secrets_that_look_like_escapes_are_redacted_too() {
        for secret in ["%25%41abc", "&amp;abc", "\\u0041b"] {
            let sanitizer = Sanitizer::new([secret.to_owned()]);
            let percent: String = secret.bytes().map(|b| format!("%{b:02X}")).collect();
            for echoed in [secret.to_owned(), percent, secret.replace('&', "&amp;")] {
                let shown = sanitizer.sanitize(&format!("é{echoed}é"));
                assert_eq!(shown.as_deref(), Some("é[redacted]é"), "{echoed}");
            }
        }
    }
}
