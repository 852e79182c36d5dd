//! Costs of the past year: number per day, and a cache of the generated days.

use crate::sandbox::Options;
use crate::sandbox::data::day::{DayCosts, DayPlan};
use crate::sandbox::data::edge_cases;
use crate::sandbox::data::money::{GroupTotals, Totals};
use crate::sandbox::data::organization::{NAMED_METERS, meters};
use crate::sandbox::data::usage::Meter;
use crate::sandbox::server::state::lock;
use bytes::Bytes;
use chrono::{Datelike, Months, NaiveDate};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

/// Minimum for a complete day: support, named resources and edge cases.
const MIN_COSTS_PER_DAY: usize = 1 + NAMED_METERS + edge_cases::MAX_RECORDS_PER_DAY;

/// Number of costs of a complete day.
pub(crate) fn costs_per_day(options: &Options) -> usize {
    options.costs_per_day.max(MIN_COSTS_PER_DAY)
}

/// Costs of the organization in the past year.
pub(crate) struct History {
    seed: u64,
    today: NaiveDate,
    costs_per_day: usize,
    revision: u32,
    reorder: bool,
    drop_days: Vec<NaiveDate>,
    cache_bytes: usize,
    meters: Vec<Meter>,
    cache: Mutex<DayCache>,
}

/// Consecutive costs of a window.
#[derive(Debug, Default)]
pub(crate) struct CostSlice {
    /// JSON text; join with commas.
    pub(crate) chunks: Vec<Bytes>,
    /// Number of costs.
    pub(crate) costs: usize,
    /// True if the window has more costs after these.
    pub(crate) has_more: bool,
}

#[derive(Default)]
struct DayCache {
    days: BTreeMap<NaiveDate, Arc<OnceLock<Arc<DayCosts>>>>,
    oldest_first: VecDeque<(NaiveDate, usize)>,
    bytes: usize,
}

impl History {
    /// Prepares the organization; days are generated on first use.
    pub(crate) fn new(options: &Options) -> History {
        let costs_per_day = costs_per_day(options);
        History {
            seed: options.seed,
            today: options.today,
            costs_per_day,
            revision: options.revision,
            reorder: options.reorder,
            drop_days: options.drop_days.clone(),
            cache_bytes: options.cache_bytes,
            meters: meters(options.seed, costs_per_day),
            cache: Mutex::default(),
        }
    }

    /// First day that Confluent still serves: one year back.
    pub(crate) fn first_day(&self) -> NaiveDate {
        self.today
            .checked_sub_months(Months::new(12))
            .unwrap_or(self.today)
    }

    /// Number of costs on `date`. Today and yesterday are incomplete.
    pub(crate) fn costs_on(&self, date: NaiveDate) -> usize {
        if date > self.today || date < self.first_day() || self.drop_days.contains(&date) {
            return 0;
        }
        match (self.today - date).num_days() {
            0 => self.costs_per_day / 5,
            1 => self.costs_per_day * 7 / 10,
            _ => self.costs_per_day,
        }
    }

    /// Costs `offset..offset + limit` of the days `window`.
    pub(crate) fn slice(&self, window: Range<NaiveDate>, offset: usize, limit: usize) -> CostSlice {
        let mut skip = offset;
        let mut slice = CostSlice::default();
        for date in days(window) {
            let day_costs = self.costs_on(date);
            if skip >= day_costs {
                skip -= day_costs;
                continue;
            }
            let until = day_costs.min(skip + limit - slice.costs);
            if until > skip {
                slice.chunks.push(self.day(date).records(skip, until));
                slice.costs += until - skip;
            }
            if until < day_costs {
                slice.has_more = true;
                break;
            }
            skip = 0;
        }
        slice
    }

    /// Generates all days of `window`; returns their numbers of costs and bytes.
    pub(crate) fn warm(&self, window: Range<NaiveDate>) -> (usize, usize) {
        days(window)
            .filter(|date| self.costs_on(*date) > 0)
            .fold((0, 0), |(costs, bytes), date| {
                let day = self.day(date);
                (costs + day.len(), bytes + day.bytes())
            })
    }

    /// Exact totals of each day of `window` that has costs, and of the whole window.
    pub(crate) fn daily_totals(
        &self,
        window: Range<NaiveDate>,
    ) -> (Vec<(NaiveDate, GroupTotals)>, Totals) {
        let mut total = Totals::default();
        let mut daily_totals = Vec::new();
        for date in days(window).filter(|date| self.costs_on(*date) > 0) {
            let totals = self.day(date).totals.clone();
            totals.iter().for_each(|(_, sum)| total.add(sum));
            daily_totals.push((date, totals));
        }
        (daily_totals, total)
    }

    fn day(&self, date: NaiveDate) -> Arc<DayCosts> {
        let cell = self.cache().days.entry(date).or_default().clone();
        let mut is_new = false;
        let day = cell.get_or_init(|| {
            is_new = true;
            Arc::new(DayCosts::generate(
                self.seed,
                &self.meters,
                NAMED_METERS,
                self.plan(date),
            ))
        });
        if is_new {
            self.add_to_cache(date, day.bytes());
        }
        day.clone()
    }

    /// Accounts for a new day and evicts the oldest ones above the size limit.
    fn add_to_cache(&self, date: NaiveDate, bytes: usize) {
        let mut cache = self.cache();
        cache.bytes += bytes;
        cache.oldest_first.push_back((date, bytes));
        while cache.bytes > self.cache_bytes && cache.oldest_first.len() > 1 {
            if let Some((oldest, bytes)) = cache.oldest_first.pop_front() {
                cache.days.remove(&oldest);
                cache.bytes -= bytes;
            }
        }
    }

    fn cache(&self) -> MutexGuard<'_, DayCache> {
        lock(&self.cache)
    }

    fn plan(&self, date: NaiveDate) -> DayPlan {
        let is_month_over = (date.year(), date.month()) < (self.today.year(), self.today.month());
        let is_restated = is_month_over && matches!(date.day(), 3 | 17);
        DayPlan {
            date,
            costs: self.costs_on(date),
            restatement: if is_restated {
                1_375 * i64::from(self.revision)
            } else {
                0
            },
            order: u64::from(self.reorder),
        }
    }
}

/// Days of a half-open range.
fn days(window: Range<NaiveDate>) -> impl Iterator<Item = NaiveDate> {
    window
        .start
        .iter_days()
        .take_while(move |date| *date < window.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::data::catalog::LINE_TYPES;
    use crate::sandbox::data::edge_cases::EDGE_CASES;
    use serde_json::Value;
    use serde_json::value::RawValue;
    use std::collections::BTreeSet;

    /// JSON text of all costs of the month that starts at `first`.
    fn costs_of_month(history: &History, first: NaiveDate) -> Vec<Box<RawValue>> {
        let slice = history.slice(first..first + Months::new(1), 0, 10_000);
        assert!(!slice.has_more);
        let records: Vec<&[u8]> = slice.chunks.iter().map(|chunk| &chunk[..]).collect();
        let list = [b"[", records.join(&b","[..]).as_slice(), b"]"].concat();
        serde_json::from_slice(&list).unwrap()
    }

    #[test]
    fn every_full_month_has_every_product_line_type_and_edge_case() {
        let history = History::new(&Options {
            today: "2026-11-23".parse().unwrap(),
            ..Options::default()
        });
        let october: NaiveDate = "2026-10-01".parse().unwrap();
        for first in (0..11).map(|back| october - Months::new(back)) {
            let costs = costs_of_month(&history, first);
            let (mut products, mut line_types) = (BTreeSet::new(), BTreeSet::new());
            let mut times = BTreeMap::<&str, usize>::new();
            for cost in &costs {
                *times.entry(cost.get()).or_default() += 1;
                let cost: Value = serde_json::from_str(cost.get()).unwrap();
                products.extend(cost["product"].as_str().map(str::to_owned));
                line_types.insert(cost["line_type"].as_str().unwrap().to_owned());
            }
            let supports = ["BASIC", "DEVELOPER", "BUSINESS", "PREMIER"];
            for support in supports.map(|plan| format!("SUPPORT_CLOUD_{plan}")) {
                assert!(products.contains(&support), "{first} {support}");
            }
            for line in &LINE_TYPES {
                assert!(products.contains(line.product), "{first} {}", line.product);
                assert!(
                    line_types.contains(line.line_type),
                    "{first} {}",
                    line.line_type
                );
            }
            assert_eq!(
                products.len(),
                16,
                "14 published, SUPPORT_PREMIER, FUTURE_PRODUCT"
            );
            assert_eq!(line_types.len(), 30, "29 published, FUTURE_LINE");
            for records in &EDGE_CASES {
                for record in *records {
                    let equal = records.iter().filter(|r| r.json == record.json).count();
                    let served = days(first..first + Months::new(1))
                        .filter(|date| {
                            times.get(&*edge_cases::render(record, *date)) == Some(&equal)
                        })
                        .count();
                    assert!(served >= 2, "{first}: {}", record.json);
                }
            }
        }
    }
}
