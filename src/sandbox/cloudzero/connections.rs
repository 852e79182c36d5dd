//! Billing connections: list, create, get, update (spec: billing_connections).

use crate::sandbox::Options;
use crate::sandbox::cloudzero::faults::CloudZeroFault;
use crate::sandbox::cloudzero::namespace::Namespace;
use crate::sandbox::cloudzero::pagination::pagination;
use crate::sandbox::cloudzero::response::Reply;
use crate::sandbox::cloudzero::{DEFAULT_BUCKET_ID, DEFAULT_STREAM_ID};
use crate::sandbox::faults::FaultKind;
use crate::sandbox::server::state::{Sandbox, lock};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::Utc;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1_000;
const SORT_KEYS: [&str; 7] = [
    "connection_name",
    "creation_date",
    "name",
    "cloud_provider",
    "created",
    "last_updated",
    "is_enabled",
];
/// `connection_type` of custom connections; CloudZero publishes no value.
const CUSTOM: &str = "anycost";
/// `connection_type` of CloudZero's native Confluent connection.
const NATIVE: &str = "confluent";
/// Default of `expected_ingest_rate`, in hours: the published field is a number.
const DEFAULT_INGEST_RATE: f64 = 24.0;

#[derive(Debug, Clone)]
struct Connection {
    id: String,
    name: String,
    connection_type: &'static str,
    cloud_provider: String,
    bucket: Option<Value>,
    ingest_rate: f64,
    is_enabled: bool,
    created: String,
    last_updated: String,
}

impl Connection {
    fn new(id: &str, name: &str, connection_type: &'static str, cloud_provider: &str) -> Self {
        let now = Utc::now().timestamp().to_string();
        Connection {
            id: id.to_owned(),
            name: name.to_owned(),
            connection_type,
            cloud_provider: cloud_provider.to_owned(),
            bucket: None,
            ingest_rate: DEFAULT_INGEST_RATE,
            is_enabled: true,
            created: now.clone(),
            last_updated: now,
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "connection_id": self.id,
            "name": self.name,
            "connection_type": self.connection_type,
            "cloud_provider": self.cloud_provider,
            "s3_bucket_info": self.bucket,
            "expected_ingest_rate": self.ingest_rate,
            "is_enabled": self.is_enabled,
            "is_draft": false,
            "capabilities": {},
            "created": self.created,
            "last_updated": self.last_updated,
        })
    }
}

/// All connections, in order of creation.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    all: Vec<Connection>,
    created_count: u32,
}

impl Connections {
    /// Initial connections.
    pub(crate) fn new(options: &Options) -> Connections {
        let mut all = vec![Connection::new(
            DEFAULT_STREAM_ID,
            "Sandbox Stream",
            CUSTOM,
            "Confluent",
        )];
        if let Some(bucket) = &options.bucket {
            let info = json!({ "bucket_name": bucket.name, "bucket_path": bucket.path });
            all.push(Connection {
                bucket: Some(info),
                ..Connection::new(DEFAULT_BUCKET_ID, "Sandbox Bucket", CUSTOM, "Confluent")
            });
        }
        if options.native_confluent {
            all.push(Connection::new(
                "native-confluent",
                "Confluent Cloud",
                NATIVE,
                "Confluent",
            ));
        }
        Connections {
            all,
            created_count: 0,
        }
    }

    /// Returns whether a connection receives drops by API; `None` if it does not exist.
    pub(crate) fn is_stream(&self, id: &str) -> Option<bool> {
        let found = self.all.iter().find(|connection| connection.id == id)?;
        Some(found.bucket.is_none() && found.connection_type == CUSTOM)
    }

    /// Returns whether a connection exists and is not paused.
    pub(crate) fn is_enabled(&self, id: &str) -> bool {
        self.all
            .iter()
            .any(|connection| connection.id == id && connection.is_enabled)
    }
}

/// Returns a page of all connections.
pub(crate) fn list(namespace: &Namespace, query: &str) -> Reply {
    let (mut limit, mut offset, mut key, mut order) = (DEFAULT_LIMIT, 0, None, "asc".to_owned());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "limit" => match value.parse() {
                Ok(given @ 1..=MAX_LIMIT) => limit = given,
                _ => return Reply::bad_request(format!("limit must be from 1 to {MAX_LIMIT}")),
            },
            "cursor" => match offset_of(&value) {
                Some(given) => offset = given,
                None => return Reply::bad_request("unknown cursor"),
            },
            "sort_key" if SORT_KEYS.contains(&&*value) => key = Some(value.into_owned()),
            "sort_order" if matches!(&*value, "asc" | "desc") => order = value.into_owned(),
            "sort_key" | "sort_order" => return Reply::bad_request(format!("unknown {name}")),
            _ => {}
        }
    }
    let mut all = lock(&namespace.connections).all.clone();
    if let Some(key) = &key {
        all.sort_by_key(|connection| sort_value(connection, key));
    }
    if order == "desc" {
        all.reverse();
    }
    let page: Vec<Value> = all
        .iter()
        .skip(offset)
        .take(limit)
        .map(Connection::to_json)
        .collect();
    let current = key.map(|key| json!({ "sort_key": key, "sort_order": order }));
    let current = Vec::from_iter(current);
    let sorting = json!({
        "available": { "sort_keys": SORT_KEYS, "sort_orders": ["asc", "desc"] },
        "current": current,
    });
    Reply::ok(&json!({
        "pagination": pagination(all.len(), offset, page.len(), limit, cursor),
        "sorting": sorting,
        "filtering": { "available": [], "current": {} },
        "connections": page,
    }))
}

/// Cursor that mostly contains `=`, `+` or `/`, so that clients must URL-encode it.
fn cursor(offset: usize) -> String {
    BASE64.encode(format!("connections>{offset}"))
}

fn offset_of(cursor: &str) -> Option<usize> {
    let decoded = String::from_utf8(BASE64.decode(cursor).ok()?).ok()?;
    decoded.strip_prefix("connections>")?.parse().ok()
}

fn sort_value(connection: &Connection, key: &str) -> String {
    match key {
        "name" | "connection_name" => connection.name.clone(),
        "cloud_provider" => connection.cloud_provider.clone(),
        "is_enabled" => connection.is_enabled.to_string(),
        "last_updated" => connection.last_updated.clone(),
        _ => connection.created.clone(),
    }
}

/// Body of a create or update request. The outer `None` means absent, the inner one null.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConnectionChange {
    name: Option<String>,
    cloud_provider: Option<String>,
    #[serde(deserialize_with = "present")]
    expected_ingest_rate: Option<Option<f64>>,
    is_enabled: Option<bool>,
    #[serde(deserialize_with = "present")]
    s3_bucket_info: Option<Option<Map<String, Value>>>,
}

fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// Creates a connection: a bucket connection if it has a bucket, otherwise a stream. As CloudZero, it does not refuse
/// a name or bucket that another connection has.
pub(crate) fn create(
    sandbox: &Sandbox,
    namespace: &Namespace,
    request_number: u64,
    body: &[u8],
) -> Reply {
    let change: ConnectionChange = match serde_json::from_slice(body) {
        Ok(change) => change,
        Err(error) => return Reply::bad_request(format!("could not parse the body: {error}")),
    };
    let (Some(name), Some(provider)) = (&change.name, &change.cloud_provider) else {
        return Reply::bad_request("name and cloud_provider are required");
    };
    let mut connections = lock(&namespace.connections);
    let id = format!("conn-{:04}", connections.created_count + 1);
    let mut connection = Connection::new(&id, name, CUSTOM, provider);
    if let Err(error) = apply(&mut connection, change) {
        return Reply::bad_request(error);
    }
    connections.created_count += 1;
    let value = connection.to_json();
    connections.all.push(connection);
    let reply = Reply::ok(&json!({ "connection": value }));
    let is_lost = |kind| kind == FaultKind::CloudZero(CloudZeroFault::LostReply);
    match sandbox.faults.take(request_number, is_lost) {
        Some(_) => reply.with_reset(),
        None => reply,
    }
}

pub(crate) fn get(namespace: &Namespace, id: &str) -> Reply {
    let connections = lock(&namespace.connections);
    match connections
        .all
        .iter()
        .find(|connection| connection.id == id)
    {
        Some(connection) => Reply::ok(&json!({ "connection": connection.to_json() })),
        None => Reply::not_found(format!("connection {id} does not exist")),
    }
}

/// Updates a custom connection.
pub(crate) fn update(namespace: &Namespace, id: &str, body: &[u8]) -> Reply {
    let change: ConnectionChange = match serde_json::from_slice(body) {
        Ok(change) => change,
        Err(error) => return Reply::bad_request(format!("could not parse the body: {error}")),
    };
    let mut connections = lock(&namespace.connections);
    let found = connections
        .all
        .iter_mut()
        .find(|connection| connection.id == id);
    let Some(connection) = found else {
        return Reply::not_found(format!("connection {id} does not exist"));
    };
    if connection.connection_type != CUSTOM {
        return Reply::bad_request("only custom connections can be changed");
    }
    let mut changed = connection.clone();
    if let Err(error) = apply(&mut changed, change) {
        return Reply::bad_request(error);
    }
    changed.last_updated = Utc::now().timestamp().to_string();
    *connection = changed;
    Reply::ok(&json!({ "connection": connection.to_json() }))
}

fn apply(connection: &mut Connection, change: ConnectionChange) -> Result<(), String> {
    if let Some(name) = change.name {
        connection.name = name;
    }
    if let Some(rate) = change.expected_ingest_rate {
        connection.ingest_rate = rate.unwrap_or(DEFAULT_INGEST_RATE);
    }
    if let Some(is_enabled) = change.is_enabled {
        connection.is_enabled = is_enabled;
    }
    match change.s3_bucket_info {
        None => {}
        Some(None) => connection.bucket = None,
        Some(Some(info)) => {
            let mut merged = connection.bucket.take().unwrap_or_else(|| json!({}));
            for (key, value) in info {
                merged[key] = value;
            }
            if !merged["bucket_name"].is_string() || !merged["bucket_path"].is_string() {
                return Err("s3_bucket_info needs bucket_name and bucket_path".to_owned());
            }
            connection.bucket = Some(merged);
        }
    }
    if connection.name.is_empty() || connection.cloud_provider.is_empty() {
        return Err("name and cloud_provider must not be empty".to_owned());
    }
    Ok(())
}
