//! `billstream diff`.

use crate::billing_period::BillingPeriod;
use crate::cli::args::parse_month;
use crate::cli::output::money::{Precision, count};
use crate::cli::output::rows::{Format, ReportLayout};
use crate::cli::output::stderr::note;
use crate::cli::query_session::{RowsArgs, SessionArgs, note_damage, note_truncation, write_rows};
use crate::cli::signals::until_stopped;
use crate::error::{Error, Result};
use crate::query::diff::{self, Comparison};
use crate::query::parameters::Parameters;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  billstream diff --month 2026-10                      the newest version and the one before
  billstream diff --month 2026-10 --from-version 11 --by service,usage_type
  billstream diff 2026-09 2026-10 --by resource_id     two months
To list the versions of a month: billstream query \"select * from versions where billing_period = '2026-10'\"")]
pub(crate) struct DiffArgs {
    /// Two months to compare, such as 2026-09 2026-10
    #[arg(value_name = "YYYY-MM", value_parser = parse_month, num_args = 2, conflicts_with = "month")]
    months: Vec<BillingPeriod>,
    /// Month whose versions to compare
    #[arg(long, value_name = "YYYY-MM", value_parser = parse_month)]
    month: Option<BillingPeriod>,
    /// Earlier version [default: the one before the later]
    #[arg(long, value_name = "VERSION", requires = "month")]
    from_version: Option<u64>,
    /// Later version [default: the newest]
    #[arg(long, value_name = "VERSION", requires = "month")]
    to_version: Option<u64>,
    /// Compare one connection only
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// Columns to add differences up by, such as service,usage_type
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    by: Vec<String>,
    /// Show amounts in tables with all digits
    #[arg(long)]
    exact: bool,
    #[command(flatten)]
    session: SessionArgs,
    #[command(flatten)]
    rows: RowsArgs,
}

/// Writes the differences to stdout, and the totals of both sides to stderr.
pub(crate) async fn run(args: DiffArgs) -> Result<u8> {
    until_stopped(compare(args)).await
}

async fn compare(args: DiffArgs) -> Result<u8> {
    let comparison = match (args.months.as_slice(), args.month) {
        ([before, after], _) => Comparison::Months(*before, *after),
        (_, Some(period)) => Comparison::Versions {
            period,
            from: args.from_version,
            to: args.to_version,
        },
        _ => {
            return Err(Error::usage("nothing to compare")
                .with_hint("name two months, or one with --month to compare its versions"));
        }
    };
    if let Some(name) = &args.connection {
        crate::config::check_name(name)?;
    }
    let currency = args.session.currency_of(args.connection.as_deref())?;
    let (session, store) = args.session.session_and_store()?;
    note_damage(&store).await;
    let connection = args.connection.as_deref();
    let diff = diff::prepare(&session, &store, connection, comparison, &args.by).await?;
    let totals = diff::totals(&session).await?;
    let mut style = args.rows.style()?;
    // Totals beside exact rows are exact.
    let is_exact = args.exact || style.format != Format::Table;
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    let layout = ReportLayout {
        money: names(&diff::AMOUNTS),
        totals: names(&diff::AMOUNTS),
        currency,
        secondary: names(&diff::SECONDARY),
        folds_constants: true,
        precision: Precision::new(is_exact),
    };
    style.layout = Some(&layout);
    let mut destination = args.rows.destination()?;
    let none = Parameters::new();
    let written = write_rows(&session, &diff.statement, &none, style, &mut destination).await?;
    destination.finish().await?;
    note_truncation(&written, "--max-rows 0 shows all");
    let currency = layout.currency.as_ref();
    let currency = currency.map_or(String::new(), |currency| format!(" {currency}"));
    let net = |exact: &str| layout.precision.money(exact) + &currency;
    let (before, after) = (&totals.before, &totals.after);
    note!(
        "before: {} line items, {} ({})",
        count(before.line_items),
        net(&before.cost),
        diff.before
    );
    note!(
        "after:  {} line items, {} ({})",
        count(after.line_items),
        net(&after.cost),
        diff.after
    );
    note!(
        "change: {}{currency}, equal to the sum of the differences",
        layout.precision.change(&totals.change)
    );
    Ok(0)
}
