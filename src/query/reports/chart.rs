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
        /// Columns whose texts name the series together.
        series: Vec<&'a str>,
        /// Column that is false in rows of points that are not final.
        complete: Option<&'a str>,
        /// Column by which series are chosen if their values do not add up.
        weight: Option<&'a str>,
    },
}

/// Series whose values do not add up: more than these are left out.
const MAX_SERIES: usize = 8;

impl<'a> ChartSpec<'a> {
    /// Parses `bars label=a value=b` or `lines x=a y=b series=c,d complete=e weight=f`.
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
                series: column("series")?.split(',').collect(),
                complete: column("complete"),
                weight: column("weight"),
            }),
            _ => None,
        }
    }

    /// Returns true if the chart shows which points are not final.
    pub(super) fn marks_points(&self) -> bool {
        matches!(
            self,
            ChartSpec::Lines {
                complete: Some(_),
                ..
            }
        )
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
            ChartSpec::Lines {
                x,
                y,
                series,
                complete,
                weight,
            } => {
                let names = series_names(batches, series)?;
                let columns = [*x, *y, complete.unwrap_or(x), weight.unwrap_or(x)];
                let rows = column_texts(batches, columns)?.into_iter().zip(names);
                let points = rows.map(|([x, value, is_complete, weight], series)| Point {
                    x: x.unwrap_or_default(),
                    value,
                    series,
                    is_incomplete: is_complete.as_deref() == Some("false"),
                    weight: weight.and_then(|weight| weight.parse().ok()),
                });
                Ok(lines(points.collect(), weight.is_none()))
            }
        }
    }
}

/// Names of the series of all rows. A number has the name of its column before it.
fn series_names(batches: &[RecordBatch], columns: &[&str]) -> Result<Vec<String>> {
    let mut names: Vec<Vec<String>> = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let is_number = batches.iter().any(|batch| {
            let schema = batch.schema();
            let field = schema.field_with_name(column);
            field.is_ok_and(|field| field.data_type().is_numeric())
        });
        for (row, [text]) in column_texts(batches, [column])?.into_iter().enumerate() {
            if at == 0 {
                names.push(Vec::new());
            }
            let text = text.filter(|text| !text.is_empty());
            let text = text.map(|text| match is_number {
                true => format!("{} {text}", column.replace('_', " ")),
                false => text,
            });
            names[row].extend(text);
        }
    }
    Ok(names.into_iter().map(|parts| parts.join(", ")).collect())
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

/// Value of a series at a point.
struct Point {
    x: String,
    value: Option<String>,
    series: String,
    is_incomplete: bool,
    weight: Option<f64>,
}

/// Lines over the sorted points.
fn lines(points: Vec<Point>, adds_up: bool) -> ChartData {
    let mut x: Vec<String> = points.iter().map(|point| point.x.clone()).collect();
    x.sort();
    x.dedup();
    let mut incomplete = vec![false; x.len()];
    let mut series: Vec<(Series, f64)> = Vec::new();
    for point in points {
        let at = match series.iter().position(|(one, _)| one.name == point.series) {
            Some(at) => at,
            None => {
                let values = vec![None; x.len()];
                let name = point.series;
                series.push((Series { name, values }, 0.0));
                series.len() - 1
            }
        };
        series[at].1 += point.weight.unwrap_or_default();
        if let Ok(place) = x.binary_search(&point.x) {
            incomplete[place] |= point.is_incomplete;
            if let Some(value) = point.value {
                series[at].0.values[place] = Some(ChartValue::new(&value));
            }
        }
    }
    if !adds_up {
        series.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        series.truncate(MAX_SERIES);
    }
    ChartData::Lines {
        x,
        series: series.into_iter().map(|(series, _)| series).collect(),
        incomplete,
        adds_up,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BooleanArray, Int64Array, StringArray};

    use super::*;

    fn rows() -> RecordBatch {
        let texts = |texts: &[&str]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
        let columns: [(&str, ArrayRef); 6] = [
            ("month", texts(&["2026-10", "2026-10", "2026-11"])),
            ("item", texts(&["Storage", "Storage", "Storage"])),
            ("region", texts(&["", "eu", "eu"])),
            ("tier", Arc::new(Int64Array::from(vec![1, 2, 2]))),
            ("price", texts(&["0.1", "0.2", "0.3"])),
            (
                "final",
                Arc::new(BooleanArray::from(vec![true, true, false])),
            ),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn several_columns_name_a_series_and_mark_points_that_are_not_final() {
        let spec = "lines x=month y=price series=item,region,tier complete=final";
        let data = ChartSpec::parse(spec).unwrap().data(&[rows()]).unwrap();
        let ChartData::Lines {
            series,
            incomplete,
            adds_up,
            ..
        } = data
        else {
            panic!("{data:?}");
        };
        let names: Vec<&str> = series.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["Storage, tier 1", "Storage, eu, tier 2"]);
        assert_eq!((incomplete, adds_up), (vec![false, true], true));
    }

    #[test]
    fn prices_show_the_series_of_most_weight_and_no_sum() {
        let point = |series: usize, weight: f64| Point {
            x: "2026-10".to_string(),
            value: Some("1".to_string()),
            series: series.to_string(),
            is_incomplete: false,
            weight: Some(weight),
        };
        let points = (0..20).map(|at| point(at, at as f64)).collect();
        let ChartData::Lines {
            series, adds_up, ..
        } = lines(points, false)
        else {
            panic!("no lines");
        };
        assert!(!adds_up);
        let names: Vec<&str> = series.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["19", "18", "17", "16", "15", "14", "13", "12"]);
    }
}
