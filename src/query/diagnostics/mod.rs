//! Engine errors as diagnostics: the error, its position with a caret, and the nearest name.

mod engine_text;

use datafusion::common::{Column, DataFusionError, SchemaError};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use unicode_width::UnicodeWidthStr;

use crate::engine;
use crate::error::Error;
use crate::query::diagnostics::engine_text::{Condition, SyntaxPosition};
use crate::query::names::suggestion;
use crate::query::statements::{Statement, byte_offset};

/// Names of the table functions, for suggestions.
pub(super) const TABLE_FUNCTIONS: [&str; 2] = ["line_items_at", "costs_at"];

/// Explains an error of a statement; `tables` are the known names.
pub(super) fn explain(statement: &Statement, error: &DataFusionError, tables: &[String]) -> Error {
    let root = error.find_root();
    if let Some(own) = engine::own_error(root) {
        return own;
    }
    if matches!(root, DataFusionError::ResourcesExhausted(_))
        || engine::missing_file(error).is_some()
        || engine::full_spill_folder(error).is_some()
    {
        return engine::failed("query", error);
    }
    let diagnostic = Diagnostic::new(error, root, tables);
    let range = diagnostic.range(&statement.sql, error, root);
    let mut error = Error::data(diagnostic.message);
    if let Some((start, end)) = range {
        error = error.with_excerpt(&snippet(statement, start, end));
    }
    let damage_hint = || engine::damage_hint(root).map(str::to_string);
    match diagnostic.hint.or_else(damage_hint) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// Explains an error that no text of the user caused.
pub(super) fn explain_without_text(error: &DataFusionError, tables: &[String]) -> Error {
    explain(&Statement::new(""), error, tables)
}

#[derive(Default)]
struct Diagnostic {
    message: String,
    hint: Option<String>,
    /// The wrong name, to be located in the text.
    name: Option<String>,
}

impl Diagnostic {
    fn new(error: &DataFusionError, root: &DataFusionError, tables: &[String]) -> Diagnostic {
        match root {
            DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
                SchemaError::FieldNotFound {
                    field,
                    valid_fields,
                } => return Diagnostic::unknown_column(field, valid_fields),
                SchemaError::DuplicateUnqualifiedField { name } => {
                    return Diagnostic::duplicate_name(format!(
                        "two columns have the name `{name}`"
                    ));
                }
                _ => {}
            },
            DataFusionError::SQL(parser, _) => {
                return Diagnostic {
                    message: format!("invalid SQL: {}", engine_text::syntax_message(parser)),
                    ..Diagnostic::default()
                };
            }
            _ => {}
        }
        let text = engine_text::text_of(root);
        match engine_text::condition(&text) {
            Some(Condition::UnknownTableFunction(name)) => {
                let known = TABLE_FUNCTIONS.map(str::to_string);
                let hint = suggestion(name, &known, "table functions");
                Diagnostic::unknown("table function", name, hint)
            }
            Some(Condition::UnknownTable(name)) => {
                Diagnostic::unknown("table", name, suggestion(name, tables, "tables"))
            }
            Some(Condition::UnknownFunction { name, suggestion }) => {
                let hint = suggestion.map(|near| format!("did you mean `{near}`?"));
                Diagnostic::unknown("function", name, hint)
            }
            Some(Condition::DuplicateExpressionNames) => Diagnostic::duplicate_name(text),
            Some(Condition::MonthAsNumber) => Diagnostic {
                message: text,
                hint: Some("write months as text: '2026-10'".to_string()),
                name: None,
            },
            None => {
                let diagnostic = error.diagnostic();
                Diagnostic {
                    message: diagnostic.map_or(text, |diagnostic| diagnostic.message.clone()),
                    ..Diagnostic::default()
                }
            }
        }
    }

    fn unknown(what: &str, name: &str, hint: Option<String>) -> Diagnostic {
        Diagnostic {
            message: format!("there is no {what} `{name}`"),
            hint,
            name: Some(name.to_string()),
        }
    }

    fn unknown_column(column: &Column, valid: &[Column]) -> Diagnostic {
        let names: Vec<String> = valid.iter().map(|column| column.name.clone()).collect();
        let same_name = valid.iter().find(|other| other.name == column.name);
        let (message, hint) = match (&column.relation, same_name) {
            // Another table has the column.
            (Some(relation), Some(other)) => (
                format!("there is no column `{}` in `{relation}`", column.name),
                Some(format!("did you mean `{}`?", other.quoted_flat_name())),
            ),
            _ => (
                format!("there is no column `{}`", column.name),
                suggestion(&column.name, &names, "columns"),
            ),
        };
        Diagnostic {
            message,
            hint,
            name: Some(column.name.clone()),
        }
    }

    fn duplicate_name(message: String) -> Diagnostic {
        let hint = "give each column its own name with AS; a cast does not change the name";
        Diagnostic {
            message,
            hint: Some(hint.to_string()),
            name: None,
        }
    }

    /// Bytes of the statement that the error is about.
    fn range(
        &self,
        sql: &str,
        error: &DataFusionError,
        root: &DataFusionError,
    ) -> Option<(usize, usize)> {
        if let Some(span) = error.diagnostic().and_then(|diagnostic| diagnostic.span) {
            let start = byte_offset(sql, span.start.line, span.start.column);
            let end = byte_offset(sql, span.end.line, span.end.column);
            return Some((start, end.max(start)));
        }
        if let DataFusionError::SQL(parser, _) = root {
            let at = match engine_text::syntax_position(parser)? {
                SyntaxPosition::At(line, column) => byte_offset(sql, line, column),
                SyntaxPosition::EndOfText => sql.trim_end().len(),
            };
            return Some((at, at));
        }
        find_word(sql, self.name.as_deref()?)
    }
}

/// Byte range of the first word of the statement that is this name.
fn find_word(sql: &str, name: &str) -> Option<(usize, usize)> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize_with_location()
        .ok()?;
    let is_name = |token: &Token| match token {
        Token::Word(word) => word.value.eq_ignore_ascii_case(name),
        _ => false,
    };
    let token = tokens.into_iter().find(|token| is_name(&token.token))?;
    let start = byte_offset(sql, token.span.start.line, token.span.start.column);
    let end = byte_offset(sql, token.span.end.line, token.span.end.column);
    Some((start, end))
}

/// The line of a position with carets under it.
fn snippet(statement: &Statement, start: usize, end: usize) -> String {
    let sql = &statement.sql;
    let start = start.min(sql.len());
    let line_start = sql[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = sql[start..].find('\n').map_or(sql.len(), |at| start + at);
    let number = statement.line + sql[..start].matches('\n').count() as u64;
    let (first, last) = (
        window_start(sql, line_start, start),
        window_end(sql, start, line_end),
    );
    let line = sql[first..last].replace('\t', " ");
    let indent = sql[first..start].width();
    let width = sql[start..end.clamp(start, last)].width().max(1);
    let margin = " ".repeat(number.to_string().len());
    format!(
        " {number} | {line}\n {margin} | {}{}",
        " ".repeat(indent),
        "^".repeat(width)
    )
}

/// Characters of a line that are shown on each side of a position.
const SNIPPET_CHARS: usize = 120;

/// Start of the part of a line that is shown before `at`.
fn window_start(sql: &str, line_start: usize, at: usize) -> usize {
    let before = sql[line_start..at].char_indices().rev();
    let first = before.take(SNIPPET_CHARS).last();
    first.map_or(at, |(offset, _)| line_start + offset)
}

/// End of the part of a line that is shown from `at` on.
fn window_end(sql: &str, at: usize, line_end: usize) -> usize {
    let cut = sql[at..line_end].char_indices().nth(SNIPPET_CHARS);
    cut.map_or(line_end, |(offset, _)| at + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_around_the_position() {
        let statement = Statement::new(format!("{}cst{}", "é ".repeat(500), " y".repeat(500)));
        let (start, end) = find_word(&statement.sql, "cst").unwrap();
        let text = snippet(&statement, start, end);
        let (line, caret) = text.trim_start().split_once('\n').unwrap();
        assert_eq!(line.chars().count(), 4 + 2 * SNIPPET_CHARS, "{line}");
        let at = line.find("cst").unwrap();
        assert_eq!(
            line[..at].chars().count(),
            caret.find('^').unwrap() - 1,
            "{text}"
        );
    }

    #[test]
    fn caret_is_under_the_word() {
        let statement = Statement {
            sql: "select 1,\n  größe, cst\nfrom t".to_string(),
            line: 4,
        };
        let (start, end) = find_word(&statement.sql, "cst").unwrap();
        assert_eq!(
            snippet(&statement, start, end),
            " 5 |   größe, cst\n   |          ^^^"
        );
    }
}
