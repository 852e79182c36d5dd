//! A meter: one line type of one resource, which makes one plain record a day.

use crate::sandbox::data::catalog::{LINES, Measure};
use crate::sandbox::data::money::push_decimal;
use crate::sandbox::data::random::mix;
use chrono::{Datelike, NaiveDate, Weekday};

/// Decimal places of [`Amounts`]: hours are billed in 1e-4 dollars, unrounded discounts have 1e-8.
pub const AMOUNT_DECIMALS: u32 = 8;
/// Decimal places of a volume.
const VOLUME_DECIMALS: u32 = 11;

/// How usage develops over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Much the same every day.
    Steady,
    /// More on working days.
    Weekly,
    /// A little more every month.
    Growing,
    /// One more thing from the 12th of January, April, July and October, and back at new year.
    Steps,
    /// Four times as much from the 19th to the 21st of each month.
    Runaway,
}

/// The discount of a meter, in hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discount {
    /// None: `discount_amount` is 0.
    None,
    /// Rounded to 1e-4 dollars.
    Rounded(i64),
    /// Kept with all its digits.
    Exact(i64),
}

/// One line type of one resource.
#[derive(Debug)]
pub struct Meter {
    /// Place in [`LINES`].
    pub line: usize,
    /// Price of one unit in steps of 1e-10 dollars.
    pub price: u64,
    /// Things, or 1e-11 units of volume an hour.
    pub base: u64,
    /// The discount.
    pub discount: Discount,
    /// How usage develops.
    pub level: Level,
    /// Whether the records carry an `id`.
    pub with_id: bool,
    /// The record's text from the granularity up to the quantity.
    pub head: Box<[u8]>,
    /// The record's text after the amounts, closing brace included.
    pub tail: Box<[u8]>,
}

/// What all records of a day share.
pub struct Calendar {
    /// The day.
    pub date: NaiveDate,
    /// `"start_date":"…","end_date":"…"`.
    pub dates: String,
    seed: u64,
    months: u64,
    weekend: bool,
}

impl Calendar {
    /// The shared parts of `date` in the organization of `seed`.
    pub fn new(seed: u64, date: NaiveDate) -> Self {
        let next = date.succ_opt().unwrap_or(date);
        Calendar {
            date,
            dates: format!(r#""start_date":"{date}","end_date":"{next}""#),
            seed: mix(seed ^ mix(u64::from(date.num_days_from_ce().unsigned_abs()))),
            months: ((date.year() - 2025) * 12 + date.month0() as i32).max(0) as u64,
            weekend: matches!(date.weekday(), Weekday::Sat | Weekday::Sun),
        }
    }
}

/// Original and net amount of one record, in steps of 1e-8 dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amounts {
    /// `original_amount`.
    pub original: i64,
    /// `amount`.
    pub net: i64,
}

impl Meter {
    /// Appends the record of a day and returns its amounts. `index` tells meters apart,
    /// `restated` dollars (in 1e-4) were added to the original amount afterwards.
    pub fn write(&self, out: &mut Vec<u8>, day: &Calendar, index: usize, restated: i64) -> Amounts {
        let noise = mix(day.seed ^ (index as u64).wrapping_mul(0x9e37_79b9));
        let (quantity, decimals, cost) = self.usage(day, noise);
        let cost = cost + restated;
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
        if self.with_id {
            out.extend_from_slice(br#""id":""#);
            push_hex(out, noise);
            push_hex(out, mix(noise));
            out.extend_from_slice(br#"","#);
        }
        out.extend_from_slice(day.dates.as_bytes());
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

    /// Quantity of the day, its decimal places, and its cost in 1e-4 dollars. As Confluent does,
    /// every hour is rounded by itself, so the cost is not exactly price times quantity.
    fn usage(&self, day: &Calendar, noise: u64) -> (i64, u32, i64) {
        if LINES[self.line].measure == Measure::Count {
            let things = self.base * self.times(day) + self.steps(day);
            return ((things * 24) as i64, 0, 24 * rounded(self.price, things, 0));
        }
        // 2^20 is a factor of one; noise moves it by an eighth up or down.
        let factor = self.factor(day) + (noise & 0x3_ffff) - 0x2_0000;
        let hour = ((u128::from(self.base) * u128::from(factor)) >> 20) as u64;
        // No more digits than a double has: the larger the volume, the coarser its step.
        let step = match hour {
            0..10_000_000_000_000 => 1,
            10_000_000_000_000..1_000_000_000_000_000 => 1_000,
            _ => 1_000_000,
        };
        let (hour, peak) = (
            hour / step * step,
            (hour + hour / 4 + (noise >> 60)) / step * step,
        );
        let cost = 12 * rounded(self.price, hour, VOLUME_DECIMALS)
            + 12 * rounded(self.price, peak, VOLUME_DECIMALS);
        (12 * (hour + peak) as i64, VOLUME_DECIMALS, cost)
    }

    fn factor(&self, day: &Calendar) -> u64 {
        const ONE: u64 = 1 << 20;
        match self.level {
            Level::Weekly if day.weekend => ONE * 6 / 10,
            Level::Weekly => ONE * 115 / 100,
            Level::Growing => ONE + ONE * 3 / 100 * day.months,
            _ => ONE * self.times(day),
        }
    }

    fn times(&self, day: &Calendar) -> u64 {
        let runaway = self.level == Level::Runaway && (19..=21).contains(&day.date.day());
        if runaway { 4 } else { 1 }
    }

    fn steps(&self, day: &Calendar) -> u64 {
        if self.level != Level::Steps {
            return 0;
        }
        let (month, before) = (u64::from(day.date.month0()), day.date.day() < 12);
        (month / 3 + 1) - u64::from(month % 3 == 0 && before)
    }
}

/// Price (1e-10 dollars) × quantity of an hour, rounded half up to 1e-4 dollars.
fn rounded(price: u64, quantity: u64, decimals: u32) -> i64 {
    let step = 10u128.pow(10 + decimals - 4);
    ((u128::from(price) * u128::from(quantity) + step / 2) / step) as i64
}

fn push_hex(out: &mut Vec<u8>, value: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for nibble in (0..16).rev() {
        out.push(DIGITS[(value >> (nibble * 4)) as usize & 15]);
    }
}
