//! Texts from outside as people may see them: nothing in them steers a terminal, starts another line, hides or
//! reverses the characters beside it, or shows the secrets of a URL.
//!
//! Errors, logs, notes, tables and reports all pass through here; CSV, JSON, Parquet and Arrow hold the exact data.

use std::borrow::Cow;

/// Mark of a redacted part of a URL.
const REDACTED: char = '…';

/// Returns a text on one line, with visible escapes instead of control and format characters, and without the
/// credentials and queries of URLs.
pub(crate) fn for_display(text: &str) -> String {
    redact_urls(&escape_controls(text)).into_owned()
}

/// As [`for_display`], for texts whose line breaks are meant.
pub(crate) fn lines_for_display(text: &str) -> String {
    redact_urls(&escape_controls_in_lines(text)).into_owned()
}

/// Returns a text on one line: control characters, line breaks and invisible format characters become escapes such as
/// `\n` and `\u{202e}`.
pub(crate) fn escape_controls(text: &str) -> Cow<'_, str> {
    escape_if(text, is_steering)
}

/// As [`escape_controls`], for texts whose line breaks are meant.
pub(crate) fn escape_controls_in_lines(text: &str) -> Cow<'_, str> {
    escape_if(text, |c| c != '\n' && is_steering(c))
}

fn escape_if(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    let Some(first) = text.find(&is_escaped) else {
        return Cow::Borrowed(text);
    };
    let (clean, rest) = text.split_at(first);
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(clean);
    for c in rest.chars() {
        if is_escaped(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Returns true for control characters (C0, C1), line and paragraph separators, and characters without a picture of
/// their own: Unicode's format characters, bidirectional controls among them, and blank fillers.
fn is_steering(c: char) -> bool {
    match c {
        ' '..='~' => false,
        c if c.is_control() => true,
        '\u{ad}'
        | '\u{34f}'
        | '\u{600}'..='\u{605}'
        | '\u{61c}'
        | '\u{6dd}'
        | '\u{70f}'
        | '\u{890}'..='\u{891}'
        | '\u{8e2}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{110bd}'
        | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}

/// Returns a text without the credentials and queries of the URLs in it.
pub(crate) fn redact_urls(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(separator) = rest.find("://") {
        let before = &rest[..separator];
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
        let start = before.trim_end_matches(is_scheme).len();
        let quote = before[..start].chars().next_back();
        let after = &rest[separator + 3..];
        let end = after.find(|c: char| match quote {
            // A quoted URL ends with its quote, so that its secret may hold blanks.
            Some(quote @ ('`' | '"' | '\'')) => c == quote,
            _ => c.is_whitespace() || "`\"'<>".contains(c),
        });
        let (url, remaining) = after.split_at(end.unwrap_or(after.len()));
        // Punctuation that follows a URL in a sentence.
        let url_end = url
            .trim_end_matches([')', ']', '}', '.', ',', ';', ':'])
            .len();
        let (url, punctuation) = url.split_at(url_end);
        out.push_str(&rest[..separator]);
        push_redacted(&mut out, url);
        out.push_str(punctuation);
        rest = remaining;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Returns a location, a URL as a whole, without its credentials and its query.
pub(crate) fn redact_url(location: &str) -> String {
    let Some((scheme, rest)) = location.split_once("://") else {
        return location.to_string();
    };
    let mut out = scheme.to_string();
    push_redacted(&mut out, rest);
    out
}

/// Appends `://` and the rest of a URL.
fn push_redacted(out: &mut String, rest: &str) {
    let authority_end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    out.push_str("://");
    match authority.rsplit_once('@') {
        Some((_, host)) => {
            out.push(REDACTED);
            out.push('@');
            out.push_str(host);
        }
        // A password with a slash, which is not valid.
        None if has_odd_port(authority) && path.contains('@') => {
            out.push(REDACTED);
            return;
        }
        None => out.push_str(authority),
    }
    let query = path.find('?');
    let fragment = path.find('#').filter(|at| path[*at..].contains('='));
    match [query, fragment].into_iter().flatten().min() {
        Some(at) => {
            out.push_str(&path[..=at]);
            out.push(REDACTED);
        }
        None => out.push_str(path),
    }
}

/// Returns true if what follows the last colon of an authority is no port: it may be a part of a password.
fn has_odd_port(authority: &str) -> bool {
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    port.is_some_and(|port| !port.bytes().all(|b| b.is_ascii_digit())) && !authority.ends_with(']')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_what_steers_a_terminal_and_keeps_the_rest() {
        for (text, expected) in [
            ("plain", "plain"),
            ("größe 日本 🦀 e\u{301}", "größe 日本 🦀 e\u{301}"),
            ("a\u{1b}[31mb", r"a\u{1b}[31mb"),
            ("a\r\nb\tc\0", r"a\r\nb\tc\u{0}"),
            ("\u{9b}2J \u{85}", r"\u{9b}2J \u{85}"),
            ("a\u{202e}b\u{2066}", r"a\u{202e}b\u{2066}"),
            ("a\u{200b}b\u{feff}\u{ad}", r"a\u{200b}b\u{feff}\u{ad}"),
            ("a\u{2028}b\u{2029}", r"a\u{2028}b\u{2029}"),
            ("a\u{e0041}", r"a\u{e0041}"),
        ] {
            assert_eq!(escape_controls(text), expected);
        }
        assert_eq!(escape_controls_in_lines("a\nb\r"), "a\nb\\r");
    }

    #[test]
    fn redacts_user_information_and_queries_of_urls() {
        for (text, expected) in [
            (
                "https://u:hush@api.confluent.cloud",
                "https://…@api.confluent.cloud",
            ),
            (
                "https://x.net/tags.csv?sig=hush",
                "https://x.net/tags.csv?…",
            ),
            ("https://hush@x.net/a@b?sig=hush@c", "https://…@x.net/a@b?…"),
            ("https://u:hu/sh@x.net/a", "https://…"),
            ("https://x.net/a#token=hush", "https://x.net/a#…"),
            ("https://x.net/a#part", "https://x.net/a#part"),
            ("s3://bucket/a@b", "s3://bucket/a@b"),
            ("http://[::1]:80/a@b", "http://[::1]:80/a@b"),
            ("./a?b@c", "./a?b@c"),
        ] {
            assert_eq!(redact_url(text), expected);
            assert_eq!(redact_urls(text), expected);
        }
        assert_eq!(redact_url("https://x/a b?s=hu sh"), "https://x/a b?…");
    }

    #[test]
    fn redacts_every_url_of_a_sentence() {
        let text = "reading `s3://b/a?token=hu sh` failed (https://u:hush@h/x?sig=hush): see \"az://c?sig=hush\", or \
                    https://docs.example/page.";
        let shown = "reading `s3://b/a?…` failed (https://…@h/x?…): see \"az://c?…\", or https://docs.example/page.";
        assert_eq!(redact_urls(text), shown);
        assert_eq!(for_display(&format!("{text}\n")), format!("{shown}\\n"));
    }

    /// Texts in which every character that matters is likely.
    fn hostile() -> impl Strategy<Value = String> {
        let any = any::<char>();
        let steering = prop::sample::select(vec![
            '\u{1b}',
            '\n',
            '\r',
            '\0',
            '\u{7f}',
            '\u{9b}',
            '\u{202e}',
            '\u{2067}',
            '\u{200b}',
            '\u{feff}',
            '\u{e0020}',
            ':',
            '/',
            '?',
            '@',
            '`',
            'é',
        ]);
        prop::collection::vec(prop_oneof![any, steering], 0..60)
            .prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #[test]
        fn nothing_displayed_steers_a_terminal(text in hostile()) {
            let shown = for_display(&text);
            prop_assert!(!shown.chars().any(|c| c.is_control() || is_steering(c)), "{shown:?}");
            let lines = lines_for_display(&text);
            prop_assert!(!lines.chars().any(|c| c != '\n' && (c.is_control() || is_steering(c))));
            // What is displayed may pass through again, as the error in an error does.
            prop_assert_eq!(&for_display(&shown), &shown);
        }

        #[test]
        fn printable_text_is_displayed_unchanged(text in "[ -~äöü日本]{0,60}") {
            prop_assume!(!text.contains("://"));
            prop_assert_eq!(for_display(&text), text);
        }

        #[test]
        fn no_secret_of_a_url_is_displayed(
            secret in "[A-Za-z0-9+=_~%]{12,40}",
            before in "[a-z ]{0,10}",
        ) {
            for url in [
                format!("https://user:{secret}@host/path"),
                format!("https://{secret}@host"),
                format!("s3://bucket/key?X-Amz-Signature={secret}&x=1"),
                format!("https://host/a b?sig={secret}"),
            ] {
                let quoted = format!("{before} `{url}`: failed");
                prop_assert!(!for_display(&quoted).contains(&secret), "{quoted}");
                prop_assert!(!redact_url(&url).contains(&secret), "{url}");
            }
        }
    }
}
