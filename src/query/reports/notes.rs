//! Notes about the months of a report: the one that was chosen, incomplete ones, and connections without costs.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::query::parameters::Parameters;
use crate::query::reports::COMPARE;
use crate::query::session::Session;
use crate::query::statements::Statement;

/// More connections than these are counted, not named.
const MAX_NAMED: usize = 4;

/// How an incomplete month is compared with another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    None,
    /// Over the days that both have.
    SameDays,
    /// Over all days of both.
    Months,
    /// By its complete days, per day.
    PerDay,
}

impl Comparison {
    /// Addition to the note about an incomplete month.
    fn remark(self) -> &'static str {
        match self {
            Comparison::None => "",
            Comparison::SameDays => "; the same days of both months are compared (through day)",
            Comparison::Months => {
                "; it is compared with a whole month (--normalize day compares days)"
            }
            Comparison::PerDay => {
                "; per day its complete days count, and those of a source up to its newest line item"
            }
        }
    }
}

/// Months that a report covers.
pub(super) struct Selection {
    month: Option<String>,
    previous: Option<String>,
    range: Option<(String, String)>,
    comparison: Comparison,
    /// True if the newest month is the default.
    is_latest: bool,
}

impl Selection {
    pub(super) fn new(
        values: &Parameters,
        given: &[(String, String)],
        is_per_day: bool,
    ) -> Selection {
        let text = |name: &str| values.get(name).map(ToString::to_string);
        let compared = text(COMPARE).filter(|month| !month.is_empty());
        let comparison = match (text("previous"), &compared) {
            (Some(_), _) if is_per_day => Comparison::PerDay,
            (Some(_), _) => Comparison::SameDays,
            (None, Some(_)) if is_per_day => Comparison::PerDay,
            (None, Some(_)) => Comparison::Months,
            (None, None) => Comparison::None,
        };
        Selection {
            month: text("month"),
            previous: text("previous").or(compared),
            comparison,
            range: text("from").zip(text("to")),
            is_latest: !given
                .iter()
                .any(|(name, _)| name == "month" || name == "to"),
        }
    }

    fn is_empty(&self) -> bool {
        self.month.is_none() && self.range.is_none()
    }

    fn newest(&self) -> Option<&str> {
        let last = self.range.as_ref().map(|(_, to)| to.as_str());
        self.month.as_deref().or(last)
    }

    /// Returns true if the report reads a month; one without months reads all.
    pub(super) fn covers(&self, period: &str) -> bool {
        self.is_empty() || self.includes(period)
    }

    fn includes(&self, period: &str) -> bool {
        let is_in = |(from, to): &(String, String)| (from.as_str()..=to.as_str()).contains(&period);
        self.month.as_deref() == Some(period)
            || self.previous.as_deref() == Some(period)
            || self.range.as_ref().is_some_and(is_in)
    }
}

/// Month of a connection, as the view `months` shows it.
struct Month {
    connection: String,
    period: String,
    complete_through: Option<String>,
    is_complete: bool,
}

/// Notes on the rows of a report.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) texts: Vec<String>,
    /// True if a month of the report may still grow.
    pub(super) is_incomplete: bool,
}

/// Notes that the rows of a report with these months require.
///
/// # Errors
/// Those of the view `months`.
pub(super) async fn notes(session: &Session, selection: &Selection) -> Result<Notes> {
    if selection.is_empty() {
        return Ok(Notes::default());
    }
    let months = months(session).await?;
    let mut notes = Vec::new();
    if let Some(month) = &selection.month {
        notes.extend(without_costs(&months, month, selection.previous.as_deref()));
        if let Some(previous) = &selection.previous {
            notes.extend(one_sided(&months, month, previous));
        }
    }
    if let (true, Some(newest)) = (selection.is_latest, selection.newest()) {
        notes.extend(behind(&months, newest));
    }
    let incomplete = incomplete(&months, selection);
    let is_incomplete = !incomplete.is_empty();
    notes.extend(incomplete);
    Ok(Notes {
        texts: notes,
        is_incomplete,
    })
}

async fn months(session: &Session) -> Result<Vec<Month>> {
    let sql = "select connection, billing_period, complete_through, is_complete from months order by 1, 2";
    let rows = session.texts(&Statement::new(sql)).await?;
    let month = |[connection, period, complete_through, is_complete]: [Option<String>; 4]| Month {
        connection: connection.unwrap_or_default(),
        period: period.unwrap_or_default(),
        complete_through,
        is_complete: is_complete.as_deref() == Some("true"),
    };
    Ok(rows.into_iter().map(month).collect())
}

/// Months without any costs.
fn without_costs(months: &[Month], month: &str, previous: Option<&str>) -> Vec<String> {
    let sides = [Some(month), previous].into_iter().flatten();
    let empty = sides.filter(|period| !months.iter().any(|month| month.period == *period));
    empty
        .map(|period| format!("{period} has no costs"))
        .collect()
}

/// Connections whose costs end before the newest month, which is the default.
fn behind(months: &[Month], newest: &str) -> Option<String> {
    let mut ends: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for connection in connections(months, |_| true) {
        let own = months.iter().filter(|month| month.connection == connection);
        let last = own.map(|month| month.period.as_str()).max();
        if let Some(last) = last.filter(|last| *last < newest) {
            ends.entry(last).or_default().insert(connection);
        }
    }
    let ends = ends.iter();
    let ends = ends.map(|(period, names)| format!("{period} ({})", named(names)));
    let ends = ends.collect::<Vec<_>>().join(", ");
    (!ends.is_empty())
        .then(|| format!("{newest} is the newest month, but some connections end with {ends}"))
}

/// Connections with costs in one of two compared months.
fn one_sided(months: &[Month], month: &str, previous: &str) -> Vec<String> {
    let now = connections(months, |one| one.period == month);
    let before = connections(months, |one| one.period == previous);
    if now.is_empty() || before.is_empty() {
        return Vec::new();
    }
    let new: BTreeSet<&str> = now.difference(&before).copied().collect();
    let gone: BTreeSet<&str> = before.difference(&now).copied().collect();
    let mut notes = Vec::new();
    if !new.is_empty() {
        notes.push(format!(
            "without costs in {previous}, all of it is new: {}",
            named(&new)
        ));
    }
    if !gone.is_empty() {
        notes.push(format!(
            "without costs in {month}, all of it is gone or not imported yet: {}",
            named(&gone)
        ));
    }
    notes
}

/// Months whose costs are not complete, with the day through which they are.
fn incomplete(months: &[Month], selection: &Selection) -> Vec<String> {
    let mut open: BTreeMap<&str, BTreeMap<Option<&str>, BTreeSet<&str>>> = BTreeMap::new();
    let selected = months.iter().filter(|one| selection.includes(&one.period));
    for month in selected.filter(|month| !month.is_complete) {
        let days = open.entry(&month.period).or_default();
        let connections = days.entry(month.complete_through.as_deref()).or_default();
        connections.insert(&month.connection);
    }
    let note = |(period, days): (&str, BTreeMap<Option<&str>, BTreeSet<&str>>)| {
        let of_day = |(day, names): (&Option<&str>, &BTreeSet<&str>)| match day {
            Some(day) => format!("{} through {day}", named(names)),
            None => format!("{} on no day", named(names)),
        };
        let days: Vec<String> = days.iter().map(of_day).collect();
        let days = days.join(", ");
        let compared = selection.comparison.remark();
        format!("{period} is not complete: {days}{compared}")
    };
    open.into_iter().map(note).collect()
}

fn connections(months: &[Month], is_included: impl Fn(&Month) -> bool) -> BTreeSet<&str> {
    let included = months.iter().filter(|month| is_included(month));
    included.map(|month| month.connection.as_str()).collect()
}

/// Names of connections, the first ones if they are many.
fn named(names: &BTreeSet<&str>) -> String {
    let first: Vec<&str> = names.iter().copied().take(MAX_NAMED).collect();
    match names.len().saturating_sub(MAX_NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(connection: &str, period: &str, complete_through: Option<&str>) -> Month {
        Month {
            connection: connection.to_string(),
            period: period.to_string(),
            complete_through: complete_through.map(str::to_string),
            is_complete: complete_through.is_some_and(|day| day.ends_with("-30")),
        }
    }

    fn of_month(period: &str, previous: Option<&str>, is_latest: bool) -> Selection {
        Selection {
            month: Some(period.to_string()),
            previous: previous.map(str::to_string),
            comparison: Comparison::None,
            range: None,
            is_latest,
        }
    }

    #[test]
    fn names_connections_that_end_before_the_newest_month() {
        let months = [
            month("a", "2026-11", Some("2026-11-30")),
            month("b", "2026-09", Some("2026-09-30")),
            month("c", "2026-09", Some("2026-09-30")),
        ];
        let expected = "2026-11 is the newest month, but some connections end with 2026-09 (b, c)";
        assert_eq!(behind(&months, "2026-11").as_deref(), Some(expected));
        assert_eq!(behind(&months, "2026-09"), None);
    }

    #[test]
    fn names_connections_of_one_side_and_months_without_costs() {
        let months = [
            month("a", "2026-11", Some("2026-11-30")),
            month("b", "2026-09", Some("2026-09-30")),
        ];
        assert_eq!(
            one_sided(&months, "2026-11", "2026-09"),
            [
                "without costs in 2026-09, all of it is new: a",
                "without costs in 2026-11, all of it is gone or not imported yet: b"
            ]
        );
        assert_eq!(
            without_costs(&months, "2026-08", Some("2026-09")),
            ["2026-08 has no costs"]
        );
    }

    #[test]
    fn names_the_last_complete_day_of_each_incomplete_month() {
        let months = [
            month("a", "2026-11", Some("2026-11-25")),
            month("b", "2026-11", Some("2026-11-25")),
            month("c", "2026-11", None),
            month("d", "2026-11", Some("2026-11-30")),
            month("e", "2026-10", None),
        ];
        let expected = "2026-11 is not complete: c on no day, a, b through 2026-11-25";
        assert_eq!(
            incomplete(&months, &of_month("2026-11", None, true)),
            [expected]
        );
        let range = Selection {
            month: None,
            previous: None,
            comparison: Comparison::None,
            range: Some(("2026-10".to_string(), "2026-11".to_string())),
            is_latest: false,
        };
        assert_eq!(
            incomplete(&months, &range),
            ["2026-10 is not complete: e on no day", expected]
        );
    }

    #[test]
    fn many_connections_are_counted() {
        let names = BTreeSet::from(["a", "b", "c", "d", "e", "f"]);
        assert_eq!(named(&names), "a, b, c, d and 2 more");
    }
}
