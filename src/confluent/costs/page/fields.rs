//! Fields of a cost, including those of the objects in it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::confluent::costs::page::json::{Members, Text};
use crate::confluent::costs::page::{PositionCell, Record};
use crate::http::json::JsonDefect;

/// Object whose fields are read.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Level {
    Record,
    Resource,
    Environment,
    LegacyEnvironment,
}

impl Level {
    /// Prefix of the names of its fields.
    fn path(self) -> &'static str {
        match self {
            Level::Record => "",
            Level::Resource => "resource.",
            Level::Environment => "resource.environment.",
            Level::LegacyEnvironment => "environment.",
        }
    }
}

/// Fields of a record, or of an object in it.
pub(super) struct Fields<'p, 'r, 'a> {
    pub position: PositionCell<'p>,
    pub level: Level,
    pub record: &'r mut Record<'a>,
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
            position,
            level,
            record,
        } = self;
        while let Some(Text(key)) = map.next_key()? {
            {
                let mut position = position.borrow_mut();
                position.field.clear();
                position.field.push_str(level.path());
                position.field.push_str(&key);
            }
            let r = &mut *record;
            match (level, key.as_ref()) {
                (Level::Record, "id") => set(&mut r.id, text(&mut map)?)?,
                (Level::Record, "start_date") => set(&mut r.start_date, text(&mut map)?)?,
                (Level::Record, "end_date") => set(&mut r.end_date, text(&mut map)?)?,
                (Level::Record, "granularity") => set(&mut r.granularity, text(&mut map)?)?,
                (Level::Record, "network_access_type") => {
                    set(&mut r.network_access_type, text(&mut map)?)?;
                }
                (Level::Record, "product") => set(&mut r.product, text(&mut map)?)?,
                (Level::Record, "line_type") => set(&mut r.line_type, text(&mut map)?)?,
                (Level::Record, "unit") => set(&mut r.unit, text(&mut map)?)?,
                (Level::Record, "description") => set(&mut r.description, text(&mut map)?)?,
                (Level::Record, "price") => set(&mut r.price, map.next_value()?)?,
                (Level::Record, "quantity") => set(&mut r.quantity, map.next_value()?)?,
                (Level::Record, "original_amount") => {
                    set(&mut r.original_amount, map.next_value()?)?;
                }
                (Level::Record, "discount_amount") => {
                    set(&mut r.discount_amount, map.next_value()?)?;
                }
                (Level::Record, "amount") => set(&mut r.amount, map.next_value()?)?,
                (Level::Record, "tier_dimensions") => {
                    let members = map.next_value::<Option<Members<'a>>>()?;
                    for (_, value) in members.iter().flat_map(|members| &members.0) {
                        check_raw(position, value)?;
                    }
                    set(&mut r.tier_dimensions, members.map(|m| m.0))?;
                }
                (Level::Record, "resource") => {
                    map.next_value_seed(Fields {
                        position,
                        level: Level::Resource,
                        record: r,
                    })?;
                }
                (Level::Record, "environment") => {
                    map.next_value_seed(Fields {
                        position,
                        level: Level::LegacyEnvironment,
                        record: r,
                    })?;
                }
                (Level::Resource, "id") => set(&mut r.resource_id, text(&mut map)?)?,
                (Level::Resource, "display_name") => set(&mut r.resource_name, text(&mut map)?)?,
                (Level::Resource, "environment") => {
                    map.next_value_seed(Fields {
                        position,
                        level: Level::Environment,
                        record: r,
                    })?;
                }
                (Level::Environment, "id") => set(&mut r.environment_id, text(&mut map)?)?,
                (Level::LegacyEnvironment, "id") => {
                    set(&mut r.legacy_environment_id, text(&mut map)?)?;
                }
                _ => {
                    let value = map.next_value::<&'a RawValue>()?;
                    check_raw(position, value)?;
                    let path = match level {
                        Level::Record => key,
                        nested => Cow::Owned(format!("{}{key}", nested.path())),
                    };
                    r.extra.push((path, value));
                }
            }
        }
        position.borrow_mut().field.clear();
        Ok(())
    }
}

/// Refuses a value with a defect that the parser does not find, as it keeps the value's text.
fn check_raw<E: serde::de::Error>(
    position: PositionCell<'_>,
    value: &RawValue,
) -> std::result::Result<(), E> {
    match JsonDefect::of_raw(value.get()) {
        None => Ok(()),
        Some(defect) => {
            position.borrow_mut().defect = Some(defect);
            Err(E::custom(defect))
        }
    }
}

/// Sets a field. A field that appears twice in one record is refused: either value could be the wrong one.
fn set<T, E: serde::de::Error>(
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
