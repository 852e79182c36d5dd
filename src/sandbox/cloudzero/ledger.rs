//! Line items in CloudZero, by connection and month.

use crate::sandbox::cloudzero::line_item::LineItem;
use crate::sandbox::cloudzero::period::Month;
use crate::sandbox::cloudzero::upload::DropOperation;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Maximum rows per stream and month.
const MAX_ROWS: usize = 1_000_000;
/// Maximum bytes of rows per stream and month.
const MAX_BYTES: usize = 70_000_000;
/// Read of a month that first returns a delayed drop.
const DELAYED_READS: u8 = 3;

/// Line items of one connection and month.
#[derive(Debug, Clone)]
pub(crate) struct StoredDrop {
    /// Id of the latest drop.
    pub(crate) drop_id: String,
    pub(crate) line_items: Vec<LineItem>,
}

/// Current drop of a month, and the previous one while the current is delayed.
#[derive(Debug, Clone, Default)]
struct MonthSlot {
    current: Option<Arc<StoredDrop>>,
    delayed: Option<DelayedDrop>,
}

#[derive(Debug, Clone)]
struct DelayedDrop {
    previous: Option<Arc<StoredDrop>>,
    reads: u8,
}

impl MonthSlot {
    fn visible(&self) -> Option<&Arc<StoredDrop>> {
        match &self.delayed {
            Some(delayed) => delayed.previous.as_ref(),
            None => self.current.as_ref(),
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    slots: BTreeMap<(String, Month), MonthSlot>,
    drop_count: u64,
}

impl Ledger {
    /// Applies a drop to a stream and returns its id and the resulting number of rows. A delayed drop
    /// becomes visible after some reads of the month.
    pub(crate) fn apply(
        &mut self,
        connection: &str,
        month: Month,
        operation: DropOperation,
        line_items: Vec<LineItem>,
        is_delayed: bool,
    ) -> Result<(String, usize), String> {
        let slot = self
            .slots
            .entry((connection.to_owned(), month))
            .or_default();
        let mut all = match (&slot.current, operation) {
            (None, _) | (_, DropOperation::ReplaceDrop) => Vec::new(),
            (Some(stored_drop), DropOperation::Sum) => stored_drop.line_items.clone(),
            (Some(stored_drop), DropOperation::ReplaceHourly) => {
                let hours: BTreeSet<i64> =
                    line_items.iter().map(|line_item| line_item.hour).collect();
                let kept = stored_drop
                    .line_items
                    .iter()
                    .filter(|line_item| !hours.contains(&line_item.hour));
                kept.cloned().collect()
            }
        };
        all.extend(line_items);
        check_size(
            all.len(),
            all.iter().map(|line_item| line_item.text.len()).sum(),
        )?;
        self.drop_count += 1;
        let drop_id = format!("drop-{:08}", self.drop_count);
        let count = all.len();
        let previous = slot.current.take();
        slot.delayed = is_delayed.then_some(DelayedDrop { previous, reads: 0 });
        slot.current = stored_drop(&drop_id, all);
        Ok((drop_id, count))
    }

    /// Replaces a month with a drop from a bucket; an empty drop deletes it.
    pub(crate) fn replace(
        &mut self,
        connection: &str,
        month: Month,
        drop_id: &str,
        line_items: Vec<LineItem>,
    ) {
        let slot = self
            .slots
            .entry((connection.to_owned(), month))
            .or_default();
        *slot = MonthSlot {
            current: stored_drop(drop_id, line_items),
            delayed: None,
        };
    }

    /// Visible drop of a month; does not count as a read.
    pub(crate) fn visible(&self, connection: &str, month: Month) -> Option<Arc<StoredDrop>> {
        let slot = self.slots.get(&(connection.to_owned(), month))?;
        slot.visible().cloned()
    }

    /// Reads the visible drop of a month, and counts the read.
    pub(crate) fn read(&mut self, connection: &str, month: Month) -> Option<Arc<StoredDrop>> {
        let slot = self.slots.get_mut(&(connection.to_owned(), month))?;
        if let Some(delayed) = &mut slot.delayed {
            delayed.reads += 1;
            if delayed.reads >= DELAYED_READS {
                slot.delayed = None;
            }
        }
        slot.visible().cloned()
    }

    /// All visible drops with connection and month, in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, Month, &Arc<StoredDrop>)> {
        self.slots.iter().filter_map(|((connection, month), slot)| {
            Some((connection.as_str(), *month, slot.visible()?))
        })
    }
}

fn stored_drop(drop_id: &str, line_items: Vec<LineItem>) -> Option<Arc<StoredDrop>> {
    let drop_id = drop_id.to_owned();
    (!line_items.is_empty()).then(|| {
        Arc::new(StoredDrop {
            drop_id,
            line_items,
        })
    })
}

fn check_size(rows: usize, bytes: usize) -> Result<(), String> {
    if rows > MAX_ROWS {
        return Err(format!("a month of a stream has at most {MAX_ROWS} rows"));
    }
    if bytes > MAX_BYTES {
        return Err(format!("a month of a stream has at most {MAX_BYTES} bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_rows_and_bytes_per_month() {
        assert!(check_size(1_000_000, 70_000_000).is_ok());
        assert!(check_size(1_000_001, 1).is_err());
        assert!(check_size(1, 70_000_001).is_err());
    }
}
