//! `billstream shell`: statements and dot-commands, from a terminal or a pipe.

mod commands;
mod pager;
mod prompt;
mod state;

use std::io::{BufRead, IsTerminal};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::cli::commands::shell::commands::{Next, is_command};
use crate::cli::commands::shell::prompt::{Input, Prompt};
use crate::cli::commands::shell::state::ShellState;
use crate::cli::output::rows::{Format, RowSink};
use crate::cli::output::stderr::note;
use crate::cli::query_session::{SessionArgs, note_truncation, write_rows};
use crate::cli::show_error;
use crate::cli::signals::{self, Interrupts};
use crate::error::{Error, Result};
use crate::query::parameters::Parameters;
use crate::query::session::Session;
use crate::query::statements::{Statement, is_incomplete, split};
use crate::query::watch::MemoryExceeded;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
On a terminal the shell keeps a history, completes names with Tab, and pages long results.
From a pipe it runs to the end of the input or to the first error:
  echo '.tables' | billstream shell")]
pub(crate) struct ShellArgs {
    #[command(flatten)]
    session: SessionArgs,
    /// Format of the rows, until `.mode` changes it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Maximum number of rows, 0 for all [default: 1000 in a table, else all]
    #[arg(long, value_name = "ROWS")]
    max_rows: Option<usize>,
}

/// Runs the shell until the input ends.
pub(crate) async fn run(args: ShellArgs) -> Result<u8> {
    let is_interactive = std::io::stdin().is_terminal();
    let mut shell = Shell {
        session: Arc::new(args.session.session()?),
        parameters: args.session.parameters()?,
        state: ShellState::new(args.format, args.max_rows, is_interactive),
    };
    if is_interactive {
        shell.run_interactive().await
    } else {
        shell.run_piped().await
    }
}

/// Time that a statement has to stop, until it counts as impossible to stop.
const PATIENCE: Duration = Duration::from_secs(1);

struct Shell {
    session: Arc<Session>,
    parameters: Parameters,
    state: ShellState,
}

impl Shell {
    /// Prompts for input; errors are shown and do not end the shell.
    async fn run_interactive(&mut self) -> Result<u8> {
        let mut prompt = Prompt::new(&self.session)?;
        note!(
            "billstream {}: .help lists commands, .tables lists tables",
            env!("CARGO_PKG_VERSION")
        );
        let mut termination = std::pin::pin!(signals::end_on_termination());
        let mut interrupts = Interrupts::listen();
        loop {
            interrupts.forget();
            // The prompt blocks this thread; the engine has others.
            let input = tokio::task::block_in_place(|| prompt.read())?;
            let text = match input {
                Input::Text(text) => text,
                Input::Cleared => continue,
                Input::End => break,
            };
            let ran = tokio::select! {
                ran = interrupts.stop(self.run_input(&text)) => ran,
                name = &mut termination => return Err(Error::partial(format!("stopped by {name}"))),
            };
            match ran {
                Ok(Next::Continue | Next::Run(_)) => {}
                Ok(Next::Quit) => break,
                Err(error) => self.show_error(error).await?,
            }
        }
        self.state.close_output().await?;
        Ok(0)
    }

    /// Shows the error of a statement, and that the statement still runs if nothing could stop it.
    ///
    /// # Errors
    /// The error itself, if such a statement takes too much memory: only the end of the process frees it.
    async fn show_error(&self, error: Error) -> Result<()> {
        if !self.session.is_busy_after(PATIENCE).await {
            show_error(&error);
            return Ok(());
        }
        if error.source_as::<MemoryExceeded>().is_some() {
            return Err(error.with_another_hint("the shell ends to free the memory"));
        }
        show_error(&error);
        note!(
            "note: the engine cannot interrupt this statement; it occupies a core until it is done or the shell ends"
        );
        Ok(())
    }

    /// Runs input from a pipe; the first error ends it.
    async fn run_piped(&mut self) -> Result<u8> {
        let mut interrupts = Interrupts::listen();
        let termination = signals::end_on_termination();
        tokio::select! {
            ran = interrupts.stop(self.run_lines()) => ran,
            name = termination => Err(Error::partial(format!("stopped by {name}"))),
        }
    }

    async fn run_lines(&mut self) -> Result<u8> {
        let (mut pending, mut first_line, mut number) = (String::new(), 1, 0);
        let mut lines = stdin_lines();
        while let Some(line) = lines.recv().await {
            let line = line.map_err(|e| Error::usage(format!("could not read stdin: {e}")))?;
            number += 1;
            let line = match number {
                1 => line.trim_start_matches('\u{feff}').to_string(),
                _ => line,
            };
            if pending.trim().is_empty() {
                pending.clear();
                first_line = number;
                if is_command(&line) {
                    if let Next::Quit = self.run_input(&line).await? {
                        break;
                    }
                    continue;
                }
            }
            pending.push_str(&line);
            pending.push('\n');
            if !is_incomplete(&pending) {
                let text = std::mem::take(&mut pending);
                self.run_statements(&text, first_line).await?;
            }
        }
        // The last statement may lack its semicolon.
        self.run_statements(&pending, first_line).await?;
        self.state.close_output().await?;
        Ok(0)
    }

    /// Runs a dot-command or statements.
    async fn run_input(&mut self, text: &str) -> Result<Next> {
        let Some(command) = commands::command_of(text) else {
            self.run_statements(text, 1).await?;
            return Ok(Next::Continue);
        };
        let next = commands::run(&self.session, &mut self.state, command).await?;
        if let Next::Run(text) = next {
            self.run_statements(&text, 1).await?;
            return Ok(Next::Continue);
        }
        Ok(next)
    }

    async fn run_statements(&mut self, text: &str, first_line: u64) -> Result<()> {
        for mut statement in split(text) {
            statement.line += first_line - 1;
            self.run_statement(&statement).await?;
        }
        Ok(())
    }

    async fn run_statement(&mut self, statement: &Statement) -> Result<()> {
        // An import may have published new versions since the last statement.
        self.session.refresh();
        self.state.check_binary_output()?;
        let started = Instant::now();
        let style = self.state.style();
        let (session, parameters) = (&self.session, &self.parameters);
        let written = match &mut self.state.output {
            Some(output) => write_rows(session, statement, parameters, style, output).await?,
            None if self.state.is_interactive && !style.format.is_binary() => {
                let mut buffer = RowSink::buffer();
                let written = write_rows(session, statement, parameters, style, &mut buffer).await;
                pager::page(&self.state, &buffer.into_buffer())?;
                written?
            }
            None => {
                let mut stdout = RowSink::stdout();
                write_rows(session, statement, parameters, style, &mut stdout).await?
            }
        };
        note_truncation(&written, ".maxrows 0 shows all");
        if self.state.timer {
            let rows = if written.count == 1 { "row" } else { "rows" };
            let seconds = seconds(started.elapsed());
            note!("{} {rows} in {seconds}", written.count);
        }
        Ok(())
    }
}

/// Lines of stdin. They are read on a separate thread, so that a signal ends the wait for one.
fn stdin_lines() -> mpsc::Receiver<std::io::Result<String>> {
    let (sender, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    lines
}

fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}
