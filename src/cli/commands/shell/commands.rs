//! Dot-commands of the shell.

use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};

use clap::ValueEnum;
use datafusion::catalog::SchemaProvider;
use unicode_width::UnicodeWidthStr;

use crate::cli::commands::report;
use crate::cli::output::rows::{Format, RowSink, format_for};
use crate::cli::print;
use crate::engine::text::table;
use crate::error::{Error, Result};
use crate::query::permissions::named_value;
use crate::query::reports::Report;
use crate::query::session::Session;
use crate::suggest::nearest;

/// What dot-commands set.
pub struct State {
    /// How rows are written.
    pub format: Format,
    /// Rows at most.
    pub max_rows: Option<usize>,
    /// Whether the time of each statement is shown.
    pub timer: bool,
    /// Where rows go, when not to stdout.
    pub output: Option<RowSink>,
    /// Whether `.mode` or `--format` named the format.
    named: bool,
    /// The format before `.output`, whose file's name may say another.
    before: Option<Format>,
    /// Whether a result went to `.output` already.
    filled: bool,
    /// Whether a person is there.
    pub interactive: bool,
    /// Whether long results are paged.
    pub pager: bool,
}

impl State {
    /// The state at the start.
    pub fn new(format: Format, max_rows: Option<usize>) -> State {
        State {
            format,
            max_rows,
            timer: false,
            output: None,
            named: false,
            before: None,
            filled: false,
            interactive: false,
            pager: true,
        }
    }

    /// Opens `.output`; unless a mode was named, its file's name says how rows are written.
    fn open_output(&mut self, place: &str) -> Result<()> {
        self.output = Some(RowSink::open(place)?);
        if let (false, Some(format)) = (self.named, Format::of_name(place)) {
            self.before = Some(self.format);
            self.format = format;
        }
        Ok(())
    }

    /// Refuses bytes of a file for a screen, and a second result for a file that holds one.
    pub fn refuse_bytes(&mut self) -> Result<()> {
        if !self.format.is_binary() {
            return Ok(());
        }
        if self.output.is_none() {
            let terminal = std::io::stdout().is_terminal();
            return format_for(Some(self.format), None, terminal).map(|_| ());
        }
        if self.filled {
            return Err(
                Error::usage("a file holds one result, and .output has one already")
                    .with_hint("name another file with .output, or choose csv, json or ndjson"),
            );
        }
        self.filled = true;
        Ok(())
    }

    /// Makes what went to `.output` visible.
    pub async fn close_output(&mut self) -> Result<()> {
        self.filled = false;
        if let Some(format) = self.before.take() {
            self.format = format;
        }
        match self.output.take() {
            Some(output) => output.finish().await,
            None => Ok(()),
        }
    }
}

/// What comes after a command.
pub enum Next {
    /// The next one.
    Go,
    /// These statements.
    Read(String),
    /// The end.
    Quit,
}

/// Names of the commands, what they take, and what they do.
pub const COMMANDS: [(&str, &str, &str); 12] = [
    ("tables", "", "tables and views, with a line about each"),
    ("schema", "[NAME]", "columns of a table, or of all"),
    ("reports", "", "reports and what they take"),
    (
        "report",
        "NAME [VALUE=…]",
        "run a report, such as .report top_resources month=2026-10",
    ),
    (
        "mode",
        "[FORMAT]",
        "table, csv, json, ndjson, markdown, parquet or arrow",
    ),
    (
        "output",
        "[FILE|URL]",
        "write rows there; without a name, to the screen again",
    ),
    ("maxrows", "[ROWS]", "rows at most, 0 for all"),
    ("timer", "on|off", "show how long statements take"),
    (
        "pager",
        "on|off",
        "show what is longer than the screen with $PAGER",
    ),
    ("read", "FILE", "run the statements of a file"),
    ("help", "", "this list"),
    ("quit", "", "leave; so does Ctrl-D"),
];

/// Runs a command, given without its dot.
///
/// # Errors
/// Kind usage, for a command that there is not, with the nearest one.
pub async fn run(session: &Session, state: &mut State, command: &str) -> Result<Next> {
    let mut words = command.split_whitespace();
    let name = words.next().unwrap_or_default();
    let arguments: Vec<&str> = words.collect();
    match (name, arguments.as_slice()) {
        ("quit" | "exit", _) => return Ok(Next::Quit),
        ("help", _) => say(state, &help()).await?,
        ("tables", _) => say(state, &tables(session)).await?,
        ("schema", []) => schema(session, state, None).await?,
        ("schema", [table]) => schema(session, state, Some(table)).await?,
        ("reports", _) => say(state, &report::list(session)).await?,
        ("report", [name, values @ ..]) => report(session, state, name, values).await?,
        ("mode", []) => eprintln!("{}", format_name(state.format)),
        ("mode", [format]) => {
            (state.format, state.named) = (format_named(format)?, true);
        }
        ("output", []) => state.close_output().await?,
        ("output", ["stdout"]) => state.close_output().await?,
        ("output", [place]) => {
            state.close_output().await?;
            state.open_output(place)?;
        }
        ("maxrows", []) => state.max_rows = None,
        ("maxrows", [rows]) => {
            let rows = rows.parse();
            state.max_rows = Some(rows.map_err(|_| Error::usage(".maxrows takes a number"))?);
        }
        ("timer", [switch]) => state.timer = is_on("timer", switch)?,
        ("pager", [switch]) => state.pager = is_on("pager", switch)?,
        ("read", [path]) => return read(path).map(Next::Read),
        (name, _) => return Err(wrong(name)),
    }
    Ok(Next::Go)
}

fn wrong(name: &str) -> Error {
    let known = COMMANDS.iter().find(|(known, _, _)| *known == name);
    if let Some((name, takes, _)) = known {
        return Error::usage(format!(".{name} is used as: .{name} {takes}"));
    }
    let error = Error::usage(format!("there is no command .{name}"));
    match nearest(name, COMMANDS.iter().map(|(name, _, _)| *name)) {
        Some(near) => error.with_hint(format!("did you mean .{near}?")),
        None => error.with_hint(".help lists the commands"),
    }
}

fn is_on(name: &str, switch: &str) -> Result<bool> {
    match switch {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(Error::usage(format!(".{name} is on or off"))),
    }
}

fn format_named(name: &str) -> Result<Format> {
    Format::from_str(name, true).map_err(|_| {
        let known = Format::value_variants()
            .iter()
            .map(|format| format_name(*format));
        let known: Vec<_> = known.collect();
        Error::usage(format!("there is no mode {name}"))
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
    let lines = COMMANDS.iter().map(|(name, takes, about)| {
        let usage = format!(".{name} {takes}");
        format!("{usage:<24} {about}\n")
    });
    let sql = "Anything else is SQL, up to a semicolon. Ctrl-C stops it.\n";
    lines.chain([sql.to_string()]).collect()
}

fn tables(session: &Session) -> String {
    let listing = session.catalog().listing();
    let widest = listing
        .iter()
        .map(|(name, _)| name.width())
        .max()
        .unwrap_or_default();
    let lines = listing
        .iter()
        .map(|(name, about)| format!("{name:<widest$}  {about}\n"));
    let functions = [
        (
            "line_items_at(month, version)",
            "a month of line_items as it was; versions lists them",
        ),
        ("costs_at(month, version)", "a month of costs as it was"),
    ];
    let functions = functions.map(|(name, about)| format!("{name:<widest$}  {about}\n"));
    lines.chain(functions).collect()
}

async fn schema(session: &Session, state: &mut State, name: Option<&str>) -> Result<()> {
    let names = match name {
        Some(name) => vec![name.to_string()],
        None => session.catalog().table_names(),
    };
    let mut out = String::new();
    for name in names {
        let columns = session.columns(&name).await?;
        let rows = columns.into_iter().map(|(name, kind)| vec![name, kind]);
        out.push_str(&format!(
            "{name}\n{}",
            table(&["column", "type"], &[], rows)
        ));
    }
    say(state, &out).await
}

async fn report(session: &Session, state: &mut State, name: &str, values: &[&str]) -> Result<()> {
    session.refresh();
    let report = Report::named(session.catalog().sql(), name)?;
    let given = values
        .iter()
        .map(|text| named_value(text))
        .collect::<Result<Vec<_>>>()?;
    let style = state.style();
    if let Some(output) = &mut state.output {
        return report::show(session, &report, &given, style, output).await;
    }
    let mut held = RowSink::buffer();
    report::show(session, &report, &given, style, &mut held).await?;
    page(state, &held.into_buffer())
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| Error::usage(format!("cannot read `{path}`: {e}")))
}

/// Text for people: to where rows go.
async fn say(state: &mut State, text: &str) -> Result<()> {
    match &mut state.output {
        Some(output) => output.write(text.as_bytes().to_vec()).await,
        None => page(state, text.as_bytes()),
    }
}

/// Shows text, with a pager where it is longer than the screen.
pub fn page(state: &State, text: &[u8]) -> Result<()> {
    let lines = text.iter().filter(|byte| **byte == b'\n').count();
    let height = terminal_size::terminal_size().map(|(_, height)| usize::from(height.0));
    let fits = height.is_none_or(|height| lines < height);
    if !state.interactive || !state.pager || fits || !std::io::stdout().is_terminal() {
        return print(text);
    }
    let pager = std::env::var("PAGER")
        .ok()
        .filter(|pager| !pager.trim().is_empty());
    let pager = pager.unwrap_or_else(|| "less -SRFX".to_string());
    let spawned = Command::new("sh")
        .args(["-c", &pager])
        .stdin(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        return print(text);
    };
    if let Some(mut stdin) = child.stdin.take() {
        // A pager that is left early closes its input: no error.
        let _ = stdin.write_all(text);
    }
    match child.wait() {
        // 127: there is no such program.
        Ok(status) if status.code() == Some(127) => print(text),
        _ => Ok(()),
    }
}
