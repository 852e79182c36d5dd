//! Dot-commands of the shell.

use clap::ValueEnum;
use datafusion::catalog::SchemaProvider;
use unicode_width::UnicodeWidthStr;

use crate::cli::commands::report;
use crate::cli::commands::shell::pager::page;
use crate::cli::commands::shell::state::ShellState;
use crate::cli::output::rows::{Format, RowSink};
use crate::cli::output::stderr::note;
use crate::display_text::{for_display, lines_for_display};
use crate::engine::sql_files::read_text;
use crate::engine::text::table;
use crate::error::{Error, Result};
use crate::query::parameters::parse_assignment;
use crate::query::reports::Report;
use crate::query::session::Session;
use crate::store::path_or_url::expand_home;
use crate::suggest::nearest;

/// Next step of the shell after a command.
pub(super) enum Next {
    Continue,
    /// Run these statements.
    Run(String),
    Quit,
}

/// Names, arguments and descriptions of the commands.
pub(super) const COMMANDS: [(&str, &str, &str); 12] = [
    ("tables", "", "list tables and views"),
    (
        "schema",
        "[NAME]",
        "list the columns of a table, or of all tables",
    ),
    ("reports", "", "list reports and their parameters"),
    (
        "report",
        "NAME [NAME=VALUE…]",
        "run a report, for example .report top_resources month=2026-10",
    ),
    (
        "mode",
        "[FORMAT]",
        "set the format: table, csv, tsv, json, ndjson, markdown, parquet or arrow",
    ),
    (
        "output",
        "[FILE|URL]",
        "write rows to a file or URL; without one, to the screen again",
    ),
    (
        "maxrows",
        "[ROWS]",
        "set the maximum number of rows, 0 for all",
    ),
    ("timer", "on|off", "show the duration of each statement"),
    (
        "pager",
        "on|off",
        "show results longer than the screen with $PAGER",
    ),
    ("read", "FILE", "run the statements of a file"),
    ("help", "", "list the commands, also without the dot"),
    ("quit", "", "leave the shell, like exit and Ctrl-D"),
];

/// Words that are commands without a dot as well, as in other shells. None of them begins a statement.
const BARE_COMMANDS: [&str; 3] = ["exit", "help", "quit"];

/// Returns true for a command rather than SQL.
pub(super) fn is_command(text: &str) -> bool {
    command_of(text).is_some()
}

/// The command of an input, without its dot; `None` for SQL.
pub(super) fn command_of(text: &str) -> Option<&str> {
    let text = text.trim();
    if let Some(command) = text.strip_prefix('.') {
        return Some(command);
    }
    let word = text.trim_end_matches(';').trim_end();
    let bare = BARE_COMMANDS
        .iter()
        .find(|bare| bare.eq_ignore_ascii_case(word));
    bare.copied()
}

/// Runs a command, given without its dot.
///
/// # Errors
/// Kind usage, for an unknown command (with the nearest one) or wrong arguments.
pub(super) async fn run(session: &Session, state: &mut ShellState, command: &str) -> Result<Next> {
    let mut words = command.split_whitespace();
    let name = words.next().unwrap_or_default();
    let arguments: Vec<&str> = words.collect();
    match (name, arguments.as_slice()) {
        ("quit" | "exit", _) => return Ok(Next::Quit),
        ("help", _) => write_text(state, &help()).await?,
        ("tables", _) => write_text(state, &tables(session)).await?,
        ("schema", []) => schema(session, state, None).await?,
        ("schema", [table]) => schema(session, state, Some(table)).await?,
        ("reports", _) => write_text(state, &report::list(session)).await?,
        ("report", [name, assignments @ ..]) => {
            run_report(session, state, name, assignments).await?;
        }
        ("mode", []) => note!("{}", format_name(state.format)),
        ("mode", [format]) => state.set_format(parse_format(format)?),
        ("output", [] | ["stdout" | "-"]) => state.close_output().await?,
        ("output", [location]) => {
            state.close_output().await?;
            state.open_output(location)?;
        }
        ("maxrows", []) => state.max_rows = None,
        ("maxrows", [rows]) => {
            let rows = rows.parse();
            state.max_rows = Some(rows.map_err(|_| Error::usage(".maxrows takes a number"))?);
        }
        ("timer", [switch]) => state.timer = parse_switch("timer", switch)?,
        ("pager", [switch]) => state.pager = parse_switch("pager", switch)?,
        ("read", [path]) => return read(path).map(Next::Run),
        (name, _) => return Err(wrong_use(name)),
    }
    Ok(Next::Continue)
}

/// Error for an unknown command, or a known one with wrong arguments.
fn wrong_use(name: &str) -> Error {
    let known = COMMANDS.iter().find(|(known, _, _)| *known == name);
    if let Some((name, arguments, _)) = known {
        return Error::usage(format!("wrong arguments of .{name}"))
            .with_hint(format!("use .{name} {arguments}"));
    }
    let error = Error::usage(format!("there is no command .{name}"));
    match nearest(name, COMMANDS.iter().map(|(name, _, _)| *name)) {
        Some(nearest) => error.with_hint(format!("did you mean .{nearest}?")),
        None => error.with_hint(".help lists the commands"),
    }
}

fn parse_switch(name: &str, switch: &str) -> Result<bool> {
    match switch {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(Error::usage(format!(".{name} takes on or off"))),
    }
}

fn parse_format(name: &str) -> Result<Format> {
    Format::from_str(name, true).map_err(|_| {
        let known = Format::value_variants()
            .iter()
            .map(|format| format_name(*format));
        let known: Vec<_> = known.collect();
        Error::usage(format!("there is no mode `{name}`"))
            .with_hint(format!("modes: {}", known.join(", ")))
    })
}

fn format_name(format: Format) -> String {
    let value = format.to_possible_value();
    value
        .map(|value| value.get_name().to_string())
        .unwrap_or_default()
}

fn help() -> String {
    let lines = COMMANDS.iter().map(|(name, arguments, description)| {
        let usage = format!(".{name} {arguments}");
        format!("{usage:<27} {description}\n")
    });
    let sql = "All other input is SQL up to a semicolon. Ctrl-C stops a statement.\n";
    lines.chain([sql.to_string()]).collect()
}

fn tables(session: &Session) -> String {
    let listing = session.catalog().listing();
    let widest = listing.iter().map(|(name, _)| name.width()).max();
    let widest = widest.unwrap_or_default();
    let lines = listing
        .iter()
        .map(|(name, description)| format!("{name:<widest$}  {}\n", for_display(description)));
    let functions = [
        (
            "line_items_at(month, version)",
            "A month of line_items at an earlier version, see versions",
        ),
        (
            "costs_at(month, version)",
            "A month of costs at an earlier version",
        ),
    ];
    let functions =
        functions.map(|(name, description)| format!("{name:<widest$}  {description}\n"));
    lines.chain(functions).collect()
}

async fn schema(session: &Session, state: &mut ShellState, name: Option<&str>) -> Result<()> {
    let names = match name {
        Some(name) => vec![name.to_string()],
        None => session.catalog().table_names(),
    };
    let mut out = String::new();
    for name in names {
        let columns = session.columns(&name).await?;
        let rows = columns
            .into_iter()
            .map(|(name, data_type)| vec![name, data_type]);
        let columns = table(&["column", "type"], &[], rows);
        out.push_str(&format!("{name}\n{columns}"));
    }
    write_text(state, &out).await
}

async fn run_report(
    session: &Session,
    state: &mut ShellState,
    name: &str,
    assignments: &[&str],
) -> Result<()> {
    session.refresh();
    let report = Report::find(session.catalog().sql(), name)?;
    let given = assignments
        .iter()
        .map(|text| parse_assignment(text))
        .collect::<Result<Vec<_>>>()?;
    let style = state.style();
    if let Some(output) = &mut state.output {
        return report::write(session, &report, &given, style, output).await;
    }
    let mut buffer = RowSink::buffer();
    report::write(session, &report, &given, style, &mut buffer).await?;
    page(state, &buffer.into_buffer())
}

fn read(path: &str) -> Result<String> {
    let failed = |e| Error::usage(format!("could not read `{path}`: {e}"));
    read_text(&expand_home(path)?).map_err(failed)
}

/// Writes text to `.output`, else to the screen.
async fn write_text(state: &mut ShellState, text: &str) -> Result<()> {
    let text = lines_for_display(text);
    match &mut state.output {
        Some(output) => output.write(text.as_bytes().to_vec()).await,
        None => page(state, text.as_bytes()),
    }
}
