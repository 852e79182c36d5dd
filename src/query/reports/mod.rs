//! Reports: SQL files whose comments declare a title, parameters and a chart.
//!
//! ```text
//! -- Top resources: what cost the most in a month
//! -- parameter month: the billing month [latest]
//! -- by: resource_id, service, tag:<key>
//! -- money: cost, discount
//! -- total: cost, discount
//! -- chart: bars label=resource value=cost
//! ```
//! A default in brackets may be `latest` or `earliest`, the newest and oldest month with costs, or
//! `previous`, the month before `month`.

mod chart;
mod notes;
mod parameters;

use arrow::record_batch::RecordBatch;

use crate::engine::sql_files::{SqlFile, SqlFiles};
use crate::error::{Error, Result};
use crate::query::charts::Chart;
use crate::query::names::suggestion;
use crate::query::parameters::Parameters;
use crate::query::reports::chart::ChartSpec;
use crate::query::reports::notes::Selection;
pub(crate) use crate::query::reports::parameters::ReportParameter;
use crate::query::session::Session;
use crate::query::statements::Statement;

/// A report as its file declares it.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) name: &'a str,
    file: &'a SqlFile,
    pub(crate) parameters: Vec<ReportParameter<'a>>,
    /// Values of `--by`; the first is the default.
    pub(crate) by: Vec<&'a str>,
    /// Columns of amounts.
    pub(crate) money: Vec<&'a str>,
    /// Columns that add up over all rows.
    pub(crate) totals: Vec<&'a str>,
    /// Columns that a narrow table can do without, the first of these most easily.
    pub(crate) secondary: Vec<&'a str>,
    chart: Option<ChartSpec<'a>>,
}

/// Result of a report.
#[derive(Debug)]
pub(crate) struct ReportResult {
    /// Rows, at least one batch.
    pub(crate) batches: Vec<RecordBatch>,
    /// Chart, if the report has one.
    pub(crate) chart: Option<Chart>,
    /// What a reader of the rows must know: incomplete months, connections without costs.
    pub(crate) notes: Vec<String>,
}

impl<'a> Report<'a> {
    /// All reports, by name.
    pub(crate) fn all(sql: &'a SqlFiles) -> Vec<Report<'a>> {
        let files = sql.of_kind("reports");
        files.map(|(name, file)| Report::new(name, file)).collect()
    }

    /// Finds a report by name.
    ///
    /// # Errors
    /// Kind usage, with the nearest name.
    pub(crate) fn find(sql: &'a SqlFiles, name: &str) -> Result<Report<'a>> {
        let found = sql.of_kind("reports").find(|(known, _)| *known == name);
        let (name, file) = found.ok_or_else(|| {
            let known: Vec<String> = sql.of_kind("reports").map(|(n, _)| n.to_string()).collect();
            let error = Error::usage(format!("there is no report `{name}`"));
            error.with_hint(suggestion(name, &known, "reports").unwrap_or_default())
        })?;
        Ok(Report::new(name, file))
    }

    fn new(name: &'a str, file: &'a SqlFile) -> Report<'a> {
        let mut report = Report {
            name,
            file,
            parameters: Vec::new(),
            by: file.listed("by"),
            money: file.listed("money"),
            totals: file.listed("total"),
            secondary: file.listed("secondary"),
            chart: None,
        };
        for line in file.comments() {
            if let Some(text) = line.strip_prefix("parameter ") {
                report.parameters.extend(ReportParameter::parse(text));
            } else if let Some(text) = line.strip_prefix("chart:") {
                report.chart = ChartSpec::parse(text);
            }
        }
        report
    }

    /// One-line description.
    pub(crate) fn title(&self) -> &'a str {
        self.file.title()
    }

    pub(crate) fn has_chart(&self) -> bool {
        self.chart.is_some()
    }

    /// Runs the report.
    ///
    /// # Errors
    /// Kind usage, for wrong parameters; kind data, for SQL that fails, with the file's name.
    pub(crate) async fn run(
        &self,
        session: &Session,
        given: &[(String, String)],
    ) -> Result<ReportResult> {
        let values = self.resolve_parameters(session, given).await?;
        let statement = Statement::from_file(&self.file.text);
        let collected = session.collect(&statement, &values).await;
        let (schema, mut batches) = collected.map_err(|e| e.context(self.file.display()))?;
        if batches.is_empty() {
            batches.push(RecordBatch::new_empty(schema));
        }
        let notes = notes::notes(session, &Selection::new(&values, given)).await?;
        let chart = self.draw(&values, &batches, notes.is_incomplete)?;
        Ok(ReportResult {
            batches,
            chart,
            notes: notes.texts,
        })
    }

    fn draw(
        &self,
        values: &Parameters,
        batches: &[RecordBatch],
        is_incomplete: bool,
    ) -> Result<Option<Chart>> {
        let Some(spec) = &self.chart else {
            return Ok(None);
        };
        let data = spec.data(batches);
        let data = data.map_err(|e| e.context(self.file.display()))?;
        let (title, about) = self.title().split_once(": ").unwrap_or((self.title(), ""));
        let text = |name: &str| values.get(name).map(ToString::to_string);
        let span = match (text("from"), text("to")) {
            (Some(from), Some(to)) => Some(format!("{from} to {to}")),
            _ => text("month"),
        };
        let by = text("by").map(|by| format!("by {}", by.replace('_', " ")));
        // Lines mark their incomplete points themselves.
        let open = is_incomplete && !spec.marks_points();
        let open = open.then(|| "not complete".to_string());
        let subtitle = [Some(about.to_string()), by, span, open]
            .into_iter()
            .flatten();
        let subtitle: Vec<_> = subtitle.filter(|part| !part.is_empty()).collect();
        Ok(Some(Chart {
            title: title.to_string(),
            subtitle: subtitle.join(" · "),
            unit: String::new(),
            data,
        }))
    }
}
