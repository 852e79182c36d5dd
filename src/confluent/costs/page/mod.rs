//! Parser of a page of the Costs API: JSON text to typed records, tolerant of every known irregularity.
//!
//! Numbers stay text until [`crate::decimal`] parses them. Unknown fields are kept as received. A body that is not
//! JSON is *unreadable* (cut off, or a proxy's page: worth a retry); JSON that does not contain costs is *wrong*, and
//! the error names row and field.

mod fields;
mod json;

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use crate::confluent::client::BodyError;
use crate::confluent::costs::page::fields::{Fields, Level};
use crate::confluent::costs::page::json::Text;
use crate::error::{Error, ErrorKind, Result};
use crate::http::json::JsonDefect;

pub(super) use crate::confluent::costs::page::json::json_object;

/// One cost as received. Absent and `null` are both `None`; an empty string stays one.
#[derive(Debug, Default)]
pub(super) struct Record<'a> {
    /// Unreliable: often absent, sometimes shared by several records.
    pub id: Option<Cow<'a, str>>,
    /// `2026-10-01`, possibly with a time part.
    pub start_date: Option<Cow<'a, str>>,
    /// Exclusive; normally the next day.
    pub end_date: Option<Cow<'a, str>>,
    /// `DAILY`.
    pub granularity: Option<Cow<'a, str>>,
    /// Such as `INTERNET` or `PRIVATE_LINK`.
    pub network_access_type: Option<Cow<'a, str>>,
    /// Such as `KAFKA` or `CONNECT`; new values appear.
    pub product: Option<Cow<'a, str>>,
    /// Such as `KAFKA_STORAGE` or `SUPPORT`; new values appear.
    pub line_type: Option<Cow<'a, str>>,
    /// Dollars per unit before discounts; for information only.
    pub price: Option<&'a RawValue>,
    /// Such as `GB` or `CKU-hour`.
    pub unit: Option<Cow<'a, str>>,
    /// Quantity in `unit`s.
    pub quantity: Option<&'a RawValue>,
    /// Dollars before discounts.
    pub original_amount: Option<&'a RawValue>,
    /// Discount in dollars.
    pub discount_amount: Option<&'a RawValue>,
    /// Dollars after discounts.
    pub amount: Option<&'a RawValue>,
    /// Details of promotional credits.
    pub description: Option<Cow<'a, str>>,
    /// JSON object of text values; tiered prices only.
    pub tier_dimensions: Option<Vec<(Cow<'a, str>, &'a RawValue)>>,
    /// Such as `lkc-…` or `lcc-…`.
    pub resource_id: Option<Cow<'a, str>>,
    /// Display name of the resource.
    pub resource_name: Option<Cow<'a, str>>,
    /// `env-…`; nested under the resource, or at the top level in the legacy shape.
    pub environment_id: Option<Cow<'a, str>>,
    /// Unknown fields, named by their path.
    pub extra: Vec<(Cow<'a, str>, &'a RawValue)>,
    legacy_environment_id: Option<Cow<'a, str>>,
}

/// Content of a page that is JSON but not a page of costs. Never quotes the page.
#[derive(Debug, thiserror::Error)]
enum PageContentError {
    #[error("the response is JSON, but not a list of costs (`data` is missing or not a list)")]
    NotCosts,
    #[error("row {row}: a cost must be a JSON object")]
    NotAnObject { row: usize },
    #[error("row {row}, field `{field}`: unexpected type of value")]
    UnexpectedType { row: usize, field: String },
    #[error("row {row}, field `{field}`: {defect}")]
    Defect {
        row: usize,
        field: String,
        defect: JsonDefect,
    },
    #[error("{defect} (line {line}, column {column})")]
    Unlocated {
        defect: JsonDefect,
        line: usize,
        column: usize,
    },
    #[error("the response has `{field}` twice")]
    RepeatedField { field: String },
}

/// Position of the parser, for error messages.
#[derive(Debug, Default)]
struct Position {
    row: usize,
    field: String,
    in_record: bool,
    /// Field of the response that appears twice.
    repeated: Option<&'static str>,
    /// Defect of a value that the JSON parser skips.
    defect: Option<JsonDefect>,
    /// Error of the consumer of a record, carried past the JSON parser.
    consumer_error: Option<Error>,
}

/// Position shared by the nested visitors of one page.
type PositionCell<'p> = &'p RefCell<Position>;

/// Parses a page, passes every record with its row (from 1) to `consume`, and returns `metadata.next`.
///
/// # Errors
/// [`BodyError::Unreadable`] when the text is not JSON; [`BodyError::Wrong`] when it does not contain costs or when
/// `consume` refuses a record.
pub(super) fn read_page<'a>(
    text: &'a str,
    consume: &mut dyn FnMut(usize, Record<'a>) -> Result<()>,
) -> std::result::Result<Option<String>, BodyError> {
    let position = RefCell::new(Position::default());
    let mut json = serde_json::Deserializer::from_str(text);
    let envelope = EnvelopeSeed {
        position: &position,
        consume,
    };
    let result = envelope
        .deserialize(&mut json)
        .and_then(|next| json.end().map(|()| next));
    let error = match result {
        Ok(next) => return Ok(next),
        Err(error) => error,
    };
    let position = position.into_inner();
    if let Some(error) = position.consumer_error {
        return Err(BodyError::Wrong(error));
    }
    let (line, column) = (error.line(), error.column());
    let defect = position.defect.or_else(|| JsonDefect::of(&error));
    if defect.is_none() && !error.is_data() {
        return Err(BodyError::Unreadable(format!(
            "the body is not JSON, or is cut short (line {line}, column {column})"
        )));
    }
    // serde's text may quote the value: name the position instead.
    let error = match (defect, position) {
        (
            Some(defect),
            Position {
                row,
                field,
                in_record: true,
                ..
            },
        ) if !field.is_empty() => PageContentError::Defect { row, field, defect },
        (Some(defect), _) => PageContentError::Unlocated {
            defect,
            line,
            column,
        },
        (
            None,
            Position {
                repeated: Some(field),
                ..
            },
        ) => PageContentError::RepeatedField {
            field: field.to_owned(),
        },
        (None, position) => PageContentError::at(position),
    };
    Err(BodyError::Wrong(Error::new(ErrorKind::Data, error)))
}

impl PageContentError {
    /// Error of a value of the wrong type.
    fn at(position: Position) -> PageContentError {
        match position {
            Position {
                in_record: false, ..
            } => PageContentError::NotCosts,
            Position { row, field, .. } if field.is_empty() => {
                PageContentError::NotAnObject { row }
            }
            Position { row, field, .. } => PageContentError::UnexpectedType { row, field },
        }
    }
}

struct EnvelopeSeed<'p, 'e, 'a> {
    position: PositionCell<'p>,
    consume: &'e mut dyn FnMut(usize, Record<'a>) -> Result<()>,
}

impl<'a> DeserializeSeed<'a> for EnvelopeSeed<'_, '_, 'a> {
    type Value = Option<String>;
    fn deserialize<D: Deserializer<'a>>(
        self,
        json: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

#[derive(serde::Deserialize)]
struct PageMetadata {
    next: Option<String>,
}

impl<'a> Visitor<'a> for EnvelopeSeed<'_, '_, 'a> {
    type Value = Option<String>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of costs")
    }
    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> std::result::Result<Self::Value, M::Error> {
        let mut next = None;
        let mut has_data = false;
        let mut metadata_seen: Vec<Cow<'_, str>> = Vec::new();
        let twice = |field: &'static str| {
            self.position.borrow_mut().repeated = Some(field);
            M::Error::custom("twice")
        };
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                // Which of two lists has the costs is unknown, and both could have all of them.
                "data" if has_data => return Err(twice("data")),
                "data" => {
                    has_data = true;
                    map.next_value_seed(RecordsSeed {
                        position: self.position,
                        consume: self.consume,
                    })?;
                }
                "metadata" | "meta" if metadata_seen.contains(&key) => {
                    return Err(twice("metadata"));
                }
                "metadata" | "meta" => {
                    metadata_seen.push(key);
                    next = map
                        .next_value::<Option<PageMetadata>>()?
                        .and_then(|m| m.next)
                        .or(next);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !has_data {
            return Err(M::Error::custom("no data"));
        }
        Ok(next)
    }
}

struct RecordsSeed<'p, 'e, 'a> {
    position: PositionCell<'p>,
    consume: &'e mut dyn FnMut(usize, Record<'a>) -> Result<()>,
}

impl<'a> DeserializeSeed<'a> for RecordsSeed<'_, '_, 'a> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, json: D) -> std::result::Result<(), D::Error> {
        json.deserialize_option(self)
    }
}

impl<'a> Visitor<'a> for RecordsSeed<'_, '_, 'a> {
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
                let mut position = self.position.borrow_mut();
                position.row = row;
                position.in_record = true;
                position.field.clear();
            }
            let Some(record) = seq.next_element_seed(RecordSeed(self.position))? else {
                break;
            };
            if let Err(error) = (self.consume)(row, record) {
                self.position.borrow_mut().consumer_error = Some(error);
                return Err(S::Error::custom("refused"));
            }
        }
        self.position.borrow_mut().in_record = false;
        Ok(())
    }
}

struct RecordSeed<'p>(PositionCell<'p>);

impl<'a> DeserializeSeed<'a> for RecordSeed<'_> {
    type Value = Record<'a>;
    fn deserialize<D: Deserializer<'a>>(
        self,
        json: D,
    ) -> std::result::Result<Record<'a>, D::Error> {
        let mut record = Record::default();
        json.deserialize_map(Fields {
            position: self.0,
            level: Level::Record,
            record: &mut record,
        })?;
        if let Some(legacy) = record.legacy_environment_id.take() {
            record.environment_id.get_or_insert(legacy);
        }
        Ok(record)
    }
}
