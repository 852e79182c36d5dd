//! Exchange rates by day, from the CSV file of the setting `query.rates`.
//!
//! The file has the columns `date`, `from`, `to` and `rate`: an amount in `from` times `rate` is the amount in `to`. A
//! day has the newest rate on or before it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use chrono::NaiveDate;

use crate::decimal;
use crate::error::{Error, Result};

/// Columns of the file.
const COLUMNS: [&str; 4] = ["date", "from", "to", "rate"];

/// Rates by pair of currencies and day.
#[derive(Debug, Default)]
pub(super) struct Rates {
    /// Location of the file, for errors.
    place: String,
    pairs: HashMap<(String, String), BTreeMap<NaiveDate, String>>,
}

impl Rates {
    /// Reads the file of rates.
    ///
    /// # Errors
    /// Kind configuration, without a file; kind data, for a file that is not one of rates, with the line.
    pub(super) fn read(path: Option<&Path>) -> Result<Rates> {
        let Some(path) = path else {
            return Err(Error::config("there is no file of exchange rates")
                .with_hint("name a CSV with date, from, to and rate in the setting query.rates"));
        };
        let text = std::fs::read_to_string(path).map_err(|e| {
            Error::config(format!(
                "could not read the exchange rates in `{}`: {e}",
                path.display()
            ))
        })?;
        Rates::parse(&text, &path.display().to_string())
    }

    fn parse(text: &str, place: &str) -> Result<Rates> {
        let mut rates = Rates {
            place: place.to_string(),
            ..Rates::default()
        };
        let text = text.trim_start_matches('\u{feff}');
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let wrong = |line: u64, problem: &str| {
            Error::data(format!("`{place}`, line {line}: {problem}"))
                .with_hint("a line is for example 2026-10-01,USD,EUR,0.92")
        };
        let header = reader.headers();
        let header = header.map_err(|_| wrong(1, "is not CSV"))?.clone();
        let mut indices = [0; COLUMNS.len()];
        for (index, name) in indices.iter_mut().zip(COLUMNS) {
            let found = header
                .iter()
                .position(|column| column.eq_ignore_ascii_case(name));
            *index = found.ok_or_else(|| wrong(1, &format!("there is no column `{name}`")))?;
        }
        for (at, record) in reader.records().enumerate() {
            let record = record.map_err(|_| wrong(at as u64 + 2, "has another number of cells"))?;
            let line = record.position().map_or(0, csv::Position::line);
            let [date, from, to, rate] = indices.map(|index| record.get(index).unwrap_or_default());
            let day = NaiveDate::parse_from_str(date, "%Y-%m-%d")
                .map_err(|_| wrong(line, "the date is not a day such as 2026-10-01"))?;
            let [from, to] = [from, to].map(str::to_ascii_uppercase);
            if [&from, &to].into_iter().any(|code| !is_code(code)) {
                return Err(wrong(line, "from or to is not a currency code such as USD"));
            }
            let parsed = decimal::parse(rate).ok().filter(|rate| rate.units > 0);
            let parsed = parsed.ok_or_else(|| wrong(line, "the rate is not a number above 0"))?;
            let days = rates.pairs.entry((from, to)).or_default();
            let exact = decimal::to_plain_string(parsed.units);
            if days.insert(day, exact).is_some() {
                return Err(wrong(line, "the pair has a rate of that day already"));
            }
        }
        Ok(rates)
    }

    /// Returns the rate of a day as a plain decimal.
    ///
    /// # Errors
    /// Kind data, if there is none on or before the day.
    pub(super) fn rate(&self, from: &str, to: &str, day: NaiveDate) -> Result<&str> {
        if from == to {
            return Ok("1");
        }
        let days = self.pairs.get(&(from.to_string(), to.to_string()));
        let newest = days.and_then(|days| days.range(..=day).next_back());
        newest.map(|(_, rate)| rate.as_str()).ok_or_else(|| {
            Error::data(format!(
                "`{}` has no rate from {from} to {to} on or before {day}",
                self.place
            ))
            .with_hint(format!("add the line {day},{from},{to},… with that rate"))
        })
    }
}

/// Returns true for a currency code such as `USD`.
pub(super) fn is_code(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_has_the_newest_rate_on_or_before_it() {
        let text = "\u{feff}Date,from,to,rate\n2026-10-05, usd,EUR,0.92\n2026-10-01,USD,EUR,0.9\n";
        let rates = Rates::parse(text, "rates.csv").unwrap();
        let rate = |of: &str| rates.rate("USD", "EUR", day(of)).map(str::to_string);
        assert_eq!(rate("2026-10-01").unwrap(), "0.9");
        assert_eq!(rate("2026-10-04").unwrap(), "0.9");
        assert_eq!(rate("2026-12-31").unwrap(), "0.92");
        assert_eq!(rates.rate("EUR", "EUR", day("2020-01-01")).unwrap(), "1");
        let missing = rate("2026-09-30").unwrap_err().to_string();
        assert!(
            missing.contains("no rate from USD to EUR on or before 2026-09-30"),
            "{missing}"
        );
        // The inverse is another rate.
        assert!(rates.rate("EUR", "USD", day("2026-10-05")).is_err());
    }

    #[test]
    fn names_the_line_of_a_mistake() {
        for (lines, said) in [
            ("date,from,rate\n", "line 1: there is no column `to`"),
            (
                "date,from,to,rate\n1.10.2026,USD,EUR,1\n",
                "line 2: the date",
            ),
            (
                "date,from,to,rate\n2026-10-01,USD,euro,1\n",
                "line 2: from or to",
            ),
            (
                "date,from,to,rate\n2026-10-01,USD,EUR,0\n",
                "line 2: the rate",
            ),
            (
                "date,from,to,rate\n2026-10-01,USD,EUR,NaN\n",
                "line 2: the rate",
            ),
            ("date,from,to,rate\n2026-10-01,USD\n", "line 2: has another"),
            (
                "date,from,to,rate\n2026-10-01,USD,EUR,1\n2026-10-01,USD,EUR,2\n",
                "line 3: the pair has a rate",
            ),
        ] {
            let error = Rates::parse(lines, "rates.csv").unwrap_err().to_string();
            assert!(error.contains(said), "{said}: {error}");
        }
    }
}
