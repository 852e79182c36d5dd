//! Table of the months of an import, a pull or a transform.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::output::aggregate::ConnectionResults;
use crate::cli::output::money::{self, Precision};
use crate::cli::output::table::{Column, NONE, Table, money_header};
use crate::pipeline::summary::{PeriodStatus, PeriodSummary, Summary};

/// Currencies by connection.
pub(crate) type Currencies = BTreeMap<String, String>;

/// Parts of the table that depend on all its months.
struct Layout<'a> {
    currencies: &'a Currencies,
    /// Currency of all connections; `None` if they differ.
    currency: Option<&'a str>,
    has_connections: bool,
    has_changes: bool,
    precision: Precision,
}

/// Table of all connections, the totals last.
pub(crate) fn summary_table(
    results: &ConnectionResults<Summary>,
    currencies: &Currencies,
    precision: Precision,
) -> Table {
    let summaries = || results.all.iter().filter_map(|(_, r)| r.as_ref().ok());
    let months: Vec<&PeriodSummary> = summaries().flat_map(|s| &s.periods).collect();
    let distinct: BTreeSet<&str> = currencies.values().map(String::as_str).collect();
    let layout = Layout {
        currencies,
        currency: distinct.first().copied().filter(|_| distinct.len() == 1),
        has_connections: results.several,
        has_changes: months.iter().any(|m| m.previous_net_amount.is_some()),
        precision,
    };
    let mut table = Table::new(layout.columns());
    for (name, result) in &results.all {
        match result {
            Ok(summary) => {
                for month in &summary.periods {
                    table.row(layout.month(month));
                }
            }
            Err(_) => table.row(layout.failed_connection(name)),
        }
    }
    for currency in distinct {
        let is_in_currency = |month: &PeriodSummary| {
            let known = currencies.get(&month.connection);
            known.is_none_or(|known| known == currency)
        };
        let counted = months.iter().copied();
        let counted: Vec<_> = counted
            .filter(|m| m.status != PeriodStatus::Failed && is_in_currency(m))
            .collect();
        if counted.len() > 1 {
            table.total(layout.total(&counted, currency));
        }
    }
    table
}

impl Layout<'_> {
    fn columns(&self) -> Vec<Column> {
        let mut columns = Vec::new();
        if self.has_connections {
            columns.push(Column::text("connection"));
        }
        columns.push(Column::text("period"));
        if self.currency.is_none() {
            columns.push(Column::text("currency"));
        }
        columns.push(Column::number(money_header("net", self.currency)));
        if self.has_changes {
            columns.push(Column::number("change"));
        }
        columns.extend([
            Column::text("status"),
            Column::text("complete through"),
            Column::number("list").detail(),
            Column::number("discount").detail(),
            Column::number("costs").detail(),
            Column::number("line items").detail(),
        ]);
        columns
    }

    fn row(&self, connection: &str, period: &str, currency: &str, cells: Cells) -> Vec<String> {
        let mut row = Vec::new();
        if self.has_connections {
            row.push(connection.to_string());
        }
        row.push(period.to_string());
        if self.currency.is_none() {
            row.push(currency.to_string());
        }
        row.push(cells.net);
        if self.has_changes {
            row.push(cells.change);
        }
        row.extend([cells.status, cells.complete_through]);
        row.extend([cells.list, cells.discount, cells.costs, cells.line_items]);
        row
    }

    fn month(&self, month: &PeriodSummary) -> Vec<String> {
        let money = |exact: &str| self.precision.money(exact);
        let mut cells = Cells {
            status: status(month.status).to_string(),
            complete_through: month
                .complete_through
                .map_or(NONE.to_string(), |day| day.to_string()),
            ..Cells::default()
        };
        if month.status != PeriodStatus::Failed {
            cells.net = money(&month.net_amount);
            cells.change =
                change(month).map_or(NONE.to_string(), |exact| self.precision.change(&exact));
            cells.list = money(&month.original_amount);
            cells.discount = money(&month.discount_amount);
            cells.costs = money::count(month.costs);
            cells.line_items = money::count(month.line_items);
        }
        let currency = self.currencies.get(&month.connection);
        let currency = currency.map_or(NONE, String::as_str);
        let period = month.billing_period.to_string();
        self.row(&month.connection, &period, currency, cells)
    }

    /// Row of a connection that failed before its first month.
    fn failed_connection(&self, name: &str) -> Vec<String> {
        let cells = Cells {
            status: "failed".to_string(),
            ..Cells::default()
        };
        self.row(name, NONE, NONE, cells)
    }

    fn total(&self, months: &[&PeriodSummary], currency: &str) -> Vec<String> {
        let sum = |amount: fn(&PeriodSummary) -> &str| {
            let sum = money::sum(months.iter().map(|month| amount(month)));
            sum.map_or(NONE.to_string(), |exact| self.precision.money(&exact))
        };
        let changes: Vec<String> = months.iter().filter_map(|month| change(month)).collect();
        let change = money::sum(changes.iter().map(String::as_str));
        let cells = Cells {
            net: sum(|month| &month.net_amount),
            change: change.map_or(NONE.to_string(), |exact| self.precision.change(&exact)),
            status: String::new(),
            complete_through: String::new(),
            list: sum(|month| &month.original_amount),
            discount: sum(|month| &month.discount_amount),
            costs: money::count(months.iter().map(|month| month.costs).sum()),
            line_items: money::count(months.iter().map(|month| month.line_items).sum()),
        };
        if self.has_connections {
            self.row("Total", "", currency, cells)
        } else {
            self.row("", "Total", currency, cells)
        }
    }
}

/// Cells that every layout has.
struct Cells {
    net: String,
    change: String,
    status: String,
    complete_through: String,
    list: String,
    discount: String,
    costs: String,
    line_items: String,
}

impl Default for Cells {
    fn default() -> Cells {
        let none = || NONE.to_string();
        Cells {
            net: none(),
            change: none(),
            status: none(),
            complete_through: none(),
            list: none(),
            discount: none(),
            costs: none(),
            line_items: none(),
        }
    }
}

/// Returns net minus the net published before the run. A month without an earlier version changes by all of it.
pub(crate) fn change(month: &PeriodSummary) -> Option<String> {
    match (&month.previous_net_amount, month.status) {
        (Some(previous), _) => money::difference(&month.net_amount, previous),
        (None, PeriodStatus::Published | PeriodStatus::DryRun) => Some(month.net_amount.clone()),
        (None, _) => None,
    }
}

fn status(status: PeriodStatus) -> &'static str {
    match status {
        PeriodStatus::Published => "published",
        PeriodStatus::Unchanged => "unchanged",
        PeriodStatus::Empty => "empty",
        PeriodStatus::OnHold => "held",
        PeriodStatus::Failed => "failed",
        PeriodStatus::DryRun => "dry run",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::billing_period::BillingPeriod;

    fn month(connection: &str, period: &str, net: &str, previous: Option<&str>) -> PeriodSummary {
        let period: BillingPeriod = period.parse().unwrap();
        let mut month = PeriodSummary::new(connection, period, PeriodStatus::Published);
        month.costs = 1860;
        month.line_items = 3037;
        month.original_amount = net.to_string();
        month.net_amount = net.to_string();
        month.previous_net_amount = previous.map(str::to_string);
        month
    }

    fn shown(connections: &[(&str, &str, Vec<PeriodSummary>)]) -> String {
        let all = connections.iter().map(|(name, _, periods)| {
            let summary = Summary {
                run: "run".to_string().into(),
                periods: periods.clone(),
                unavailable: Vec::new(),
                errors: Vec::new(),
            };
            (name.to_string(), Ok(summary))
        });
        let results = ConnectionResults {
            all: all.collect(),
            several: connections.len() > 1,
        };
        let currencies = connections
            .iter()
            .map(|(name, currency, _)| (name.to_string(), currency.to_string()))
            .collect();
        summary_table(&results, &currencies, Precision::Rounded).render(None)
    }

    fn words(line: &str) -> Vec<&str> {
        line.split("  ")
            .map(str::trim)
            .filter(|w| !w.is_empty())
            .collect()
    }

    #[test]
    fn totals_are_sums_of_exact_amounts_and_new_months_change_by_all_of_their_net() {
        let table = shown(&[(
            "confluent",
            "USD",
            vec![
                month("confluent", "2026-09", "1000.004", Some("1000.004")),
                month("confluent", "2026-10", "2000.004", Some("2500.5")),
                month("confluent", "2026-11", "10.004", None),
            ],
        )]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            words(lines[0])[..4],
            ["period", "net (USD)", "change", "status"]
        );
        assert_eq!(words(lines[2])[..3], ["2026-09", "1,000.00", "0.00"]);
        assert_eq!(words(lines[3])[..3], ["2026-10", "2,000.00", "-500.50"]);
        assert_eq!(words(lines[4])[..3], ["2026-11", "10.00", "+10.00"]);
        let total = [
            "Total", "3,010.01", "-490.49", "3,010.01", "0.00", "5,580", "9,111",
        ];
        assert_eq!(words(lines[6]), total);
    }

    #[test]
    fn first_imports_have_no_change_and_single_months_no_total() {
        let table = shown(&[("a", "USD", vec![month("a", "2026-10", "5", None)])]);
        assert!(
            !table.contains("change") && !table.contains("Total"),
            "{table}"
        );
    }

    #[test]
    fn currencies_are_totalled_separately() {
        let table = shown(&[
            (
                "acme",
                "EUR",
                vec![
                    month("acme", "2026-09", "1", None),
                    month("acme", "2026-10", "2", None),
                ],
            ),
            (
                "globex",
                "USD",
                vec![
                    month("globex", "2026-09", "10", None),
                    month("globex", "2026-10", "20", None),
                ],
            ),
        ]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            words(lines[0])[..4],
            ["connection", "period", "currency", "net"]
        );
        assert_eq!(words(lines[7])[..3], ["Total", "EUR", "3.00"]);
        assert_eq!(words(lines[8])[..3], ["Total", "USD", "30.00"]);
    }
}
