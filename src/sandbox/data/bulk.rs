//! Bulk resources: any number of them, each a function of the seed and its number.

use crate::sandbox::data::catalog::{LINE_TYPES, index_of};
use crate::sandbox::data::random::{Random, mix};
use crate::sandbox::data::resource::{ENVIRONMENTS, Resource, build_meter};
use crate::sandbox::data::usage::UsagePattern::*;
use crate::sandbox::data::usage::{Discount, Meter};

/// Id prefix and line types of consecutive bulk resources; the mix repeats.
const MIX: [(&str, &[&str]); 8] = [
    (
        "lkc",
        &[
            "KAFKA_NUM_CKUS",
            "KAFKA_STORAGE",
            "KAFKA_NETWORK_WRITE",
            "KAFKA_NETWORK_READ",
        ],
    ),
    ("lcc", &["CONNECT_NUM_TASKS", "CONNECT_THROUGHPUT"]),
    ("lfcp", &["FLINK_NUM_CFUS"]),
    (
        "lkc",
        &[
            "KAFKA_BASE",
            "KAFKA_PARTITION",
            "KAFKA_STORAGE",
            "KAFKA_NETWORK_WRITE",
        ],
    ),
    ("lcc", &["CONNECT_NUM_TASKS", "CONNECT_THROUGHPUT"]),
    (
        "lkc",
        &[
            "KAFKA_NUM_CKUS",
            "KAFKA_STORAGE",
            "KAFKA_NETWORK_WRITE",
            "KAFKA_NETWORK_READ",
        ],
    ),
    (
        "lcc",
        &[
            "CONNECT_NUM_TASKS",
            "CONNECT_THROUGHPUT",
            "CONNECT_NUM_RECORDS",
        ],
    ),
    ("lfcp", &["FLINK_NUM_CFUS"]),
];

const TEAMS: [&str; 12] = [
    "checkout",
    "fulfilment",
    "pricing",
    "search",
    "équipe données",
    "lager-süd",
    "risk",
    "在庫",
    "loyalty",
    "telemetry",
    "Ops, EMEA",
    "R&D",
];
const TOPICS: [&str; 10] = [
    "events",
    "ledger",
    "clickstream",
    "cdc",
    "enrichment",
    "sink \"v2\"",
    "audit",
    "snapshots",
    "backfill",
    "notifications",
];
const NETWORKS: [&str; 6] = [
    "INTERNET",
    "PRIVATE_LINK",
    "TRANSIT_GATEWAY",
    "PEERED_VPC",
    "PNI",
    "MULTI",
];

pub(crate) struct BulkResource {
    pub(crate) resource: Resource,
    /// Source of its meters.
    random: Random,
}

impl BulkResource {
    /// Bulk resource `number` (from 0) of the organization of `seed`.
    pub(crate) fn new(seed: u64, number: u64) -> BulkResource {
        let mut random = Random::new(seed ^ mix(number + 1));
        let mut pick = |from: &[&'static str]| from[random.below(from.len() as u64) as usize];
        let name = format!("{}-{}-{number:05}", pick(&TEAMS), pick(&TOPICS));
        let network = pick(&NETWORKS);
        let (kind, line_types) = MIX[(number % 8) as usize];
        let environment = match random.below(40) {
            named @ 0..=3 => ENVIRONMENTS[named as usize].0.to_owned(),
            number => format!("env-b{number:02}k{}", number * 7 % 10),
        };
        let id = format!(
            "{kind}-{}",
            base36(1_679_616 + number * 36 + random.below(36))
        );
        let resource = Resource {
            id,
            name,
            environment,
            network,
            line_types: line_types.to_vec(),
        };
        BulkResource { resource, random }
    }

    /// One meter per line type.
    pub(crate) fn meters(self) -> Vec<Meter> {
        let BulkResource {
            resource,
            mut random,
        } = self;
        // Committed customers get the discount on all their usage, so it depends on the resource.
        let discount = match random.below(4) {
            0 => Discount::Rounded(1000),
            1 => Discount::Exact(1250),
            _ => Discount::None,
        };
        let meters = resource.line_types.iter().map(|line_type| {
            let line = index_of(line_type);
            let price =
                LINE_TYPES[line].price / 1_000 * (900 + random.below(200)) + random.below(1_000);
            let typical = LINE_TYPES[line].typical;
            let typical = (typical / 4 + random.below(typical * 2)).max(1);
            let pattern = [Steady, Weekly, Growing][random.below(3) as usize];
            let mut meter = build_meter(line, price, typical, discount, pattern, &resource);
            meter.has_id = true;
            meter
        });
        meters.collect()
    }
}

/// Name of a bulk environment, such as `team-07` for `env-b07k9`.
pub(crate) fn environment_name(id: &str) -> String {
    format!("team-{}", id.get(5..7).unwrap_or(id))
}

/// `number` in base 36.
pub(crate) fn base36(mut number: u64) -> String {
    let mut text = String::new();
    while number > 0 {
        let digit = (number % 36) as u32;
        text.insert(0, char::from_digit(digit, 36).unwrap_or('0'));
        number /= 36;
    }
    text
}
