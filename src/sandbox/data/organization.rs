//! The synthetic organization: named resources with recognizable cost patterns, and any number of bulk
//! resources. All of it is invented.

use crate::sandbox::data::bulk::BulkResource;
use crate::sandbox::data::catalog::{LINE_TYPES, index_of};
use crate::sandbox::data::resource::{Resource, build_meter};
use crate::sandbox::data::usage::{Discount, Meter, UsagePattern};

/// Named resource and its billed usage.
struct NamedResource {
    /// Empty for costs without a resource.
    id: &'static str,
    name: &'static str,
    environment: &'static str,
    network: &'static str,
    /// Discount in hundredths of a percent.
    discount: i64,
    /// Line type, hourly whole units or thousandths of a unit, usage pattern.
    usage: &'static [(&'static str, u64, UsagePattern)],
}

use UsagePattern::{Growing, Spiking, Steady, Stepped, Weekly};

#[rustfmt::skip]
const NAMED_RESOURCES: [NamedResource; 14] = [
    NamedResource { id: "lkc-7aa01x", name: "orders-prod", environment: "env-k2m9d", network: "PRIVATE_LINK", discount: 1000, usage: &[
        ("KAFKA_NUM_CKUS", 1, Stepped), ("KAFKA_STORAGE", 1_850_000, Growing),
        ("KAFKA_NETWORK_WRITE", 21_000, Weekly), ("KAFKA_NETWORK_READ", 64_000, Weekly),
        ("TABLEFLOW_NUM_TOPICS", 6, Steady), ("TABLEFLOW_DATA_PROCESSED", 4_200, Weekly), ("TABLEFLOW_STORAGE", 310_000, Growing),
    ] },
    NamedResource { id: "lkc-pay3nt", name: "payments-prod", environment: "env-k2m9d", network: "TRANSIT_GATEWAY", discount: 1000, usage: &[
        ("KAFKA_NUM_CKUS", 2, Steady), ("KAFKA_STORAGE", 640_000, Growing),
        ("KAFKA_REST_PRODUCE", 1_300, Weekly), ("KAFKA_STREAMS", 4, Steady),
    ] },
    NamedResource { id: "lkc-st4g1n", name: "staging", environment: "env-s4t7q", network: "PEERED_VPC", discount: 0, usage: &[
        ("KAFKA_BASE", 1, Steady), ("KAFKA_PARTITION", 420, Steady), ("KAFKA_STORAGE", 55_000, Weekly),
    ] },
    NamedResource { id: "lkc-zr1ch0", name: "Zürich – Entwicklung", environment: "env-d3v1x", network: "INTERNET", discount: 0, usage: &[
        ("KAFKA_NUM_CKUS", 1, Steady), ("KAFKA_NETWORK_WRITE", 310, Weekly), ("KAFKA_NETWORK_READ", 540, Weekly),
    ] },
    NamedResource { id: "lkc-l1nk0a", name: "受注-複製", environment: "env-an9ly", network: "MULTI", discount: 1250, usage: &[
        ("CLUSTER_LINKING_PER_LINK", 2, Steady), ("CLUSTER_LINKING_READ", 9_000, Weekly), ("CLUSTER_LINKING_WRITE", 8_700, Weekly),
    ] },
    NamedResource { id: "lcc-5tt8w", name: "lake-sink", environment: "env-k2m9d", network: "PRIVATE_LINK", discount: 1000, usage: &[
        ("CONNECT_NUM_TASKS", 4, Steady), ("CONNECT_THROUGHPUT", 19_000, Weekly), ("CONNECT_NUM_RECORDS", 41_000_000, Weekly),
    ] },
    NamedResource { id: "lcc-g0ld1", name: "warehouse \"gold\", eu", environment: "env-an9ly", network: "PNI", discount: 0, usage: &[
        ("CONNECT_CAPACITY", 1, Steady),
    ] },
    NamedResource { id: "lcc-cu5tm", name: "plugins\\mainframe", environment: "env-s4t7q", network: "INTERNET", discount: 0, usage: &[
        ("CUSTOM_CONNECT_NUM_TASKS", 2, Steady), ("CUSTOM_CONNECT_THROUGHPUT", 800, Weekly),
    ] },
    NamedResource { id: "lksqlc-90qpz", name: "enrichment", environment: "env-k2m9d", network: "INTERNET", discount: 1000, usage: &[
        ("KSQL_NUM_CSUS", 4, Steady),
    ] },
    NamedResource { id: "lfcp-m31k0", name: "stream-etl", environment: "env-an9ly", network: "INTERNET", discount: 1250, usage: &[
        ("FLINK_NUM_CFUS", 5_600, Spiking),
    ] },
    NamedResource { id: "lfcp-adh0c", name: "ad hoc\nqueries", environment: "env-d3v1x", network: "INTERNET", discount: 0, usage: &[
        ("FLINK_NUM_CFUS", 700, Weekly),
    ] },
    NamedResource { id: "lsrc-9x2k1", name: "schémas", environment: "env-k2m9d", network: "INTERNET", discount: 1000, usage: &[
        ("GOVERNANCE_BASE", 1, Steady), ("SCHEMA_REGISTRY", 212, Steady), ("NUM_RULES", 18, Steady),
    ] },
    NamedResource { id: "usm-h7e2c", name: "on-premises", environment: "env-0ld11", network: "INTERNET", discount: 0, usage: &[
        ("USM_CONNECTED_NODE", 5, Steady),
    ] },
    NamedResource { id: "", name: "", environment: "", network: "INTERNET", discount: 0, usage: &[
        ("AUDIT_LOG_READ", 94, Weekly),
    ] },
];

/// Number of meters of the named resources.
pub(crate) const NAMED_METERS: usize = {
    let (mut sum, mut index) = (0, 0);
    while index < NAMED_RESOURCES.len() {
        sum += NAMED_RESOURCES[index].usage.len();
        index += 1;
    }
    sum
};

impl NamedResource {
    fn resource(&self) -> Resource {
        Resource {
            id: self.id.to_owned(),
            name: self.name.to_owned(),
            environment: self.environment.to_owned(),
            network: self.network,
            line_types: self.usage.iter().map(|usage| usage.0).collect(),
        }
    }
}

/// Meters of the organization: those of the named resources, then bulk ones, at least `count` in total.
pub(crate) fn meters(seed: u64, count: usize) -> Vec<Meter> {
    let mut meters = Vec::with_capacity(count + 8);
    for named in &NAMED_RESOURCES {
        let resource = named.resource();
        for &(line_type, typical, pattern) in named.usage {
            let discount = match named.discount {
                0 => Discount::None,
                rate => Discount::Rounded(rate),
            };
            let line = index_of(line_type);
            let price = LINE_TYPES[line].price;
            meters.push(build_meter(
                line, price, typical, discount, pattern, &resource,
            ));
        }
    }
    let mut number = 0;
    while meters.len() < count {
        meters.extend(BulkResource::new(seed, number).meters());
        number += 1;
    }
    meters
}

/// Resources of [`meters`], in the same order.
pub(crate) fn resources(seed: u64, count: usize) -> Vec<Resource> {
    let named = NAMED_RESOURCES.iter().filter(|named| !named.id.is_empty());
    let mut resources: Vec<Resource> = named.map(NamedResource::resource).collect();
    let mut meters = NAMED_METERS;
    let mut number = 0;
    while meters < count {
        let BulkResource { resource, .. } = BulkResource::new(seed, number);
        meters += resource.line_types.len();
        resources.push(resource);
        number += 1;
    }
    resources
}
