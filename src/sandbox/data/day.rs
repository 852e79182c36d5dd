//! One day of costs, made once: its records as JSON text, where each ends, and what they add up to.

use crate::sandbox::data::catalog::LINES;
use crate::sandbox::data::edge_cases;
use crate::sandbox::data::money::{Ledger, Sum, units};
use crate::sandbox::data::random::{Random, mix};
use crate::sandbox::data::usage::{AMOUNT_DECIMALS, Calendar, Meter};
use bytes::Bytes;
use chrono::NaiveDate;

/// How one day is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The day.
    pub date: NaiveDate,
    /// How many records; what comes after the named resources and the oddities are bulk records.
    pub rows: usize,
    /// What a restatement added to the first few costs, in 1e-4 dollars.
    pub restated: i64,
    /// Another number, another order of the same records.
    pub order: u64,
}

/// Costs that a restatement touches.
const RESTATED_METERS: usize = 3;

/// The records of one day.
pub struct Day {
    text: Bytes,
    ends: Vec<u32>,
    /// Exact sums per product and line type.
    pub ledger: Ledger,
}

impl Day {
    /// Makes the day: support, named resources, oddities, then bulk records until there are
    /// enough, all in a shuffled but repeatable order.
    pub fn make(seed: u64, meters: &[Meter], named: usize, plan: Plan) -> Day {
        let calendar = Calendar::new(seed, plan.date);
        let mut draft = Draft::new(plan.rows);
        draft.add_odd(&edge_cases::SUPPORT, plan.date);
        for (index, meter) in meters.iter().enumerate().take(named) {
            let restated = if index < RESTATED_METERS {
                plan.restated
            } else {
                0
            };
            draft.add(meter, &calendar, index, restated);
        }
        for row in edge_cases::of(plan.date) {
            draft.add_odd(row, plan.date);
        }
        for (index, meter) in meters.iter().enumerate().skip(named) {
            if draft.is_full() {
                break;
            }
            draft.add(meter, &calendar, index, 0);
        }
        draft.shuffled(mix(plan.order ^ seed) ^ mix(plan.date.to_epoch_days() as u64))
    }

    /// How many records the day has.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many bytes its text has.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The records `from..to`, separated by commas, without copying them.
    pub fn records(&self, from: usize, to: usize) -> Bytes {
        let end = |index: usize| self.ends.get(index).map_or(0, |end| *end as usize);
        let start = if from == 0 { 0 } else { end(from - 1) + 1 };
        if to <= from || to > self.ends.len() {
            return Bytes::new();
        }
        self.text.slice(start..end(to - 1))
    }
}

/// A day being made.
struct Draft {
    rows: usize,
    text: Vec<u8>,
    ends: Vec<usize>,
    ledger: Ledger,
    /// Costs, original and net (1e-8 dollars) per line: cheaper than the ledger for bulk records.
    sums: [(u64, i64, i64); LINES.len()],
}

impl Draft {
    fn new(rows: usize) -> Draft {
        Draft {
            rows,
            text: Vec::with_capacity(rows * 480),
            ends: Vec::with_capacity(rows),
            ledger: Ledger::default(),
            sums: [(0, 0, 0); LINES.len()],
        }
    }

    fn is_full(&self) -> bool {
        self.ends.len() >= self.rows
    }

    fn add(&mut self, meter: &Meter, calendar: &Calendar, index: usize, restated: i64) {
        if self.is_full() {
            return;
        }
        let amounts = meter.write(&mut self.text, calendar, index, restated);
        self.ends.push(self.text.len());
        let sum = &mut self.sums[meter.line];
        *sum = (sum.0 + 1, sum.1 + amounts.original, sum.2 + amounts.net);
    }

    fn add_odd(&mut self, row: &edge_cases::OddRow, date: NaiveDate) {
        if self.is_full() {
            return;
        }
        self.text
            .extend_from_slice(edge_cases::text(row, date).as_bytes());
        self.ends.push(self.text.len());
        self.ledger.add(
            row.key,
            Sum {
                costs: 1,
                original: row.original,
                net: row.net,
            },
        );
    }

    fn shuffled(mut self, key: u64) -> Day {
        for (line, (costs, original, net)) in LINES.iter().zip(self.sums) {
            let original = units(original, AMOUNT_DECIMALS);
            let net = units(net, AMOUNT_DECIMALS);
            self.ledger.add(
                (Some(line.product), line.line_type),
                Sum {
                    costs,
                    original,
                    net,
                },
            );
        }
        let mut order: Vec<usize> = (0..self.ends.len()).collect();
        let mut random = Random::new(key);
        for last in (1..order.len()).rev() {
            order.swap(last, random.below(last as u64 + 1) as usize);
        }
        let mut text = Vec::with_capacity(self.text.len() + order.len());
        let mut ends = Vec::with_capacity(order.len());
        for index in order {
            let start = if index == 0 { 0 } else { self.ends[index - 1] };
            if !ends.is_empty() {
                text.push(b',');
            }
            text.extend_from_slice(&self.text[start..self.ends[index]]);
            ends.push(text.len() as u32);
        }
        Day {
            text: text.into(),
            ends,
            ledger: self.ledger,
        }
    }
}
