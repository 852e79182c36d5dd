//! An engine error as people need it: what is wrong, where, with a caret under it, and the nearest name.

use datafusion::common::{Column, DataFusionError, SchemaError};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::engine;
use crate::error::Error;
use crate::query::names::near;
use crate::query::statements::{Piece, offset};

/// Explains an error of a text that is a statement by itself.
pub fn explain(sql: &str, error: &DataFusionError, tables: &[String]) -> Error {
    let piece = Piece {
        sql: sql.to_string(),
        line: 1,
    };
    explain_at(&piece, error, tables)
}

/// Explains an error of a statement; `tables` are the names that it could have meant.
pub fn explain_at(piece: &Piece, error: &DataFusionError, tables: &[String]) -> Error {
    let root = error.find_root();
    if let Some(own) = own_error(root) {
        return own;
    }
    if let DataFusionError::ResourcesExhausted(_) = root {
        return engine::failed("query", error);
    }
    let mistake = Mistake::of(error, root, tables);
    let place = mistake.place(&piece.sql, error);
    let mut message = mistake.message;
    if let Some((start, end)) = place {
        message.push_str(&snippet(piece, start, end));
    }
    let error = Error::data(message);
    match mistake.hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// An error of ours that came through the engine.
fn own_error(root: &DataFusionError) -> Option<Error> {
    match root {
        DataFusionError::External(inner) => inner.downcast_ref::<Error>().map(Error::clone),
        _ => None,
    }
}

struct Mistake {
    message: String,
    hint: Option<String>,
    /// The name that is wrong, to be found in the text.
    name: Option<String>,
}

impl Mistake {
    fn no_column(field: &Column, valid: &[Column]) -> Mistake {
        let names: Vec<String> = valid.iter().map(|f| f.name.clone()).collect();
        let same = valid.iter().find(|other| other.name == field.name);
        let (message, hint) = match (&field.relation, same) {
            // The column is there, by another table's name.
            (Some(relation), Some(same)) => (
                format!("there is no column `{}` of `{relation}`", field.name),
                Some(format!("did you mean `{}`?", same.quoted_flat_name())),
            ),
            _ => (
                format!("there is no column `{}`", field.name),
                near(&field.name, &names, "columns"),
            ),
        };
        Mistake {
            message,
            hint,
            name: Some(field.name.clone()),
        }
    }

    fn of(error: &DataFusionError, root: &DataFusionError, tables: &[String]) -> Mistake {
        if let DataFusionError::SchemaError(schema, _) = root
            && let SchemaError::FieldNotFound {
                field,
                valid_fields,
            } = schema.as_ref()
        {
            return Mistake::no_column(field, valid_fields);
        }
        let said = root.strip_backtrace().replace("datafusion.public.", "");
        let said = said
            .trim_start_matches("Error during planning: ")
            .trim_start_matches("Execution error: ")
            .trim_start_matches("Arrow error: ")
            .trim_start_matches("SQL error: ")
            .to_string();
        if let Some(name) = between(&said, "table function '", "' not found")
            .or_else(|| between(&said, "Table function '", "' not found"))
        {
            let known = ["line_items_at".to_string(), "costs_at".to_string()];
            return Mistake {
                message: format!("there is no table function `{name}`"),
                hint: near(name, &known, "table functions"),
                name: Some(name.to_string()),
            };
        }
        if let Some(name) = between(&said, "table '", "' not found") {
            return Mistake {
                message: format!("there is no table `{name}`"),
                hint: near(name, tables, "tables"),
                name: Some(name.to_string()),
            };
        }
        if let Some(name) = between(&said, "Invalid function '", "'") {
            let near = between(&said, "Did you mean '", "'");
            return Mistake {
                message: format!("there is no function `{name}`"),
                hint: near.map(|near| format!("did you mean `{near}`?")),
                name: Some(name.to_string()),
            };
        }
        if let Some(parser) = between(&said, "ParserError(\"", "\")") {
            return Mistake {
                message: format!(
                    "not SQL: {}",
                    parser.split(" at Line").next().unwrap_or(parser)
                ),
                hint: None,
                name: None,
            };
        }
        if let Some(wrong) = between(&said, "TokenizerError(\"", " at Line") {
            return Mistake::plain(format!("not SQL: {}", wrong.to_lowercase()), None);
        }
        if said.contains("duplicate unqualified field name")
            || said.contains("unique expression names")
        {
            let hint =
                "give what differs only in its cast a name of its own, in a subquery or with AS";
            return Mistake::plain(said, Some(hint));
        }
        if said.contains("Cannot cast string '20") && said.contains("Int64") {
            return Mistake::plain(said, Some("months are text: '2026-10'"));
        }
        // The engine asks for a bug report where a function was called with the wrong types.
        let said = match said.strip_prefix("Internal error: ") {
            Some(said) => said
                .split("This issue was likely caused")
                .next()
                .unwrap_or(said)
                .trim_end_matches(['.', '\n', ' '])
                .to_string(),
            None => said,
        };
        let diagnosed = error
            .diagnostic()
            .map(|diagnostic| diagnostic.message.clone());
        Mistake {
            message: diagnosed.unwrap_or(said),
            hint: None,
            name: None,
        }
    }

    fn plain(message: String, hint: Option<&str>) -> Mistake {
        Mistake {
            message,
            hint: hint.map(str::to_string),
            name: None,
        }
    }

    /// The bytes of the statement that the error is about.
    fn place(&self, sql: &str, error: &DataFusionError) -> Option<(usize, usize)> {
        if let Some(span) = error.diagnostic().and_then(|diagnostic| diagnostic.span) {
            let start = offset(sql, span.start.line, span.start.column);
            let end = offset(sql, span.end.line, span.end.column);
            return Some((start, end.max(start)));
        }
        let said = error.find_root().strip_backtrace();
        if let Some((line, column)) = line_and_column(&said) {
            let start = offset(sql, line, column);
            return Some((start, start));
        }
        if said.contains("found: EOF") {
            let end = sql.trim_end().len();
            return Some((end, end));
        }
        let name = self.name.as_deref()?;
        word(sql, name)
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}

/// `Line: 1, Column: 8`, as the parser says it.
fn line_and_column(said: &str) -> Option<(u64, u64)> {
    let number = |mark: &str| {
        let (_, rest) = said.split_once(mark)?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    };
    number("Line: ").zip(number("Column: "))
}

/// Where a name stands as a word of its own.
fn word(sql: &str, name: &str) -> Option<(usize, usize)> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize_with_location()
        .ok()?;
    let is_it = |token: &Token| match token {
        Token::Word(word) => word.value.eq_ignore_ascii_case(name),
        _ => false,
    };
    let token = tokens.into_iter().find(|token| is_it(&token.token))?;
    let start = offset(sql, token.span.start.line, token.span.start.column);
    let end = offset(sql, token.span.end.line, token.span.end.column);
    Some((start, end))
}

/// The line of a place with carets under it.
fn snippet(piece: &Piece, start: usize, end: usize) -> String {
    let sql = &piece.sql;
    let start = start.min(sql.len());
    let line_start = sql[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = sql[start..].find('\n').map_or(sql.len(), |at| start + at);
    let number = piece.line + sql[..start].matches('\n').count() as u64;
    let line = sql[line_start..line_end].replace('\t', " ");
    let before = unicode_width::UnicodeWidthStr::width(&sql[line_start..start]);
    let marked = &sql[start..end.clamp(start, line_end)];
    let width = unicode_width::UnicodeWidthStr::width(marked).max(1);
    let margin = " ".repeat(number.to_string().len());
    format!(
        "\n {number} | {line}\n {margin} | {}{}",
        " ".repeat(before),
        "^".repeat(width)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_word() {
        let piece = Piece {
            sql: "select 1,\n  größe, cst\nfrom t".to_string(),
            line: 4,
        };
        let (start, end) = word(&piece.sql, "cst").unwrap();
        assert_eq!(
            snippet(&piece, start, end),
            "\n 5 |   größe, cst\n   |          ^^^"
        );
    }
}
