//! Read-back of written drop files: decompressed, counted and summed before a manifest names them.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::cloudzero::totals::{LineItemGroup, LineItemTotals, LineItemTotalsByGroup};
use crate::decimal;
use crate::error::{Error, Result};

/// Columns that read-back needs.
const NEEDED: [&str; 6] = [
    "time/usage_start",
    "lineitem/type",
    "action/usage_type",
    "cost/cost",
    "cost/discounted_cost",
    "cost/on_demand_cost",
];

/// Adds the line items of one gzipped CSV file to `totals`. Parses with the `csv` crate, independently of the
/// code that wrote the file.
///
/// # Errors
/// Kind `Reconcile` if the file is incomplete or unreadable.
pub(crate) fn add_file(
    totals: &mut LineItemTotalsByGroup,
    gzipped: impl Read,
    name: &str,
) -> Result<()> {
    let failed = |cause: &dyn Display| {
        Error::reconcile(format!("could not read back drop file `{name}`: {cause}"))
    };
    let mut reader = csv::ReaderBuilder::new()
        .buffer_capacity(1 << 18)
        .from_reader(MultiGzDecoder::new(gzipped));
    let header = reader.byte_headers().map_err(|e| failed(&e))?.clone();
    let mut indices = [0; NEEDED.len()];
    for (index, name) in indices.iter_mut().zip(NEEDED) {
        *index = header
            .iter()
            .position(|column| column == name.as_bytes())
            .ok_or_else(|| failed(&format_args!("no column {name}")))?;
    }
    let mut record = csv::ByteRecord::new();
    // Keyed by bytes, so that a row of a known group allocates nothing.
    let mut groups: HashMap<Vec<u8>, LineItemTotals> = HashMap::new();
    let mut key = Vec::new();
    while reader
        .read_byte_record(&mut record)
        .map_err(|e| failed(&e))?
    {
        let field = |needed: usize| record.get(indices[needed]).unwrap_or_default();
        key.clear();
        key.extend_from_slice(field(0).get(..10).unwrap_or_default());
        for needed in [1, 2] {
            key.push(0);
            key.extend_from_slice(field(needed));
        }
        let number = |needed: usize| {
            let text = std::str::from_utf8(field(needed)).map_err(|e| failed(&e))?;
            decimal::parse(text)
                .map(|number| number.units)
                .map_err(|e| failed(&format_args!("a value of {} {e}", NEEDED[needed])))
        };
        let row = LineItemTotals {
            rows: 1,
            cost: number(3)?,
            discounted: number(4)?,
            on_demand: number(5)?,
        };
        match groups.get_mut(key.as_slice()) {
            Some(sums) => sums.add(&row).map_err(|e| failed(&e))?,
            None => {
                groups.insert(key.clone(), row);
            }
        }
    }
    for (key, sums) in groups {
        totals.add(group_of(&key), &sums).map_err(|e| failed(&e))?;
    }
    Ok(())
}

/// Splits a key of day, type and usage type, separated by NUL.
fn group_of(key: &[u8]) -> LineItemGroup {
    let text = String::from_utf8_lossy(key).into_owned();
    let mut parts = text.split('\0').map(str::to_string);
    let mut part = || parts.next().unwrap_or_default();
    LineItemGroup {
        day: part(),
        line_item_type: part(),
        usage_type: part(),
    }
}

/// Compares the totals of a drop with those of the published line items; without `count_rows` only the costs.
///
/// # Errors
/// Kind `Reconcile`, naming the first group that differs.
pub(crate) fn reconcile(
    published: &LineItemTotalsByGroup,
    delivered: &LineItemTotalsByGroup,
    count_rows: bool,
) -> Result<()> {
    for group in published.groups().chain(delivered.groups()) {
        let totals_of = |totals: &LineItemTotalsByGroup| {
            let mut totals = totals.get(group);
            if !count_rows {
                totals.rows = 0;
            }
            totals
        };
        let (expected, actual) = (totals_of(published), totals_of(delivered));
        if expected != actual {
            let LineItemGroup {
                day,
                line_item_type,
                usage_type,
            } = group;
            return Err(Error::reconcile(format!(
                "line items of {day}, {line_item_type} {usage_type}, do not reconcile: published {expected}; \
                 delivered {actual}"
            ))
            .with_hint("run the command again; CloudZero keeps the previous drop until then"));
        }
    }
    Ok(())
}
