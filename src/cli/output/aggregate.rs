//! What came of each connection: what goes to stdout and stderr, and the exit code.

use serde::Serialize;
use serde_json::{Value, json};

use crate::billing_period::BillingPeriod;
use crate::cli::args::SummaryFormat;
use crate::cli::{print, print_json, show_error};
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::summary::reason;

/// The error of a month.
pub type MonthError = (BillingPeriod, Error);

/// Errors of single months, as they are shown.
pub fn month_errors(errors: &[MonthError]) -> Vec<String> {
    let shown = errors.iter().map(|(month, e)| format!("{month}: {e}"));
    shown.collect()
}

/// What came of each connection.
pub struct Results<T> {
    /// By the connection's name.
    pub all: Vec<(String, Result<T>)>,
    /// Whether the command takes several connections, paused ones included: what it says has their names then.
    pub several: bool,
}

impl<T> Results<T> {
    /// The kind that decides the exit code; `None` when all is well.
    ///
    /// A failed check of any connection decides over everything else. Other errors give their own kind when
    /// all connections ended with it, and `Partial` when some did not.
    pub fn kind(&self, of: impl Fn(&T) -> Option<ErrorKind>) -> Option<ErrorKind> {
        let kinds = self.all.iter().map(|(_, result)| match result {
            Ok(done) => of(done),
            Err(error) => Some(error.kind()),
        });
        let kinds: Vec<Option<ErrorKind>> = kinds.collect();
        let failed_check = [ErrorKind::Reconcile, ErrorKind::Data]
            .into_iter()
            .find(|kind| kinds.contains(&Some(*kind)));
        let first = kinds.iter().flatten().next().copied()?;
        let all_alike = kinds.iter().all(|kind| *kind == Some(first));
        failed_check.or(Some(if all_alike { first } else { ErrorKind::Partial }))
    }

    /// The one result, where the command takes one connection only.
    ///
    /// # Errors
    /// The several, given back.
    pub fn single(mut self) -> std::result::Result<Result<T>, Results<T>> {
        match self.all.pop() {
            Some((_, result)) if !self.several => Ok(result),
            last => {
                self.all.extend(last);
                Err(self)
            }
        }
    }

    /// Writes the reports, as a table a connection or as JSON, lets `say` add what belongs on stderr, with the
    /// name of the connection where there are several, and gives the exit code. `errors` are those of months.
    ///
    /// # Errors
    /// The error of the only connection, where there is one.
    pub fn report(
        self,
        format: SummaryFormat,
        kind: impl Fn(&T) -> Option<ErrorKind>,
        errors: impl Fn(&T) -> &[MonthError],
        table: impl Fn(&T) -> String,
        say: impl Fn(&T, &str),
    ) -> Result<u8>
    where
        T: Serialize,
    {
        let several = match self.single() {
            Ok(one) => {
                let one = one?;
                match format {
                    SummaryFormat::Json => print_json(&one)?,
                    SummaryFormat::Table => print(table(&one).as_bytes())?,
                }
                say(&one, "");
                errors(&one).iter().for_each(|(_, e)| show_error(e));
                return Ok(kind(&one).map_or(0, ErrorKind::exit_code));
            }
            Err(several) => several,
        };
        if format == SummaryFormat::Json {
            print_json(&several.json(&kind, |report| reason(&month_errors(errors(report)), &[]))?)?;
        }
        for (name, result) in &several.all {
            let Ok(report) = result else { continue };
            if format == SummaryFormat::Table {
                print(format!("{name}\n{}", table(report)).as_bytes())?;
            }
            say(report, &format!("{name}: "));
        }
        several.show_errors(errors);
        Ok(several.kind(kind).map_or(0, ErrorKind::exit_code))
    }

    /// Shows the errors of months, and of connections that came to nothing.
    pub fn show_errors(&self, of: impl Fn(&T) -> &[MonthError]) {
        for (name, result) in &self.all {
            let errors: Vec<&Error> = match result {
                Ok(done) => of(done).iter().map(|(_, error)| error).collect(),
                Err(error) => vec![error],
            };
            for error in errors {
                match self.several {
                    true => show_error(&error.clone().context(format!("connection `{name}`"))),
                    false => show_error(error),
                }
            }
        }
    }

    /// One JSON object: a report for each connection, with its exit code and, unless that is 0, why.
    pub fn json(
        &self,
        of: impl Fn(&T) -> Option<ErrorKind>,
        why: impl Fn(&T) -> String,
    ) -> Result<Value>
    where
        T: Serialize,
    {
        let connections = self.all.iter().map(|(name, result)| {
            let (mut object, kind, error) = match result {
                Ok(done) => {
                    let object = serde_json::to_value(done);
                    let object = object.map_err(|e| Error::bug(format!("JSON: {e}")))?;
                    (object, of(done), why(done))
                }
                Err(error) => (json!({}), Some(error.kind()), error.to_string()),
            };
            object["connection"] = json!(name);
            object["exit_code"] = json!(kind.map_or(0, ErrorKind::exit_code));
            if kind.is_some() {
                object["error"] = json!(error);
            }
            Ok(object)
        });
        Ok(json!({ "connections": connections.collect::<Result<Vec<_>>>()? }))
    }
}
