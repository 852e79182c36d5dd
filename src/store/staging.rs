//! Markers of data files that no commit names yet.
//!
//! A marker, an empty object with the file's name, is written before the file. So files orphaned by a crash can
//! be found, then resumed or deleted.

use crate::billing_period::BillingPeriod;
use crate::error::Result;
use crate::store::tables::partition;
use crate::store::writer::DataFile;
use crate::store::{Store, TableName};

/// Staged files of a month in one table.
#[derive(Clone)]
pub struct Staging {
    store: Store,
    table: TableName,
    connection: String,
    period: BillingPeriod,
}

impl Staging {
    /// Staged files of a connection's month. Use them with the connection's lease only.
    pub(crate) fn new(
        store: &Store,
        table: TableName,
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

    fn markers(&self) -> String {
        format!(
            "runs/staging/{}/{}/{}",
            self.table, self.connection, self.period
        )
    }

    /// Path of a file relative to its table.
    pub(crate) fn path(&self, file: &str) -> String {
        format!("{}/{file}", partition(&self.connection, self.period))
    }

    /// Path of a file relative to the store.
    pub(crate) fn store_path(&self, file: &str) -> String {
        format!("{}/{}", self.table, self.path(file))
    }

    /// Marks a file before it is written, and returns its path relative to the store.
    pub(crate) async fn mark(&self, file: &str) -> Result<String> {
        self.store
            .put(&format!("{}/{file}", self.markers()), Vec::new())
            .await?;
        Ok(self.store_path(file))
    }

    /// Names of the marked files.
    pub(crate) async fn marked(&self) -> Result<Vec<String>> {
        let markers = self.store.list(&self.markers()).await?;
        let name = |marker: &String| marker.rsplit('/').next().unwrap_or_default().to_string();
        Ok(markers.iter().map(name).collect())
    }

    /// Deletes a file and its marker.
    pub(crate) async fn remove(&self, file: &str) -> Result<()> {
        self.store.delete(&self.store_path(file)).await?;
        self.unmark(file).await
    }

    /// Deletes all markers, and the marked files that are not among the `published` ones.
    pub(crate) async fn clean_up(&self, published: &[DataFile]) -> Result<()> {
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
        self.store
            .delete(&format!("{}/{file}", self.markers()))
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cleanup_deletes_orphans_and_keeps_published_files() {
        let store = Store::in_memory();
        let period = "2026-10".parse().unwrap();
        let staging = Staging::new(&store, TableName::Costs, "acme", period);
        for file in ["orphan", "published"] {
            let path = staging.mark(file).await.unwrap();
            store.put(&path, "x").await.unwrap();
        }
        staging.mark("never written").await.unwrap();
        let published = DataFile {
            path: staging.path("published"),
            size: 1,
            rows: 1,
            start_range: None,
        };
        staging.clean_up(&[published]).await.unwrap();
        assert_eq!(
            store.list("").await.unwrap(),
            [staging.store_path("published")]
        );
    }
}
