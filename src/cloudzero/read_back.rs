//! Read-back of written drop files: decompressed, counted, summed and hashed before a manifest names them.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::Read;

use csv::ByteRecord;
use flate2::read::MultiGzDecoder;

use crate::cloudzero::cbf::{self, ColumnType};
use crate::cloudzero::columns::parse_timestamp;
use crate::cloudzero::row_digest::{DayDifference, RowDigests, RowEncoder};
use crate::cloudzero::totals::{LineItemGroup, LineItemTotals, LineItemTotalsByGroup, SumOverflow};
use crate::decimal::{self, QuantitySum};
use crate::error::{Error, Result};

/// Columns that read-back needs.
const NEEDED: [&str; 9] = [
    "time/usage_start",
    "lineitem/type",
    "action/usage_type",
    "cost/cost",
    "cost/discounted_cost",
    "cost/on_demand_cost",
    "usage/amount",
    "cost/amortized_cost",
    "cost/discounted_amortized_cost",
];
/// The last columns of [`NEEDED`], which drops of older versions lack.
const NEWER: [&str; 2] = ["cost/amortized_cost", "cost/discounted_amortized_cost"];

/// Content of drop files, as read back.
#[derive(Debug, Default)]
pub(crate) struct DropContent {
    /// Totals by the groups of read-back.
    pub(crate) totals: LineItemTotalsByGroup,
    /// Digests of all columns.
    pub(crate) rows: RowDigests,
}

impl DropContent {
    /// Adds the content of other files.
    pub(crate) fn merge(&mut self, other: DropContent) -> std::result::Result<(), SumOverflow> {
        self.rows.merge(other.rows);
        self.totals.merge(other.totals)
    }
}

/// Adds the line items of one gzipped CSV file to `content`. Parses with the `csv` crate, independently of the
/// code that wrote the file.
///
/// # Errors
/// Kind `Reconcile` if the file is incomplete or unreadable.
pub(crate) fn add_file(content: &mut DropContent, gzipped: impl Read, name: &str) -> Result<()> {
    let failed = |cause: &dyn Display| {
        Error::reconcile(format!("could not read back drop file `{name}`: {cause}"))
    };
    let mut reader = csv::ReaderBuilder::new()
        .buffer_capacity(1 << 18)
        .from_reader(MultiGzDecoder::new(gzipped));
    let header = reader.headers().map_err(|e| failed(&e))?.clone();
    // A column that is not there reads as blank.
    let mut indices = [header.len(); NEEDED.len()];
    for (index, name) in indices.iter_mut().zip(NEEDED) {
        match header.iter().position(|column| column == name) {
            Some(found) => *index = found,
            None if NEWER.contains(&name) => {}
            None => return Err(failed(&format_args!("no column {name}"))),
        }
    }
    let mut rows = RowParser::new(header.iter(), indices[0]);
    let mut record = ByteRecord::new();
    // Keyed by bytes, so that a row of a known group allocates nothing.
    let mut groups: HashMap<Vec<u8>, LineItemTotals> = HashMap::new();
    let mut key = Vec::new();
    while reader
        .read_byte_record(&mut record)
        .map_err(|e| failed(&e))?
    {
        let (start, hash) = rows.parse(&record).map_err(|e| failed(&e))?;
        content.rows.add(start, hash);
        let field = |needed: usize| record.get(indices[needed]).unwrap_or_default();
        key.clear();
        key.extend_from_slice(field(0).get(..10).unwrap_or_default());
        for needed in [1, 2] {
            key.push(0);
            key.extend_from_slice(field(needed));
        }
        let number = |needed: usize| rows.numbers.get(indices[needed]).copied().flatten();
        let cost = |needed: usize| {
            number(needed).ok_or_else(|| failed(&format_args!("a row has no {}", NEEDED[needed])))
        };
        // Blank amortized costs fall back as in CloudZero.
        let (billed, discounted) = (cost(3)?, cost(4)?);
        let amortized = number(7);
        let row = LineItemTotals {
            rows: 1,
            cost: billed,
            discounted,
            on_demand: cost(5)?,
            amortized: amortized.unwrap_or(billed),
            discounted_amortized: number(8).or(amortized).unwrap_or(discounted),
            usage: QuantitySum::of(number(6).unwrap_or(0)),
        };
        match groups.get_mut(key.as_slice()) {
            Some(sums) => sums.add(&row).map_err(|e| failed(&e))?,
            None => {
                groups.insert(key.clone(), row);
            }
        }
    }
    for (key, sums) in groups {
        let added = content.totals.add(group_of(&key), &sums);
        added.map_err(|e| failed(&e))?;
    }
    Ok(())
}

/// Value that is not of its column's type. Never quotes the value.
#[derive(Debug, thiserror::Error)]
#[error("a value of {column} {problem}")]
struct ValueError {
    column: String,
    problem: String,
}

/// Parser of the rows of a file.
struct RowParser {
    /// Name and type of each column.
    columns: Vec<(String, ColumnType)>,
    /// Index of the start of a row.
    start: usize,
    encoder: RowEncoder,
    /// Numbers of the row that was parsed last, by column.
    numbers: Vec<Option<i128>>,
    /// Last text and value of each column of times: most rows repeat them.
    times: Vec<(Vec<u8>, i64)>,
}

impl RowParser {
    fn new<'n>(names: impl Iterator<Item = &'n str> + Clone, start: usize) -> RowParser {
        let columns: Vec<(String, ColumnType)> = names
            .clone()
            .map(|name| (name.to_string(), cbf::column_type(name)))
            .collect();
        RowParser {
            numbers: vec![None; columns.len()],
            times: vec![(Vec::new(), 0); columns.len()],
            columns,
            start,
            encoder: RowEncoder::new(names),
        }
    }

    /// Parses a row, and returns its start (seconds since 1970) and its hash.
    fn parse(&mut self, record: &ByteRecord) -> std::result::Result<(i64, u128), ValueError> {
        let RowParser {
            columns,
            start,
            encoder,
            numbers,
            times,
        } = self;
        let invalid = |index: usize, problem: &dyn Display| ValueError {
            column: columns[index].0.clone(),
            problem: problem.to_string(),
        };
        if record.get(*start).is_none_or(<[u8]>::is_empty) {
            return Err(invalid(*start, &"is missing"));
        }
        let hash = encoder.hash(|index, value| {
            let field = record.get(index).unwrap_or_default();
            match columns[index].1 {
                ColumnType::Text => value.text(field),
                ColumnType::Number if field.is_empty() => numbers[index] = None,
                ColumnType::Number => {
                    let text = std::str::from_utf8(field)
                        .map_err(|_| invalid(index, &"is not a number"))?;
                    let number = decimal::parse(text).map_err(|e| invalid(index, &e))?;
                    numbers[index] = Some(number.units);
                    value.number(number.units);
                }
                ColumnType::Time if field.is_empty() => {}
                ColumnType::Time => {
                    let (text, seconds) = &mut times[index];
                    if text != field {
                        *seconds = parse_timestamp(field)
                            .ok_or_else(|| invalid(index, &"is not a time"))?;
                        text.clear();
                        text.extend_from_slice(field);
                    }
                    value.time(*seconds);
                }
            }
            Ok(())
        })?;
        Ok((times[*start].1, hash))
    }
}

/// Splits a key of day, type and usage type, separated by NUL.
fn group_of(key: &[u8]) -> LineItemGroup {
    let text = String::from_utf8_lossy(key).into_owned();
    // Only the usage type is a text of Confluent's, which may hold NUL.
    let mut parts = text.splitn(3, '\0').map(str::to_string);
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

/// Compares all columns of the rows of a drop with those of the line items that it was made from.
///
/// # Errors
/// Kind `Reconcile`, naming the first day that differs.
pub(crate) fn reconcile_rows(published: &RowDigests, delivered: &RowDigests) -> Result<()> {
    let Some(difference) = published.first_difference(delivered) else {
        return Ok(());
    };
    let DayDifference {
        day,
        expected,
        actual,
    } = difference;
    Err(Error::reconcile(format!(
        "rows of {day} differ in at least one column: {expected} published, {actual} delivered"
    ))
    .with_hint("run the command again; CloudZero keeps the previous drop until then"))
}

#[cfg(test)]
mod tests;
