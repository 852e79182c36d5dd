//! Names in SQL: quoting and suggestions.

use crate::suggest::nearest;

/// Table of the published line items and those of the sources.
pub(crate) const ALL_LINE_ITEMS: &str = "all_line_items";

/// Tables that are neither views nor sources, with a description.
pub(super) const BUILTIN_TABLES: [(&str, &str); 7] = [
    (
        ALL_LINE_ITEMS,
        "Line items of the store and of all sources, in CloudZero's Common Bill Format",
    ),
    (
        "costs",
        "Costs as received from Confluent, by connection and billing_period",
    ),
    (
        "line_items",
        "Published line items in CloudZero's Common Bill Format, by connection and billing_period",
    ),
    (
        "periods",
        "Months: state, coverage, totals, versions, deliveries",
    ),
    (
        "resources",
        "Environments, clusters and connectors: names and regions, with their period of validity",
    ),
    ("runs", "Runs: command, months, errors and exit code"),
    ("versions", "Every version of every month, newest first"),
];

/// The name in quotes, valid in SQL whatever its characters.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The name as SQL requires it: in quotes only if necessary.
pub(crate) fn as_identifier(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.chars().all(is_plain) {
        name.to_string()
    } else {
        quoted(name)
    }
}

/// Hint for an unknown name: the nearest known name, else a list of the known names after `label`.
pub(crate) fn suggestion(name: &str, known: &[String], label: &str) -> Option<String> {
    const MAX_LISTED: usize = 30;
    if let Some(nearest) = nearest(name, known.iter().map(String::as_str)) {
        return Some(format!("did you mean `{}`?", as_identifier(nearest)));
    }
    if known.is_empty() {
        return None;
    }
    let listed: Vec<_> = known
        .iter()
        .take(MAX_LISTED)
        .map(|name| format!("`{}`", as_identifier(name)))
        .collect();
    let rest = if known.len() > MAX_LISTED {
        ", …"
    } else {
        ""
    };
    Some(format!("{label}: {}{rest}", listed.join(", ")))
}
