//! `like_any_case(text, pattern)`: ILIKE for patterns that differ from row to row; `like_literal(pattern)`: the text
//! of a pattern without wildcards.
//!
//! The engine's ILIKE compiles a regular expression for every such row.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};

/// Creates the function. Wildcards are `%` and `_`; a backslash makes the next character literal.
pub(super) fn like_any_case() -> ScalarUDF {
    create_udf(
        "like_any_case",
        vec![DataType::Utf8View, DataType::Utf8View],
        DataType::Boolean,
        Volatility::Immutable,
        Arc::new(|arguments| {
            let arrays = ColumnarValue::values_to_arrays(arguments)?;
            Ok(ColumnarValue::Array(matches(&arrays[0], &arrays[1])))
        }),
    )
}

/// Creates `like_literal`: the only text, in lower case, that matches a pattern; NULL for one with wildcards.
pub(super) fn like_literal() -> ScalarUDF {
    create_udf(
        "like_literal",
        vec![DataType::Utf8View],
        DataType::Utf8View,
        Volatility::Immutable,
        Arc::new(|arguments| {
            let arrays = ColumnarValue::values_to_arrays(arguments)?;
            let patterns = arrays[0].as_string_view().iter();
            let literals = patterns.map(|pattern| literal(pattern?));
            let literals = literals.collect::<StringViewArray>();
            Ok(ColumnarValue::Array(Arc::new(literals)))
        }),
    )
}

fn literal(pattern: &str) -> Option<String> {
    let mut text = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' | '_' => return None,
            // A backslash at the end is literal.
            '\\' => text.push(chars.next().unwrap_or('\\')),
            c => text.push(c),
        }
    }
    Some(text.to_lowercase())
}

fn matches(texts: &ArrayRef, patterns: &ArrayRef) -> ArrayRef {
    let pairs = texts.as_string_view().iter().zip(patterns.as_string_view());
    let matched = pairs.map(|(text, pattern)| Some(is_like(text?, pattern?)));
    Arc::new(matched.collect::<BooleanArray>())
}

/// Returns true if a text matches a pattern, both in lower case.
fn is_like(text: &str, pattern: &str) -> bool {
    if text.is_ascii() && pattern.is_ascii() {
        return fits(text.as_bytes(), pattern.as_bytes(), u8::to_ascii_lowercase);
    }
    let chars = |text: &str| text.to_lowercase().chars().collect::<Vec<_>>();
    fits(&chars(text), &chars(pattern), |c| *c)
}

/// Matches with one step back: after a mismatch, the last `%` takes one more character.
fn fits<T: Copy + PartialEq + From<u8>>(text: &[T], pattern: &[T], lower: fn(&T) -> T) -> bool {
    let (any, one, escape) = (T::from(b'%'), T::from(b'_'), T::from(b'\\'));
    let (mut at, mut in_pattern) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(in_pattern) {
            Some(p) if *p == any => {
                retry = Some((at, in_pattern + 1));
                in_pattern += 1;
                continue;
            }
            None if at == text.len() => return true,
            None => None,
            Some(p) if *p == one => (at < text.len()).then_some(1),
            Some(p) => {
                // A backslash at the end is literal.
                let (literal, length) = match pattern.get(in_pattern + 1) {
                    Some(next) if *p == escape => (next, 2),
                    _ => (p, 1),
                };
                let is_equal = text.get(at).is_some_and(|t| lower(t) == lower(literal));
                is_equal.then_some(length)
            }
        };
        match (step, retry) {
            (Some(length), _) => (at, in_pattern) = (at + 1, in_pattern + length),
            (None, Some((from, pattern_from))) if from < text.len() => {
                retry = Some((from + 1, pattern_from));
                (at, in_pattern) = (from + 1, pattern_from);
            }
            (None, _) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, by recursion.
    fn naive(text: &[char], pattern: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['%', rest @ ..], _) => {
                naive(text, rest) || (!text.is_empty() && naive(&text[1..], pattern))
            }
            (['_', rest @ ..], [_, others @ ..]) => naive(others, rest),
            (['\\', literal, rest @ ..], [first, others @ ..]) => {
                first == literal && naive(others, rest)
            }
            ([literal, rest @ ..], [first, others @ ..]) if *literal != '_' => {
                first == literal && naive(others, rest)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            text in "[abABé%_\\\\]{0,8}",
            pattern in "[abABÉ%%__\\\\]{0,6}",
        ) {
            let chars = |text: &str| text.to_lowercase().chars().collect::<Vec<_>>();
            prop_assert_eq!(is_like(&text, &pattern), naive(&chars(&text), &chars(&pattern)));
        }
    }

    proptest! {
        #[test]
        fn literal_is_the_only_match(pattern in "[abBÉ%_\\\\\\\\]{0,5}", text in "[abBé%_\\\\]{0,5}") {
            match literal(&pattern) {
                None => prop_assert!(pattern.contains(['%', '_'])),
                Some(literal) => {
                    prop_assert!(is_like(&literal, &pattern));
                    prop_assert_eq!(is_like(&text, &pattern), text.to_lowercase() == literal);
                }
            }
        }
    }

    #[test]
    fn matches_lines_and_takes_no_exponential_time() {
        assert!(is_like("a\nb", "A%B") && is_like("a\nb", "a_b"));
        assert!(is_like("50%", "50\\%") && !is_like("50x", "50\\%"));
        let pattern = "%a".repeat(30) + "b";
        assert!(!is_like(&"a".repeat(2000), &pattern));
    }
}
