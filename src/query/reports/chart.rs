//! Chart declarations, and chart data from a report's rows.

use arrow::record_batch::RecordBatch;

use crate::engine::text::Cells;
use crate::error::{Error, Result};
use crate::query::charts::{Bar, ChartData, ChartValue, Series};

/// Kind of chart with the columns that it shows.
#[derive(Debug)]
pub(super) enum ChartSpec<'a> {
    Bars {
        label: &'a str,
        value: &'a str,
    },
    Lines {
        x: &'a str,
        y: &'a str,
        series: &'a str,
    },
}

impl<'a> ChartSpec<'a> {
    /// Parses `bars label=a value=b` or `lines x=a y=b series=c`.
    pub(super) fn parse(text: &'a str) -> Option<ChartSpec<'a>> {
        let mut words = text.split_whitespace();
        let kind = words.next()?;
        let pairs: Vec<_> = words.filter_map(|word| word.split_once('=')).collect();
        let column = |name: &str| {
            let pair = pairs.iter().find(|(known, _)| *known == name);
            pair.map(|(_, column)| *column)
        };
        match kind {
            "bars" => Some(ChartSpec::Bars {
                label: column("label")?,
                value: column("value")?,
            }),
            "lines" => Some(ChartSpec::Lines {
                x: column("x")?,
                y: column("y")?,
                series: column("series")?,
            }),
            _ => None,
        }
    }

    /// Chart data of a report's rows.
    ///
    /// # Errors
    /// Kind data, for a column that the rows do not have.
    pub(super) fn data(&self, batches: &[RecordBatch]) -> Result<ChartData> {
        match self {
            ChartSpec::Bars { label, value } => {
                let rows = column_texts(batches, [label, value])?;
                let bar = |[label, value]: [Option<String>; 2]| Bar {
                    label: label.unwrap_or_default(),
                    value: ChartValue::new(value.as_deref().unwrap_or("0")),
                };
                Ok(ChartData::Bars(rows.into_iter().map(bar).collect()))
            }
            ChartSpec::Lines { x, y, series } => Ok(lines(column_texts(batches, [x, y, series])?)),
        }
    }
}

fn column_texts<const N: usize>(
    batches: &[RecordBatch],
    names: [&str; N],
) -> Result<Vec<[Option<String>; N]>> {
    let mut rows = Vec::new();
    for batch in batches {
        let schema = batch.schema();
        let mut indexes = [0; N];
        for (index, name) in indexes.iter_mut().zip(names) {
            *index = schema.index_of(name).map_err(|_| {
                Error::data(format!("the result has no column `{name}` for the chart"))
            })?;
        }
        let cells = Cells::new(batch)?;
        rows.extend((0..batch.num_rows()).map(|row| indexes.map(|index| cells.text(row, index))));
    }
    Ok(rows)
}

/// Lines over the sorted points, from rows of point, value and series.
fn lines(rows: Vec<[Option<String>; 3]>) -> ChartData {
    let mut x: Vec<String> = rows
        .iter()
        .map(|[x, _, _]| x.clone().unwrap_or_default())
        .collect();
    x.sort();
    x.dedup();
    let mut series: Vec<Series> = Vec::new();
    for [point, value, name] in rows {
        let name = name.unwrap_or_default();
        let at = match series.iter().position(|one| one.name == name) {
            Some(at) => at,
            None => {
                series.push(Series {
                    name,
                    values: vec![None; x.len()],
                });
                series.len() - 1
            }
        };
        let point = x.binary_search(&point.unwrap_or_default());
        if let (Ok(point), Some(value)) = (point, value) {
            series[at].values[point] = Some(ChartValue::new(&value));
        }
    }
    ChartData::Lines { x, series }
}
