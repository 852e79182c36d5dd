//! Marks of data files that no commit names yet.
//!
//! A mark, a small object with the file's name, is written before the file. So files orphaned by a crash can be
//! found, then resumed or deleted.
//!
//! ```text
//! runs/staging/<table>/<connection>/<month>/<run>/<file>        staged by a run, or taken over by it
//! runs/staging/<table>/<connection>/<month>/discarded/<file>    of another run, and not needed
//! ```
//! A run that lost its lease may still be at work, and may be about to commit. So a run deletes its own files, and
//! those of other runs only once they are past [`KEPT_FOR`]. No file that a commit names is ever deleted: earlier
//! versions of a month need it.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::billing_period::BillingPeriod;
use crate::error::Result;
use crate::store::lease::Fence;
use crate::store::tables::{Table, partition};
use crate::store::{Store, TableName, store_clock};

/// Age from which the files of other runs are deleted. No run lives that long, and none resumes older windows.
const KEPT_FOR: TimeDelta = TimeDelta::hours(24);
/// Folder of the marks.
const FOLDER: &str = "runs/staging";
/// Folder of the marks of other runs' files that are not needed.
const DISCARDED: &str = "discarded";

/// Staged files of a month in one table.
#[derive(Clone)]
pub struct Staging {
    store: Store,
    table: TableName,
    connection: String,
    period: BillingPeriod,
    run: String,
}

/// Mark of a staged file.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    /// Name of the file.
    pub(crate) file: String,
    /// Folder of the mark; `None` for marks of earlier versions, which name no run.
    folder: Option<String>,
    /// Path of the mark relative to the store.
    path: String,
    marked_at: DateTime<Utc>,
    /// True if the run of the mark took the file over from another one.
    is_taken_over: bool,
}

/// Paths of all marked files of a table, relative to the store.
///
/// # Errors
/// Those of the store.
pub(super) async fn marked_files(store: &Store, table: TableName) -> Result<BTreeSet<String>> {
    let all = format!("{FOLDER}/{table}/");
    let marks = store.list(&format!("{FOLDER}/{table}")).await?;
    let files = marks.iter().filter_map(|mark| {
        let (connection, mark) = mark.strip_prefix(&all)?.split_once('/')?;
        let (period, mark) = mark.split_once('/')?;
        let (_, file) = mark.rsplit_once('/').unwrap_or(("", mark));
        let folder = partition(connection, period.parse().ok()?);
        Some(format!("{table}/{folder}/{file}"))
    });
    Ok(files.collect())
}

/// Folder of the marks of a month, or of all months.
fn folder(table: TableName, connection: &str, period: Option<BillingPeriod>) -> String {
    let folder = format!("{FOLDER}/{table}/{connection}");
    match period {
        Some(period) => format!("{folder}/{period}"),
        None => folder,
    }
}

/// Months of the fence's connection that have marks in a table.
pub(crate) async fn marked_months(
    fence: &Fence,
    table: TableName,
) -> Result<BTreeSet<BillingPeriod>> {
    let folder = folder(table, fence.connection(), None);
    let marks = fence.store().list(&folder).await?;
    let month = |mark: &String| {
        let (month, _) = mark
            .strip_prefix(&folder)?
            .strip_prefix('/')?
            .split_once('/')?;
        month.parse().ok()
    };
    Ok(marks.iter().filter_map(month).collect())
}

impl Staging {
    /// Staged files of a connection's month, for a run that holds the connection's lease.
    pub(crate) fn new(
        store: &Store,
        table: TableName,
        connection: &str,
        period: BillingPeriod,
        run: &str,
    ) -> Staging {
        Staging {
            store: store.clone(),
            table,
            connection: connection.to_string(),
            period,
            run: run.to_string(),
        }
    }

    /// Staged files of a month of the fence's connection.
    pub(crate) fn of(fence: &Fence, table: TableName, period: BillingPeriod) -> Staging {
        Staging::new(
            fence.store(),
            table,
            fence.connection(),
            period,
            fence.run(),
        )
    }

    fn folder(&self) -> String {
        folder(self.table, &self.connection, Some(self.period))
    }

    /// Path of a file relative to its table.
    pub(crate) fn path(&self, file: &str) -> String {
        format!("{}/{file}", partition(&self.connection, self.period))
    }

    /// Path of a file relative to the store.
    pub(crate) fn store_path(&self, file: &str) -> String {
        format!("{}/{}", self.table, self.path(file))
    }

    /// Marks a file of this run before it is written, and returns its path relative to the store.
    pub(crate) async fn mark(&self, file: &str) -> Result<String> {
        let mark = format!("{}/{}/{file}", self.folder(), self.run);
        self.store.put(&mark, Vec::new()).await?;
        Ok(self.store_path(file))
    }

    /// Marks of files that may be resumed, of this and of other runs.
    pub(crate) async fn marks(&self) -> Result<Vec<Mark>> {
        let mut marks = self.all_marks().await?;
        marks.retain(|mark| mark.folder.as_deref() != Some(DISCARDED));
        Ok(marks)
    }

    /// Takes the file of a mark over, if it is another run's: this run commits it, or discards it.
    pub(crate) async fn take_over(&self, mark: &Mark) -> Result<()> {
        if self.is_own(mark) {
            return Ok(());
        }
        // The content tells such a mark from one of this run's own files.
        let content = mark.folder.as_deref().unwrap_or("unknown").to_string();
        let own = format!("{}/{}/{}", self.folder(), self.run, mark.file);
        self.store.put(&own, content).await?;
        self.store.delete(&mark.path).await
    }

    /// Keeps the file of another run's mark from being resumed. It is deleted once its time is past.
    pub(crate) async fn discard(&self, mark: &Mark) -> Result<()> {
        if self.is_own(mark) && !mark.is_taken_over {
            return Ok(());
        }
        let discarded = format!("{}/{DISCARDED}/{}", self.folder(), mark.file);
        self.store.put(&discarded, Vec::new()).await?;
        self.store.delete(&mark.path).await
    }

    /// Deletes the marks of committed files. Call it before these files are replaced: from then on only their
    /// table's history names them.
    pub(super) async fn unmark(&self, committed: &BTreeSet<String>) -> Result<()> {
        for mark in self.all_marks().await? {
            if committed.contains(&self.path(&mark.file)) {
                self.store.delete(&mark.path).await?;
            }
        }
        Ok(())
    }

    /// Deletes this run's files that are not committed, files of other runs that are past their time, and the
    /// marks of committed files. `table` is the files' table, if the run knows it.
    ///
    /// # Errors
    /// Kind locked after a lost lease; those of the store.
    pub(crate) async fn clean_up(&self, fence: &Fence, table: Option<&Table>) -> Result<()> {
        self.clean(fence, table, self.all_marks().await?).await
    }

    /// As [`Staging::clean_up`], but leaves this run's files.
    pub(crate) async fn clean_up_others(&self, fence: &Fence, table: Option<&Table>) -> Result<()> {
        let mut marks = self.all_marks().await?;
        marks.retain(|mark| !self.is_own(mark));
        self.clean(fence, table, marks).await
    }

    async fn clean(
        &self,
        fence: &Fence,
        table: Option<&Table>,
        mut marks: Vec<Mark>,
    ) -> Result<()> {
        if !marks.iter().all(|mark| self.is_own(mark)) {
            let now = store_clock::now(&self.store).await?;
            marks.retain(|mark| self.is_own(mark) || now - mark.marked_at > KEPT_FOR);
        }
        if marks.is_empty() {
            return Ok(());
        }
        fence.confirm().await?;
        let committed = self.committed(table, &marks).await?;
        for mark in &marks {
            if committed.contains(&self.path(&mark.file)) {
                self.store.delete(&mark.path).await?;
            } else if self.is_own(mark) && mark.is_taken_over {
                self.discard(mark).await?;
            } else {
                self.store.delete(&self.store_path(&mark.file)).await?;
                self.store.delete(&mark.path).await?;
            }
        }
        Ok(())
    }

    /// Paths of committed files, with all of those among the marked ones.
    ///
    /// While this run holds the lease, its own files are current or were never committed. Files of other runs may
    /// have been replaced since, so the history of the table is read for them.
    async fn committed(&self, table: Option<&Table>, marks: &[Mark]) -> Result<BTreeSet<String>> {
        let mut table = match table {
            Some(table) => table.clone(),
            None => match Table::open(&self.store, self.table).await? {
                Some(table) => table,
                None => return Ok(BTreeSet::new()),
            },
        };
        let names_all = |paths: &BTreeSet<String>| {
            let mut marked = marks.iter().map(|mark| self.path(&mark.file));
            marked.all(|path| paths.contains(&path))
        };
        let current = table.current_paths().await?;
        if names_all(&current) {
            return Ok(current);
        }
        table.load().await?;
        if marks.iter().all(|mark| self.is_own(mark)) {
            return table.current_paths().await;
        }
        table.committed_paths().await
    }

    fn is_own(&self, mark: &Mark) -> bool {
        mark.folder.as_ref() == Some(&self.run)
    }

    async fn all_marks(&self) -> Result<Vec<Mark>> {
        let folder = self.folder();
        let found = self.store.list_objects(&folder).await?.into_iter();
        let mut marks: Vec<Mark> = found
            .filter_map(|meta| {
                let path = self.store.relative(&meta.location)?;
                let name = path.strip_prefix(&folder)?.strip_prefix('/')?;
                let (run, file) = match name.split_once('/') {
                    Some((run, file)) => (Some(run.to_string()), file.to_string()),
                    None => (None, name.to_string()),
                };
                Some(Mark {
                    file,
                    folder: run,
                    path,
                    marked_at: meta.last_modified,
                    is_taken_over: meta.size > 0,
                })
            })
            .collect();
        marks.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(marks)
    }
}
