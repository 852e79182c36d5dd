//! `billstream diff`.

use crate::billing_period::BillingPeriod;
use crate::cli::output::money::{Precision, count};
use crate::cli::output::rows::{Format, ReportLayout};
use crate::cli::query_session::{ExploreArgs, RowsArgs, show};
use crate::error::{Error, Result};
use crate::query::diff::{self, Sides};
use crate::query::permissions::Parameters;

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  billstream diff --month 2026-10                      the newest version against the one before
  billstream diff --month 2026-10 --from-version 11 --by service,usage_type
  billstream diff 2026-09 2026-10 --by resource_id     two months
The versions of a month: billstream query \"select * from versions where billing_period = '2026-10'\"")]
pub struct DiffArgs {
    /// Two months to compare, such as 2026-09 2026-10
    #[arg(value_name = "YYYY-MM", num_args = 2, conflicts_with = "month")]
    months: Vec<BillingPeriod>,
    /// One month, to compare two of its versions
    #[arg(long, value_name = "YYYY-MM")]
    month: Option<BillingPeriod>,
    /// The earlier version [default: the one before the later]
    #[arg(long, value_name = "VERSION", requires = "month")]
    from_version: Option<u64>,
    /// The later version [default: the newest]
    #[arg(long, value_name = "VERSION", requires = "month")]
    to_version: Option<u64>,
    /// One connection only
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// Columns to add differences up by, such as service,usage_type
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    by: Vec<String>,
    /// Show amounts in tables with all digits
    #[arg(long)]
    exact: bool,
    #[command(flatten)]
    explore: ExploreArgs,
    #[command(flatten)]
    rows: RowsArgs,
}

/// Compares, writes the differences, and says how they add up.
pub async fn run(args: DiffArgs) -> Result<u8> {
    let sides = match (args.months.as_slice(), args.month) {
        ([before, after], _) => Sides::Months(*before, *after),
        (_, Some(period)) => Sides::Versions {
            period,
            from: args.from_version,
            to: args.to_version,
        },
        _ => {
            return Err(Error::usage("there is nothing to compare")
                .with_hint("name two months, or one with --month to compare its versions"));
        }
    };
    if let Some(name) = &args.connection {
        crate::config::check_name(name)?;
    }
    let (session, store) = args.explore.session_and_store()?;
    let connection = args.connection.as_deref();
    let diff = diff::prepare(&session, &store, connection, sides, &args.by).await?;
    let totals = diff::totals(&session).await?;
    let mut style = args.rows.style()?;
    // Totals beside exact rows are exact.
    let is_exact = args.exact || style.format != Format::Table;
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    let layout = ReportLayout {
        money: names(&diff::AMOUNTS),
        totals: names(&diff::AMOUNTS),
        currency: args.explore.currency()?,
        secondary: names(&diff::SECONDARY),
        folds_constants: true,
        precision: Precision::new(is_exact),
    };
    style.layout = Some(&layout);
    let mut destination = args.rows.destination()?;
    let shown = show(
        &session,
        &diff.piece,
        &Parameters::new(),
        style,
        &mut destination,
    )
    .await?;
    destination.finish().await?;
    if shown.more {
        eprintln!(
            "note: the first {} rows; there are more (--max-rows 0 shows all)",
            shown.rows
        );
    }
    let items = |rows: &str| rows.parse().map_or(rows.to_string(), count);
    let currency = layout.currency.as_ref();
    let currency = currency.map_or(String::new(), |currency| format!(" {currency}"));
    let net = |exact: &str| layout.precision.money(exact) + &currency;
    eprintln!(
        "before: {} line items, {} ({})",
        items(&totals.rows.0),
        net(&totals.cost.0),
        diff.before
    );
    eprintln!(
        "after:  {} line items, {} ({})",
        items(&totals.rows.1),
        net(&totals.cost.1),
        diff.after
    );
    eprintln!(
        "change: {}{currency}, equal to the sum of the differences",
        layout.precision.change(&totals.change)
    );
    Ok(0)
}
