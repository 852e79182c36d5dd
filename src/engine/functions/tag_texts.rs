//! Tags in the forms that exports have.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Map, Value};

/// Form of the prefixes that a provider puts before keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Prefixes {
    /// `user:team`
    Colon,
    /// `user_team`, also `user:team`.
    Underscore,
}

/// Names of the key and the value in a list of tags.
const KEY_NAMES: [&str; 2] = ["key", "name"];

/// Tags of a text: a JSON object, a JSON list of keys and values, or the inner part of an object. `None` for other
/// texts.
pub(super) fn parse(text: &str, prefixes: Prefixes) -> Option<Map<String, Value>> {
    let text = text.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("null") || text.eq_ignore_ascii_case("n/a") {
        return Some(Map::new());
    }
    let tags = if text.starts_with('{') {
        serde_json::from_str(text).ok()?
    } else if text.starts_with('[') {
        of_list(serde_json::from_str(text).ok()?)?
    } else {
        serde_json::from_str(&format!("{{{}}}", text.trim_end_matches(','))).ok()?
    };
    Some(with_plain_keys(tags, prefixes))
}

/// Returns true if a text holds tags.
pub(crate) fn are_tags(text: &str) -> bool {
    parse(text, Prefixes::Colon).is_some()
}

/// Tags of a list such as `[{"Key": "team", "Value": "a"}]`.
fn of_list(list: Vec<Value>) -> Option<Map<String, Value>> {
    let mut tags = Map::new();
    for entry in list {
        let Value::Object(entry) = entry else {
            return None;
        };
        let (mut key, mut value) = (None, Value::Null);
        for (name, field) in entry {
            let name = name.to_lowercase();
            let name = name.strip_prefix("tag").unwrap_or(&name);
            let name = name.trim_start_matches('_');
            if KEY_NAMES.contains(&name) {
                key = Some(field);
            } else if name == "value" {
                value = field;
            }
        }
        tags.insert(key?.as_str()?.to_string(), value);
    }
    Some(tags)
}

/// Tags with values, as texts. A key keeps its prefix where another tag has the key without it.
fn with_plain_keys(tags: Map<String, Value>, prefixes: Prefixes) -> Map<String, Value> {
    let mut plain = Map::new();
    let mut prefixed = Vec::new();
    for (key, value) in tags {
        let value = match value {
            Value::Null => continue,
            Value::String(text) => text,
            other => other.to_string(),
        };
        match plain_key(&key, prefixes) {
            Some(name) => prefixed.push((key, name, value)),
            None => {
                plain.insert(key, value.into());
            }
        }
    }
    for (key, name, value) in prefixed {
        let key = if plain.contains_key(&name) { key } else { name };
        plain.insert(key, value.into());
    }
    plain
}

fn plain_key(key: &str, prefixes: Prefixes) -> Option<String> {
    let has_underscores = prefixes == Prefixes::Underscore;
    let user = key
        .strip_prefix("user:")
        .or_else(|| key.strip_prefix("user_").filter(|_| has_underscores));
    if let Some(name) = user.filter(|name| !name.is_empty()) {
        return Some(name.to_string());
    }
    let aws = key.strip_prefix("aws_").filter(|_| has_underscores);
    aws.map(|name| format!("aws:{name}"))
}

/// Maps, structs and lists as JSON; texts are returned as they are.
pub(crate) fn json_of(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if !array.data_type().is_nested() || matches!(array.data_type(), DataType::Dictionary(..)) {
        return cast(array, &DataType::Utf8View);
    }
    let mut texts = StringViewBuilder::with_capacity(array.len());
    for row in 0..array.len() {
        let value = value_at(array.as_ref(), row)?;
        texts.append_option((!value.is_null()).then(|| value.to_string()));
    }
    Ok(Arc::new(texts.finish()))
}

fn value_at(array: &dyn Array, row: usize) -> Result<Value, ArrowError> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match array.data_type() {
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let mut object = Map::new();
            for entry in 0..entries.len() {
                if let Some(key) = text_at(entries.column(0).as_ref(), entry)? {
                    object.insert(key, value_at(entries.column(1).as_ref(), entry)?);
                }
            }
            Value::Object(object)
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let mut object = Map::new();
            for (field, column) in fields.iter().zip(columns) {
                object.insert(field.name().clone(), value_at(column.as_ref(), row)?);
            }
            Value::Object(object)
        }
        DataType::List(_) => list_at(array.as_list::<i32>().value(row).as_ref())?,
        DataType::LargeList(_) => list_at(array.as_list::<i64>().value(row).as_ref())?,
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        _ => text_at(array, row)?.map_or(Value::Null, Value::String),
    })
}

fn list_at(values: &dyn Array) -> Result<Value, ArrowError> {
    let values = (0..values.len()).map(|at| value_at(values, at));
    Ok(Value::Array(values.collect::<Result<_, _>>()?))
}

fn text_at(array: &dyn Array, row: usize) -> Result<Option<String>, ArrowError> {
    if array.is_null(row) {
        return Ok(None);
    }
    if let Some(texts) = array.as_string_opt::<i32>() {
        return Ok(Some(texts.value(row).to_string()));
    }
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array, &options)?;
    Ok(Some(formatter.value(row).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str, prefixes: Prefixes) -> Option<String> {
        parse(text, prefixes).map(|tags| Value::Object(tags).to_string())
    }

    #[test]
    fn every_form_of_tags_is_read() {
        for (text, expected) in [
            (
                r#"{"team": "a", "n": 1, "b": true, "gone": null}"#,
                r#"{"b":"true","n":"1","team":"a"}"#,
            ),
            (r#""team": "a","env": "b""#, r#"{"env":"b","team":"a"}"#),
            (
                r#"[{"Key":"team","Value":"a"},{"key":"env","value":"b"}]"#,
                r#"{"env":"b","team":"a"}"#,
            ),
            (r#"[{"TagKey":"team","TagValue":"a"}]"#, r#"{"team":"a"}"#),
            ("", "{}"),
            ("NULL", "{}"),
            (
                r#"{"user:team":"a","aws:x":"y"}"#,
                r#"{"aws:x":"y","team":"a"}"#,
            ),
            // A plain key wins; nothing is lost.
            (
                r#"{"user:team":"a","team":"b"}"#,
                r#"{"team":"b","user:team":"a"}"#,
            ),
            (r#"{"user_team":"a"}"#, r#"{"user_team":"a"}"#),
        ] {
            assert_eq!(
                tags(text, Prefixes::Colon).as_deref(),
                Some(expected),
                "{text}"
            );
        }
        assert_eq!(
            tags(
                r#"{"user_team":"a","aws_created_by":"me"}"#,
                Prefixes::Underscore
            )
            .as_deref(),
            Some(r#"{"aws:created_by":"me","team":"a"}"#)
        );
        for text in ["team=a", "[1]", "{", "[{\"value\":\"a\"}]"] {
            assert_eq!(tags(text, Prefixes::Colon), None, "{text}");
        }
    }
}
