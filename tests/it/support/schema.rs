//! Validator of JSON against the schemas in `fixtures/cloudzero-api.json`.
//!
//! It supports exactly the keywords and patterns of the fixture and panics at any other, so that nothing is
//! ignored silently.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Schemas and limits of CloudZero's API.
pub struct Api {
    document: Value,
}

/// Result of a validation.
#[derive(Debug, Default)]
pub struct Findings {
    /// Violations of the schema with their locations.
    pub wrong: Vec<String>,
    /// Locations of properties that the schema does not name; array indexes are `*`.
    pub unnamed: BTreeSet<String>,
}

impl Findings {
    fn wrong(&mut self, text: String) {
        self.wrong.push(format!(": {text}"));
    }

    /// Adds the findings of a nested value.
    fn take(&mut self, below: Findings, step: &str) {
        let wrong = below.wrong.into_iter().map(|text| format!("/{step}{text}"));
        self.wrong.extend(wrong);
        let any = if step.bytes().all(|b| b.is_ascii_digit()) {
            "*"
        } else {
            step
        };
        let unnamed = below.unnamed.into_iter().map(|at| format!("/{any}{at}"));
        self.unnamed.extend(unnamed);
    }
}

impl Api {
    /// Reads the fixture.
    pub fn read() -> Api {
        let text = include_str!("../../../fixtures/cloudzero-api.json");
        Api {
            document: serde_json::from_str(text).unwrap(),
        }
    }

    /// Returns a limit by name.
    pub fn limit(&self, name: &str) -> usize {
        let limit = self.document["limits"][name].as_u64();
        usize::try_from(limit.unwrap_or_else(|| panic!("no limit {name}"))).unwrap()
    }

    /// Returns the name of the endpoint of a request.
    #[track_caller]
    pub fn endpoint(&self, method: &str, path: &str) -> &str {
        let endpoints = self.document["endpoints"].as_object().unwrap();
        let mut found = endpoints.iter().filter(|(name, endpoint)| {
            let template = endpoint["path"].as_str().unwrap();
            let mut pairs = template.split('/').zip(path.split('/'));
            name.starts_with(&format!("{method} "))
                && template.split('/').count() == path.split('/').count()
                && pairs.all(|(wanted, part)| wanted.starts_with('{') || wanted == part)
        });
        let name = found.next().map(|(name, _)| name.as_str());
        name.unwrap_or_else(|| panic!("no endpoint for {method} {path}"))
    }

    /// Returns the documented statuses as `ENDPOINT STATUS`.
    pub fn published(&self) -> BTreeSet<String> {
        let endpoints = self.document["endpoints"].as_object().unwrap();
        let answers = |name: &String, endpoint: &Value| {
            let statuses = endpoint["answers"].as_object().unwrap().keys();
            statuses
                .map(|status| format!("{name} {status}"))
                .collect::<Vec<_>>()
        };
        endpoints
            .iter()
            .flat_map(|(name, endpoint)| answers(name, endpoint))
            .collect()
    }

    /// Validates a part of a request: `request`, `query` or `month`. An endpoint without a schema for it
    /// takes none.
    pub fn check_request(&self, endpoint: &str, part: &str, value: &Value) -> Findings {
        match self.document["endpoints"][endpoint].get(part) {
            Some(schema) => self.check(schema, value),
            None => {
                let mut found = Findings::default();
                found.wrong(format!("{endpoint} takes no {part}"));
                found
            }
        }
    }

    /// Returns true if a part of a request has a schema.
    pub fn takes(&self, endpoint: &str, part: &str) -> bool {
        self.document["endpoints"][endpoint].get(part).is_some()
    }

    /// Validates a response; its status must be documented or assumed.
    pub fn check_answer(&self, endpoint: &str, status: u16, value: &Value) -> Findings {
        let status = status.to_string();
        let facts = &self.document["endpoints"][endpoint];
        let places = [
            &facts["answers"],
            &facts["assumed"],
            &self.document["assumed_anywhere"],
        ];
        match places.iter().find_map(|answers| answers.get(&status)) {
            Some(schema) => self.check(schema, value),
            None => {
                let mut found = Findings::default();
                found.wrong(format!("{endpoint} does not answer {status}"));
                found
            }
        }
    }

    /// Validates the other form of something on which the document and the guide disagree.
    pub fn check_otherwise(&self, name: &str, value: &Value) -> Findings {
        let schema = self.document["otherwise"].get(name);
        self.check(
            schema.unwrap_or_else(|| panic!("no other form of {name}")),
            value,
        )
    }

    /// Validates a value against a named schema.
    pub fn check_named(&self, name: &str, value: &Value) -> Findings {
        let schema = self.document["schemas"].get(name);
        self.check(schema.unwrap_or_else(|| panic!("no schema {name}")), value)
    }

    fn check(&self, schema: &Value, value: &Value) -> Findings {
        let schema = schema.as_object().expect("a schema is an object");
        let mut found = Findings::default();
        for (keyword, rule) in schema {
            match keyword.as_str() {
                "$ref" => {
                    assert_eq!(schema.len(), 1, "a reference stands alone");
                    let name = rule.as_str().unwrap().strip_prefix("#/schemas/");
                    return self.check_named(name.expect("a reference to a schema"), value);
                }
                "type" => {
                    let types = rule
                        .as_array()
                        .map_or(std::slice::from_ref(rule), |all| all);
                    if !types.iter().any(|t| is_a(t.as_str().unwrap(), value)) {
                        found.wrong(format!("{} is not {rule}", kind(value)));
                    }
                }
                "enum" => {
                    if !rule.as_array().unwrap().contains(value) {
                        found.wrong(format!("{value} is none of {rule}"));
                    }
                }
                "pattern" => {
                    let pattern = rule.as_str().unwrap();
                    if value.as_str().is_some_and(|text| !fits(pattern, text)) {
                        found.wrong(format!("{value} does not fit {pattern}"));
                    }
                }
                "contentSchema" => {
                    let text = value.as_str().unwrap_or_default();
                    match serde_json::from_str(text) {
                        Ok(inner) => found.take(self.check(rule, &inner), "content"),
                        Err(error) => found.wrong(format!("{value} holds no JSON: {error}")),
                    }
                }
                "required" | "relied_on" => {
                    let names = rule.as_array().unwrap().iter().map(|n| n.as_str().unwrap());
                    let object = value.as_object();
                    for name in names.filter(|n| object.is_some_and(|o| !o.contains_key(*n))) {
                        found.wrong(format!("{name} is missing"));
                    }
                }
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        found.take(self.check(rule, item), &index.to_string());
                    }
                }
                "properties" | "patternProperties" | "additionalProperties" => {}
                "description" | "default" | "contentMediaType" => {}
                _ => panic!("the checker does not know the keyword {keyword}"),
            }
        }
        if let Some(object) = value.as_object() {
            self.check_properties(schema, object, &mut found);
        }
        found
    }

    fn check_properties(
        &self,
        schema: &Map<String, Value>,
        object: &Map<String, Value>,
        found: &mut Findings,
    ) {
        let patterns = schema.get("patternProperties").and_then(Value::as_object);
        for (name, value) in object {
            let named = schema.get("properties").and_then(|all| all.get(name));
            let by_pattern = || {
                let mut patterns = patterns.into_iter().flatten();
                let fitting = patterns.find(|(pattern, _)| fits(pattern, name));
                fitting.map(|(_, rule)| rule)
            };
            match named
                .or_else(by_pattern)
                .or(schema.get("additionalProperties"))
            {
                Some(Value::Bool(true)) => {}
                Some(Value::Bool(false)) => found.wrong(format!("{name} is not allowed")),
                Some(rule) => found.take(self.check(rule, value), name),
                None => {
                    found.unnamed.insert(format!("/{name}"));
                }
            }
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn is_a(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => panic!("the checker does not know the type {name}"),
    }
}

/// Returns true if a text matches one of the patterns of the fixture.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern {
        r"^\d+(\.\d+)?$" => is_plain(text),
        r"^-?\d+(\.\d+)?$" => is_plain(text.strip_prefix('-').unwrap_or(text)),
        r"^\d{4}-\d\d$" => is_shaped(text, "9999-99"),
        r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)?$" => is_datetime(text),
        "^resource/tag:[A-Za-z0-9_.:/=+@-]+$" => {
            let legal = |b: u8| b.is_ascii_alphanumeric() || b"_.:/=+@-".contains(&b);
            text.strip_prefix("resource/tag:")
                .is_some_and(|key| !key.is_empty() && key.bytes().all(legal))
        }
        _ => panic!("the checker does not know the pattern {pattern}"),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_plain(text: &str) -> bool {
    match text.split_once('.') {
        Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
        None => is_digits(text),
    }
}

/// Returns true if a text has the shape of another, in which a 9 stands for any digit.
fn is_shaped(text: &str, shape: &str) -> bool {
    let same = |(at, wanted): (u8, u8)| match wanted {
        b'9' => at.is_ascii_digit(),
        _ => at == wanted,
    };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(same)
}

fn is_datetime(text: &str) -> bool {
    let shape = "9999-99-99T99:99:99";
    let Some((start, rest)) = text.split_at_checked(shape.len()) else {
        return false;
    };
    let (fraction, zone) = match rest.find(['Z', '+', '-']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let fraction = fraction.is_empty() || fraction.strip_prefix('.').is_some_and(is_digits);
    let zone = matches!(zone, "" | "Z") || is_shaped(zone, "+99:99") || is_shaped(zone, "-99:99");
    is_shaped(start, shape) && fraction && zone
}
