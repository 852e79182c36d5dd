//! `pagination` object of CloudZero's lists.

use serde_json::{Value, json};

/// Describes the page of `shown` items at `offset`.
pub(crate) fn pagination(
    total: usize,
    offset: usize,
    shown: usize,
    limit: usize,
    cursor: impl Fn(usize) -> String,
) -> Value {
    let next = (offset + shown < total).then(|| cursor(offset + shown));
    let previous = (offset > 0).then(|| cursor(offset.saturating_sub(limit)));
    json!({
        "page_count": total.div_ceil(limit),
        "item_count": shown,
        "total_count": total,
        "cursor": {
            "has_next": next.is_some(),
            "has_previous": previous.is_some(),
            "next_cursor": next,
            "previous_cursor": previous,
        },
    })
}
