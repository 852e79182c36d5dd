//! The usage line types Confluent publishes (spec: billing/v1 costs), with invented prices.
//!
//! SUPPORT and PROMO_CREDIT are not measured: they stand with the other oddities.

/// How a line type is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Whole things for every hour of the day, such as CKUs or tasks.
    Count,
    /// A volume that differs from hour to hour, such as GB.
    Volume,
}

/// One line type with what its records have in common.
#[derive(Debug)]
pub struct Line {
    /// `product` of its records.
    pub product: &'static str,
    /// `line_type` of its records.
    pub line_type: &'static str,
    /// `unit` of its records, in the case Confluent writes it.
    pub unit: &'static str,
    /// Price of one unit in steps of 1e-10 dollars.
    pub price: u64,
    /// How it is measured.
    pub measure: Measure,
    /// What a bulk resource uses: things, or thousandths of a unit an hour.
    pub typical: u64,
}

const fn line(
    product: &'static str,
    line_type: &'static str,
    unit: &'static str,
    price: u64,
    measure: Measure,
    typical: u64,
) -> Line {
    Line {
        product,
        line_type,
        unit,
        price,
        measure,
        typical,
    }
}

use Measure::{Count, Volume};

/// Every measured line type: the 29 published ones without SUPPORT and PROMO_CREDIT.
#[rustfmt::skip]
pub const LINES: [Line; 27] = [
    line("KAFKA", "KAFKA_NUM_CKUS", "CKU-hour", 21_137_000_000, Count, 2),
    line("KAFKA", "KAFKA_BASE", "Hour", 15_100_000_000, Count, 1),
    line("KAFKA", "KAFKA_PARTITION", "Partition-hour", 41_000_000, Count, 300),
    line("KAFKA", "KAFKA_STORAGE", "GB-hour", 1_095_890, Volume, 400_000),
    line("KAFKA", "KAFKA_NETWORK_WRITE", "GB", 412_345_678, Volume, 8_000),
    line("KAFKA", "KAFKA_NETWORK_READ", "GB", 398_765_432, Volume, 15_000),
    line("KAFKA", "KAFKA_REST_PRODUCE", "GB", 500_000_000, Volume, 700),
    line("KAFKA", "KAFKA_STREAMS", "Hour", 87_654_321, Count, 3),
    line("CLUSTER_LINK", "CLUSTER_LINKING_PER_LINK", "Hour", 5_150_000_000, Count, 1),
    line("CLUSTER_LINK", "CLUSTER_LINKING_WRITE", "GB", 200_000_000, Volume, 2_000),
    line("CLUSTER_LINK", "CLUSTER_LINKING_READ", "GB", 199_876_543, Volume, 2_500),
    line("CONNECT", "CONNECT_CAPACITY", "Hour", 6_944_444_444, Count, 1),
    line("CONNECT", "CONNECT_NUM_TASKS", "Task-hour", 411_666_667, Count, 2),
    line("CONNECT", "CONNECT_THROUGHPUT", "GB", 247_500_000, Volume, 5_000),
    line("CONNECT", "CONNECT_NUM_RECORDS", "Record", 1_234, Volume, 90_000_000),
    line("CUSTOM_CONNECT", "CUSTOM_CONNECT_NUM_TASKS", "Task-hour", 1_083_333_333, Count, 1),
    line("CUSTOM_CONNECT", "CUSTOM_CONNECT_THROUGHPUT", "GB", 250_000_001, Volume, 900),
    line("KSQL", "KSQL_NUM_CSUS", "CSU-hour", 2_319_170_000, Count, 4),
    line("FLINK", "FLINK_NUM_CFUS", "CFU-hour", 2_100_000_003, Volume, 1_700),
    line("STREAM_GOVERNANCE", "GOVERNANCE_BASE", "Hour", 1_369_863_014, Count, 1),
    line("STREAM_GOVERNANCE", "SCHEMA_REGISTRY", "Schema-Hour", 20_000_000, Count, 120),
    line("STREAM_GOVERNANCE", "NUM_RULES", "Rule-hour", 33_333_333, Count, 14),
    line("TABLEFLOW", "TABLEFLOW_NUM_TOPICS", "Topic-hour", 1_000_000_000, Count, 2),
    line("TABLEFLOW", "TABLEFLOW_DATA_PROCESSED", "GB", 400_000_000, Volume, 1_200),
    line("TABLEFLOW", "TABLEFLOW_STORAGE", "GB-hour", 315_068, Volume, 60_000),
    line("USM", "USM_CONNECTED_NODE", "Node-hour", 750_000_000, Count, 3),
    line("AUDIT_LOG", "AUDIT_LOG_READ", "GB", 1_000_000_000, Volume, 90),
];

/// The place of a line type in [`LINES`]; the first one for a name that is not there.
pub fn position(line_type: &str) -> usize {
    LINES
        .iter()
        .position(|line| line.line_type == line_type)
        .unwrap_or(0)
}
