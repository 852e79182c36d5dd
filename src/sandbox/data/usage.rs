//! Meters: daily usage and cost of one line type of one resource.

use crate::sandbox::data::catalog::{LINE_TYPES, Measure};
use crate::sandbox::data::money::push_decimal;
use crate::sandbox::data::random::mix;
use chrono::{Datelike, NaiveDate, Weekday};

/// Decimal places of [`Amounts`]: hours are billed in 1e-4 dollars, unrounded discounts need 1e-8.
pub(crate) const AMOUNT_DECIMALS: u32 = 8;
/// Decimal places of volumes.
const VOLUME_DECIMALS: u32 = 11;

/// Development of usage over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UsagePattern {
    /// Similar every day.
    Steady,
    /// Higher on working days.
    Weekly,
    /// Slightly higher every month.
    Growing,
    /// One more unit from the 12th of January, April, July and October; resets at new year.
    Stepped,
    /// Fourfold from the 19th to the 21st of each month.
    Spiking,
}

/// Discount of a meter, in hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Discount {
    /// `discount_amount` is 0.
    None,
    /// Rounded to 1e-4 dollars.
    Rounded(i64),
    /// Unrounded.
    Exact(i64),
}

/// Usage of one line type of one resource, which results in one record per day.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Index into [`LINE_TYPES`].
    pub(crate) line: usize,
    /// Price of one unit in 1e-10 dollars.
    pub(crate) price: u64,
    /// Hourly whole units, or 1e-11 units of volume.
    pub(crate) base: u64,
    pub(crate) discount: Discount,
    pub(crate) pattern: UsagePattern,
    /// Adds an `id` to the records.
    pub(crate) has_id: bool,
    /// Text of the record from the granularity up to the quantity.
    pub(crate) head: Box<[u8]>,
    /// Text of the record after the amounts, including the closing brace.
    pub(crate) tail: Box<[u8]>,
}

/// Shared values of all records of a day.
pub(crate) struct DayContext {
    pub(crate) date: NaiveDate,
    /// `"start_date":"…","end_date":"…"`.
    pub(crate) dates: String,
    seed: u64,
    months: u64,
    is_weekend: bool,
}

impl DayContext {
    pub(crate) fn new(seed: u64, date: NaiveDate) -> Self {
        let next = date.succ_opt().unwrap_or(date);
        DayContext {
            date,
            dates: format!(r#""start_date":"{date}","end_date":"{next}""#),
            seed: mix(seed ^ mix(u64::from(date.num_days_from_ce().unsigned_abs()))),
            months: ((date.year() - 2025) * 12 + date.month0() as i32).max(0) as u64,
            is_weekend: matches!(date.weekday(), Weekday::Sat | Weekday::Sun),
        }
    }
}

/// Original and net amount of one record, in 1e-8 dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amounts {
    /// `original_amount`.
    pub(crate) original: i64,
    /// `amount`.
    pub(crate) net: i64,
}

impl Meter {
    /// Appends the record of a day and returns its amounts. `index` identifies the meter; `restatement` (in
    /// 1e-4 dollars) is added to the original amount.
    pub(crate) fn write(
        &self,
        out: &mut Vec<u8>,
        context: &DayContext,
        index: usize,
        restatement: i64,
    ) -> Amounts {
        let noise = mix(context.seed ^ (index as u64).wrapping_mul(0x9e37_79b9));
        let (quantity, decimals, cost) = self.daily_usage(context, noise);
        let cost = cost + restatement;
        let original = cost * 10_000;
        let discount = match self.discount {
            Discount::None => 0,
            Discount::Rounded(rate) => (cost * rate + 5_000) / 10_000 * 10_000,
            Discount::Exact(rate) => cost * rate,
        };
        let amounts = Amounts {
            original,
            net: original - discount,
        };
        out.push(b'{');
        if self.has_id {
            out.extend_from_slice(br#""id":""#);
            push_hex(out, noise);
            push_hex(out, mix(noise));
            out.extend_from_slice(br#"","#);
        }
        out.extend_from_slice(context.dates.as_bytes());
        out.extend_from_slice(&self.head);
        push_decimal(out, quantity, decimals);
        out.extend_from_slice(br#","original_amount":"#);
        push_decimal(out, amounts.original, AMOUNT_DECIMALS);
        out.extend_from_slice(br#","discount_amount":"#);
        push_decimal(out, discount, AMOUNT_DECIMALS);
        out.extend_from_slice(br#","amount":"#);
        push_decimal(out, amounts.net, AMOUNT_DECIMALS);
        out.extend_from_slice(&self.tail);
        amounts
    }

    /// Quantity of the day, its decimal places, and its cost in 1e-4 dollars. Like Confluent, rounds every
    /// hour, so the cost is not exactly price times quantity.
    fn daily_usage(&self, context: &DayContext, noise: u64) -> (i64, u32, i64) {
        if LINE_TYPES[self.line].measure == Measure::Count {
            let units = self.base * self.spike_factor(context) + self.extra_units(context);
            return (
                (units * 24) as i64,
                0,
                24 * hourly_cost(self.price, units, 0),
            );
        }
        // A factor of 2^20 means one; noise changes it by up to an eighth.
        let volume_factor = self.volume_factor(context) + (noise & 0x3_ffff) - 0x2_0000;
        let hour = ((u128::from(self.base) * u128::from(volume_factor)) >> 20) as u64;
        // Larger volumes have coarser steps, so that no quantity has more digits than a double.
        let step = match hour {
            0..10_000_000_000_000 => 1,
            10_000_000_000_000..1_000_000_000_000_000 => 1_000,
            _ => 1_000_000,
        };
        let (hour, peak) = (
            hour / step * step,
            (hour + hour / 4 + (noise >> 60)) / step * step,
        );
        let cost = 12 * hourly_cost(self.price, hour, VOLUME_DECIMALS)
            + 12 * hourly_cost(self.price, peak, VOLUME_DECIMALS);
        (12 * (hour + peak) as i64, VOLUME_DECIMALS, cost)
    }

    fn volume_factor(&self, context: &DayContext) -> u64 {
        const ONE: u64 = 1 << 20;
        match self.pattern {
            UsagePattern::Weekly if context.is_weekend => ONE * 6 / 10,
            UsagePattern::Weekly => ONE * 115 / 100,
            UsagePattern::Growing => ONE + ONE * 3 / 100 * context.months,
            _ => ONE * self.spike_factor(context),
        }
    }

    fn spike_factor(&self, context: &DayContext) -> u64 {
        let is_spiking =
            self.pattern == UsagePattern::Spiking && (19..=21).contains(&context.date.day());
        if is_spiking { 4 } else { 1 }
    }

    fn extra_units(&self, context: &DayContext) -> u64 {
        if self.pattern != UsagePattern::Stepped {
            return 0;
        }
        let (month, before) = (u64::from(context.date.month0()), context.date.day() < 12);
        (month / 3 + 1) - u64::from(month % 3 == 0 && before)
    }
}

/// Price (1e-10 dollars) × quantity of one hour, rounded half up to 1e-4 dollars.
fn hourly_cost(price: u64, quantity: u64, decimals: u32) -> i64 {
    let step = 10u128.pow(10 + decimals - 4);
    ((u128::from(price) * u128::from(quantity) + step / 2) / step) as i64
}

fn push_hex(out: &mut Vec<u8>, value: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for nibble in (0..16).rev() {
        out.push(DIGITS[(value >> (nibble * 4)) as usize & 15]);
    }
}
