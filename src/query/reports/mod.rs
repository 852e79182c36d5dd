//! Reports: SQL files whose comments declare a title, parameters and a chart.
//!
//! ```text
//! -- Top resources: what cost the most in a month
//! -- parameter month: the billing month [latest]
//! -- by: resource_id, service, tag:<key>
//! -- money: cost, discount
//! -- total: cost, discount
//! -- compare: previous_cost, difference
//! -- chart: bars label=resource value=cost
//! -- empty: why there may be no rows
//! ```
//! A default in brackets may be `latest` or `earliest`, the newest and oldest month with costs, or
//! `previous`, the month before `month`. The columns of `compare` are those that `--compare` adds, with the other month
//! as `$compare`. Per day (`--normalize day`) the names of amounts and quantities end in `_per_day`.

mod chart;
mod currency;
mod notes;
mod parameters;

use arrow::datatypes::{Schema, SchemaRef};
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
    money: Vec<&'a str>,
    /// Columns that add up over all rows.
    totals: Vec<&'a str>,
    /// Columns that a narrow table can do without, the first of these most easily.
    secondary: Vec<&'a str>,
    /// Columns about the month that `--compare` names.
    compare: Vec<&'a str>,
    chart: Option<ChartSpec<'a>>,
    /// Reason why a report without rows has none.
    empty: &'a str,
}

/// Reason of a report without rows that declares none.
const NO_ROWS: &str = "no costs match the parameters";

/// View that reports read, and that costs per day replace.
const COSTS: &str = "daily_costs";

/// Value of `--normalize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Normalize {
    None,
    /// Amounts are divided by the days of their month.
    Day,
}

impl Normalize {
    fn of(given: &[(String, String)]) -> Result<Normalize> {
        let value = given.iter().rfind(|(name, _)| name == NORMALIZE);
        match value.map_or("none", |(_, value)| value.as_str()) {
            "none" => Ok(Normalize::None),
            "day" => Ok(Normalize::Day),
            other => Err(Error::usage(format!("could not normalize by `{other}`"))
                .with_hint("use day for costs per day, or none")),
        }
    }
}

/// Name of the parameter that every report has.
const NORMALIZE: &str = "normalize";
/// Parameters of every report that its SQL does not see.
const OPTIONS: [&str; 2] = [currency::ONE, currency::CONVERT];

/// Name of the parameter of reports that compare a month with another one.
const COMPARE: &str = "compare";
/// Ending of the names of columns that are divided by days.
const PER_DAY: &str = "_per_day";

/// What a chart says about its amounts.
#[derive(Clone, Copy)]
struct Marks<'c> {
    is_incomplete: bool,
    normalize: Normalize,
    currency: &'c str,
}

fn text(values: &Parameters, name: &str) -> Option<String> {
    values.get(name).map(ToString::to_string)
}

/// Names of a report's columns by what is done with them.
#[derive(Debug)]
pub(crate) struct ColumnNames {
    pub(crate) money: Vec<String>,
    pub(crate) totals: Vec<String>,
    pub(crate) secondary: Vec<String>,
}

/// Rows of a report in one currency.
#[derive(Debug)]
pub(crate) struct ReportPart {
    /// Currency of all amounts.
    pub(crate) currency: String,
    /// Rows, at least one batch.
    pub(crate) batches: Vec<RecordBatch>,
    /// Chart, if the report has one.
    pub(crate) chart: Option<Chart>,
}

/// Result of a report.
#[derive(Debug)]
pub(crate) struct ReportResult {
    /// One part for each currency, at least one, with equal columns.
    pub(crate) parts: Vec<ReportPart>,
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
            compare: file.listed("compare"),
            chart: None,
            empty: NO_ROWS,
        };
        for line in file.comments() {
            if let Some(text) = line.strip_prefix("parameter ") {
                report.parameters.extend(ReportParameter::parse(text));
            } else if let Some(text) = line.strip_prefix("chart:") {
                report.chart = ChartSpec::parse(text);
            } else if let Some(text) = line.strip_prefix("empty:") {
                report.empty = text.trim();
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

    /// Runs the report, once for each currency of its costs.
    ///
    /// # Errors
    /// Kind usage, for wrong parameters; kind data, for SQL that fails, with the file's name, or a missing exchange
    /// rate.
    pub(crate) async fn run(
        &self,
        session: &Session,
        given: &[(String, String)],
    ) -> Result<ReportResult> {
        let values = self.resolve_parameters(session, given).await?;
        let normalize = Normalize::of(given)?;
        if normalize == Normalize::Day && text(&values, "step").is_some_and(|step| step != "month")
        {
            return Err(Error::usage("costs per day need whole months")
                .with_hint("use --normalize day with step=month"));
        }
        let is_per_day = normalize == Normalize::Day;
        let selection = Selection::new(&values, given, is_per_day);
        let notes = notes::notes(session, &selection).await?;
        let mut result = ReportResult {
            parts: Vec::new(),
            notes: notes.texts,
        };
        let currencies = currency::layers(session, &selection, given, &mut result.notes).await?;
        let is_compared = text(&values, COMPARE).is_some_and(|month| !month.is_empty());
        for (currency, layer) in currencies {
            let per_day = is_per_day.then(|| Statement::new("select * from costs_per_day"));
            let layers: Vec<Statement> = layer.into_iter().chain(per_day).collect();
            let (schema, mut batches) = self.collect_over(session, &values, &layers).await?;
            if batches.is_empty() {
                batches.push(RecordBatch::new_empty(schema));
            }
            let marks = Marks {
                is_incomplete: notes.is_incomplete,
                normalize,
                currency: &currency,
            };
            let chart = self.draw(&values, &batches, marks)?;
            let batches = batches.iter().map(|batch| {
                let presented = self.presented(batch, is_compared, is_per_day)?;
                currency::with_currency(&presented, &currency)
            });
            result.parts.push(ReportPart {
                batches: batches.collect::<Result<_>>()?,
                currency,
                chart,
            });
        }
        let has_rows = |part: &ReportPart| part.batches.iter().any(|batch| batch.num_rows() > 0);
        if !result.parts.iter().any(has_rows) {
            result.notes.push(format!("no rows: {}", self.empty));
        }
        Ok(result)
    }

    /// Rows of the report with each of `layers`, in order, in place of the costs before it.
    async fn collect_over(
        &self,
        session: &Session,
        values: &Parameters,
        layers: &[Statement],
    ) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let mut original = None;
        let mut collected = Ok(());
        for layer in layers {
            // Views that are open refer to the costs as they were.
            session.refresh();
            match session.replace_view(COSTS, layer, &Parameters::new()).await {
                Ok(replaced) => {
                    original.get_or_insert(replaced);
                }
                Err(error) => {
                    collected = Err(error);
                    break;
                }
            }
        }
        if !layers.is_empty() {
            session.refresh();
        }
        let collected = match collected {
            Ok(()) => self.collect(session, values).await,
            Err(error) => Err(error),
        };
        if let Some(original) = original {
            session.restore_view(COSTS, original);
            session.refresh();
        }
        collected
    }

    /// Names of the columns of amounts, of those with totals and of secondary ones, in the rows of a report with these
    /// parameters. Costs per day of several months do not add up.
    ///
    /// # Errors
    /// Kind usage, for another value of `normalize`.
    pub(crate) fn column_names(&self, given: &[(String, String)]) -> Result<ColumnNames> {
        let is_per_day = Normalize::of(given)? == Normalize::Day;
        let has_range = self.parameters.iter().any(|p| p.name == "from");
        let names = |names: &[&str]| {
            let names = names.iter().map(|name| self.shown_name(name, is_per_day));
            names.collect()
        };
        Ok(ColumnNames {
            money: names(&self.money),
            totals: if is_per_day && has_range {
                Vec::new()
            } else {
                names(&self.totals)
            },
            secondary: names(&self.secondary),
        })
    }

    fn shown_name(&self, name: &str, is_per_day: bool) -> String {
        let is_divided = self.money.contains(&name) || name == "quantity";
        match is_per_day && is_divided {
            true => format!("{name}{PER_DAY}"),
            false => name.to_string(),
        }
    }

    /// The rows as they are shown: without the columns of a comparison that was not asked for.
    fn presented(
        &self,
        batch: &RecordBatch,
        is_compared: bool,
        is_per_day: bool,
    ) -> Result<RecordBatch> {
        let schema = batch.schema();
        let shown = schema.fields().iter().zip(batch.columns());
        let shown = shown
            .filter(|(field, _)| is_compared || !self.compare.contains(&field.name().as_str()));
        let (fields, columns): (Vec<_>, Vec<_>) = shown
            .map(|(field, column)| {
                let name = self.shown_name(field.name(), is_per_day);
                (field.as_ref().clone().with_name(name), column.clone())
            })
            .unzip();
        RecordBatch::try_new(Schema::new(fields).into(), columns)
            .map_err(|e| Error::bug(format!("the rows of a report: {e}")))
    }

    async fn collect(
        &self,
        session: &Session,
        values: &Parameters,
    ) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let statement = Statement::from_file(&self.file.text);
        let collected = session.collect(&statement, values).await;
        collected.map_err(|e| e.context(self.file.display()))
    }

    fn draw(
        &self,
        values: &Parameters,
        batches: &[RecordBatch],
        marks: Marks<'_>,
    ) -> Result<Option<Chart>> {
        let Some(spec) = &self.chart else {
            return Ok(None);
        };
        let data = spec.data(batches);
        let data = data.map_err(|e| e.context(self.file.display()))?;
        let (title, about) = self.title().split_once(": ").unwrap_or((self.title(), ""));
        let text = |name: &str| text(values, name);
        let span = match (text("from"), text("to")) {
            (Some(from), Some(to)) => Some(format!("{from} to {to}")),
            _ => text("month"),
        };
        let by = text("by").map(|by| format!("by {}", by.replace('_', " ")));
        // Lines mark their incomplete points themselves.
        let open = marks.is_incomplete && !spec.marks_points();
        let open = open.then(|| "not complete".to_string());
        let per_day = (marks.normalize == Normalize::Day).then(|| "per day".to_string());
        let subtitle = [Some(about.to_string()), by, per_day, span, open]
            .into_iter()
            .flatten();
        let subtitle: Vec<_> = subtitle.filter(|part| !part.is_empty()).collect();
        Ok(Some(Chart {
            title: title.to_string(),
            subtitle: subtitle.join(" · "),
            unit: marks.currency.to_string(),
            data,
        }))
    }
}

#[cfg(test)]
mod tests;
