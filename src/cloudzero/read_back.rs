//! Reading written drop files back: decompressed, counted and summed, before a manifest names them.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::decimal;
use crate::error::{Error, Result};

/// Sums of one group of line items, in units of 1e-24.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct LineSums {
    /// Number of line items.
    pub rows: u64,
    /// Sum of `cost/cost`.
    pub cost: i128,
    /// Sum of `cost/discounted_cost`.
    pub discounted: i128,
    /// Sum of `cost/on_demand_cost`.
    pub on_demand: i128,
}

/// Sums by day, `lineitem/type` and `action/usage_type`.
pub type LineTotals = BTreeMap<(String, String, String), LineSums>;

/// The columns that read-back needs, by name.
const NEEDED: [&str; 6] = [
    "time/usage_start",
    "lineitem/type",
    "action/usage_type",
    "cost/cost",
    "cost/discounted_cost",
    "cost/on_demand_cost",
];

/// Adds up one gzipped CSV file with a reader of its own, apart from the code that wrote it.
///
/// # Errors
/// Class reconcile, when the file is not whole or not readable.
pub fn add_file(totals: &mut LineTotals, gzipped: impl Read, name: &str) -> Result<()> {
    let bad = |why: &dyn std::fmt::Display| {
        Error::reconcile(format!("the written drop file {name} does not read back: {why}"))
    };
    let mut reader = csv::ReaderBuilder::new()
        .buffer_capacity(1 << 18)
        .from_reader(MultiGzDecoder::new(gzipped));
    let header = reader.byte_headers().map_err(|e| bad(&e))?.clone();
    let mut places = [0; NEEDED.len()];
    for (place, name) in places.iter_mut().zip(NEEDED) {
        *place = header
            .iter()
            .position(|column| column == name.as_bytes())
            .ok_or_else(|| bad(&format_args!("no column {name}")))?;
    }
    let mut record = csv::ByteRecord::new();
    let mut group: (Vec<u8>, LineSums) = Default::default();
    let mut key = Vec::new();
    while reader.read_byte_record(&mut record).map_err(|e| bad(&e))? {
        let field = |at: usize| record.get(places[at]).unwrap_or_default();
        key.clear();
        key.extend_from_slice(field(0).get(..10).unwrap_or_default());
        for at in [1, 2] {
            key.push(0);
            key.extend_from_slice(field(at));
        }
        if key != group.0 {
            flush(totals, &group);
            group = (key.clone(), LineSums::default());
        }
        let sums = &mut group.1;
        sums.rows += 1;
        for (at, sum) in [(3, &mut sums.cost), (4, &mut sums.discounted), (5, &mut sums.on_demand)] {
            let text = std::str::from_utf8(field(at)).map_err(|e| bad(&e))?;
            let number = decimal::parse(text)
                .map_err(|e| bad(&format_args!("a value of {} {e}", NEEDED[at])))?;
            *sum = sum
                .checked_add(number.units)
                .ok_or_else(|| bad(&"a sum is too large"))?;
        }
    }
    flush(totals, &group);
    Ok(())
}

fn flush(totals: &mut LineTotals, (key, sums): &(Vec<u8>, LineSums)) {
    if sums.rows == 0 {
        return;
    }
    let text = String::from_utf8_lossy(key);
    let mut parts = text.split('\0').map(str::to_string);
    let mut part = || parts.next().unwrap_or_default();
    let sum = totals.entry((part(), part(), part())).or_default();
    sum.rows += sums.rows;
    sum.cost += sums.cost;
    sum.discounted += sums.discounted;
    sum.on_demand += sums.on_demand;
}

/// Compares what was written with what was meant.
///
/// # Errors
/// Class reconcile, naming the first group that differs.
pub fn compare(expected: &LineTotals, found: &LineTotals) -> Result<()> {
    let keys = expected.keys().chain(found.keys());
    for key in keys {
        let (wanted, got) = (expected.get(key), found.get(key));
        if wanted != got {
            let (day, kind, usage) = key;
            let words = |sums: Option<&LineSums>| match sums {
                None => "nothing".to_string(),
                Some(s) => format!(
                    "{} rows, cost {}, discounted {}, on demand {}",
                    s.rows,
                    decimal::plain(s.cost),
                    decimal::plain(s.discounted),
                    decimal::plain(s.on_demand)
                ),
            };
            return Err(Error::reconcile(format!(
                "the written drop differs on {day}, {kind} {usage}: line items hold {}, the files {}",
                words(wanted),
                words(got)
            ))
            .with_hint("the manifest still names the drop before; run it again"));
        }
    }
    Ok(())
}
