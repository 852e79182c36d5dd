//! The synthetic organization: named resources that tell a story, and as many more (`bulk`) as
//! asked for. All of it is invented.

use crate::sandbox::data::bulk::Bulk;
use crate::sandbox::data::catalog::{LINES, position};
use crate::sandbox::data::resource::{Resource, meter};
use crate::sandbox::data::usage::{Discount, Level, Meter};

/// A named resource and what it is billed for.
struct Named {
    /// Empty for costs without a resource.
    id: &'static str,
    name: &'static str,
    environment: &'static str,
    network: &'static str,
    /// Discount in hundredths of a percent.
    discount: i64,
    /// Line type, things or thousandths of a unit an hour, how usage develops.
    lines: &'static [(&'static str, u64, Level)],
}

use Level::{Growing, Runaway, Steady, Steps, Weekly};

#[rustfmt::skip]
const NAMED: [Named; 14] = [
    Named { id: "lkc-7aa01x", name: "orders-prod", environment: "env-k2m9d", network: "PRIVATE_LINK", discount: 1000, lines: &[
        ("KAFKA_NUM_CKUS", 1, Steps), ("KAFKA_STORAGE", 1_850_000, Growing),
        ("KAFKA_NETWORK_WRITE", 21_000, Weekly), ("KAFKA_NETWORK_READ", 64_000, Weekly),
        ("TABLEFLOW_NUM_TOPICS", 6, Steady), ("TABLEFLOW_DATA_PROCESSED", 4_200, Weekly), ("TABLEFLOW_STORAGE", 310_000, Growing),
    ] },
    Named { id: "lkc-pay3nt", name: "payments-prod", environment: "env-k2m9d", network: "TRANSIT_GATEWAY", discount: 1000, lines: &[
        ("KAFKA_NUM_CKUS", 2, Steady), ("KAFKA_STORAGE", 640_000, Growing),
        ("KAFKA_REST_PRODUCE", 1_300, Weekly), ("KAFKA_STREAMS", 4, Steady),
    ] },
    Named { id: "lkc-st4g1n", name: "staging", environment: "env-s4t7q", network: "PEERED_VPC", discount: 0, lines: &[
        ("KAFKA_BASE", 1, Steady), ("KAFKA_PARTITION", 420, Steady), ("KAFKA_STORAGE", 55_000, Weekly),
    ] },
    Named { id: "lkc-zr1ch0", name: "Zürich – Entwicklung", environment: "env-d3v1x", network: "INTERNET", discount: 0, lines: &[
        ("KAFKA_NUM_CKUS", 1, Steady), ("KAFKA_NETWORK_WRITE", 310, Weekly), ("KAFKA_NETWORK_READ", 540, Weekly),
    ] },
    Named { id: "lkc-l1nk0a", name: "受注-複製", environment: "env-an9ly", network: "MULTI", discount: 1250, lines: &[
        ("CLUSTER_LINKING_PER_LINK", 2, Steady), ("CLUSTER_LINKING_READ", 9_000, Weekly), ("CLUSTER_LINKING_WRITE", 8_700, Weekly),
    ] },
    Named { id: "lcc-5tt8w", name: "lake-sink", environment: "env-k2m9d", network: "PRIVATE_LINK", discount: 1000, lines: &[
        ("CONNECT_NUM_TASKS", 4, Steady), ("CONNECT_THROUGHPUT", 19_000, Weekly), ("CONNECT_NUM_RECORDS", 41_000_000, Weekly),
    ] },
    Named { id: "lcc-g0ld1", name: "warehouse \"gold\", eu", environment: "env-an9ly", network: "PNI", discount: 0, lines: &[
        ("CONNECT_CAPACITY", 1, Steady),
    ] },
    Named { id: "lcc-cu5tm", name: "plugins\\mainframe", environment: "env-s4t7q", network: "INTERNET", discount: 0, lines: &[
        ("CUSTOM_CONNECT_NUM_TASKS", 2, Steady), ("CUSTOM_CONNECT_THROUGHPUT", 800, Weekly),
    ] },
    Named { id: "lksqlc-90qpz", name: "enrichment", environment: "env-k2m9d", network: "INTERNET", discount: 1000, lines: &[
        ("KSQL_NUM_CSUS", 4, Steady),
    ] },
    Named { id: "lfcp-m31k0", name: "stream-etl", environment: "env-an9ly", network: "INTERNET", discount: 1250, lines: &[
        ("FLINK_NUM_CFUS", 5_600, Runaway),
    ] },
    Named { id: "lfcp-adh0c", name: "ad hoc\nqueries", environment: "env-d3v1x", network: "INTERNET", discount: 0, lines: &[
        ("FLINK_NUM_CFUS", 700, Weekly),
    ] },
    Named { id: "lsrc-9x2k1", name: "schémas", environment: "env-k2m9d", network: "INTERNET", discount: 1000, lines: &[
        ("GOVERNANCE_BASE", 1, Steady), ("SCHEMA_REGISTRY", 212, Steady), ("NUM_RULES", 18, Steady),
    ] },
    Named { id: "usm-h7e2c", name: "on-premises", environment: "env-0ld11", network: "INTERNET", discount: 0, lines: &[
        ("USM_CONNECTED_NODE", 5, Steady),
    ] },
    Named { id: "", name: "", environment: "", network: "INTERNET", discount: 0, lines: &[
        ("AUDIT_LOG_READ", 94, Weekly),
    ] },
];

/// How many meters the named resources have.
pub const NAMED_METERS: usize = {
    let (mut sum, mut at) = (0, 0);
    while at < NAMED.len() {
        sum += NAMED[at].lines.len();
        at += 1;
    }
    sum
};

impl Named {
    fn resource(&self) -> Resource {
        Resource {
            id: self.id.to_owned(),
            name: self.name.to_owned(),
            environment: self.environment.to_owned(),
            network: self.network,
            line_types: self.lines.iter().map(|line| line.0).collect(),
        }
    }
}

/// Every meter of the organization: the named resources' first, then bulk ones, at least `count`
/// in all.
pub fn meters(seed: u64, count: usize) -> Vec<Meter> {
    let mut meters = Vec::with_capacity(count + 8);
    for named in &NAMED {
        let resource = named.resource();
        for &(line_type, typical, level) in named.lines {
            let discount = match named.discount {
                0 => Discount::None,
                rate => Discount::Rounded(rate),
            };
            let line = position(line_type);
            let price = LINES[line].price;
            meters.push(meter(line, price, typical, discount, level, &resource));
        }
    }
    let mut number = 0;
    while meters.len() < count {
        meters.extend(Bulk::new(seed, number).meters());
        number += 1;
    }
    meters
}

/// The resources that [`meters`] has, in the same order.
pub fn resources(seed: u64, count: usize) -> Vec<Resource> {
    let named = NAMED.iter().filter(|named| !named.id.is_empty());
    let mut resources: Vec<Resource> = named.map(Named::resource).collect();
    let mut meters = NAMED_METERS;
    let mut number = 0;
    while meters < count {
        let Bulk { resource, .. } = Bulk::new(seed, number);
        meters += resource.line_types.len();
        resources.push(resource);
        number += 1;
    }
    resources
}
