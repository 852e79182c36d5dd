//! Records of a page to Arrow columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Builder, Decimal128Builder, StringBuilder};
use serde_json::value::RawValue;
use twox_hash::XxHash3_128;

use crate::billing_period::Window;
use crate::confluent::costs::decode::dates::parse_date;
use crate::confluent::costs::decode::schema::{DECIMAL_COLUMNS, SCHEMA};
use crate::confluent::costs::decode::{DataQualityCounts, DecodedPage};
use crate::confluent::costs::page::{Record, json_object};
use crate::control_totals::{ControlTotals, CostTotals, QuantityTotals};
use crate::decimal::{self, QuantitySum};

/// Longest period of a cost, in days.
const MAX_DAYS: i64 = 366;

/// Wrong field of a record.
#[derive(Debug, thiserror::Error)]
#[error("field `{field}`: {problem}")]
pub(super) struct FieldError {
    field: &'static str,
    problem: String,
}

impl FieldError {
    pub fn new(field: &'static str, problem: impl Into<String>) -> FieldError {
        FieldError {
            field,
            problem: problem.into(),
        }
    }
}

/// Columns, totals and hashes of a page under construction.
pub(super) struct PageBuilder {
    dates: [Date32Builder; 2],
    texts: [StringBuilder; 12],
    decimals: [Decimal128Builder; 5],
    hashes: Vec<u128>,
    totals: ControlTotals,
    data_quality: DataQualityCounts,
    content: Vec<u8>,
}

impl PageBuilder {
    pub fn new(rows: usize) -> Self {
        PageBuilder {
            dates: std::array::from_fn(|_| Date32Builder::with_capacity(rows)),
            texts: std::array::from_fn(|_| StringBuilder::with_capacity(rows, rows * 12)),
            decimals: std::array::from_fn(|_| {
                Decimal128Builder::with_capacity(rows).with_data_type(decimal::TYPE)
            }),
            hashes: Vec::with_capacity(rows),
            totals: ControlTotals::default(),
            data_quality: DataQualityCounts::default(),
            content: Vec::with_capacity(512),
        }
    }

    /// Adds a record.
    pub fn push(
        &mut self,
        mut record: Record<'_>,
        window: Window,
    ) -> std::result::Result<(), FieldError> {
        let start = parse_date("start_date", record.start_date.as_deref())?;
        let end = parse_date("end_date", record.end_date.as_deref())?;
        if !window.contains(start) {
            return Err(FieldError::new(
                "start_date",
                format!("{start} is outside the window {window}"),
            ));
        }
        if end <= start {
            return Err(FieldError::new(
                "end_date",
                format!("{end} is not after the start date {start}"),
            ));
        }
        // A year is past any cost's period, and the distant future past the range of timestamps.
        if (end - start).num_days() > MAX_DAYS {
            return Err(FieldError::new(
                "end_date",
                format!("{end} is more than a year after the start date {start}"),
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
        for ((slot, raw), name) in numbers.iter_mut().zip(raw).zip(DECIMAL_COLUMNS) {
            *slot = raw.map(|raw| self.number(name, raw)).transpose()?;
        }
        let [_, quantity, original, discount, amount] = numbers;
        let Some(original) = original else {
            return Err(FieldError::new(
                "original_amount",
                "is missing; a cost without it cannot be counted",
            ));
        };
        let less_discount = original.checked_sub(discount.unwrap_or(0));
        let Some(net) = amount.or(less_discount) else {
            return Err(FieldError::new(
                "discount_amount",
                "original minus discount is too large",
            ));
        };
        self.data_quality.several_days += u64::from((end - start).num_days() > 1);
        self.data_quality.discount_differs +=
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
        let days = [start.to_epoch_days(), end.to_epoch_days()];
        self.hash(days, &texts, &numbers);

        let line_type = record.line_type.as_deref().unwrap_or_default();
        let product = record.product.as_deref().unwrap_or_default();
        let is_promo = line_type == "PROMO_CREDIT";
        let is_support = line_type.starts_with("SUPPORT") || product.starts_with("SUPPORT");
        let is_credit = is_promo && (net < 0 || original < 0);
        let is_unused = is_promo || (original < 0 && !is_support);
        let quantity = QuantitySum::of(quantity.unwrap_or(0));
        let totals = CostTotals {
            costs: 1,
            original,
            net,
            credit_original: if is_credit { original } else { 0 },
            quantities: Some(QuantityTotals {
                all: quantity,
                credits: if is_unused {
                    quantity
                } else {
                    QuantitySum::default()
                },
            }),
        };
        self.totals
            .add(
                days[0],
                record.product.as_deref(),
                record.line_type.as_deref(),
                &totals,
            )
            .map_err(|e| FieldError::new("original_amount", e.to_string()))?;
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
        let parsed = decimal::parse(raw.get())
            .map_err(|e| FieldError::new(name, format!("the value {e}")))?;
        self.data_quality.rounded += u64::from(parsed.rounded);
        Ok(parsed.units)
    }

    /// Hashes the content of a record without ambiguity: lengths before texts, presence before values.
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

    /// Returns the page with `metadata.next`.
    pub fn finish(self, next: Option<String>) -> DecodedPage {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(SCHEMA.fields().len());
        columns.extend(self.dates.map(|mut b| Arc::new(b.finish()) as ArrayRef));
        columns.extend(self.texts.map(|mut b| Arc::new(b.finish()) as ArrayRef));
        columns.extend(self.decimals.map(|mut b| Arc::new(b.finish()) as ArrayRef));
        DecodedPage {
            next,
            totals: self.totals,
            data_quality: self.data_quality,
            columns,
            hashes: self.hashes,
        }
    }
}
