//! What CloudZero holds: the line items of each connection and month.

use crate::sandbox::cloudzero::period::Month;
use crate::sandbox::cloudzero::rows::Row;
use crate::sandbox::cloudzero::upload::Operation;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Rows that a stream may hold for a month.
const MOST_ROWS: usize = 1_000_000;
/// Bytes of rows that a stream may hold for a month.
const MOST_BYTES: usize = 70_000_000;
/// The look at a month that first shows a late drop.
const LATE_LOOKS: u8 = 3;

/// A month of a connection.
#[derive(Debug, Clone)]
pub struct Held {
    /// The drop that came last.
    pub drop_id: String,
    /// The line items.
    pub rows: Vec<Row>,
}

/// A month, and what is still shown in place of it.
#[derive(Debug, Default)]
struct Shelf {
    now: Option<Arc<Held>>,
    late: Option<Late>,
}

#[derive(Debug)]
struct Late {
    before: Option<Arc<Held>>,
    looks: u8,
}

impl Shelf {
    fn shown(&self) -> Option<&Arc<Held>> {
        match &self.late {
            Some(late) => late.before.as_ref(),
            None => self.now.as_ref(),
        }
    }
}

/// All months of all connections.
#[derive(Debug, Default)]
pub struct Holdings {
    shelves: BTreeMap<(String, Month), Shelf>,
    drops: u64,
}

impl Holdings {
    /// Applies a drop to a stream: its id, and the rows that the month then has. With `late` it
    /// shows only after some looks at the month.
    pub fn apply(
        &mut self,
        connection: &str,
        month: Month,
        operation: Operation,
        rows: Vec<Row>,
        late: bool,
    ) -> Result<(String, usize), String> {
        let shelf = self
            .shelves
            .entry((connection.to_owned(), month))
            .or_default();
        let mut all = match (&shelf.now, operation) {
            (None, _) | (_, Operation::ReplaceDrop) => Vec::new(),
            (Some(held), Operation::Sum) => held.rows.clone(),
            (Some(held), Operation::ReplaceHourly) => {
                let hours: BTreeSet<i64> = rows.iter().map(|row| row.hour).collect();
                let kept = held.rows.iter().filter(|row| !hours.contains(&row.hour));
                kept.cloned().collect()
            }
        };
        all.extend(rows);
        check_size(all.len(), all.iter().map(|row| row.text.len()).sum())?;
        self.drops += 1;
        let drop_id = format!("drop-{:08}", self.drops);
        let count = all.len();
        let before = shelf.now.take();
        shelf.late = late.then_some(Late { before, looks: 0 });
        shelf.now = held(&drop_id, all);
        Ok((drop_id, count))
    }

    /// Replaces a month with a drop from a bucket; one without rows removes it.
    pub fn replace(&mut self, connection: &str, month: Month, drop_id: &str, rows: Vec<Row>) {
        let shelf = self
            .shelves
            .entry((connection.to_owned(), month))
            .or_default();
        *shelf = Shelf {
            now: held(drop_id, rows),
            late: None,
        };
    }

    /// What a month shows, without counting as a look at it.
    pub fn shown(&self, connection: &str, month: Month) -> Option<Arc<Held>> {
        let shelf = self.shelves.get(&(connection.to_owned(), month))?;
        shelf.shown().cloned()
    }

    /// A look at a month.
    pub fn look(&mut self, connection: &str, month: Month) -> Option<Arc<Held>> {
        let shelf = self.shelves.get_mut(&(connection.to_owned(), month))?;
        if let Some(late) = &mut shelf.late {
            late.looks += 1;
            if late.looks >= LATE_LOOKS {
                shelf.late = None;
            }
        }
        shelf.shown().cloned()
    }

    /// Every month that shows something, with its connection, in order.
    pub fn all(&self) -> impl Iterator<Item = (&str, Month, &Arc<Held>)> {
        self.shelves
            .iter()
            .filter_map(|((connection, month), shelf)| {
                Some((connection.as_str(), *month, shelf.shown()?))
            })
    }
}

fn held(drop_id: &str, rows: Vec<Row>) -> Option<Arc<Held>> {
    let drop_id = drop_id.to_owned();
    (!rows.is_empty()).then(|| Arc::new(Held { drop_id, rows }))
}

fn check_size(rows: usize, bytes: usize) -> Result<(), String> {
    if rows > MOST_ROWS {
        return Err(format!(
            "a month of a stream holds at most {MOST_ROWS} rows"
        ));
    }
    if bytes > MOST_BYTES {
        return Err(format!(
            "a month of a stream holds at most {MOST_BYTES} bytes"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_limited() {
        assert!(check_size(1_000_000, 70_000_000).is_ok());
        assert!(check_size(1_000_001, 1).is_err());
        assert!(check_size(1, 70_000_001).is_err());
    }
}
