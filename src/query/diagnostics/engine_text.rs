//! Conditions that the engine reports only as text.
//!
//! An unknown table or function is a plain planning error, and the SQL parser puts positions into its messages:
//! neither has a type to match on. This is the only module that reads the engine's texts. Text that it does not
//! recognize is shown unchanged, so a new wording costs a hint and a caret, never the error itself.

use datafusion::common::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

/// Condition recognized in the text of an engine error.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Condition<'a> {
    UnknownTableFunction(&'a str),
    UnknownTable(&'a str),
    UnknownFunction {
        name: &'a str,
        suggestion: Option<&'a str>,
    },
    /// Expressions of a projection that differ only in a cast have the same name.
    DuplicateExpressionNames,
    /// A month such as `2026-10` was compared with a number.
    MonthAsNumber,
}

/// Text of an error without the engine's prefixes, its default catalog and its request for a bug report.
pub(super) fn text_of(error: &DataFusionError) -> String {
    let text = match error {
        DataFusionError::Plan(text)
        | DataFusionError::Execution(text)
        | DataFusionError::Internal(text) => text.clone(),
        DataFusionError::ArrowError(error, _) => error.to_string(),
        other => other.strip_backtrace(),
    };
    let text = text.replace("datafusion.public.", "");
    // A call with wrong argument types is a planning error with the text of an internal one.
    match text.strip_prefix("Internal error: ") {
        Some(internal) => {
            let message = internal.split("This issue was likely caused").next();
            let message = message.unwrap_or(internal);
            message.trim_end_matches(['.', '\n', ' ']).to_string()
        }
        None => text,
    }
}

pub(super) fn condition(text: &str) -> Option<Condition<'_>> {
    let table_function = between(text, "table function '", "' not found")
        .or_else(|| between(text, "Table function '", "' not found"));
    if let Some(name) = table_function {
        return Some(Condition::UnknownTableFunction(name));
    }
    if let Some(name) = between(text, "table '", "' not found") {
        return Some(Condition::UnknownTable(name));
    }
    if let Some(name) = between(text, "Invalid function '", "'") {
        return Some(Condition::UnknownFunction {
            name,
            suggestion: between(text, "Did you mean '", "'"),
        });
    }
    if text.contains("unique expression names") {
        return Some(Condition::DuplicateExpressionNames);
    }
    if text.contains("Cannot cast string '20") && text.contains("Int64") {
        return Some(Condition::MonthAsNumber);
    }
    None
}

/// Message of a syntax error without its position.
pub(super) fn syntax_message(error: &ParserError) -> String {
    let without_position = |text: &str| text.split(" at Line").next().unwrap_or(text).to_string();
    match error {
        ParserError::ParserError(text) => without_position(text),
        ParserError::TokenizerError(text) => without_position(text).to_lowercase(),
        ParserError::RecursionLimitExceeded => "nested too deeply".to_string(),
    }
}

/// Position of a syntax error.
pub(super) enum SyntaxPosition {
    /// Line and column, from 1.
    At(u64, u64),
    EndOfText,
}

pub(super) fn syntax_position(error: &ParserError) -> Option<SyntaxPosition> {
    let (ParserError::ParserError(text) | ParserError::TokenizerError(text)) = error else {
        return None;
    };
    if let Some((line, column)) = number_after(text, "Line: ").zip(number_after(text, "Column: ")) {
        return Some(SyntaxPosition::At(line, column));
    }
    text.contains("found: EOF")
        .then_some(SyntaxPosition::EndOfText)
}

fn number_after(text: &str, label: &str) -> Option<u64> {
    let (_, rest) = text.split_once(label)?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    /// Condition of a statement's planning error, with the engine in use.
    async fn planned(sql: &str) -> String {
        let error = SessionContext::new().sql(sql).await.unwrap_err();
        let text = text_of(error.find_root());
        format!("{:?}", condition(&text))
    }

    #[tokio::test]
    async fn recognizes_the_texts_of_the_engine() {
        for (sql, expected) in [
            ("select * from nope", "Some(UnknownTable(\"nope\"))"),
            (
                "select * from nope(1)",
                "Some(UnknownTableFunction(\"nope\"))",
            ),
            (
                "select date_trunk('day', now())",
                "Some(UnknownFunction { name: \"date_trunk\", suggestion: Some(\"date_trunc\") })",
            ),
            ("select 1, 1", "Some(DuplicateExpressionNames)"),
            ("select x from (values (1)) as t(y)", "None"),
        ] {
            assert_eq!(planned(sql).await, expected, "{sql}");
        }
    }
}
