//! The costs of the past year: which days have how many, and the days made so far.

use crate::sandbox::Options;
use crate::sandbox::data::day::{Day, Plan};
use crate::sandbox::data::edge_cases;
use crate::sandbox::data::money::{Ledger, Sum};
use crate::sandbox::data::organization::{NAMED_METERS, meters};
use crate::sandbox::data::usage::Meter;
use bytes::Bytes;
use chrono::{Datelike, Months, NaiveDate};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Records a complete day has at least: support, the named resources and the oddities.
const FEWEST: usize = 1 + NAMED_METERS + edge_cases::MOST_ROWS;

/// How many records a complete day has.
pub fn costs_per_day(options: &Options) -> usize {
    options.costs_per_day.max(FEWEST)
}

/// The past year of the organization.
pub struct History {
    seed: u64,
    today: NaiveDate,
    a_day: usize,
    revision: u32,
    reorder: bool,
    drop_days: Vec<NaiveDate>,
    cache_bytes: usize,
    meters: Vec<Meter>,
    made: Mutex<Made>,
}

/// Some costs of a window.
#[derive(Debug, Default)]
pub struct Page {
    /// JSON text, to be joined by commas.
    pub pieces: Vec<Bytes>,
    /// How many costs there are in it.
    pub costs: usize,
    /// Whether the window has more after these.
    pub follows: bool,
}

#[derive(Default)]
struct Made {
    days: BTreeMap<NaiveDate, Arc<OnceLock<Arc<Day>>>>,
    oldest_first: VecDeque<(NaiveDate, usize)>,
    bytes: usize,
}

impl History {
    /// Prepares the organization; days are made when they are first asked for.
    pub fn new(options: &Options) -> History {
        let a_day = costs_per_day(options);
        History {
            seed: options.seed,
            today: options.today,
            a_day,
            revision: options.revision,
            reorder: options.reorder,
            drop_days: options.drop_days.clone(),
            cache_bytes: options.cache_bytes,
            meters: meters(options.seed, a_day),
            made: Mutex::default(),
        }
    }

    /// The first day that Confluent would still hold: one year back.
    pub fn first_day(&self) -> NaiveDate {
        self.today
            .checked_sub_months(Months::new(12))
            .unwrap_or(self.today)
    }

    /// How many costs `date` has. Today and yesterday are not complete yet.
    pub fn rows(&self, date: NaiveDate) -> usize {
        if date > self.today || date < self.first_day() || self.drop_days.contains(&date) {
            return 0;
        }
        match (self.today - date).num_days() {
            0 => self.a_day / 5,
            1 => self.a_day * 7 / 10,
            _ => self.a_day,
        }
    }

    /// The costs `offset..offset + limit` of the days `window`.
    pub fn page(&self, window: Range<NaiveDate>, offset: usize, limit: usize) -> Page {
        let mut skip = offset;
        let mut page = Page::default();
        for date in days(window) {
            let rows = self.rows(date);
            if skip >= rows {
                skip -= rows;
                continue;
            }
            let until = rows.min(skip + limit - page.costs);
            if until > skip {
                page.pieces.push(self.day(date).records(skip, until));
                page.costs += until - skip;
            }
            if until < rows {
                page.follows = true;
                break;
            }
            skip = 0;
        }
        page
    }

    /// Makes all days of `window`; returns how many costs and bytes they have.
    pub fn warm(&self, window: Range<NaiveDate>) -> (usize, usize) {
        days(window)
            .filter(|date| self.rows(*date) > 0)
            .fold((0, 0), |(costs, bytes), date| {
                let day = self.day(date);
                (costs + day.len(), bytes + day.bytes())
            })
    }

    /// The exact sums of each day of `window` that has costs, and of all together.
    pub fn ledgers(&self, window: Range<NaiveDate>) -> (Vec<(NaiveDate, Ledger)>, Sum) {
        let mut total = Sum::default();
        let mut ledgers = Vec::new();
        for date in days(window).filter(|date| self.rows(*date) > 0) {
            let ledger = self.day(date).ledger.clone();
            ledger.iter().for_each(|(_, sum)| total.add(sum));
            ledgers.push((date, ledger));
        }
        (ledgers, total)
    }

    fn day(&self, date: NaiveDate) -> Arc<Day> {
        let cell = self.made().days.entry(date).or_default().clone();
        let mut fresh = false;
        let day = cell.get_or_init(|| {
            fresh = true;
            Arc::new(Day::make(
                self.seed,
                &self.meters,
                NAMED_METERS,
                self.plan(date),
            ))
        });
        if fresh {
            self.remember(date, day.bytes());
        }
        day.clone()
    }

    /// Counts a new day, and forgets the oldest ones when together they are too large.
    fn remember(&self, date: NaiveDate, bytes: usize) {
        let mut made = self.made();
        made.bytes += bytes;
        made.oldest_first.push_back((date, bytes));
        while made.bytes > self.cache_bytes && made.oldest_first.len() > 1 {
            if let Some((oldest, bytes)) = made.oldest_first.pop_front() {
                made.days.remove(&oldest);
                made.bytes -= bytes;
            }
        }
    }

    fn made(&self) -> std::sync::MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn plan(&self, date: NaiveDate) -> Plan {
        let month_is_over = (date.year(), date.month()) < (self.today.year(), self.today.month());
        let restated = month_is_over && matches!(date.day(), 3 | 17);
        Plan {
            date,
            rows: self.rows(date),
            restated: if restated {
                1_375 * i64::from(self.revision)
            } else {
                0
            },
            order: u64::from(self.reorder),
        }
    }
}

/// The days of a half-open range.
pub fn days(window: Range<NaiveDate>) -> impl Iterator<Item = NaiveDate> {
    window
        .start
        .iter_days()
        .take_while(move |date| *date < window.end)
}
