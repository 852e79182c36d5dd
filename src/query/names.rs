//! Names in SQL: how they are written, and which one was meant.

use crate::suggest::nearest;

/// Line items of the store and of the sources.
pub const ALL: &str = "all_line_items";
/// A name as SQL takes it, whatever its characters.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name as SQL needs it: in quotes only where it must be.
pub fn as_identifier(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.chars().all(plain) {
        name.to_string()
    } else {
        quoted(name)
    }
}

/// What could have been meant: the nearest name, or the names that there are.
pub fn near(name: &str, names: &[String], what: &str) -> Option<String> {
    if let Some(nearest) = nearest(name, names.iter().map(String::as_str)) {
        return Some(format!("did you mean `{}`?", as_identifier(nearest)));
    }
    if names.is_empty() {
        return None;
    }
    let shown: Vec<_> = names
        .iter()
        .take(30)
        .map(|name| format!("`{}`", as_identifier(name)))
        .collect();
    let rest = if names.len() > 30 { ", …" } else { "" };
    Some(format!("{what}: {}{rest}", shown.join(", ")))
}
