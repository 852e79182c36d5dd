//! Texts and objects of a page, borrowed where possible.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::http::json::without_nul;

/// Text, borrowed from the page unless it has escapes, and [`without_nul`].
pub(super) struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> std::result::Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> std::result::Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> std::result::Result<Text<'de>, E> {
                // NUL is always escaped, so that a borrowed text has none.
                let text = without_nul(text).unwrap_or_else(|| text.to_string());
                Ok(Text(Cow::Owned(text)))
            }
        }
        json.deserialize_str(TextVisitor)
    }
}

/// Members of an object, with values as received.
pub(super) struct Members<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> std::result::Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(
                self,
                mut map: M,
            ) -> std::result::Result<Members<'de>, M::Error> {
                let mut members = Vec::new();
                while let Some((Text(key), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.push((key, value));
                }
                Ok(Members(members))
            }
        }
        json.deserialize_map(MembersVisitor)
    }
}

/// Formats members as one JSON object: keys sorted, white space between tokens removed.
pub(in crate::confluent::costs) fn json_object(
    members: &mut [(Cow<'_, str>, &RawValue)],
) -> String {
    members.sort_by(|a, b| a.0.cmp(&b.0));
    let mut out = String::from("{");
    for (index, (key, value)) in members.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&serde_json::Value::from(key.as_ref()).to_string());
        out.push(':');
        compact(value.get(), &mut out);
    }
    out.push('}');
    out
}

/// Appends JSON without the white space between its tokens, with U+FFFD instead of NUL in its texts.
fn compact(json: &str, out: &mut String) {
    const NUL: &str = r"\u0000";
    let mut quoted = false;
    let mut rest = json;
    while let Some(c) = rest.chars().next() {
        let mut len = c.len_utf8();
        match c {
            '\\' if rest.starts_with(NUL) => {
                out.push_str(r"\ufffd");
                rest = &rest[NUL.len()..];
                continue;
            }
            // With the character that it escapes, which is no quotation mark then.
            '\\' => len += rest[1..].chars().next().map_or(0, char::len_utf8),
            '"' => quoted = !quoted,
            c if c.is_ascii_whitespace() && !quoted => {
                rest = &rest[len..];
                continue;
            }
            _ => {}
        }
        out.push_str(&rest[..len]);
        rest = &rest[len..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_sorted_and_lose_white_space_outside_of_texts() {
        let mut members: Members<'_> =
            serde_json::from_str(r#"{"b": [ 1, {"x" : "a b"} ], "a\"": "\\\" c " }"#).unwrap();
        assert_eq!(
            json_object(&mut members.0),
            r#"{"a\"":"\\\" c ","b":[1,{"x":"a b"}]}"#
        );
    }

    #[test]
    fn nul_becomes_a_visible_character() {
        let mut members: Members<'_> =
            serde_json::from_str(r#"{"a\u0000": "x\u0000y\\u0000", "b": {"c\u0000":[]}}"#).unwrap();
        assert_eq!(
            json_object(&mut members.0),
            "{\"a\u{fffd}\":\"x\\ufffdy\\\\u0000\",\"b\":{\"c\\ufffd\":[]}}"
        );
    }
}
