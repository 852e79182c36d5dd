//! JSON of servers: defects for which a repeated request does not help, and values without repeated fields.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Deepest nesting of accepted JSON, below the limit of the parser.
const MAX_DEPTH: usize = 64;
const REPEATED_FIELD: &str = "a field appears twice";

/// Defect of a complete response, which is not the one of a broken connection: its repetition would have it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonDefect {
    /// Also the sign of UTF-16.
    #[error("the response starts with a byte order mark, which JSON does not allow")]
    ByteOrderMark,
    /// An escape such as `\ud800` alone.
    #[error("a text has half of a surrogate pair, which is no character")]
    LoneSurrogate,
    /// A line break in a text, for example.
    #[error("a text has a control character that is not escaped")]
    ControlCharacter,
    /// Objects and lists in one another.
    #[error("objects and lists are nested too deeply")]
    TooDeep,
    /// Either value could be the wrong one.
    #[error("an object has the same field twice")]
    RepeatedField,
}

impl JsonDefect {
    /// Defect at the start of a body.
    pub(crate) fn at_start(body: &[u8]) -> Option<JsonDefect> {
        let marks: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];
        let has_mark = marks.iter().any(|mark| body.starts_with(mark));
        has_mark.then_some(JsonDefect::ByteOrderMark)
    }

    /// Defect behind an error of the parser, whose text is all there is to recognize it by.
    pub(crate) fn of(error: &serde_json::Error) -> Option<JsonDefect> {
        let text = error.to_string();
        let defects = [
            ("lone leading surrogate", JsonDefect::LoneSurrogate),
            ("unexpected end of hex escape", JsonDefect::LoneSurrogate),
            ("control character", JsonDefect::ControlCharacter),
            ("recursion limit", JsonDefect::TooDeep),
            (REPEATED_FIELD, JsonDefect::RepeatedField),
        ];
        let found = defects.iter().find(|(start, _)| text.starts_with(start));
        found.map(|(_, defect)| *defect)
    }

    /// Defect of a valid JSON value that was not parsed, only skipped, which limits neither its depth nor its escapes.
    pub(crate) fn of_raw(json: &str) -> Option<JsonDefect> {
        let bytes = json.as_bytes();
        let (mut at, mut depth, mut is_text) = (0, 0usize, false);
        while let Some(byte) = bytes.get(at) {
            let mut len = 1;
            match byte {
                b'"' => is_text = !is_text,
                b'\\' => {
                    let unit = code_unit(&bytes[at..]);
                    let low = code_unit(bytes.get(at + 6..).unwrap_or_default());
                    len = match (unit, low) {
                        (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
                        (Some(0xd800..=0xdfff), _) => return Some(JsonDefect::LoneSurrogate),
                        _ => 2,
                    };
                }
                b'[' | b'{' if !is_text => depth += 1,
                b']' | b'}' if !is_text => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > MAX_DEPTH {
                return Some(JsonDefect::TooDeep);
            }
            at += len;
        }
        None
    }
}

/// UTF-16 unit of an escape such as `\u00e9` at the start of a text.
fn code_unit(text: &[u8]) -> Option<u16> {
    let [b'\\', b'u', digits @ ..] = text else {
        return None;
    };
    u16::from_str_radix(std::str::from_utf8(digits.get(..4)?).ok()?, 16).ok()
}

/// Returns a text without NUL, which CSV readers, databases and terminals take for its end. U+FFFD shows where it was.
pub(crate) fn without_nul(text: &str) -> Option<String> {
    text.contains('\0').then(|| text.replace('\0', "\u{fffd}"))
}

/// Parses a response whose objects have each field once. Texts are [`without_nul`].
///
/// # Errors
/// Those of the parser; see [`JsonDefect::of`].
pub(crate) fn parse_value(text: &str) -> serde_json::Result<Value> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = UniqueFields.deserialize(&mut json)?;
    json.end().map(|()| value)
}

/// Value whose objects have each field once.
struct UniqueFields;

impl<'de> DeserializeSeed<'de> for UniqueFields {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueFields {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(without_nul(value)
            .unwrap_or_else(|| value.to_owned())
            .into())
    }
    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Value, S::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(UniqueFields)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Value, M::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let key = without_nul(&key).unwrap_or(key);
            let value = map.next_value_seed(UniqueFields)?;
            if object.insert(key, value).is_some() {
                return Err(M::Error::custom(REPEATED_FIELD));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defect(text: &str) -> Option<JsonDefect> {
        JsonDefect::of(&parse_value(text).unwrap_err())
    }

    #[test]
    fn defects_are_recognized_in_the_texts_of_the_parser() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        for (text, expected) in [
            (r#"{"a":"\ud800"}"#, JsonDefect::LoneSurrogate),
            (r#"{"a":"\ud800x"}"#, JsonDefect::LoneSurrogate),
            (r#"{"a":"\udc00"}"#, JsonDefect::LoneSurrogate),
            (r#"{"a":"\ud800\ud800"}"#, JsonDefect::LoneSurrogate),
            ("{\"a\":\"b\nc\"}", JsonDefect::ControlCharacter),
            (deep.as_str(), JsonDefect::TooDeep),
            (r#"{"a":1,"a":2}"#, JsonDefect::RepeatedField),
            (r#"[{"b":{"a":1,"a":1}}]"#, JsonDefect::RepeatedField),
        ] {
            assert_eq!(defect(text), Some(expected), "{text}");
        }
        // A cut or foreign text may be whole the next time.
        for text in [
            "",
            "{",
            r#"{"a":"b"#,
            r#"{"a":"\ud8"#,
            "upstream gone",
            "{]",
        ] {
            assert_eq!(defect(text), None, "{text}");
        }
        for mark in ["\u{feff}{}".as_bytes(), b"\xff\xfe{\0", b"\xfe\xff\0{"] {
            assert_eq!(JsonDefect::at_start(mark), Some(JsonDefect::ByteOrderMark));
        }
        assert_eq!(JsonDefect::at_start(b"{}"), None);
    }

    #[test]
    fn skipped_values_have_the_same_limits() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(JsonDefect::of_raw(&nested(MAX_DEPTH)), None);
        assert_eq!(
            JsonDefect::of_raw(&nested(MAX_DEPTH + 1)),
            Some(JsonDefect::TooDeep)
        );
        let wide = format!("[{}0]", "[[]],".repeat(1000));
        assert_eq!(JsonDefect::of_raw(&wide), None);
        let quoted = format!(r#""\"{}""#, "[".repeat(1000));
        assert_eq!(JsonDefect::of_raw(&quoted), None);
        for (json, expected) in [
            (r#""\ud83e\udd80""#, None),
            (r#""\\ud800""#, None),
            (r#""\ud800""#, Some(JsonDefect::LoneSurrogate)),
            (r#"{"a":["\udd80\ud83e"]}"#, Some(JsonDefect::LoneSurrogate)),
        ] {
            assert_eq!(JsonDefect::of_raw(json), expected, "{json}");
        }
    }

    #[test]
    fn values_are_those_of_the_usual_parser() {
        for text in [
            "null",
            "[1,-1,1.5,true,\"é\\n\",{\"b\":[],\"a\":{}}]",
            "18446744073709551615",
        ] {
            let usual: Value = serde_json::from_str(text).unwrap();
            assert_eq!(parse_value(text).unwrap(), usual);
        }
        assert_eq!(
            parse_value(r#"{"a":"x\u0000y"}"#).unwrap(),
            serde_json::json!({ "a": "x\u{fffd}y" })
        );
        assert!(parse_value("{} x").is_err());
    }
}
