//! Pages to Arrow record batches, with totals, identity and what was odd.
//!
//! A record has no reliable id (Confluent: unique per scope only, and mostly absent), so identity
//! is the content plus an ordinal among equals. Ordinals are counted per window: equal records
//! have equal dates, and windows tile the days.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, Date32Builder, Decimal128Builder, Int32Array, RecordBatch, StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::NaiveDate;
use serde_json::value::RawValue;
use twox_hash::XxHash3_128;

use crate::billing_period::Window;
use crate::confluent::client::BodyError;
use crate::confluent::costs::page::{Record, json_object, read_page};
use crate::control_totals::{ControlTotals, CostTotals};
use crate::decimal;
use crate::error::{Error, Result};

/// Text columns of a stored cost, in order, after `start_date` and `end_date`.
const TEXTS: [&str; 12] = [
    "id",
    "granularity",
    "network_access_type",
    "product",
    "line_type",
    "unit",
    "description",
    "tier_dimensions",
    "resource_id",
    "resource_name",
    "environment_id",
    "extra",
];
/// Decimal columns of a stored cost, in order, after the texts.
const DECIMALS: [&str; 5] = [
    "price",
    "quantity",
    "original_amount",
    "discount_amount",
    "amount",
];

/// Columns of a stored cost, without the partition columns `connection` and `billing_period`.
///
/// `record_id` (32 hex digits) is the hash of connection, content and `ordinal`; `extra` is a JSON
/// object of the fields that have no column; money and quantities are `Decimal128(38, 24)`.
pub static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = vec![
        Field::new("record_id", DataType::Utf8, true),
        Field::new("ordinal", DataType::Int32, true),
        Field::new("start_date", DataType::Date32, true),
        Field::new("end_date", DataType::Date32, true),
    ];
    fields.extend(TEXTS.map(|name| Field::new(name, DataType::Utf8, true)));
    fields.extend(DECIMALS.map(|name| Field::new(name, decimal::TYPE, true)));
    Arc::new(Schema::new(fields))
});

/// What was tolerated, and is worth telling.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DataQualityCounts {
    /// Numbers with digits past the scale, rounded half-even.
    pub rounded: u64,
    /// Records whose own discount differs from original - net.
    pub discount_differs: u64,
}

impl DataQualityCounts {
    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: DataQualityCounts) {
        self.rounded += other.rounded;
        self.discount_differs += other.discount_differs;
    }
}

/// A page, decoded: everything but the identity of its records.
pub struct DecodedPage {
    /// `metadata.next` as received.
    pub next: Option<String>,
    /// ControlTotals of the page.
    pub totals: ControlTotals,
    /// What was tolerated.
    pub oddities: DataQualityCounts,
    /// Columns of [`SCHEMA`] from `start_date` on.
    columns: Vec<ArrayRef>,
    /// A content hash for each record.
    hashes: Vec<u128>,
}

impl DecodedPage {
    /// Number of records.
    pub fn rows(&self) -> usize {
        self.hashes.len()
    }
}

/// Decodes the text of a page that was asked for `window`.
///
/// # Errors
/// As [`read_page`]; [`BodyError::Wrong`] also for a missing or unparsable date or amount, and for
/// a cost that lies outside the window. The message names row and field.
pub fn decode_page(text: &str, window: Window) -> std::result::Result<DecodedPage, BodyError> {
    let mut builder = Builder::new(text.len() / 400);
    let next = read_page(text, &mut |row, record| {
        builder
            .push(record, window)
            .map_err(|(field, why)| Error::data(format!("row {row}, field `{field}`: {why}")))
    })?;
    Ok(builder.finish(next))
}

type FieldError = (&'static str, String);

struct Builder {
    dates: [Date32Builder; 2],
    texts: [StringBuilder; 12],
    decimals: [Decimal128Builder; 5],
    hashes: Vec<u128>,
    totals: ControlTotals,
    oddities: DataQualityCounts,
    content: Vec<u8>,
}

impl Builder {
    fn new(rows: usize) -> Self {
        Builder {
            dates: std::array::from_fn(|_| Date32Builder::with_capacity(rows)),
            texts: std::array::from_fn(|_| StringBuilder::with_capacity(rows, rows * 12)),
            decimals: std::array::from_fn(|_| {
                Decimal128Builder::with_capacity(rows).with_data_type(decimal::TYPE)
            }),
            hashes: Vec::with_capacity(rows),
            totals: ControlTotals::default(),
            oddities: DataQualityCounts::default(),
            content: Vec::with_capacity(512),
        }
    }

    fn push(
        &mut self,
        mut record: Record<'_>,
        window: Window,
    ) -> std::result::Result<(), FieldError> {
        let start = date("start_date", record.start_date.as_deref())?;
        let end = date("end_date", record.end_date.as_deref())?;
        if !window.contains(start) {
            return Err((
                "start_date",
                format!("{start} is outside the window asked for, {window}"),
            ));
        }
        if end <= start {
            return Err((
                "end_date",
                format!("{end} is not after the start date {start}"),
            ));
        }
        let raw = [
            record.price,
            record.quantity,
            record.original_amount,
            record.discount_amount,
            record.amount,
        ];
        let mut numbers = [None; 5];
        for ((slot, raw), name) in numbers.iter_mut().zip(raw).zip(DECIMALS) {
            *slot = raw.map(|raw| self.number(name, raw)).transpose()?;
        }
        let [_, _, original, discount, amount] = numbers;
        let Some(original) = original else {
            return Err((
                "original_amount",
                "is missing; a cost without it cannot be counted".into(),
            ));
        };
        let less_discount = original.checked_sub(discount.unwrap_or(0));
        let Some(net) = amount.or(less_discount) else {
            return Err((
                "discount_amount",
                "original less discount is too large".into(),
            ));
        };
        self.oddities.discount_differs +=
            u64::from(amount.is_some() && discount.is_some() && less_discount != amount);

        let tiers = record
            .tier_dimensions
            .as_mut()
            .map(|members| json_object(members));
        let extra = (!record.extra.is_empty()).then(|| json_object(&mut record.extra));
        let texts: [Option<&str>; 12] = [
            record.id.as_deref(),
            record.granularity.as_deref(),
            record.network_access_type.as_deref(),
            record.product.as_deref(),
            record.line_type.as_deref(),
            record.unit.as_deref(),
            record.description.as_deref(),
            tiers.as_deref(),
            record.resource_id.as_deref(),
            record.resource_name.as_deref(),
            record.environment_id.as_deref(),
            extra.as_deref(),
        ];
        let days = [days_since_epoch(start), days_since_epoch(end)];
        self.hash(days, &texts, &numbers);

        let credit = record.line_type.as_deref() == Some("PROMO_CREDIT") && net < 0;
        let sums = CostTotals {
            costs: 1,
            original,
            net,
            credit_original: if credit { original } else { 0 },
        };
        self.totals
            .add(
                days[0],
                record.product.as_deref(),
                record.line_type.as_deref(),
                &sums,
            )
            .map_err(|e| ("original_amount", e.to_string()))?;
        for (builder, day) in self.dates.iter_mut().zip(days) {
            builder.append_value(day);
        }
        for (builder, text) in self.texts.iter_mut().zip(texts) {
            builder.append_option(text);
        }
        for (builder, number) in self.decimals.iter_mut().zip(numbers) {
            builder.append_option(number);
        }
        Ok(())
    }

    fn number(
        &mut self,
        name: &'static str,
        raw: &RawValue,
    ) -> std::result::Result<i128, FieldError> {
        let parsed = decimal::parse(raw.get()).map_err(|e| (name, format!("the value {e}")))?;
        self.oddities.rounded += u64::from(parsed.rounded);
        Ok(parsed.units)
    }

    /// Hashes the content of a record, free of ambiguity: lengths before texts, presence before values.
    fn hash(&mut self, days: [i32; 2], texts: &[Option<&str>], numbers: &[Option<i128>]) {
        let content = &mut self.content;
        content.clear();
        for day in days {
            content.extend_from_slice(&day.to_le_bytes());
        }
        for text in texts {
            let length = text.map_or(u32::MAX, |text| text.len() as u32);
            content.extend_from_slice(&length.to_le_bytes());
            content.extend_from_slice(text.unwrap_or_default().as_bytes());
        }
        for number in numbers {
            content.push(u8::from(number.is_some()));
            content.extend_from_slice(&number.unwrap_or_default().to_le_bytes());
        }
        self.hashes.push(XxHash3_128::oneshot(content));
    }

    fn finish(self, next: Option<String>) -> DecodedPage {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(SCHEMA.fields().len());
        columns.extend(self.dates.map(|mut b| Arc::new(b.finish()) as ArrayRef));
        columns.extend(self.texts.map(|mut b| Arc::new(b.finish()) as ArrayRef));
        columns.extend(self.decimals.map(|mut b| Arc::new(b.finish()) as ArrayRef));
        DecodedPage {
            next,
            totals: self.totals,
            oddities: self.oddities,
            columns,
            hashes: self.hashes,
        }
    }
}

/// A date, also with a midnight time part in UTC: `2026-10-01`, `2026-10-01 00:00:00`, RFC 3339.
fn date(field: &'static str, text: Option<&str>) -> std::result::Result<NaiveDate, FieldError> {
    let Some(text) = text else {
        return Err((field, "is missing".into()));
    };
    let day = text.get(..10).filter(|_| {
        let rest = &text[10..];
        let rest = rest
            .strip_suffix('Z')
            .or_else(|| rest.strip_suffix("+00:00"))
            .unwrap_or(rest);
        rest.is_empty()
            || rest.strip_prefix([' ', 'T']).is_some_and(|time| {
                chrono::NaiveTime::parse_from_str(time, "%H:%M:%S%.f").is_ok()
                    || chrono::NaiveTime::parse_from_str(time, "%H:%M").is_ok()
            })
    });
    day.and_then(calendar_day)
        .ok_or_else(|| (field, "is not a UTC date such as 2026-10-01".into()))
}

/// `2026-10-01`, and nothing else: two of them stand in every record.
fn calendar_day(text: &str) -> Option<NaiveDate> {
    let digits = |from: usize, to: usize| {
        text.as_bytes()[from..to].iter().try_fold(0u32, |sum, c| {
            c.is_ascii_digit().then(|| sum * 10 + u32::from(c - b'0'))
        })
    };
    let [_, _, _, _, b'-', _, _, b'-', _, _] = text.as_bytes() else {
        return None;
    };
    NaiveDate::from_ymd_opt(digits(0, 4)? as i32, digits(5, 7)?, digits(8, 10)?)
}

/// Days since 1970-01-01, as `Date32` counts them.
pub fn days_since_epoch(date: NaiveDate) -> i32 {
    date.to_epoch_days()
}

/// Gives the records of one window their identity, page by page.
pub struct Identities {
    seed: Vec<u8>,
    seen: HashMap<u128, i32>,
    digest: Digest,
}

/// The content of a set of records, whatever their order: the sum of their identities, modulo
/// 2^128, and their number.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    sum: u128,
    count: u64,
}

impl Digest {
    /// Adds one record.
    pub fn add(&mut self, identity: u128) {
        self.sum = self.sum.wrapping_add(identity);
        self.count += 1;
    }

    /// Number of records.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds the records of another set.
    pub fn merge(&mut self, other: Digest) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.count += other.count;
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}-{}", self.sum, self.count)
    }
}

impl std::str::FromStr for Digest {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        text.split_once('-')
            .and_then(|(sum, count)| {
                Some(Digest {
                    sum: u128::from_str_radix(sum, 16).ok()?,
                    count: count.parse().ok()?,
                })
            })
            .ok_or_else(|| Error::data("a stored digest cannot be read"))
    }
}

impl Identities {
    /// For one window of a connection.
    pub fn new(connection: &str) -> Self {
        Identities {
            seed: connection.as_bytes().to_vec(),
            seen: HashMap::new(),
            digest: Digest::default(),
        }
    }

    /// The page as a batch of [`SCHEMA`], with `record_id` and `ordinal`.
    pub fn identify(&mut self, page: DecodedPage) -> Result<RecordBatch> {
        let rows = page.hashes.len();
        let mut ids = String::with_capacity(rows * 32);
        let mut ordinals = Vec::with_capacity(rows);
        let mut key = std::mem::take(&mut self.seed);
        let seed = key.len();
        for hash in &page.hashes {
            let ordinal = self.seen.entry(*hash).or_insert(-1);
            *ordinal += 1;
            ordinals.push(*ordinal);
            key.truncate(seed);
            key.push(0);
            key.extend_from_slice(&hash.to_le_bytes());
            key.extend_from_slice(&ordinal.to_le_bytes());
            let identity = XxHash3_128::oneshot(&key);
            self.digest.add(identity);
            push_hex(&mut ids, identity);
        }
        key.truncate(seed);
        self.seed = key;
        let ids = StringArray::from_iter_values((0..rows).map(|row| &ids[row * 32..row * 32 + 32]));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(Int32Array::from(ordinals))];
        columns.extend(page.columns);
        RecordBatch::try_new(SCHEMA.clone(), columns)
            .map_err(|e| Error::bug(format!("costs batch: {e}")))
    }

    /// The digest of all records so far.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

fn push_hex(out: &mut String, value: u128) {
    for shift in (0..32).rev() {
        let digit = ((value >> (shift * 4)) & 0xf) as u32;
        out.push(char::from_digit(digit, 16).unwrap_or('0'));
    }
}
