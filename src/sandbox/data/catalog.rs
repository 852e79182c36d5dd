//! Published usage line types of Confluent (spec: billing/v1 costs), with invented prices.
//!
//! SUPPORT and PROMO_CREDIT are not metered; they are among the edge cases.

/// Metering of a line type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Whole units in each hour of the day, such as CKUs or tasks.
    Count,
    /// Volume that varies by hour, such as GB.
    Volume,
}

/// Common values of the records of one line type.
#[derive(Debug)]
pub(crate) struct LineType {
    pub(crate) product: &'static str,
    pub(crate) line_type: &'static str,
    /// In Confluent's spelling.
    pub(crate) unit: &'static str,
    /// Price of one unit in 1e-10 dollars.
    pub(crate) price: u64,
    pub(crate) measure: Measure,
    /// Hourly usage of a bulk resource: whole units, or thousandths of a unit.
    pub(crate) typical: u64,
}

const fn line_type(
    product: &'static str,
    line_type: &'static str,
    unit: &'static str,
    price: u64,
    measure: Measure,
    typical: u64,
) -> LineType {
    LineType {
        product,
        line_type,
        unit,
        price,
        measure,
        typical,
    }
}

use Measure::{Count, Volume};

/// Metered line types: the 29 published ones without SUPPORT and PROMO_CREDIT.
#[rustfmt::skip]
pub(crate) const LINE_TYPES: [LineType; 27] = [
    line_type("KAFKA", "KAFKA_NUM_CKUS", "CKU-hour", 21_137_000_000, Count, 2),
    line_type("KAFKA", "KAFKA_BASE", "Hour", 15_100_000_000, Count, 1),
    line_type("KAFKA", "KAFKA_PARTITION", "Partition-hour", 41_000_000, Count, 300),
    line_type("KAFKA", "KAFKA_STORAGE", "GB-hour", 1_095_890, Volume, 400_000),
    line_type("KAFKA", "KAFKA_NETWORK_WRITE", "GB", 412_345_678, Volume, 8_000),
    line_type("KAFKA", "KAFKA_NETWORK_READ", "GB", 398_765_432, Volume, 15_000),
    line_type("KAFKA", "KAFKA_REST_PRODUCE", "GB", 500_000_000, Volume, 700),
    line_type("KAFKA", "KAFKA_STREAMS", "Hour", 87_654_321, Count, 3),
    line_type("CLUSTER_LINK", "CLUSTER_LINKING_PER_LINK", "Hour", 5_150_000_000, Count, 1),
    line_type("CLUSTER_LINK", "CLUSTER_LINKING_WRITE", "GB", 200_000_000, Volume, 2_000),
    line_type("CLUSTER_LINK", "CLUSTER_LINKING_READ", "GB", 199_876_543, Volume, 2_500),
    line_type("CONNECT", "CONNECT_CAPACITY", "Hour", 6_944_444_444, Count, 1),
    line_type("CONNECT", "CONNECT_NUM_TASKS", "Task-hour", 411_666_667, Count, 2),
    line_type("CONNECT", "CONNECT_THROUGHPUT", "GB", 247_500_000, Volume, 5_000),
    line_type("CONNECT", "CONNECT_NUM_RECORDS", "Record", 1_234, Volume, 90_000_000),
    line_type("CUSTOM_CONNECT", "CUSTOM_CONNECT_NUM_TASKS", "Task-hour", 1_083_333_333, Count, 1),
    line_type("CUSTOM_CONNECT", "CUSTOM_CONNECT_THROUGHPUT", "GB", 250_000_001, Volume, 900),
    line_type("KSQL", "KSQL_NUM_CSUS", "CSU-hour", 2_319_170_000, Count, 4),
    line_type("FLINK", "FLINK_NUM_CFUS", "CFU-hour", 2_100_000_003, Volume, 1_700),
    line_type("STREAM_GOVERNANCE", "GOVERNANCE_BASE", "Hour", 1_369_863_014, Count, 1),
    line_type("STREAM_GOVERNANCE", "SCHEMA_REGISTRY", "Schema-Hour", 20_000_000, Count, 120),
    line_type("STREAM_GOVERNANCE", "NUM_RULES", "Rule-hour", 33_333_333, Count, 14),
    line_type("TABLEFLOW", "TABLEFLOW_NUM_TOPICS", "Topic-hour", 1_000_000_000, Count, 2),
    line_type("TABLEFLOW", "TABLEFLOW_DATA_PROCESSED", "GB", 400_000_000, Volume, 1_200),
    line_type("TABLEFLOW", "TABLEFLOW_STORAGE", "GB-hour", 315_068, Volume, 60_000),
    line_type("USM", "USM_CONNECTED_NODE", "Node-hour", 750_000_000, Count, 3),
    line_type("AUDIT_LOG", "AUDIT_LOG_READ", "GB", 1_000_000_000, Volume, 90),
];

/// Index of a line type in [`LINE_TYPES`]; 0 if unknown.
pub(crate) fn index_of(line_type: &str) -> usize {
    LINE_TYPES
        .iter()
        .position(|spec| spec.line_type == line_type)
        .unwrap_or(0)
}
