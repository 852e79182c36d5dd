//! Costs of one day: records as JSON text, their offsets, and their exact totals.

use crate::sandbox::data::catalog::LINE_TYPES;
use crate::sandbox::data::edge_cases;
use crate::sandbox::data::money::{GroupTotals, Totals, units};
use crate::sandbox::data::random::{Random, mix};
use crate::sandbox::data::usage::{AMOUNT_DECIMALS, DayContext, Meter};
use bytes::Bytes;
use chrono::NaiveDate;

/// Parameters of one day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DayPlan {
    pub(crate) date: NaiveDate,
    /// Number of costs. Those beyond named resources and edge cases are of bulk resources.
    pub(crate) costs: usize,
    /// Amount that a restatement added to the first few costs, in 1e-4 dollars.
    pub(crate) restatement: i64,
    /// Seed of the order of the records.
    pub(crate) order: u64,
}

/// Number of costs that a restatement changes.
const RESTATED_METERS: usize = 3;

/// Generated costs of one day.
pub(crate) struct DayCosts {
    text: Bytes,
    ends: Vec<u32>,
    /// Exact totals per product and line type.
    pub(crate) totals: GroupTotals,
}

impl DayCosts {
    /// Generates the costs: support, named resources, edge cases, then bulk resources up to the planned
    /// number, in a shuffled but reproducible order.
    pub(crate) fn generate(
        seed: u64,
        meters: &[Meter],
        named_meters: usize,
        plan: DayPlan,
    ) -> DayCosts {
        let context = DayContext::new(seed, plan.date);
        let mut builder = DayBuilder::new(plan.costs);
        builder.add_edge_case(&edge_cases::SUPPORT, plan.date);
        for (index, meter) in meters.iter().enumerate().take(named_meters) {
            let restatement = if index < RESTATED_METERS {
                plan.restatement
            } else {
                0
            };
            builder.add_metered(meter, &context, index, restatement);
        }
        for record in edge_cases::of_day(plan.date) {
            builder.add_edge_case(record, plan.date);
        }
        for (index, meter) in meters.iter().enumerate().skip(named_meters) {
            if builder.is_full() {
                break;
            }
            builder.add_metered(meter, &context, index, 0);
        }
        builder.shuffled(mix(plan.order ^ seed) ^ mix(plan.date.to_epoch_days() as u64))
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Length of the text.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Records `from..to`, separated by commas, without copying.
    pub(crate) fn records(&self, from: usize, to: usize) -> Bytes {
        let end = |index: usize| self.ends.get(index).map_or(0, |end| *end as usize);
        let start = if from == 0 { 0 } else { end(from - 1) + 1 };
        if to <= from || to > self.ends.len() {
            return Bytes::new();
        }
        self.text.slice(start..end(to - 1))
    }
}

struct DayBuilder {
    costs: usize,
    text: Vec<u8>,
    ends: Vec<usize>,
    totals: GroupTotals,
    /// Costs, original and net (1e-8 dollars) per line type; cheaper than `totals` for bulk records.
    sums: [(u64, i64, i64); LINE_TYPES.len()],
}

impl DayBuilder {
    fn new(costs: usize) -> DayBuilder {
        DayBuilder {
            costs,
            text: Vec::with_capacity(costs * 480),
            ends: Vec::with_capacity(costs),
            totals: GroupTotals::default(),
            sums: [(0, 0, 0); LINE_TYPES.len()],
        }
    }

    fn is_full(&self) -> bool {
        self.ends.len() >= self.costs
    }

    fn add_metered(&mut self, meter: &Meter, context: &DayContext, index: usize, restatement: i64) {
        if self.is_full() {
            return;
        }
        let amounts = meter.write(&mut self.text, context, index, restatement);
        self.ends.push(self.text.len());
        let sum = &mut self.sums[meter.line];
        *sum = (sum.0 + 1, sum.1 + amounts.original, sum.2 + amounts.net);
    }

    fn add_edge_case(&mut self, record: &edge_cases::EdgeCaseRecord, date: NaiveDate) {
        if self.is_full() {
            return;
        }
        self.text
            .extend_from_slice(edge_cases::render(record, date).as_bytes());
        self.ends.push(self.text.len());
        self.totals.add(
            record.key,
            Totals {
                costs: 1,
                original: record.original,
                net: record.net,
            },
        );
    }

    fn shuffled(mut self, key: u64) -> DayCosts {
        for (line, (costs, original, net)) in LINE_TYPES.iter().zip(self.sums) {
            let original = units(original, AMOUNT_DECIMALS);
            let net = units(net, AMOUNT_DECIMALS);
            self.totals.add(
                (Some(line.product), line.line_type),
                Totals {
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
        DayCosts {
            text: text.into(),
            ends,
            totals: self.totals,
        }
    }
}
