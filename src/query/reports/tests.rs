//! Reports over bills in two currencies.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::{TimeZone, Utc};
use object_store::memory::InMemory;

use super::*;
use crate::engine::Limits;
use crate::engine::text::Cells;
use crate::query::session::SessionOptions;
use crate::query::sources;
use crate::store::Store;

const HEADER: &str = "BilledCost,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,ResourceId,ServiceName";

/// A bill in euros and one in dollars that name the same machine, and a file of rates.
fn write_bills(folder: &Path) {
    let bill = |currency: &str, rows: &[(&str, &str, &str)]| {
        let rows = rows.iter().map(|(cost, day, resource)| {
            format!("{cost},{currency},2026-10-01,Usage,{day},{resource},Compute\n")
        });
        format!("{HEADER}\n{}", rows.collect::<String>())
    };
    let euros = bill(
        "EUR",
        &[("10.50", "2026-10-01", "vm-1"), ("1", "2026-10-02", "vm-2")],
    );
    let dollars = bill(
        "usd",
        &[("5.25", "2026-10-01", "vm-1"), ("2", "2026-10-03", "vm-3")],
    );
    for (name, text) in [
        ("euros.csv", euros.as_str()),
        ("dollars.csv", dollars.as_str()),
        (
            "rates.csv",
            "date,from,to,rate\n2026-10-01,USD,EUR,0.9\n2026-10-03,USD,EUR,0.8\n2026-10-02,EUR,USD,1.1\n",
        ),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

fn session(folder: &Path, names: &[&str]) -> Session {
    let sql = SqlFiles::load(None).unwrap();
    let place = |name: &&str| format!("{name}={}", folder.join(format!("{name}.csv")).display());
    let locations: Vec<String> = names.iter().map(place).collect();
    let sources = sources::resolve(&locations, &[], &sql).unwrap();
    Session::open(SessionOptions {
        store: Store::over(Arc::new(InMemory::new())),
        sql,
        sources,
        currencies: BTreeMap::new(),
        rates: Some(folder.join("rates.csv")),
        limits: Limits::default(),
        clock: Arc::new(|| Utc.with_ymd_and_hms(2026, 11, 20, 0, 0, 0).unwrap()),
        allow_write: false,
    })
    .unwrap()
}

/// Runs a report with parameters.
async fn run(session: &Session, name: &str, given: &[(&str, &str)]) -> Result<ReportResult> {
    let sql = SqlFiles::load(None).unwrap();
    let given = given.iter().map(|(n, v)| (n.to_string(), v.to_string()));
    let given: Vec<_> = given.collect();
    let report = Report::find(&sql, name)?;
    report.run(session, &given).await
}

/// Texts of some columns of a part.
fn texts(part: &ReportPart, columns: &[&str]) -> Vec<String> {
    let mut rows = Vec::new();
    for batch in &part.batches {
        let cells = Cells::new(batch).unwrap();
        let schema = batch.schema();
        for row in 0..batch.num_rows() {
            let texts = columns.iter().map(|name| {
                let text = cells.text(row, schema.index_of(name).unwrap());
                let text = text.unwrap_or_default();
                match text.contains('.') {
                    true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
                    false => text,
                }
            });
            rows.push(texts.collect::<Vec<_>>().join(" "));
        }
    }
    rows
}

#[tokio::test]
async fn top_resources_never_adds_two_currencies() {
    let folder = tempfile::tempdir().unwrap();
    write_bills(folder.path());
    let session = session(folder.path(), &["euros", "dollars"]);
    let result = run(&session, "top_resources", &[]).await.unwrap();
    let columns = ["item", "billed_cost", "currency"];
    let parts: Vec<_> = result
        .parts
        .iter()
        .map(|part| texts(part, &columns))
        .collect();
    assert_eq!(
        parts,
        [
            ["resource/vm-1 10.5 EUR", "resource/vm-2 1 EUR"],
            ["resource/vm-1 5.25 USD", "resource/vm-3 2 USD"]
        ]
    );
    let units = result.parts.iter().map(|part| part.chart.as_ref().unwrap());
    let units: Vec<&str> = units.map(|chart| chart.unit.as_str()).collect();
    assert_eq!(units, ["EUR", "USD"]);
    let said = result.notes.join("\n");
    assert!(said.contains("costs in EUR and USD are apart"), "{said}");
    // The views are as before.
    let (_, batches) = session
        .collect(
            &Statement::new("select count(distinct currency) from daily_costs"),
            &Parameters::new(),
        )
        .await
        .unwrap();
    let cells = Cells::new(&batches[0]).unwrap();
    assert_eq!(cells.text(0, 0).as_deref(), Some("2"));
}

#[tokio::test]
async fn every_report_runs_per_currency_and_has_the_column() {
    let folder = tempfile::tempdir().unwrap();
    write_bills(folder.path());
    let session = session(folder.path(), &["euros", "dollars"]);
    let sql = SqlFiles::load(None).unwrap();
    for report in Report::all(&sql) {
        // It reads the line items of the store, which has none here.
        if report.name == "marketplace_charges" {
            continue;
        }
        let result = run(&session, report.name, &[]).await.unwrap();
        let currencies = result.parts.iter().map(|part| part.currency.as_str());
        let currencies: Vec<_> = currencies.collect();
        assert_eq!(currencies, ["EUR", "USD"], "{}", report.name);
        let schemas = result.parts.iter().map(|part| part.batches[0].schema());
        let schemas: Vec<_> = schemas.collect();
        assert_eq!(schemas[0], schemas[1], "{}", report.name);
        let last = schemas[0].fields().last().unwrap().name().clone();
        assert_eq!(last, "currency", "{}", report.name);
    }
}

#[tokio::test]
async fn one_currency_is_selected_or_all_are_converted_by_the_rate_of_their_day() {
    let folder = tempfile::tempdir().unwrap();
    write_bills(folder.path());
    let session = session(folder.path(), &["euros", "dollars"]);
    let columns = ["item", "billed_cost", "currency"];
    let one = run(&session, "top_resources", &[("currency", "usd")])
        .await
        .unwrap();
    assert_eq!(one.parts.len(), 1);
    assert_eq!(
        texts(&one.parts[0], &columns),
        ["resource/vm-1 5.25 USD", "resource/vm-3 2 USD"]
    );
    let unknown = run(&session, "top_resources", &[("currency", "CHF")]).await;
    let unknown = unknown.unwrap_err();
    assert_eq!(unknown.kind(), crate::error::ErrorKind::Usage);
    assert!(unknown.to_string().contains("no costs in CHF"), "{unknown}");

    // 10.50 + 5.25 * 0.9, and 2 * 0.8 on the day of a newer rate.
    for normalize in ["none", "day"] {
        let given = [("convert", "EUR"), ("normalize", normalize)];
        let all = run(&session, "top_resources", &given).await.unwrap();
        assert_eq!(all.parts.len(), 1);
        let billed = match normalize {
            "day" => "billed_cost_per_day",
            _ => "billed_cost",
        };
        let rows = texts(&all.parts[0], &["item", billed, "currency"]);
        if normalize == "none" {
            let expected = [
                "resource/vm-1 15.225 EUR",
                "resource/vm-3 1.6 EUR",
                "resource/vm-2 1 EUR",
            ];
            assert_eq!(rows, expected);
        } else {
            assert_eq!(rows.len(), 3);
            assert!(
                rows[0].starts_with("resource/vm-1 0.4911290322"),
                "{}",
                rows[0]
            );
        }
    }
    // There is no rate for euros on the first day.
    let missing = run(&session, "top_resources", &[("convert", "USD")]).await;
    let missing = missing.unwrap_err().to_string();
    assert!(
        missing.contains("no rate from EUR to USD on or before 2026-10-01"),
        "{missing}"
    );
}

#[tokio::test]
async fn a_statement_that_ignores_two_currencies_is_known() {
    let folder = tempfile::tempdir().unwrap();
    write_bills(folder.path());
    let two = session(folder.path(), &["euros", "dollars"]);
    assert_eq!(two.currencies().await.unwrap(), ["EUR", "USD"]);
    for (sql, expected) in [
        ("select sum(billed_cost) from daily_costs", true),
        ("select sum(\"cost/cost\") from euros", true),
        (
            "select max(c) from (select billed_cost as c from monthly_costs)",
            true,
        ),
        (
            "select 1 where exists (select 1 from daily_costs where real_cost > 5)",
            true,
        ),
        (
            "select sum(billed_cost) from daily_costs where currency = 'EUR'",
            false,
        ),
        (
            "select currency, sum(change) from cost_changes group by 1",
            false,
        ),
        ("select count(*), max(usage_date) from daily_costs", false),
        ("select * from daily_costs", false),
        ("select * exclude (currency) from daily_costs", true),
        ("select 1", false),
    ] {
        let statement = Statement::new(sql);
        let rows = two.start(&statement, &Parameters::new()).await.unwrap();
        assert_eq!(rows.ignores_currency, expected, "{sql}");
    }
}
