//! Parameters of reports: declarations, checks and defaults.

use crate::billing_period::BillingPeriod;
use crate::engine::text::Cells;
use crate::error::{Error, Result};
use crate::query::parameters::{Parameter, Parameters, number};
use crate::query::reports::{COMPARE, NORMALIZE, OPTIONS, Report};
use crate::query::session::Session;
use crate::query::statements::Statement;

/// Value of `previous` for the same month of the year before.
const YEAR_BEFORE: &str = "year_before";

/// A parameter as a comment declares it: `month: the billing month [latest]`.
#[derive(Debug)]
pub(crate) struct ReportParameter<'a> {
    /// Name in the SQL, after `$`.
    pub(crate) name: &'a str,
    pub(crate) description: &'a str,
    /// A parameter without a default is required.
    pub(crate) default: Option<&'a str>,
}

impl<'a> ReportParameter<'a> {
    pub(super) fn parse(text: &'a str) -> Option<ReportParameter<'a>> {
        let (name, description) = text.split_once(':')?;
        let (description, default) = match description
            .trim()
            .strip_suffix(']')
            .and_then(|t| t.rsplit_once('['))
        {
            Some((description, default)) => (description.trim(), Some(default)),
            None => (description.trim(), None),
        };
        Some(ReportParameter {
            name: name.trim(),
            description,
            default,
        })
    }

    /// Value of a text: a number if the default is one.
    fn value(&self, text: &str) -> Result<Parameter> {
        if self.default.is_none_or(|default| number(default).is_none()) {
            return Ok(Parameter::untyped(text));
        }
        let value = number(text).ok_or_else(|| {
            Error::usage(format!(
                "the parameter `{}` is not a number: `{text}`",
                self.name
            ))
            .with_hint(format!("pass {}: {}", self.flag(), self.description))
        });
        value.map(Parameter::Typed)
    }

    /// Command-line flag that sets the parameter.
    pub(crate) fn flag(&self) -> String {
        match self.name {
            "month" | "from" | "to" | "limit" => format!("--{}", self.name),
            name => format!("--param {name}=…"),
        }
    }
}

impl Report<'_> {
    /// Values of all parameters: the given ones, and defaults.
    ///
    /// # Errors
    /// Kind usage, for an unknown parameter, an invalid value or a missing one.
    pub(super) async fn resolve_parameters(
        &self,
        session: &Session,
        given: &[(String, String)],
    ) -> Result<Parameters> {
        let mut values = Parameters::new();
        for (name, value) in given {
            if name == NORMALIZE || name == COMPARE || OPTIONS.contains(&name.as_str()) {
                continue;
            }
            let known = self.parameters.iter().find(|p| p.name == name);
            if known.is_none() && (name != "by" || self.by.is_empty()) {
                let known: Vec<_> = self.parameters.iter().map(|p| p.name).collect();
                return Err(Error::usage(format!(
                    "the report `{}` has no parameter `{name}`",
                    self.name
                ))
                .with_hint(format!("its parameters are {}", known.join(", "))));
            }
            values.insert(name.clone(), self.check_value(name, known, value)?);
        }
        if self.file.uses(NORMALIZE) {
            let value = given.iter().rfind(|(name, _)| name == NORMALIZE);
            let value = value.map_or("none", |(_, value)| value.as_str());
            values.insert(NORMALIZE.to_string(), value.into());
        }
        if let Some(first) = self.by.first()
            && !values.contains_key("by")
        {
            values.insert("by".to_string(), (*first).into());
        }
        for parameter in &self.parameters {
            if values.contains_key(parameter.name) {
                continue;
            }
            let default = parameter.default.ok_or_else(|| {
                Error::usage(format!(
                    "the report `{}` requires the parameter `{}`",
                    self.name, parameter.name
                ))
                .with_hint(format!(
                    "pass {}: {}",
                    parameter.flag(),
                    parameter.description
                ))
            })?;
            let value = match default {
                "latest" => month_with_costs(session, "max").await?.into(),
                "earliest" => month_with_costs(session, "min").await?.into(),
                "previous" => previous_month(&values)?,
                text => parameter.value(text)?,
            };
            values.insert(parameter.name.to_string(), value);
        }
        if values.get("previous") == Some(&Parameter::from(YEAR_BEFORE)) {
            values.insert("previous".to_string(), year_before(&values)?);
        }
        self.resolve_comparison(given, &mut values)?;
        Ok(values)
    }

    /// Adds the month to compare with; an empty text without one.
    fn resolve_comparison(
        &self,
        given: &[(String, String)],
        values: &mut Parameters,
    ) -> Result<()> {
        let given = given.iter().rfind(|(name, _)| name == COMPARE);
        if self.compare.is_empty() {
            return match given {
                None => Ok(()),
                Some(_) => Err(Error::usage(format!(
                    "the report `{}` compares no months",
                    self.name
                ))
                .with_hint(
                    "use top_resources or owners; `changes` splits a difference by its reasons",
                )),
            };
        }
        let month = match given.map(|(_, value)| value.as_str()) {
            None => Parameter::from(""),
            Some("previous") => previous_month(values)?,
            Some(YEAR_BEFORE) => year_before(values)?,
            Some(month) => {
                let month: BillingPeriod = month.parse().map_err(|e: Error| {
                    e.with_another_hint("or compare with previous or year_before")
                })?;
                month.to_string().into()
            }
        };
        values.insert(COMPARE.to_string(), month);
        Ok(())
    }

    fn check_value(
        &self,
        name: &str,
        parameter: Option<&ReportParameter<'_>>,
        text: &str,
    ) -> Result<Parameter> {
        if name == "by" {
            let is_tag = text.starts_with("tag:") && self.by.contains(&"tag:<key>");
            if !is_tag && !self.by.contains(&text) {
                return Err(Error::usage(format!(
                    "the report `{}` cannot break costs down by `{text}`",
                    self.name
                ))
                .with_hint(format!("use one of {}", self.by.join(", "))));
            }
            return Ok(text.into());
        }
        if name == "previous" && text == YEAR_BEFORE {
            return Ok(text.into());
        }
        if ["month", "previous", "from", "to"].contains(&name) {
            let month: BillingPeriod = text.parse()?;
            return Ok(month.to_string().into());
        }
        parameter.map_or(Ok(Parameter::untyped(text)), |parameter| {
            parameter.value(text)
        })
    }
}

/// The newest (`max`) or oldest (`min`) month with costs.
async fn month_with_costs(session: &Session, aggregate: &str) -> Result<String> {
    let sql = format!("select {aggregate}(billing_period) from all_line_items");
    let (_, batches) = session
        .collect(&Statement::new(sql), &Parameters::new())
        .await?;
    let batch = batches.first().filter(|batch| batch.num_rows() == 1);
    let month = match batch {
        Some(batch) => Cells::new(batch)?.text(0, 0),
        None => None,
    };
    month.ok_or_else(|| Error::usage("there are no costs to report"))
}

/// The month before `month`.
fn previous_month(values: &Parameters) -> Result<Parameter> {
    let month = month(values)?.previous();
    Ok(month.to_string().into())
}

/// The same month of the year before.
fn year_before(values: &Parameters) -> Result<Parameter> {
    let month = (0..12).fold(month(values)?, |month, _| month.previous());
    Ok(month.to_string().into())
}

fn month(values: &Parameters) -> Result<BillingPeriod> {
    let month = values.get("month").map(ToString::to_string);
    month.unwrap_or_default().parse()
}
