//! The prompt: line editing, history, completion, colours.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::catalog::SchemaProvider;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use parking_lot::RwLock;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use crate::cli::commands::shell::commands::{COMMANDS, is_command};
use crate::error::{Error, Result};
use crate::query::names::as_identifier;
use crate::query::reports::Report;
use crate::query::session::Session;
use crate::query::statements::{byte_offset, is_incomplete};

pub(super) enum Input {
    /// Statements or a dot-command.
    Text(String),
    /// An empty line, or Ctrl-C.
    Cleared,
    /// Ctrl-D.
    End,
}

/// Prompt of an interactive shell.
pub(super) struct Prompt {
    editor: Editor<PromptHelper, FileHistory>,
    history: Option<PathBuf>,
}

impl Prompt {
    /// Opens the prompt with the history of earlier shells.
    pub(super) fn new(session: &Arc<Session>) -> Result<Prompt> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .max_history_size(10_000)
            .map_err(terminal_error)?
            .auto_add_history(false)
            .build();
        let mut editor = Editor::with_config(config).map_err(terminal_error)?;
        editor.set_helper(Some(PromptHelper::new(session)));
        let history = history_file();
        if let Some(path) = &history {
            // The first shell has no history.
            let _ = editor.load_history(path);
        }
        Ok(Prompt { editor, history })
    }

    /// Reads lines up to the end of a statement.
    pub(super) fn read(&mut self) -> Result<Input> {
        match self.editor.readline("billstream> ") {
            Ok(text) if text.trim().is_empty() => Ok(Input::Cleared),
            Ok(text) => {
                let _ = self.editor.add_history_entry(text.as_str());
                if let Some(path) = &self.history {
                    let _ = self.editor.append_history(path);
                }
                Ok(Input::Text(text))
            }
            Err(ReadlineError::Interrupted) => Ok(Input::Cleared),
            Err(ReadlineError::Eof) => Ok(Input::End),
            Err(e) => Err(terminal_error(e)),
        }
    }
}

fn terminal_error(error: ReadlineError) -> Error {
    Error::config(format!("could not use the terminal: {error}"))
        .with_hint("pass the statements through a pipe, or run `billstream query`")
}

/// `$XDG_STATE_HOME/billstream/history`; `None` without a home folder.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.filter(|path| path.is_absolute()).or_else(|| {
        let home = PathBuf::from(std::env::var_os("HOME")?);
        Some(home.join(".local/state"))
    })?;
    let folder = state.join("billstream");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}

/// Completion, validation and colours of the input.
struct PromptHelper {
    /// Tables and functions.
    names: Vec<String>,
    /// Filled in the background.
    columns: Arc<RwLock<Vec<String>>>,
    reports: Vec<String>,
    colours: bool,
}

impl PromptHelper {
    fn new(session: &Arc<Session>) -> PromptHelper {
        let mut names = session.catalog().table_names();
        names.extend(session.functions());
        let reports = Report::all(session.catalog().sql());
        let columns = Arc::new(RwLock::new(Vec::new()));
        let (shared, session) = (columns.clone(), session.clone());
        // Opening all tables takes time: the prompt does not wait for it.
        tokio::spawn(async move {
            for table in session.catalog().table_names() {
                let Ok(columns) = session.columns(&table).await else {
                    continue;
                };
                let mut known = shared.write();
                known.extend(columns.into_iter().map(|(name, _)| name));
                known.sort();
                known.dedup();
            }
        });
        PromptHelper {
            names,
            columns,
            reports: reports
                .iter()
                .map(|report| report.name.to_string())
                .collect(),
            colours: std::env::var_os("NO_COLOR").is_none(),
        }
    }

    /// Completions of the word before a position, with the word's start.
    fn completions(&self, line: &str, pos: usize) -> (usize, Vec<String>) {
        let before = &line[..pos];
        if let Some(command) = before.strip_prefix('.') {
            return self.command_completions(command);
        }
        let is_word = |c: char| c.is_alphanumeric() || "_/:\"".contains(c);
        let start = before
            .char_indices()
            .rev()
            .take_while(|(_, c)| is_word(*c))
            .last()
            .map_or(pos, |(at, _)| at);
        let word = before[start..].trim_start_matches('"').to_lowercase();
        if word.is_empty() {
            return (start, Vec::new());
        }
        let matches = |name: &&String| name.to_lowercase().starts_with(&word);
        let columns = self.columns.read();
        let names = self.names.iter().chain(columns.iter()).filter(matches);
        let mut found: Vec<String> = names.map(|name| as_identifier(name)).collect();
        let keywords = KEYWORDS.iter().map(|word| word.to_string());
        found.extend(keywords.filter(|keyword| keyword.starts_with(&word)));
        found.sort();
        found.dedup();
        (start, found)
    }

    fn command_completions(&self, command: &str) -> (usize, Vec<String>) {
        if let Some(name) = command.strip_prefix("report ") {
            let names = self.reports.iter().filter(|known| known.starts_with(name));
            return (".report ".len(), names.cloned().collect());
        }
        if let Some(name) = command.strip_prefix("schema ") {
            let names = self.names.iter().filter(|known| known.starts_with(name));
            return (".schema ".len(), names.cloned().collect());
        }
        let names = COMMANDS.iter().map(|(name, _, _)| *name);
        let names = names.filter(|name| name.starts_with(command));
        (0, names.map(|name| format!(".{name}")).collect())
    }
}

/// Keywords that are completed.
const KEYWORDS: [&str; 24] = [
    "select",
    "from",
    "where",
    "group by",
    "order by",
    "having",
    "limit",
    "join",
    "left join",
    "inner join",
    "on",
    "and",
    "or",
    "not",
    "in",
    "between",
    "like",
    "is null",
    "is not null",
    "case",
    "when",
    "distinct",
    "union all",
    "with",
];

impl Completer for PromptHelper {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, found) = self.completions(line, pos);
        let pairs = found.into_iter().map(|text| Pair {
            display: text.clone(),
            replacement: text,
        });
        Ok((start, pairs.collect()))
    }
}

impl Hinter for PromptHelper {
    type Hint = String;
}

impl Validator for PromptHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        Ok(if is_command(text) || !is_incomplete(text) {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}

const KEYWORD: &str = "\x1b[34m";
const TEXT: &str = "\x1b[32m";
const NUMBER: &str = "\x1b[36m";
const COMMENT: &str = "\x1b[90m";
const PLAIN: &str = "\x1b[0m";

impl Highlighter for PromptHelper {
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        let tokens = Tokenizer::new(&GenericDialect {}, line).tokenize_with_location();
        let (true, Ok(tokens)) = (self.colours, tokens) else {
            return Cow::Borrowed(line);
        };
        let mut out = String::with_capacity(line.len() + 64);
        for token in tokens {
            let start = byte_offset(line, token.span.start.line, token.span.start.column);
            let end = byte_offset(line, token.span.end.line, token.span.end.column);
            let text = &line[start..end.max(start)];
            let colour = match &token.token {
                Token::Word(word) if word.keyword != Keyword::NoKeyword => KEYWORD,
                Token::SingleQuotedString(_) => TEXT,
                Token::Number(..) => NUMBER,
                Token::Whitespace(_) if text.trim_start().starts_with(['-', '/']) => COMMENT,
                _ => "",
            };
            out.push_str(colour);
            out.push_str(text);
            if !colour.is_empty() {
                out.push_str(PLAIN);
            }
        }
        // If anything but colours changed, show the line as typed.
        let shown = [KEYWORD, TEXT, NUMBER, COMMENT, PLAIN]
            .iter()
            .fold(out.clone(), |text, colour| text.replace(colour, ""));
        if shown == line {
            Cow::Owned(out)
        } else {
            Cow::Borrowed(line)
        }
    }

    fn highlight_char(&self, _line: &str, _pos: usize, _kind: CmdKind) -> bool {
        self.colours
    }
}

impl Helper for PromptHelper {}
