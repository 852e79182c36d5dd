//! SQL text to statements: where one ends, and where its words stand.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// One statement of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The statement without its semicolon.
    pub sql: String,
    /// The line of its first character in the text, from 1.
    pub line: u64,
}

/// Splits a text at its semicolons; those in quotes and comments are not ends.
///
/// A text that cannot be cut into tokens comes back whole: planning it names the mistake.
pub fn split(text: &str) -> Vec<Piece> {
    let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize_with_location();
    let Ok(tokens) = tokens else {
        return vec![Piece {
            sql: text.to_string(),
            line: 1,
        }];
    };
    let ends = tokens
        .iter()
        .filter(|token| token.token == Token::SemiColon)
        .map(|token| offset(text, token.span.start.line, token.span.start.column));
    let mut pieces = Vec::new();
    let mut start = 0;
    for end in ends.chain([text.len()]) {
        push_piece(&mut pieces, text, start, end);
        start = (end + 1).min(text.len());
    }
    pieces
}

/// Whether the text ends within a statement, so that a shell asks for another line.
pub fn is_open(text: &str) -> bool {
    let mut tokens = match Tokenizer::new(&GenericDialect {}, text).tokenize() {
        Ok(tokens) => tokens,
        // An open quote or comment.
        Err(_) => return true,
    };
    tokens.retain(|token| !matches!(token, Token::Whitespace(_)));
    !tokens.is_empty() && tokens.last() != Some(&Token::SemiColon)
}

fn push_piece(pieces: &mut Vec<Piece>, text: &str, start: usize, end: usize) {
    let sql = &text[start..end];
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize();
    let blank = |token: &Token| matches!(token, Token::Whitespace(_));
    if tokens.is_ok_and(|tokens| tokens.iter().all(blank)) {
        return;
    }
    let skipped = sql.len() - sql.trim_start().len();
    let line = text[..start + skipped].matches('\n').count() as u64 + 1;
    pieces.push(Piece {
        sql: sql.trim().to_string(),
        line,
    });
}

/// The byte at a line and column, which count from 1 and in characters.
pub fn offset(text: &str, line: u64, column: u64) -> usize {
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

    fn pieces(text: &str) -> Vec<(String, u64)> {
        split(text)
            .into_iter()
            .map(|piece| (piece.sql, piece.line))
            .collect()
    }

    #[test]
    fn semicolons_in_quotes_and_comments_end_nothing() {
        let text = "select ';' as \"a;b\"; -- one; two\n\n select 2 /* ; */;\n;;\nselect 3";
        assert_eq!(
            pieces(text),
            [
                ("select ';' as \"a;b\"".to_string(), 1),
                ("-- one; two\n\n select 2 /* ; */".to_string(), 1),
                ("select 3".to_string(), 5),
            ]
        );
        assert_eq!(pieces(" \n-- nothing\n"), []);
        assert_eq!(pieces("select 'open"), [("select 'open".to_string(), 1)]);
    }

    #[test]
    fn a_text_is_open_until_its_semicolon() {
        for open in ["select 1", "select ';", "select 1; select 2", "/* ", "\"a;"] {
            assert!(is_open(open), "{open}");
        }
        for closed in ["", "  \n", "-- x", "select 1;", "select 1; -- done"] {
            assert!(!is_open(closed), "{closed}");
        }
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_text(words in prop::collection::vec("[a-z' ]{0,6}", 0..6)) {
            let quoted: Vec<String> = words.iter().map(|w| format!("select '{}'", w.replace('\'', "''"))).collect();
            let found: Vec<String> = split(&quoted.join(";\n")).into_iter().map(|p| p.sql).collect();
            prop_assert_eq!(found, quoted);
        }
    }
}
