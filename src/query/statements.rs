//! Statements of an SQL text, and positions in it.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// One statement of an SQL text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// SQL without the semicolon at its end.
    pub(crate) sql: String,
    /// Line of its first character in the text, from 1.
    pub(crate) line: u64,
}

impl Statement {
    /// A text that is one statement.
    pub(crate) fn new(sql: impl Into<String>) -> Statement {
        Statement {
            sql: sql.into(),
            line: 1,
        }
    }

    /// An SQL file that is one statement, which may end in a semicolon.
    pub(crate) fn from_file(text: &str) -> Statement {
        Statement::new(text.trim().trim_end_matches(';'))
    }
}

/// Splits a text at its semicolons, except those in quotes and comments.
///
/// Returns a text with invalid tokens as one statement: planning it reports the position of the error.
pub(crate) fn split(text: &str) -> Vec<Statement> {
    let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize_with_location();
    let Ok(tokens) = tokens else {
        return vec![Statement::new(text)];
    };
    let semicolons = tokens
        .iter()
        .filter(|token| token.token == Token::SemiColon)
        .map(|token| (token.span.start.line, token.span.start.column));
    let ends = byte_offsets(text, semicolons);
    let mut statements = Vec::new();
    let (mut start, mut line) = (0, 1);
    for end in ends.into_iter().chain([text.len()]) {
        push_statement(&mut statements, &text[start..end], line);
        line += text[start..end].matches('\n').count() as u64;
        start = (end + 1).min(text.len());
    }
    statements
}

/// True if the text ends within a statement, so that a shell asks for another line.
pub(crate) fn is_incomplete(text: &str) -> bool {
    let mut tokens = match Tokenizer::new(&GenericDialect {}, text).tokenize() {
        Ok(tokens) => tokens,
        // An unterminated quote or comment.
        Err(_) => return true,
    };
    tokens.retain(|token| !matches!(token, Token::Whitespace(_)));
    !tokens.is_empty() && tokens.last() != Some(&Token::SemiColon)
}

/// Byte offsets of ascending positions, in one pass over the text.
fn byte_offsets(text: &str, positions: impl Iterator<Item = (u64, u64)>) -> Vec<usize> {
    let mut chars = text.char_indices();
    let mut at = (1, 1);
    let mut offsets = Vec::new();
    for position in positions {
        let offset = loop {
            let Some((offset, c)) = chars.next() else {
                break text.len();
            };
            let here = at;
            at = match c {
                '\n' => (at.0 + 1, 1),
                _ => (at.0, at.1 + 1),
            };
            if here >= position {
                break offset;
            }
        };
        offsets.push(offset);
    }
    offsets
}

/// Adds a statement, whose text with the space around it begins at `line`, unless it is blank.
fn push_statement(statements: &mut Vec<Statement>, sql: &str, line: u64) {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize();
    let blank = |token: &Token| matches!(token, Token::Whitespace(_));
    if tokens.is_ok_and(|tokens| tokens.iter().all(blank)) {
        return;
    }
    let skipped = sql.len() - sql.trim_start().len();
    let line = line + sql[..skipped].matches('\n').count() as u64;
    statements.push(Statement {
        sql: sql.trim().to_string(),
        line,
    });
}

/// Byte offset of a line and column, which count characters from 1.
pub(crate) fn byte_offset(text: &str, line: u64, column: u64) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(usize::try_from(line).unwrap_or(1).saturating_sub(1))
        .map(str::len)
        .sum();
    let rest = &text[before.min(text.len())..];
    let skipped = usize::try_from(column).unwrap_or(1).saturating_sub(1);
    let within: usize = rest.chars().take(skipped).map(char::len_utf8).sum();
    (before + within).min(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split_texts(text: &str) -> Vec<(String, u64)> {
        split(text)
            .into_iter()
            .map(|statement| (statement.sql, statement.line))
            .collect()
    }

    #[test]
    fn ignores_semicolons_in_quotes_and_comments() {
        let text = "select ';' as \"a;b\"; -- one; two\n\n select 2 /* ; */;\n;;\nselect 3";
        assert_eq!(
            split_texts(text),
            [
                ("select ';' as \"a;b\"".to_string(), 1),
                ("-- one; two\n\n select 2 /* ; */".to_string(), 1),
                ("select 3".to_string(), 5),
            ]
        );
        assert_eq!(split_texts(" \n-- nothing\n"), []);
        assert_eq!(
            split_texts("select 'open"),
            [("select 'open".to_string(), 1)]
        );
    }

    #[test]
    fn text_is_incomplete_until_its_semicolon() {
        for incomplete in ["select 1", "select ';", "select 1; select 2", "/* ", "\"a;"] {
            assert!(is_incomplete(incomplete), "{incomplete}");
        }
        for complete in ["", "  \n", "-- x", "select 1;", "select 1; -- done"] {
            assert!(!is_incomplete(complete), "{complete}");
        }
    }

    proptest! {
        #[test]
        fn statements_are_the_parts_of_the_text(words in prop::collection::vec("[a-z' ]{0,6}", 0..6)) {
            let quoted: Vec<String> = words.iter().map(|w| format!("select '{}'", w.replace('\'', "''"))).collect();
            let found: Vec<String> = split(&quoted.join(";\n")).into_iter().map(|statement| statement.sql).collect();
            prop_assert_eq!(found, quoted);
        }
    }
}
