//! The bulk resources: as many as asked for, each invented from the seed and its number.

use crate::sandbox::data::catalog::{LINES, position};
use crate::sandbox::data::random::{Random, mix};
use crate::sandbox::data::resource::{ENVIRONMENTS, Resource, meter};
use crate::sandbox::data::usage::Level::*;
use crate::sandbox::data::usage::{Discount, Meter};

/// Line types of the bulk resources, by kind; the mix is repeated.
const BULK: [(&str, &[&str]); 8] = [
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
const TASKS: [&str; 10] = [
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

/// One bulk resource.
pub struct Bulk {
    /// Who is billed.
    pub resource: Resource,
    /// What its meters are invented from.
    random: Random,
}

impl Bulk {
    /// Bulk resource number `number` (from 0) of the organization of `seed`.
    pub fn new(seed: u64, number: u64) -> Bulk {
        let mut random = Random::new(seed ^ mix(number + 1));
        let mut pick = |from: &[&'static str]| from[random.below(from.len() as u64) as usize];
        let name = format!("{}-{}-{number:05}", pick(&TEAMS), pick(&TASKS));
        let network = pick(&NETWORKS);
        let (kind, lines) = BULK[(number % 8) as usize];
        let environment = match random.below(40) {
            few @ 0..=3 => ENVIRONMENTS[few as usize].0.to_owned(),
            more => format!("env-b{more:02}k{}", more * 7 % 10),
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
            line_types: lines.to_vec(),
        };
        Bulk { resource, random }
    }

    /// Its meters, one for each of its line types.
    pub fn meters(self) -> Vec<Meter> {
        let Bulk {
            resource,
            mut random,
        } = self;
        // Committed customers get the discount on everything they use, so it goes by resource.
        let discount = match random.below(4) {
            0 => Discount::Rounded(1000),
            1 => Discount::Exact(1250),
            _ => Discount::None,
        };
        let meters = resource.line_types.iter().map(|line_type| {
            let line = position(line_type);
            let price = LINES[line].price / 1_000 * (900 + random.below(200)) + random.below(1_000);
            let typical = LINES[line].typical;
            let typical = (typical / 4 + random.below(typical * 2)).max(1);
            let level = [Steady, Weekly, Growing][random.below(3) as usize];
            let mut made = meter(line, price, typical, discount, level, &resource);
            made.with_id = true;
            made
        });
        meters.collect()
    }
}

/// Name of a bulk environment: `team-07` for `env-b07k9`.
pub fn environment_name(id: &str) -> String {
    format!("team-{}", id.get(5..7).unwrap_or(id))
}

/// `number` in digits and small letters.
pub fn base36(mut number: u64) -> String {
    let mut text = String::new();
    while number > 0 {
        let digit = (number % 36) as u32;
        text.insert(0, char::from_digit(digit, 36).unwrap_or('0'));
        number /= 36;
    }
    text
}
