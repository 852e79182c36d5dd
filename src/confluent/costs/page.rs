//! One page of the Costs API, read: JSON text to typed records, tolerant of every known oddity.
//!
//! Numbers stay text until [`crate::decimal`] parses them. Unknown fields are kept as they came. A
//! body that is not JSON is *unreadable* (cut off, or a proxy's page: worth a retry); JSON that
//! does not hold costs is *wrong*, and the error names row and field.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use crate::confluent::client::BodyError;
use crate::error::{Error, Result};

/// One cost as received. Absent and `null` are both `None`; an empty string stays one.
#[derive(Debug, Default)]
pub struct Record<'a> {
    /// Not reliable: often absent, sometimes shared by several records.
    pub id: Option<Cow<'a, str>>,
    /// `2026-10-01`, perhaps with a time part.
    pub start_date: Option<Cow<'a, str>>,
    /// Exclusive; normally the next day.
    pub end_date: Option<Cow<'a, str>>,
    /// `DAILY`.
    pub granularity: Option<Cow<'a, str>>,
    /// `INTERNET`, `PRIVATE_LINK` and so on.
    pub network_access_type: Option<Cow<'a, str>>,
    /// Open list: `KAFKA`, `CONNECT` and so on.
    pub product: Option<Cow<'a, str>>,
    /// Open list: `KAFKA_STORAGE`, `SUPPORT` and so on.
    pub line_type: Option<Cow<'a, str>>,
    /// Dollars a unit, before discounts; information only.
    pub price: Option<&'a RawValue>,
    /// `GB`, `CKU-hour` and so on.
    pub unit: Option<Cow<'a, str>>,
    /// In `unit`s.
    pub quantity: Option<&'a RawValue>,
    /// Dollars before discounts.
    pub original_amount: Option<&'a RawValue>,
    /// Dollars taken off.
    pub discount_amount: Option<&'a RawValue>,
    /// Dollars after discounts.
    pub amount: Option<&'a RawValue>,
    /// Details of promotional credits.
    pub description: Option<Cow<'a, str>>,
    /// JSON object of text values, on tiered prices only.
    pub tier_dimensions: Option<Vec<(Cow<'a, str>, &'a RawValue)>>,
    /// `lkc-…`, `lcc-…` and so on.
    pub resource_id: Option<Cow<'a, str>>,
    /// The resource's display name.
    pub resource_name: Option<Cow<'a, str>>,
    /// `env-…`; nested under the resource, or at the top level in the legacy shape.
    pub environment_id: Option<Cow<'a, str>>,
    /// Unknown fields, with the path of their parents.
    pub extra: Vec<(Cow<'a, str>, &'a RawValue)>,
    legacy_environment_id: Option<Cow<'a, str>>,
}

/// Where in the page the reader is, for error messages.
#[derive(Debug, Default)]
struct Position {
    row: usize,
    field: String,
    in_record: bool,
    /// An error that a record's consumer raised, carried past the JSON reader.
    raised: Option<Error>,
}

type Place<'p> = &'p RefCell<Position>;

/// Reads a page, hands every record with its row (from 1) to `each`, and returns `metadata.next`.
///
/// # Errors
/// [`BodyError::Unreadable`] when the text is not JSON; [`BodyError::Wrong`] when it does not hold
/// costs or when `each` refuses a record.
pub fn read_page<'a>(
    text: &'a str,
    each: &mut dyn FnMut(usize, Record<'a>) -> Result<()>,
) -> std::result::Result<Option<String>, BodyError> {
    let place = RefCell::new(Position::default());
    let mut json = serde_json::Deserializer::from_str(text);
    let envelope = Envelope {
        place: &place,
        each,
    };
    let result = envelope
        .deserialize(&mut json)
        .and_then(|next| json.end().map(|()| next));
    let error = match result {
        Ok(next) => return Ok(next),
        Err(error) => error,
    };
    let position = place.into_inner();
    if let Some(raised) = position.raised {
        return Err(BodyError::Wrong(raised));
    }
    if !error.is_data() {
        let (line, column) = (error.line(), error.column());
        return Err(BodyError::Unreadable(format!(
            "the body is not JSON, or is cut off (line {line}, column {column})"
        )));
    }
    // serde's text may quote the value: name the place instead.
    Err(BodyError::Wrong(if position.in_record {
        let Position { row, field, .. } = position;
        match field.as_str() {
            "" => Error::data(format!("row {row}: a cost must be a JSON object")),
            _ => Error::data(format!(
                "row {row}, field `{field}`: unexpected type of value"
            )),
        }
    } else {
        Error::data("the answer is JSON, but not a list of costs (`data` is missing or no list)")
    }))
}

struct Envelope<'p, 'e, 'a> {
    place: Place<'p>,
    each: &'e mut dyn FnMut(usize, Record<'a>) -> Result<()>,
}

impl<'a> DeserializeSeed<'a> for Envelope<'_, '_, 'a> {
    type Value = Option<String>;
    fn deserialize<D: Deserializer<'a>>(
        self,
        json: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

#[derive(serde::Deserialize)]
struct Metadata {
    next: Option<String>,
}

impl<'a> Visitor<'a> for Envelope<'_, '_, 'a> {
    type Value = Option<String>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of costs")
    }
    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> std::result::Result<Self::Value, M::Error> {
        let mut next = None;
        let mut seen = false;
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "data" => {
                    seen = true;
                    map.next_value_seed(Rows {
                        place: self.place,
                        each: self.each,
                    })?;
                }
                "metadata" | "meta" => {
                    next = map
                        .next_value::<Option<Metadata>>()?
                        .and_then(|m| m.next)
                        .or(next);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !seen {
            return Err(M::Error::custom("no data"));
        }
        Ok(next)
    }
}

struct Rows<'p, 'e, 'a> {
    place: Place<'p>,
    each: &'e mut dyn FnMut(usize, Record<'a>) -> Result<()>,
}

impl<'a> DeserializeSeed<'a> for Rows<'_, '_, 'a> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, json: D) -> std::result::Result<(), D::Error> {
        json.deserialize_option(self)
    }
}

impl<'a> Visitor<'a> for Rows<'_, '_, 'a> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("costs")
    }
    fn visit_none<E>(self) -> std::result::Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> std::result::Result<(), E> {
        Ok(())
    }
    fn visit_some<D: Deserializer<'a>>(self, json: D) -> std::result::Result<(), D::Error> {
        json.deserialize_seq(self)
    }
    fn visit_seq<S: SeqAccess<'a>>(self, mut seq: S) -> std::result::Result<(), S::Error> {
        for row in 1.. {
            {
                let mut position = self.place.borrow_mut();
                position.row = row;
                position.in_record = true;
                position.field.clear();
            }
            let Some(record) = seq.next_element_seed(Row(self.place))? else {
                break;
            };
            if let Err(error) = (self.each)(row, record) {
                self.place.borrow_mut().raised = Some(error);
                return Err(S::Error::custom("refused"));
            }
        }
        self.place.borrow_mut().in_record = false;
        Ok(())
    }
}

struct Row<'p>(Place<'p>);

impl<'a> DeserializeSeed<'a> for Row<'_> {
    type Value = Record<'a>;
    fn deserialize<D: Deserializer<'a>>(
        self,
        json: D,
    ) -> std::result::Result<Record<'a>, D::Error> {
        let mut record = Record::default();
        json.deserialize_map(Fields {
            place: self.0,
            level: Level::Record,
            record: &mut record,
        })?;
        if let Some(legacy) = record.legacy_environment_id.take() {
            record.environment_id.get_or_insert(legacy);
        }
        Ok(record)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Level {
    Record,
    Resource,
    Environment,
    LegacyEnvironment,
}

impl Level {
    fn path(self) -> &'static str {
        match self {
            Level::Record => "",
            Level::Resource => "resource.",
            Level::Environment => "resource.environment.",
            Level::LegacyEnvironment => "environment.",
        }
    }
}

/// The fields of a record, or of an object inside it.
struct Fields<'p, 'r, 'a> {
    place: Place<'p>,
    level: Level,
    record: &'r mut Record<'a>,
}

impl<'a> DeserializeSeed<'a> for Fields<'_, '_, 'a> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, json: D) -> std::result::Result<(), D::Error> {
        json.deserialize_option(self)
    }
}

impl<'a> Visitor<'a> for Fields<'_, '_, 'a> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_none<E>(self) -> std::result::Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> std::result::Result<(), E> {
        Ok(())
    }
    fn visit_some<D: Deserializer<'a>>(self, json: D) -> std::result::Result<(), D::Error> {
        json.deserialize_map(self)
    }
    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> std::result::Result<(), M::Error> {
        let Fields {
            place,
            level,
            record,
        } = self;
        while let Some(Text(key)) = map.next_key()? {
            {
                let mut position = place.borrow_mut();
                position.field.clear();
                position.field.push_str(level.path());
                position.field.push_str(&key);
            }
            let r = &mut *record;
            match (level, key.as_ref()) {
                (Level::Record, "id") => once(&mut r.id, text(&mut map)?)?,
                (Level::Record, "start_date") => once(&mut r.start_date, text(&mut map)?)?,
                (Level::Record, "end_date") => once(&mut r.end_date, text(&mut map)?)?,
                (Level::Record, "granularity") => once(&mut r.granularity, text(&mut map)?)?,
                (Level::Record, "network_access_type") => {
                    once(&mut r.network_access_type, text(&mut map)?)?;
                }
                (Level::Record, "product") => once(&mut r.product, text(&mut map)?)?,
                (Level::Record, "line_type") => once(&mut r.line_type, text(&mut map)?)?,
                (Level::Record, "unit") => once(&mut r.unit, text(&mut map)?)?,
                (Level::Record, "description") => once(&mut r.description, text(&mut map)?)?,
                (Level::Record, "price") => once(&mut r.price, map.next_value()?)?,
                (Level::Record, "quantity") => once(&mut r.quantity, map.next_value()?)?,
                (Level::Record, "original_amount") => {
                    once(&mut r.original_amount, map.next_value()?)?;
                }
                (Level::Record, "discount_amount") => {
                    once(&mut r.discount_amount, map.next_value()?)?;
                }
                (Level::Record, "amount") => once(&mut r.amount, map.next_value()?)?,
                (Level::Record, "tier_dimensions") => {
                    let members = map.next_value::<Option<Members<'a>>>()?;
                    once(&mut r.tier_dimensions, members.map(|m| m.0))?;
                }
                (Level::Record, "resource") => {
                    map.next_value_seed(Fields {
                        place,
                        level: Level::Resource,
                        record: r,
                    })?;
                }
                (Level::Record, "environment") => {
                    map.next_value_seed(Fields {
                        place,
                        level: Level::LegacyEnvironment,
                        record: r,
                    })?;
                }
                (Level::Resource, "id") => once(&mut r.resource_id, text(&mut map)?)?,
                (Level::Resource, "display_name") => once(&mut r.resource_name, text(&mut map)?)?,
                (Level::Resource, "environment") => {
                    map.next_value_seed(Fields {
                        place,
                        level: Level::Environment,
                        record: r,
                    })?;
                }
                (Level::Environment, "id") => once(&mut r.environment_id, text(&mut map)?)?,
                (Level::LegacyEnvironment, "id") => {
                    once(&mut r.legacy_environment_id, text(&mut map)?)?;
                }
                _ => {
                    let value = map.next_value::<&'a RawValue>()?;
                    let path = match level {
                        Level::Record => key,
                        nested => Cow::Owned(format!("{}{key}", nested.path())),
                    };
                    r.extra.push((path, value));
                }
            }
        }
        place.borrow_mut().field.clear();
        Ok(())
    }
}

/// A field that comes twice in one record is refused: either value could be the wrong one.
fn once<T, E: serde::de::Error>(
    slot: &mut Option<T>,
    value: Option<T>,
) -> std::result::Result<(), E> {
    if slot.is_some() {
        return Err(E::custom("twice in one record"));
    }
    *slot = value;
    Ok(())
}

fn text<'a, M: MapAccess<'a>>(map: &mut M) -> std::result::Result<Option<Cow<'a, str>>, M::Error> {
    Ok(map.next_value::<Option<Text<'a>>>()?.map(|text| text.0))
}

/// Text borrowed from the page where it has no escapes.
struct Text<'a>(Cow<'a, str>);

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
                Ok(Text(Cow::Owned(text.to_string())))
            }
        }
        json.deserialize_str(TextVisitor)
    }
}

/// The members of an object, values as they came.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

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

/// Members as one JSON object: keys sorted, white space between tokens removed.
pub fn json_object(members: &mut [(Cow<'_, str>, &RawValue)]) -> String {
    members.sort_by(|a, b| a.0.cmp(&b.0));
    let mut out = String::from("{");
    for (at, (key, value)) in members.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&serde_json::Value::from(key.as_ref()).to_string());
        out.push(':');
        compact(value.get(), &mut out);
    }
    out.push('}');
    out
}

/// Copies JSON without the white space between its tokens.
fn compact(json: &str, out: &mut String) {
    let (mut quoted, mut escaped) = (false, false);
    for c in json.chars() {
        if !quoted && c.is_ascii_whitespace() {
            continue;
        }
        out.push(c);
        quoted = if c == '"' && !escaped {
            !quoted
        } else {
            quoted
        };
        escaped = quoted && c == '\\' && !escaped;
    }
}
