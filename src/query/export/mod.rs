//! Exports: the published months in the FOCUS format, by `sql/exports/focus.sql`.
//!
//! ```text
//! <output>/data/billing_period=2026-10/<connection>.parquet       one file per month and connection
//! <output>/metadata/data_generator.json, schemas/<schema id>.json     as FOCUS defines them
//! <output>/metadata/files/2026-10/<connection>.json               rows and total of each file
//! ```
//! A file appears when it is complete and its total equals that of the published line items.

mod columns;
mod file;
mod metadata;

use arrow::array::AsArray;
use arrow::datatypes::Decimal128Type;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};

use crate::billing_period::BillingPeriod;
use crate::decimal;
use crate::error::{Error, Result};
use crate::pipeline::select::Selection;
use crate::query::export::columns::{BILLED_COST, FocusColumns};
pub(crate) use crate::query::export::file::DataFormat;
use crate::query::export::file::MonthFile;
use crate::query::export::metadata::FileRecord;
use crate::query::parameters::Parameters;
use crate::query::session::Session;
use crate::query::statements::Statement;
use crate::query::tables;
use crate::store::Store;

/// Name of the SQL file.
const FOCUS: &str = "exports/focus";

/// A published month of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublishedMonth {
    pub(crate) connection: String,
    pub(crate) billing_period: BillingPeriod,
    pub(crate) line_items: u64,
    /// Sum of `cost/cost`, in units of the decimal scale.
    cost: i128,
    /// False if costs may still arrive.
    pub(crate) is_complete: bool,
}

/// Payer of a connection's costs.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) currency: String,
    /// Id of the Confluent organization, else the connection's name.
    pub(crate) id: String,
}

/// A month that was written.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct ExportedMonth {
    pub(crate) connection: String,
    pub(crate) billing_period: BillingPeriod,
    /// Published line items.
    pub(crate) line_items: u64,
    /// Rows of the file: line items without their Discount rows.
    pub(crate) rows: u64,
    /// Exact sum of the file's `BilledCost`, equal to the published cost.
    pub(crate) billed_cost: String,
    pub(crate) currency: String,
    pub(crate) is_complete: bool,
    /// Path below the output.
    pub(crate) file: String,
    pub(crate) bytes: u64,
}

/// The published months of a selection, by month and connection. Without months all of them.
///
/// # Errors
/// Kind usage, for a month or a connection that is not published, and if nothing is.
pub(crate) async fn published_months(
    session: &Session,
    store: &Store,
    connection: Option<&str>,
    selection: &Selection,
) -> Result<Vec<PublishedMonth>> {
    let mut conditions = vec!["true".to_string()];
    conditions.extend(connection.map(|name| format!("connection = '{name}'")));
    if let Selection::Named(months) = selection {
        let months: Vec<String> = months.iter().map(|month| format!("'{month}'")).collect();
        conditions.push(format!("billing_period in ({})", months.join(", ")));
    }
    let sql = format!(
        "select months.billing_period, months.connection, found.line_items, found.cost, months.is_complete \
         from months inner join (\
           select connection, billing_period, count(*) as line_items, sum(\"cost/cost\") as cost from line_items \
           where {} group by connection, billing_period\
         ) as found \
         on found.connection = months.connection and found.billing_period = months.billing_period \
         order by 1, 2",
        conditions.join(" and ")
    );
    let rows = session.texts(&Statement::new(sql)).await?.into_iter();
    let months: Vec<PublishedMonth> = rows.map(published_month).collect::<Result<_>>()?;
    if let Selection::Named(named) = selection {
        let has = |month: &&BillingPeriod| months.iter().any(|one| one.billing_period == **month);
        if let Some(missing) = named.iter().find(|month| !has(month)) {
            let of = connection.map_or(String::new(), |name| format!(" of `{name}`"));
            return Err(Error::usage(format!("{missing}{of} is not published"))
                .with_hint("run `billstream query \"select * from periods\"` to list the months"));
        }
    }
    if months.is_empty() {
        return Err(match connection {
            Some(name) => Error::usage(format!("`{name}` has no published months"))
                .with_hint("check the name with `billstream connections list`"),
            None => tables::nothing_imported(store),
        });
    }
    Ok(months)
}

fn published_month(row: [Option<String>; 5]) -> Result<PublishedMonth> {
    let [period, connection, line_items, cost, is_complete] = row.map(Option::unwrap_or_default);
    let invalid = |what: &str| Error::bug(format!("the published months have an invalid {what}"));
    let cost = decimal::parse(&cost).map_err(|_| invalid("cost"))?;
    Ok(PublishedMonth {
        billing_period: period.parse()?,
        connection,
        line_items: line_items.parse().map_err(|_| invalid("count"))?,
        cost: cost.units,
        is_complete: is_complete == "true",
    })
}

/// Writes a month's file, and its metadata, to `output`.
///
/// # Errors
/// Kind data, for SQL that fails or returns other columns than FOCUS's; kind reconcile, if the total differs from the
/// published one; kind usage, if the month is there in another format; those of the output.
pub(crate) async fn write_month(
    session: &Session,
    output: &Store,
    month: &PublishedMonth,
    account: &Account,
    format: DataFormat,
    now: DateTime<Utc>,
) -> Result<ExportedMonth> {
    let (period, connection) = (month.billing_period, &month.connection);
    let folder = format!("data/billing_period={period}");
    let path = format!("{folder}/{connection}.{}", format.extension());
    refuse_other_formats(output, &folder, connection, &path).await?;
    let sql_file = session.catalog().sql().get(FOCUS)?;
    let failed = |e: Error| e.context(sql_file.display());
    let texts = [
        ("connection", connection.clone()),
        ("billing_period", period.to_string()),
        ("currency", account.currency.clone()),
        ("billing_account_id", account.id.clone()),
    ];
    let parameters = texts.map(|(name, text)| (name.to_string(), text.into()));
    let parameters = Parameters::from(parameters);
    let statement = Statement::from_file(&sql_file.text);
    let rows = session.start(&statement, &parameters);
    let mut rows = rows.await.map_err(failed)?;
    let columns = FocusColumns::new(&rows.schema()).map_err(failed)?;
    let mut file = MonthFile::create(output, &path, format, columns.schema())?;
    let mut billed_cost = Some(0_i128);
    while let Some(batch) = rows.next().await.map_err(failed)? {
        let batch = columns.conform(&batch).map_err(failed)?;
        billed_cost = billed_cost
            .zip(sum(&batch)?)
            .and_then(|(a, b)| a.checked_add(b));
        file.write(&batch).await?;
    }
    if billed_cost != Some(month.cost) {
        return Err(differs(month, billed_cost).context(sql_file.display()));
    }
    let schema_id = metadata::write_schema(output, &columns, now).await?;
    let (rows, bytes) = file.finish(&schema_id).await?;
    let exported = ExportedMonth {
        connection: connection.clone(),
        billing_period: period,
        line_items: month.line_items,
        rows,
        billed_cost: decimal::to_plain_string(month.cost),
        currency: account.currency.clone(),
        is_complete: month.is_complete,
        file: path,
        bytes,
    };
    metadata::write_file_record(output, &FileRecord::new(&exported, &schema_id, now)).await?;
    Ok(exported)
}

/// Sum of the billed cost of a batch; `None` if it overflows.
fn sum(batch: &RecordBatch) -> Result<Option<i128>> {
    let column = batch.column_by_name(BILLED_COST);
    let column = column.and_then(|column| column.as_primitive_opt::<Decimal128Type>());
    let column = column.ok_or_else(|| Error::bug("the export has no billed cost"))?;
    let mut values = column.iter().flatten();
    Ok(values.try_fold(0_i128, |sum, value| sum.checked_add(value)))
}

fn differs(month: &PublishedMonth, billed_cost: Option<i128>) -> Error {
    let billed_cost = billed_cost.map_or("too large".to_string(), decimal::to_plain_string);
    Error::reconcile(format!(
        "the sum of BilledCost is {billed_cost}, that of the published line items {}",
        decimal::to_plain_string(month.cost)
    ))
    .with_hint("nothing was written; correct the SQL file so that every cost counts once")
}

/// Refuses to write a month that is there in another format: readers of the folder would add up both.
async fn refuse_other_formats(
    output: &Store,
    folder: &str,
    connection: &str,
    path: &str,
) -> Result<()> {
    let others =
        DataFormat::ALL.map(|other| format!("{folder}/{connection}.{}", other.extension()));
    for other in others.iter().filter(|other| *other != path) {
        if output.head(other).await?.is_some() {
            return Err(Error::usage(format!(
                "`{}` holds the month in another format, and both would count",
                output.display(other)
            ))
            .with_hint("export to another folder, or delete that file first"));
        }
    }
    Ok(())
}
