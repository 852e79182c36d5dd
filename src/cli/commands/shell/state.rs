//! Settings of a running shell, changed by dot-commands.

use std::io::IsTerminal;

use crate::cli::output::rows::{Format, RowSink, Style, format_for};
use crate::cli::output::stdout::terminal_width;
use crate::error::{Error, Result};

pub(super) struct ShellState {
    pub(super) format: Format,
    pub(super) max_rows: Option<usize>,
    /// Reports the duration of each statement.
    pub(super) timer: bool,
    /// Sink of rows; stdout without one.
    pub(super) output: Option<RowSink>,
    /// `.mode` chose the format, so that `.output` does not change it.
    has_explicit_format: bool,
    /// Format to return to when `.output` is closed.
    previous_format: Option<Format>,
    /// `.output` has a result.
    output_has_result: bool,
    pub(super) is_interactive: bool,
    /// Pages long results.
    pub(super) pager: bool,
}

impl ShellState {
    pub(super) fn new(format: Format, max_rows: Option<usize>, is_interactive: bool) -> ShellState {
        ShellState {
            format,
            max_rows,
            timer: false,
            output: None,
            has_explicit_format: false,
            previous_format: None,
            output_has_result: false,
            is_interactive,
            pager: true,
        }
    }

    pub(super) fn set_format(&mut self, format: Format) {
        self.format = format;
        self.has_explicit_format = true;
    }

    /// Style of the next rows.
    pub(super) fn style(&self) -> Style<'static> {
        let to_stdout = self.output.is_none();
        Style {
            format: self.format,
            max_rows: self.max_rows,
            width: terminal_width().filter(|_| to_stdout),
            layout: None,
        }
    }

    /// Opens `.output`; its ending decides the format unless `.mode` did.
    pub(super) fn open_output(&mut self, location: &str) -> Result<()> {
        let of_name = Format::of_output(location)?;
        self.output = Some(RowSink::open(location)?);
        if let (false, Some(format)) = (self.has_explicit_format, of_name) {
            self.previous_format = Some(self.format);
            self.format = format;
        }
        Ok(())
    }

    /// Refuses a binary result on a terminal, and a second one in a file.
    pub(super) fn check_binary_output(&mut self) -> Result<()> {
        if !self.format.is_binary() {
            return Ok(());
        }
        if self.output.is_none() {
            let is_terminal = std::io::stdout().is_terminal();
            return format_for(Some(self.format), None, is_terminal).map(|_| ());
        }
        if self.output_has_result {
            return Err(Error::usage(
                "a binary file holds one result, and .output has one already",
            )
            .with_hint("open another file with .output, or select csv, json or ndjson"));
        }
        self.output_has_result = true;
        Ok(())
    }

    /// Completes the file of `.output`, and returns to the earlier format.
    pub(super) async fn close_output(&mut self) -> Result<()> {
        self.output_has_result = false;
        if let Some(format) = self.previous_format.take() {
            self.format = format;
        }
        match self.output.take() {
            Some(output) => output.finish().await,
            None => Ok(()),
        }
    }
}
