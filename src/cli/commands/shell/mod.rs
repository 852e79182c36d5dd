//! `billstream shell`: statements and dot-commands, from a terminal or a pipe.

mod commands;
mod prompt;

use std::io::{BufRead, IsTerminal};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cli::commands::shell::commands::{Next, State};
use crate::cli::commands::shell::prompt::{Input, Prompt};
use crate::cli::output::rows::{Format, RowSink, Style};
use crate::cli::output::stdout::terminal_width;
use crate::cli::query_session::{ExploreArgs, show};
use crate::cli::show_error;
use crate::error::{Error, Result};
use crate::query::permissions::Parameters;
use crate::query::session::Session;
use crate::query::statements::{Piece, is_open, split};

/// Arguments of `shell`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
In a terminal it keeps a history, completes names with Tab, and pages what is longer than the screen.
From a pipe it runs to the end or to the first error:
  echo '.tables' | billstream shell")]
pub struct ShellArgs {
    #[command(flatten)]
    explore: ExploreArgs,
    /// How rows are written, until `.mode` says otherwise
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Rows at most, 0 for all [default: all, in a table 1000]
    #[arg(long, value_name = "ROWS")]
    max_rows: Option<usize>,
}

/// Runs until the input ends.
pub async fn run(args: ShellArgs) -> Result<u8> {
    let mut shell = Shell {
        session: Arc::new(args.explore.session()?),
        parameters: args.explore.parameters()?,
        state: State::new(args.format, args.max_rows),
    };
    if std::io::stdin().is_terminal() {
        shell.interactive().await
    } else {
        shell.piped().await
    }
}

/// A running shell.
struct Shell {
    session: Arc<Session>,
    parameters: Parameters,
    state: State,
}

impl Shell {
    /// Asks for one statement after the other; errors are shown and forgotten.
    async fn interactive(&mut self) -> Result<u8> {
        let mut prompt = Prompt::new(&self.session)?;
        eprintln!(
            "billstream {}: .help for help, .tables for what there is",
            env!("CARGO_PKG_VERSION")
        );
        self.state.interactive = true;
        loop {
            // The prompt waits for keys on this thread; the engine has others.
            let input = tokio::task::block_in_place(|| prompt.ask())?;
            let text = match input {
                Input::Text(text) => text,
                Input::Cleared => continue,
                Input::End => break,
            };
            match self.text(&text).await {
                Ok(Next::Go | Next::Read(_)) => {}
                Ok(Next::Quit) => break,
                Err(error) => show_error(&error),
            }
        }
        self.state.close_output().await?;
        Ok(0)
    }

    /// Runs what comes from a pipe; the first error ends it.
    async fn piped(&mut self) -> Result<u8> {
        let (mut pending, mut first_line, mut number) = (String::new(), 1, 0);
        for line in std::io::stdin().lock().lines() {
            let line = line.map_err(|e| Error::usage(format!("cannot read stdin: {e}")))?;
            number += 1;
            if pending.trim().is_empty() {
                pending.clear();
                first_line = number;
                if line.trim_start().starts_with('.') {
                    if let Next::Quit = self.text(&line).await? {
                        break;
                    }
                    continue;
                }
            }
            pending.push_str(&line);
            pending.push('\n');
            if !is_open(&pending) {
                let text = std::mem::take(&mut pending);
                self.statements(&text, first_line).await?;
            }
        }
        // The last statement needs no semicolon.
        self.statements(&pending, first_line).await?;
        self.state.close_output().await?;
        Ok(0)
    }

    async fn text(&mut self, text: &str) -> Result<Next> {
        if let Some(command) = text.trim().strip_prefix('.') {
            let next = commands::run(&self.session, &mut self.state, command).await?;
            if let Next::Read(text) = next {
                return self.statements(&text, 1).await.map(|()| Next::Go);
            }
            return Ok(next);
        }
        self.statements(text, 1).await.map(|()| Next::Go)
    }

    async fn statements(&mut self, text: &str, first_line: u64) -> Result<()> {
        for mut piece in split(text) {
            piece.line += first_line - 1;
            self.statement(&piece).await?;
        }
        Ok(())
    }

    async fn statement(&mut self, piece: &Piece) -> Result<()> {
        // What an import published meanwhile is seen from here on.
        self.session.refresh();
        self.state.refuse_bytes()?;
        let started = Instant::now();
        let style = self.state.style();
        let shown = match &mut self.state.output {
            Some(output) => show(&self.session, piece, &self.parameters, style, output).await?,
            None if self.state.interactive && !style.format.is_binary() => {
                let mut held = RowSink::buffer();
                let shown = show(&self.session, piece, &self.parameters, style, &mut held).await;
                commands::page(&self.state, &held.into_buffer())?;
                shown?
            }
            None => {
                let mut stdout = RowSink::stdout();
                show(&self.session, piece, &self.parameters, style, &mut stdout).await?
            }
        };
        if shown.more {
            let rows = shown.rows;
            eprintln!("note: the first {rows} rows; there are more (.maxrows 0 shows all)");
        }
        if self.state.timer {
            let rows = if shown.rows == 1 { "row" } else { "rows" };
            eprintln!("{} {rows} in {}", shown.rows, seconds(started.elapsed()));
        }
        Ok(())
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

impl State {
    /// How the next rows are written.
    fn style(&self) -> Style<'static> {
        let to_terminal = self.output.is_none();
        Style {
            format: self.format,
            max_rows: self.max_rows,
            width: terminal_width().filter(|_| to_terminal),
            layout: None,
        }
    }
}
