//! Marks of data files that are being written and that no commit names yet.
//!
//! A mark, an empty object of the file's name, comes before the file. So whatever a run that died
//! left behind is found: taken over, or swept away.

use crate::billing_period::BillingPeriod;
use crate::error::Result;
use crate::store::Store;
use crate::store::tables::partition;
use crate::store::writer::DataFile;

/// The staged files of a month in one table.
#[derive(Clone)]
pub struct Staging {
    store: Store,
    table: &'static str,
    connection: String,
    period: BillingPeriod,
}

impl Staging {
    /// Of `table`, for a month of a connection. Use it with the connection's lease only.
    pub fn new(
        store: &Store,
        table: &'static str,
        connection: &str,
        period: BillingPeriod,
    ) -> Staging {
        Staging {
            store: store.clone(),
            table,
            connection: connection.to_string(),
            period,
        }
    }

    fn marks(&self) -> String {
        format!(
            "runs/staging/{}/{}/{}",
            self.table, self.connection, self.period
        )
    }

    /// The path of a file as the table has it.
    pub fn path(&self, file: &str) -> String {
        format!("{}/{file}", partition(&self.connection, self.period))
    }

    /// The path of a file in the store.
    pub fn store_path(&self, file: &str) -> String {
        format!("{}/{}", self.table, self.path(file))
    }

    /// Marks a file that is about to be written, and returns its path in the store.
    pub async fn mark(&self, file: &str) -> Result<String> {
        self.store
            .put(&format!("{}/{file}", self.marks()), Vec::new())
            .await?;
        Ok(self.store_path(file))
    }

    /// The names of the marked files.
    pub async fn marked(&self) -> Result<Vec<String>> {
        let marks = self.store.list(&self.marks()).await?;
        let name = |mark: &String| mark.rsplit('/').next().unwrap_or_default().to_string();
        Ok(marks.iter().map(name).collect())
    }

    /// Removes a file and its mark.
    pub async fn remove(&self, file: &str) -> Result<()> {
        self.store.delete(&self.store_path(file)).await?;
        self.unmark(file).await
    }

    /// Removes the marks of all files, and the files that are not among the `published` ones.
    pub async fn sweep(&self, published: &[DataFile]) -> Result<()> {
        for file in self.marked().await? {
            let path = self.path(&file);
            if published.iter().any(|known| known.path == path) {
                self.unmark(&file).await?;
            } else {
                self.remove(&file).await?;
            }
        }
        Ok(())
    }

    async fn unmark(&self, file: &str) -> Result<()> {
        self.store.delete(&format!("{}/{file}", self.marks())).await
    }
}
