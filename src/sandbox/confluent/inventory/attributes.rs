//! Attributes of resources beyond ids and names: a function of the id, consistent with the costs.

use crate::sandbox::data::random::fingerprint;
use crate::sandbox::data::resource::Resource;
use chrono::{Days, NaiveDate};

/// Cloud and region of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CloudRegion {
    /// `AWS`, `GCP` or `AZURE`.
    pub(crate) cloud: &'static str,
    pub(crate) region: &'static str,
}

const fn cloud_region(cloud: &'static str, region: &'static str) -> CloudRegion {
    CloudRegion { cloud, region }
}

/// Production environment, with the region in the costs of `lcc-5tt8w`.
const PRODUCTION: (&str, CloudRegion) = ("env-k2m9d", cloud_region("AWS", "eu-west-1"));
const REGIONS: [CloudRegion; 8] = [
    cloud_region("AWS", "eu-central-1"),
    cloud_region("AWS", "us-east-1"),
    cloud_region("AWS", "ap-northeast-1"),
    cloud_region("GCP", "europe-west3"),
    cloud_region("GCP", "us-central1"),
    cloud_region("AZURE", "westeurope"),
    cloud_region("AZURE", "germanywestcentral"),
    cloud_region("AZURE", "eastus2"),
];

/// Connector class in the costs of `lcc-5tt8w`.
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

pub(crate) fn region_of(environment: &str) -> CloudRegion {
    if environment == PRODUCTION.0 {
        return PRODUCTION.1;
    }
    pick(&REGIONS, environment)
}

/// `spec.config.kind` of a Kafka cluster, consistent with its network and line types.
pub(crate) fn cluster_kind(cluster: &Resource) -> &'static str {
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
pub(crate) fn availability(cluster: &Resource) -> &'static str {
    match cluster_kind(cluster) {
        "Basic" => "LOW",
        "Standard" => pick(&["LOW", "HIGH"], &cluster.id),
        "Dedicated" => pick(&["SINGLE_ZONE", "MULTI_ZONE"], &cluster.id),
        _ => "HIGH",
    }
}

/// CKUs of a dedicated cluster; at least two across several zones.
pub(crate) fn ckus(cluster: &Resource) -> Option<u64> {
    let minimum = u64::from(availability(cluster) == "MULTI_ZONE") + 1;
    (cluster_kind(cluster) == "Dedicated").then(|| minimum + fingerprint(&cluster.id) / 8 % 3)
}

/// Network id of a dedicated cluster with private networking.
pub(crate) fn network_id(cluster: &Resource) -> Option<String> {
    let is_private = cluster_kind(cluster) == "Dedicated" && cluster.network != "INTERNET";
    is_private.then(|| {
        let hash = fingerprint(&cluster.environment) ^ fingerprint(cluster.network);
        format!("n-{:06x}", hash & 0xff_ffff)
    })
}

/// `stream_governance_config.package` of an environment and of its Schema Registry.
pub(crate) fn governance_package(environment: &str) -> &'static str {
    if environment == PRODUCTION.0 {
        return "ADVANCED";
    }
    pick(&["ESSENTIALS", "ADVANCED"], environment)
}

/// `spec.max_cfu` of a compute pool.
pub(crate) fn max_cfus(pool: &str) -> u64 {
    pick(&[5, 10, 20, 50], pool)
}

/// `connector.class` of a connector.
pub(crate) fn connector_class(connector: &Resource) -> &'static str {
    if connector.line_types.contains(&"CUSTOM_CONNECT_NUM_TASKS") {
        return "com.example.connect.MainframeSource";
    }
    if connector.id == LAKE_SINK.0 {
        return LAKE_SINK.1;
    }
    pick(&CONNECTORS, &connector.id)
}

pub(crate) fn task_count(connector: &Resource) -> u64 {
    1 + fingerprint(&connector.id) / 8 % 4
}

/// Creation time: some day before all costs.
pub(crate) fn created_at(id: &str) -> String {
    let first = NaiveDate::from_ymd_opt(2023, 1, 9).unwrap_or_default();
    let day = first + Days::new(fingerprint(id) % 600);
    format!("{day}T09:30:00.000000Z")
}
