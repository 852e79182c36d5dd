//! Names of the Delta tables.

use std::fmt;

/// Delta table of the store; its name is also its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableName {
    /// Costs as received.
    Costs,
    /// Line items in CloudZero's Common Bill Format.
    LineItems,
    /// Environments, clusters and connectors with their history.
    Resources,
}

impl TableName {
    /// Folder of the table, and its name in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            TableName::Costs => "costs",
            TableName::LineItems => "line_items",
            TableName::Resources => "resources",
        }
    }

    /// Partition columns, which are texts.
    pub(crate) fn partition_columns(self) -> &'static [&'static str] {
        match self {
            TableName::Costs | TableName::LineItems => &super::tables::PARTITIONS,
            TableName::Resources => &["connection"],
        }
    }

    /// Column with the start of a row's time, by which readers skip files.
    pub(crate) fn start_column(self) -> Option<&'static str> {
        match self {
            TableName::Costs => Some("start_date"),
            TableName::LineItems => Some("time/usage_start"),
            TableName::Resources => None,
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
