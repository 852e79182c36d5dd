//! Texts cut to the room there is, measured in columns or pixels.

/// The text, its end replaced by … if it is too wide.
pub(super) fn cut(text: &str, room: i32, width: impl Fn(&str) -> i32) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let room = room - width("…");
    let starts = text.char_indices().map(|(at, _)| &text[..at]);
    let kept = starts.take_while(|kept| width(kept) <= room).last();
    kept.map_or(String::new(), |kept| format!("{}…", kept.trim_end()))
}

/// The text, cut before its end: names of resources often differ in their last part only.
pub(super) fn cut_middle(
    text: &str,
    room: i32,
    tail: i32,
    width: impl Fn(&str) -> i32 + Copy,
) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let ends = text.char_indices().rev().map(|(at, _)| at);
    let end = ends.take_while(|&at| width(&text[at..]) <= tail).last();
    let (head, tail) = text.split_at(end.unwrap_or(text.len()));
    cut(head, room - width(tail), width) + tail
}
