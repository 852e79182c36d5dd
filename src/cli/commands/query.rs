//! `billstream query`.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use crate::cli::query_session::{ExploreArgs, RowsArgs, show};
use crate::error::{Error, Result};
use crate::query::statements::split;

/// Arguments of `query`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  billstream query \"select billing_period, sum(billed_cost) from daily_costs group by 1 order by 1\"
  billstream query --format csv \"select * from costs where billing_period = '2026-10'\"
  billstream query -f costs.sql --param month=2026-10 -o s3://bucket/october.parquet
  billstream query --source aws=exports/ \"select connection, sum(billed_cost) from daily_costs group by 1\"

The tables and views are listed by `echo .tables | billstream shell`.")]
pub struct QueryArgs {
    /// The SQL; several statements are parted by semicolons. Without it, and without -f, it comes from stdin
    sql: Option<String>,
    /// Read the SQL from a file
    #[arg(short, long, value_name = "FILE", conflicts_with = "sql")]
    file: Option<PathBuf>,
    #[command(flatten)]
    explore: ExploreArgs,
    #[command(flatten)]
    rows: RowsArgs,
}

/// Runs the statements one after the other; the first error ends them.
pub async fn run(args: QueryArgs) -> Result<u8> {
    let text = text(&args)?;
    let pieces = split(&text);
    if pieces.is_empty() {
        return Err(Error::usage("there is no SQL")
            .with_hint("for example: billstream query \"select * from periods\""));
    }
    let style = args.rows.style()?;
    if style.format.is_binary() && pieces.len() > 1 {
        return Err(Error::usage(format!(
            "a file holds one result, and these are {} statements",
            pieces.len()
        ))
        .with_hint("run them one by one, or choose csv, json or ndjson"));
    }
    let session = args.explore.session()?;
    let parameters = args.explore.parameters()?;
    let mut destination = args.rows.destination()?;
    for piece in &pieces {
        let shown = show(&session, piece, &parameters, style, &mut destination).await?;
        if shown.more {
            let rows = shown.rows;
            eprintln!("note: the first {rows} rows; there are more (--max-rows 0 shows all)");
        }
    }
    destination.finish().await?;
    Ok(0)
}

fn text(args: &QueryArgs) -> Result<String> {
    if let Some(sql) = &args.sql {
        return Ok(sql.clone());
    }
    if let Some(path) = &args.file {
        return std::fs::read_to_string(path)
            .map_err(|e| Error::usage(format!("cannot read `{}`: {e}", path.display())));
    }
    if std::io::stdin().is_terminal() {
        return Err(Error::usage("there is no SQL").with_hint(
            "give it as an argument, with -f FILE or on stdin; `billstream shell` asks for it",
        ));
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|e| Error::usage(format!("cannot read stdin: {e}")))?;
    Ok(text)
}
