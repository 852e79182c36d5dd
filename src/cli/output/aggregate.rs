//! Results of several connections: JSON, errors on stderr, and the exit code.

use serde::Serialize;
use serde_json::{Value, json};

use crate::billing_period::BillingPeriod;
use crate::cli::args::SummaryFormat;
use crate::cli::exit::{code_of, show_error};
use crate::cli::output::stdout::{print_json, print_text};
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::summary::reason;

/// Error of one month.
pub(crate) type MonthError = (BillingPeriod, Error);

/// Formats errors of months for run records and JSON.
pub(crate) fn month_errors(errors: &[MonthError]) -> Vec<String> {
    let shown = errors
        .iter()
        .map(|(month, error)| format!("{month}: {error}"));
    shown.collect()
}

/// Results of one command, by connection.
pub(crate) struct ConnectionResults<T> {
    /// Results by the name of the connection.
    pub(crate) all: Vec<(String, Result<T>)>,
    /// Set if the command covers several connections, paused ones included: output then names the connection.
    pub(crate) several: bool,
}

impl<T> ConnectionResults<T> {
    /// Returns the kind that decides the exit code; `None` if everything succeeded.
    ///
    /// A failed check of any connection decides over everything else. Other errors return their own kind if all
    /// connections ended with it, and `Partial` if only some did.
    pub(crate) fn kind(&self, kind_of: impl Fn(&T) -> Option<ErrorKind>) -> Option<ErrorKind> {
        let kinds = self.all.iter().map(|(_, result)| match result {
            Ok(done) => kind_of(done),
            Err(error) => Some(error.kind()),
        });
        let kinds: Vec<Option<ErrorKind>> = kinds.collect();
        let failed_check = [ErrorKind::Reconcile, ErrorKind::Data]
            .into_iter()
            .find(|kind| kinds.contains(&Some(*kind)));
        let first = kinds.iter().flatten().next().copied()?;
        let is_common = kinds.iter().all(|kind| *kind == Some(first));
        let common = if is_common { first } else { ErrorKind::Partial };
        Some(failed_check.unwrap_or(common))
    }

    /// Returns the name and result of the only connection.
    ///
    /// # Errors
    /// The unchanged results if the command covers several connections.
    pub(crate) fn single(
        mut self,
    ) -> std::result::Result<(String, Result<T>), ConnectionResults<T>> {
        match self.all.pop() {
            Some(only) if !self.several => Ok(only),
            last => {
                self.all.extend(last);
                Err(self)
            }
        }
    }

    /// Prints one table per connection, or JSON, then notes and errors on stderr, and returns the exit code.
    ///
    /// `notes` receives the prefix of its lines: the name of the connection where there are several. `errors`
    /// are those of months.
    ///
    /// # Errors
    /// The error of the only connection.
    pub(crate) fn print(
        self,
        format: SummaryFormat,
        kind: impl Fn(&T) -> Option<ErrorKind>,
        errors: impl Fn(&T) -> &[MonthError],
        table: impl Fn(&str, &T) -> String,
        notes: impl Fn(&T, &str),
    ) -> Result<u8>
    where
        T: Serialize,
    {
        let several = match self.single() {
            Ok((name, result)) => {
                let done = result?;
                match format {
                    SummaryFormat::Json => print_json(&done)?,
                    SummaryFormat::Table => print_text(&table(&name, &done))?,
                }
                notes(&done, "");
                for (_, error) in errors(&done) {
                    show_error(error);
                }
                return Ok(code_of(kind(&done)));
            }
            Err(several) => several,
        };
        if format == SummaryFormat::Json {
            let why = |done: &T| reason(&month_errors(errors(done)), &[]);
            print_json(&several.json(&kind, why)?)?;
        }
        let done = |(name, result): &'_ (String, Result<T>)| result.is_ok().then(|| name.clone());
        let last = several.all.iter().filter_map(done).next_back();
        for (name, result) in &several.all {
            let Ok(done) = result else { continue };
            if format == SummaryFormat::Table {
                let gap = if last.as_ref() == Some(name) {
                    ""
                } else {
                    "\n"
                };
                print_text(&format!("{name}\n{}{gap}", table(name, done)))?;
            }
            notes(done, &format!("{name}: "));
        }
        several.show_errors(errors);
        Ok(code_of(several.kind(kind)))
    }

    /// Prints the errors of months, and of connections without a result, to stderr.
    pub(crate) fn show_errors(&self, errors_of: impl Fn(&T) -> &[MonthError]) {
        for (name, result) in &self.all {
            let errors: Vec<&Error> = match result {
                Ok(done) => errors_of(done).iter().map(|(_, error)| error).collect(),
                Err(error) => vec![error],
            };
            for error in errors {
                if self.several {
                    show_error(&error.clone().context(format!("connection `{name}`")));
                } else {
                    show_error(error);
                }
            }
        }
    }

    /// Returns one JSON object: each connection's result with its exit code and, unless that is 0, the error.
    pub(crate) fn json(
        &self,
        kind_of: impl Fn(&T) -> Option<ErrorKind>,
        why: impl Fn(&T) -> String,
    ) -> Result<Value>
    where
        T: Serialize,
    {
        let connections = self.all.iter().map(|(name, result)| {
            let (mut object, kind, error) = match result {
                Ok(done) => {
                    let object =
                        serde_json::to_value(done).map_err(|e| Error::bug(format!("JSON: {e}")))?;
                    (object, kind_of(done), why(done))
                }
                Err(error) => (json!({}), Some(error.kind()), error.to_string()),
            };
            object["connection"] = json!(name);
            object["exit_code"] = json!(code_of(kind));
            if kind.is_some() {
                object["error"] = json!(error);
            }
            Ok(object)
        });
        Ok(json!({ "connections": connections.collect::<Result<Vec<_>>>()? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(results: &[std::result::Result<Option<ErrorKind>, ErrorKind>]) -> Option<ErrorKind> {
        let all = results.iter().map(|result| {
            let result = match *result {
                Ok(kind) => Ok(kind),
                Err(kind) => Err(Error::new(kind, std::fmt::Error)),
            };
            (String::new(), result)
        });
        let results = ConnectionResults {
            all: all.collect(),
            several: true,
        };
        results.kind(|kind| *kind)
    }

    #[test]
    fn failed_checks_decide_and_mixed_results_are_partial() {
        use ErrorKind::{Config, Partial, Reconcile, Remote};
        assert_eq!(kind(&[]), None);
        assert_eq!(kind(&[Ok(None), Ok(None)]), None);
        assert_eq!(kind(&[Ok(None), Err(Config)]), Some(Partial));
        assert_eq!(kind(&[Err(Config), Ok(Some(Config))]), Some(Config));
        assert_eq!(kind(&[Err(Remote), Err(Config)]), Some(Partial));
        assert_eq!(kind(&[Err(Remote), Ok(Some(Reconcile))]), Some(Reconcile));
    }
}
