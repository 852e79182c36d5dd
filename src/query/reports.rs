//! Reports: SQL files that say in their comments what they are about, which values they take and how to
//! draw their rows.
//!
//! ```text
//! -- Top resources: what cost the most in a month
//! -- parameter month: the billing month [latest]
//! -- by: resource_id, service, tag:<key>
//! -- money: cost, discount
//! -- total: cost, discount
//! -- secondary: discount
//! -- chart: bars label=resource value=cost
//! ```
//! A default in brackets may be `latest` or `earliest`, the newest and oldest month with costs, or
//! `previous`, the month before `month`.

use arrow::record_batch::RecordBatch;
use datafusion::common::ScalarValue;
use futures::TryStreamExt;

use crate::billing_period::BillingPeriod;
use crate::engine::sql_files::{SqlFile, SqlFiles};
use crate::engine::text::Cells;
use crate::error::{Error, Result};
use crate::query::charts::{Bar, Chart, Kind, Number, Series};
use crate::query::names::near;
use crate::query::permissions::{Parameters, value_of};
use crate::query::session::Session;
use crate::query::statements::Piece;

/// A report as its file describes it.
#[derive(Debug)]
pub struct Report<'a> {
    /// Its name, as in `report NAME`.
    pub name: &'a str,
    file: &'a SqlFile,
    /// The values that it takes.
    pub parameters: Vec<Parameter<'a>>,
    /// What `--by` may be; the first is the default.
    pub by: Vec<&'a str>,
    /// Columns of amounts.
    pub money: Vec<&'a str>,
    /// Columns that add up over all rows.
    pub totals: Vec<&'a str>,
    /// Columns that a narrow table leaves out, the first of these first.
    pub secondary: Vec<&'a str>,
    drawing: Option<Drawing<'a>>,
}

/// A value that a report takes.
#[derive(Debug)]
pub struct Parameter<'a> {
    /// Its name in the SQL, after `$`.
    pub name: &'a str,
    /// What it means.
    pub about: &'a str,
    /// What it is when nobody says so; without one it must be given.
    pub default: Option<&'a str>,
}

#[derive(Debug)]
enum Drawing<'a> {
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

impl<'a> Report<'a> {
    /// All reports, by name.
    pub fn all(sql: &'a SqlFiles) -> Vec<Report<'a>> {
        let files = sql.of_kind("reports");
        files.map(|(name, file)| Report::of(name, file)).collect()
    }

    /// A report by name.
    ///
    /// # Errors
    /// Kind usage, with the nearest name.
    pub fn named(sql: &'a SqlFiles, name: &str) -> Result<Report<'a>> {
        let found = sql.of_kind("reports").find(|(known, _)| *known == name);
        let (name, file) = found.ok_or_else(|| {
            let known: Vec<String> = sql.of_kind("reports").map(|(n, _)| n.to_string()).collect();
            let error = Error::usage(format!("there is no report `{name}`"));
            error.with_hint(near(name, &known, "reports").unwrap_or_default())
        })?;
        Ok(Report::of(name, file))
    }

    fn of(name: &'a str, file: &'a SqlFile) -> Report<'a> {
        let mut report = Report {
            name,
            file,
            parameters: Vec::new(),
            by: file.listed("by"),
            money: file.listed("money"),
            totals: file.listed("total"),
            secondary: file.listed("secondary"),
            drawing: None,
        };
        for line in file.comments() {
            if let Some(text) = line.strip_prefix("parameter ") {
                report.parameters.extend(Parameter::read(text));
            } else if let Some(text) = line.strip_prefix("chart:") {
                report.drawing = Drawing::read(text);
            }
        }
        report
    }

    /// What it shows, in a line.
    pub fn title(&self) -> &'a str {
        self.file.title()
    }

    /// Whether its rows can be drawn.
    pub fn has_chart(&self) -> bool {
        self.drawing.is_some()
    }

    /// The file, for errors.
    pub fn place(&self) -> String {
        self.file.display()
    }

    /// The SQL as a statement.
    pub fn piece(&self) -> Piece {
        Piece {
            sql: self.file.text.trim().trim_end_matches(';').to_string(),
            line: 1,
        }
    }

    /// The values of all parameters: given ones, and defaults for the rest.
    ///
    /// # Errors
    /// Kind usage, for a value that the report does not take, or one that it needs.
    pub async fn values(
        &self,
        session: &Session,
        given: &[(String, String)],
    ) -> Result<Parameters> {
        let mut values = Parameters::new();
        for (name, value) in given {
            let known = self.parameters.iter().any(|p| p.name == name);
            if !known && (name != "by" || self.by.is_empty()) {
                let takes: Vec<_> = self.parameters.iter().map(|p| p.name).collect();
                return Err(
                    Error::usage(format!("the report {} takes no {name}", self.name))
                        .with_hint(format!("it takes {}", takes.join(", "))),
                );
            }
            values.insert(name.clone(), self.value(name, value)?);
        }
        if let Some(first) = self.by.first()
            && !values.contains_key("by")
        {
            values.insert("by".to_string(), ScalarValue::from(*first));
        }
        for parameter in &self.parameters {
            if values.contains_key(parameter.name) {
                continue;
            }
            let default = parameter.default.ok_or_else(|| {
                Error::usage(format!(
                    "the report {} needs a {}",
                    self.name, parameter.name
                ))
                .with_hint(format!("give {}: {}", parameter.name, parameter.about))
            })?;
            let value = match default {
                "latest" => ScalarValue::from(month_of(session, "max").await?),
                "earliest" => ScalarValue::from(month_of(session, "min").await?),
                "previous" => previous(&values)?,
                text => value_of(text),
            };
            values.insert(parameter.name.to_string(), value);
        }
        Ok(values)
    }

    fn value(&self, name: &str, text: &str) -> Result<ScalarValue> {
        if name == "by" {
            let is_tag = text.starts_with("tag:") && self.by.contains(&"tag:<key>");
            if !is_tag && !self.by.contains(&text) {
                return Err(
                    Error::usage(format!("the report {} has no --by {text}", self.name))
                        .with_hint(format!("it goes by {}", self.by.join(", "))),
                );
            }
            return Ok(ScalarValue::from(text));
        }
        if ["month", "from", "to"].contains(&name) {
            let month: BillingPeriod = text.parse()?;
            return Ok(ScalarValue::from(month.to_string()));
        }
        Ok(value_of(text))
    }

    /// The rows as a chart, if the report says how to draw them.
    ///
    /// # Errors
    /// Kind data, for a column that the rows do not have.
    pub fn chart(&self, values: &Parameters, batches: &[RecordBatch]) -> Result<Option<Chart>> {
        let Some(drawing) = &self.drawing else {
            return Ok(None);
        };
        let kind = match drawing {
            Drawing::Bars { label, value } => Kind::Bars(
                self.columns(batches, [label, value])?
                    .into_iter()
                    .map(|[label, value]| Bar {
                        label: label.unwrap_or_default(),
                        value: number(value.as_deref().unwrap_or("0")),
                    })
                    .collect(),
            ),
            Drawing::Lines { x, y, series } => lines(self.columns(batches, [x, y, series])?),
        };
        let (title, about) = self.title().split_once(": ").unwrap_or((self.title(), ""));
        let text = |name: &str| values.get(name).map(ToString::to_string);
        let span = match (text("from"), text("to")) {
            (Some(from), Some(to)) => Some(format!("{from} to {to}")),
            _ => text("month"),
        };
        let by = text("by").map(|by| format!("by {}", by.replace('_', " ")));
        let subtitle = [Some(about.to_string()), by, span].into_iter().flatten();
        let subtitle: Vec<_> = subtitle.filter(|part| !part.is_empty()).collect();
        Ok(Some(Chart {
            title: title.to_string(),
            subtitle: subtitle.join(" · "),
            unit: String::new(),
            kind,
        }))
    }

    fn columns<const N: usize>(
        &self,
        batches: &[RecordBatch],
        names: [&str; N],
    ) -> Result<Vec<[Option<String>; N]>> {
        let mut rows = Vec::new();
        for batch in batches {
            let schema = batch.schema();
            let mut at = [0; N];
            for (at, name) in at.iter_mut().zip(names) {
                *at = schema.index_of(name).map_err(|_| {
                    Error::data(format!(
                        "{}: the chart's column `{name}` is not there",
                        self.file.display()
                    ))
                })?;
            }
            let cells = Cells::new(batch)?;
            rows.extend((0..batch.num_rows()).map(|row| at.map(|column| cells.text(row, column))));
        }
        Ok(rows)
    }
}

impl<'a> Parameter<'a> {
    /// `month: the billing month [latest]`
    fn read(text: &'a str) -> Option<Parameter<'a>> {
        let (name, about) = text.split_once(':')?;
        let (about, default) = match about
            .trim()
            .strip_suffix(']')
            .and_then(|t| t.rsplit_once('['))
        {
            Some((about, default)) => (about.trim(), Some(default)),
            None => (about.trim(), None),
        };
        Some(Parameter {
            name: name.trim(),
            about,
            default,
        })
    }
}

impl<'a> Drawing<'a> {
    /// `bars label=a value=b` or `lines x=a y=b series=c`
    fn read(text: &'a str) -> Option<Drawing<'a>> {
        let mut words = text.split_whitespace();
        let kind = words.next()?;
        let pairs: Vec<_> = words.filter_map(|word| word.split_once('=')).collect();
        let get = |name: &str| {
            let pair = pairs.iter().find(|(known, _)| *known == name);
            pair.map(|(_, column)| *column)
        };
        match kind {
            "bars" => Some(Drawing::Bars {
                label: get("label")?,
                value: get("value")?,
            }),
            "lines" => Some(Drawing::Lines {
                x: get("x")?,
                y: get("y")?,
                series: get("series")?,
            }),
            _ => None,
        }
    }
}

fn number(text: &str) -> Number {
    Number {
        text: text.to_string(),
        value: text.parse().unwrap_or_default(),
    }
}

/// Rows of point, figure and series as lines over the same points, in the order of the points.
fn lines(rows: Vec<[Option<String>; 3]>) -> Kind {
    let mut x: Vec<String> = rows
        .iter()
        .map(|[x, _, _]| x.clone().unwrap_or_default())
        .collect();
    x.sort();
    x.dedup();
    let mut series: Vec<Series> = Vec::new();
    for [point, figure, name] in rows {
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
        if let (Ok(point), Some(figure)) = (point, figure) {
            series[at].values[point] = Some(number(&figure));
        }
    }
    Kind::Lines { x, series }
}

/// The newest or the oldest month with costs.
async fn month_of(session: &Session, function: &str) -> Result<String> {
    let sql = format!("select {function}(billing_period) as month from all_line_items");
    let piece = Piece { sql, line: 1 };
    let rows = session.start(&piece, &Parameters::new()).await?;
    let rows: Vec<RecordBatch> = rows
        .try_collect()
        .await
        .map_err(|e| session.explain(&piece, &e))?;
    let batch = rows.first().filter(|batch| batch.num_rows() == 1);
    let month = batch.map(|batch| Ok::<_, Error>(Cells::new(batch)?.text(0, 0)));
    month
        .transpose()?
        .flatten()
        .ok_or_else(|| Error::usage("there are no costs to report"))
}

/// The month before `month`.
fn previous(values: &Parameters) -> Result<ScalarValue> {
    let month = values.get("month").map(ToString::to_string);
    let month: BillingPeriod = month.unwrap_or_default().parse()?;
    Ok(ScalarValue::from(month.previous().to_string()))
}
