//! What the inventory says beyond ids and names. It follows from them, and agrees with the costs.

use crate::sandbox::data::random::fingerprint;
use crate::sandbox::data::resource::Resource;
use chrono::{Days, NaiveDate};

/// Where an environment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// `AWS`, `GCP` or `AZURE`.
    pub cloud: &'static str,
    /// A region of it.
    pub region: &'static str,
}

const fn place(cloud: &'static str, region: &'static str) -> Place {
    Place { cloud, region }
}

/// Production, where the costs of `lcc-5tt8w` say that it is.
const PRODUCTION: (&str, Place) = ("env-k2m9d", place("AWS", "eu-west-1"));
const PLACES: [Place; 8] = [
    place("AWS", "eu-central-1"),
    place("AWS", "us-east-1"),
    place("AWS", "ap-northeast-1"),
    place("GCP", "europe-west3"),
    place("GCP", "us-central1"),
    place("AZURE", "westeurope"),
    place("AZURE", "germanywestcentral"),
    place("AZURE", "eastus2"),
];

/// The connector of `lcc-5tt8w`, as its costs say.
const LAKE_SINK: (&str, &str) = ("lcc-5tt8w", "S3_SINK");
const CONNECTORS: [&str; 8] = [
    "BigQueryStorageSink",
    "DatagenSource",
    "HttpSinkV2",
    "MongoDbAtlasSource",
    "PostgresCdcSourceV2",
    "S3_SINK",
    "SnowflakeSink",
    "SqlServerCdcSourceV2",
];

fn pick<T: Copy>(from: &[T], id: &str) -> T {
    from[(fingerprint(id) % from.len() as u64) as usize]
}

/// Where an environment is.
pub fn place_of(environment: &str) -> Place {
    if environment == PRODUCTION.0 {
        return PRODUCTION.1;
    }
    pick(&PLACES, environment)
}

/// `spec.config.kind` of a Kafka cluster, as its network and its line types allow.
pub fn kind(cluster: &Resource) -> &'static str {
    if cluster.line_types.contains(&"KAFKA_BASE") {
        return "Standard";
    }
    match cluster.network {
        "INTERNET" => pick(&["Basic", "Standard"], &cluster.id),
        "PNI" => pick(&["Enterprise", "Freight"], &cluster.id),
        _ => "Dedicated",
    }
}

/// `spec.availability` of a Kafka cluster.
pub fn availability(cluster: &Resource) -> &'static str {
    match kind(cluster) {
        "Basic" => "LOW",
        "Standard" => pick(&["LOW", "HIGH"], &cluster.id),
        "Dedicated" => pick(&["SINGLE_ZONE", "MULTI_ZONE"], &cluster.id),
        _ => "HIGH",
    }
}

/// CKUs of a dedicated cluster; one in several zones has at least two.
pub fn ckus(cluster: &Resource) -> Option<u64> {
    let least = u64::from(availability(cluster) == "MULTI_ZONE") + 1;
    (kind(cluster) == "Dedicated").then(|| least + fingerprint(&cluster.id) / 8 % 3)
}

/// Id of the network of a dedicated cluster that is not reached by the internet.
pub fn network(cluster: &Resource) -> Option<String> {
    let private = kind(cluster) == "Dedicated" && cluster.network != "INTERNET";
    private.then(|| {
        let place = fingerprint(&cluster.environment) ^ fingerprint(cluster.network);
        format!("n-{:06x}", place & 0xff_ffff)
    })
}

/// `stream_governance_config.package` of an environment, and of its Schema Registry.
pub fn governance(environment: &str) -> &'static str {
    if environment == PRODUCTION.0 {
        return "ADVANCED";
    }
    pick(&["ESSENTIALS", "ADVANCED"], environment)
}

/// CFUs that a compute pool may use at most.
pub fn most_cfus(pool: &str) -> u64 {
    pick(&[5, 10, 20, 50], pool)
}

/// `connector.class` of a connector.
pub fn connector_class(connector: &Resource) -> &'static str {
    if connector.line_types.contains(&"CUSTOM_CONNECT_NUM_TASKS") {
        return "com.example.connect.MainframeSource";
    }
    if connector.id == LAKE_SINK.0 {
        return LAKE_SINK.1;
    }
    pick(&CONNECTORS, &connector.id)
}

/// Tasks of a connector.
pub fn tasks(connector: &Resource) -> u64 {
    1 + fingerprint(&connector.id) / 8 % 4
}

/// When something was made: some day before any cost.
pub fn made(id: &str) -> String {
    let first = NaiveDate::from_ymd_opt(2023, 1, 9).unwrap_or_default();
    let day = first + Days::new(fingerprint(id) % 600);
    format!("{day}T09:30:00.000000Z")
}
