//! `billstream query`.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use crate::cli::args::parse_path;
use crate::cli::query_session::{RowsArgs, SessionArgs, note_damage, note_truncation, write_rows};
use crate::cli::signals::until_stopped;
use crate::engine::sql_files::{plain_text, read_text};
use crate::engine::statement_limits::check_size;
use crate::error::{Error, Result};
use crate::query::statements::{Statement, split};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  billstream query \"select billing_period, sum(billed_cost) from daily_costs group by 1 order by 1\"
  billstream query --format csv \"select * from costs where billing_period = '2026-10'\"
  billstream query -f costs.sql --param month=2026-10 -o s3://bucket/october.parquet
  billstream query --source aws=exports/ \"select connection, sum(billed_cost) from daily_costs group by 1\"

To list tables and views: echo .tables | billstream shell")]
pub(crate) struct QueryArgs {
    /// SQL, with semicolons between statements; read from stdin without this argument and -f
    sql: Option<String>,
    /// Read the SQL from a file
    #[arg(short, long, value_name = "FILE", value_parser = parse_path, conflicts_with = "sql")]
    file: Option<PathBuf>,
    #[command(flatten)]
    session: SessionArgs,
    #[command(flatten)]
    rows: RowsArgs,
}

/// Runs the statements in order, up to the first error.
pub(crate) async fn run(args: QueryArgs) -> Result<u8> {
    let text = sql_text(&args)?;
    check_size(&text)?;
    let statements = split(&text);
    if statements.is_empty() {
        return Err(Error::usage("no SQL given")
            .with_hint("run for example: billstream query \"select * from periods\""));
    }
    // Not while stdin is read, which blocks.
    until_stopped(run_statements(&args, &statements)).await
}

async fn run_statements(args: &QueryArgs, statements: &[Statement]) -> Result<u8> {
    let style = args.rows.style()?;
    if style.format.is_binary() && statements.len() > 1 {
        return Err(Error::usage(format!(
            "a binary file holds one result, not those of {} statements",
            statements.len()
        ))
        .with_hint("run the statements one by one, or select csv, json or ndjson"));
    }
    let (session, store) = args.session.session_and_store()?;
    note_damage(&store).await;
    let parameters = args.session.parameters()?;
    let mut destination = args.rows.destination()?;
    for statement in statements {
        let written = write_rows(&session, statement, &parameters, style, &mut destination).await?;
        note_truncation(&written, "--max-rows 0 shows all");
    }
    destination.finish().await?;
    Ok(0)
}

fn sql_text(args: &QueryArgs) -> Result<String> {
    if let Some(sql) = &args.sql {
        return Ok(sql.clone());
    }
    if let Some(path) = &args.file {
        return read_text(path)
            .map_err(|e| Error::usage(format!("could not read `{}`: {e}", path.display())));
    }
    if std::io::stdin().is_terminal() {
        return Err(Error::usage("no SQL given").with_hint(
            "pass it as an argument, with -f FILE or on stdin, or run `billstream shell`",
        ));
    }
    let mut bytes = Vec::new();
    let read = std::io::stdin().read_to_end(&mut bytes);
    read.and_then(|_| plain_text(bytes))
        .map_err(|e| Error::usage(format!("could not read stdin: {e}")))
}
