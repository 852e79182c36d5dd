//! Reading written drop files back: decompressed, counted and summed, before a manifest names them.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::decimal;
use crate::error::{Error, Result};

/// CostTotals of one group of line items, in units of 1e-24.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct LineItemTotals {
    /// Number of line items.
    pub rows: u64,
    /// Sum of `cost/cost`.
    pub cost: i128,
    /// Sum of `cost/discounted_cost`.
    pub discounted: i128,
    /// Sum of `cost/on_demand_cost`.
    pub on_demand: i128,
}

impl LineItemTotals {
    /// Whether all three costs are zero.
    pub fn costs_nothing(&self) -> bool {
        (self.cost, self.discounted, self.on_demand) == (0, 0, 0)
    }

    /// Adds the sums of `other`; `None` when one gets too large.
    pub fn add(&mut self, other: &LineItemTotals) -> Option<()> {
        self.rows += other.rows;
        self.cost = self.cost.checked_add(other.cost)?;
        self.discounted = self.discounted.checked_add(other.discounted)?;
        self.on_demand = self.on_demand.checked_add(other.on_demand)?;
        Some(())
    }
}

/// CostTotals by day, `lineitem/type` and `action/usage_type`.
pub type LineItemTotalsByGroup = BTreeMap<(String, String, String), LineItemTotals>;

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
/// Kind reconcile, when the file is not whole or not readable.
pub fn add_file(totals: &mut LineItemTotalsByGroup, gzipped: impl Read, name: &str) -> Result<()> {
    let bad = |why: &dyn std::fmt::Display| {
        Error::reconcile(format!(
            "the written drop file {name} does not read back: {why}"
        ))
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
    // By the bytes of the key, so that a row of a known group allocates nothing.
    let mut groups: HashMap<Vec<u8>, LineItemTotals> = HashMap::new();
    let mut key = Vec::new();
    while reader.read_byte_record(&mut record).map_err(|e| bad(&e))? {
        let field = |at: usize| record.get(places[at]).unwrap_or_default();
        key.clear();
        key.extend_from_slice(field(0).get(..10).unwrap_or_default());
        for at in [1, 2] {
            key.push(0);
            key.extend_from_slice(field(at));
        }
        let number = |at: usize| {
            let text = std::str::from_utf8(field(at)).map_err(|e| bad(&e))?;
            decimal::parse(text)
                .map(|number| number.units)
                .map_err(|e| bad(&format_args!("a value of {} {e}", NEEDED[at])))
        };
        let row = LineItemTotals {
            rows: 1,
            cost: number(3)?,
            discounted: number(4)?,
            on_demand: number(5)?,
        };
        let added = match groups.get_mut(key.as_slice()) {
            Some(sums) => sums.add(&row),
            None => {
                groups.insert(key.clone(), row);
                Some(())
            }
        };
        added.ok_or_else(|| bad(&"a sum is too large"))?;
    }
    let parts = groups.into_iter().map(|(key, sums)| {
        let text = String::from_utf8_lossy(&key).into_owned();
        let mut parts = text.split('\0').map(str::to_string);
        let mut part = || parts.next().unwrap_or_default();
        ((part(), part(), part()), sums)
    });
    merge(totals, parts).ok_or_else(|| bad(&"a sum is too large"))
}

/// Adds groups to totals; `None` when a sum gets too large.
pub fn merge(
    totals: &mut LineItemTotalsByGroup,
    groups: impl IntoIterator<Item = ((String, String, String), LineItemTotals)>,
) -> Option<()> {
    for (key, sums) in groups {
        totals.entry(key).or_default().add(&sums)?;
    }
    Some(())
}

/// Compares what was written with what was meant; without `count_rows` the sums alone.
///
/// # Errors
/// Kind reconcile, naming the first group that differs.
pub fn compare(
    expected: &LineItemTotalsByGroup,
    found: &LineItemTotalsByGroup,
    count_rows: bool,
) -> Result<()> {
    for key in expected.keys().chain(found.keys()) {
        let of = |totals: &LineItemTotalsByGroup| {
            let mut sums = totals.get(key).copied().unwrap_or_default();
            sums.rows *= u64::from(count_rows);
            sums
        };
        let (wanted, got) = (of(expected), of(found));
        if wanted != got {
            let (day, kind, usage) = key;
            return Err(Error::reconcile(format!(
                "what was written differs on {day}, {kind} {usage}: line items hold {wanted}, the \
                 delivery {got}"
            ))
            .with_hint("what was delivered before is in force; run it again"));
        }
    }
    Ok(())
}

impl std::fmt::Display for LineItemTotals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} rows, cost {}, discounted {}, on demand {}",
            self.rows,
            decimal::to_plain_string(self.cost),
            decimal::to_plain_string(self.discounted),
            decimal::to_plain_string(self.on_demand)
        )
    }
}
