//! Truncation of texts to a width, measured in columns or pixels.

/// The text, its end replaced by … if it is too wide.
pub(super) fn truncate(text: &str, max_width: i32, width: impl Fn(&str) -> i32) -> String {
    if width(text) <= max_width {
        return text.to_owned();
    }
    let max_width = max_width - width("…");
    let prefixes = text.char_indices().map(|(at, _)| &text[..at]);
    let kept = prefixes.take_while(|kept| width(kept) <= max_width).last();
    kept.map_or(String::new(), |kept| format!("{}…", kept.trim_end()))
}

/// The text, truncated before its end: resource names often differ in their last part only.
pub(super) fn truncate_middle(
    text: &str,
    max_width: i32,
    max_tail: i32,
    width: impl Fn(&str) -> i32 + Copy,
) -> String {
    if width(text) <= max_width {
        return text.to_owned();
    }
    let ends = text.char_indices().rev().map(|(at, _)| at);
    let end = ends.take_while(|&at| width(&text[at..]) <= max_tail).last();
    let (head, tail) = text.split_at(end.unwrap_or(text.len()));
    truncate(head, max_width - width(tail), width) + tail
}
