//! Billing connections: list, create, read, change (spec: billing_connections).

use crate::sandbox::Options;
use crate::sandbox::cloudzero::response::Reply;
use crate::sandbox::cloudzero::{CloudZero, DEFAULT_BUCKET_ID, DEFAULT_STREAM_ID, lock};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::Utc;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

const PAGE: usize = 50;
const LARGEST_PAGE: usize = 1_000;
const SORT_KEYS: [&str; 7] = [
    "connection_name",
    "creation_date",
    "name",
    "cloud_provider",
    "created",
    "last_updated",
    "is_enabled",
];
/// `connection_type` of connections that users make; CloudZero publishes no value.
const CUSTOM: &str = "anycost";
/// `connection_type` of CloudZero's own Confluent connection.
const NATIVE: &str = "confluent";
/// Hours that are shown where no ingest rate was given: the published field is a number.
const INGEST_RATE: f64 = 24.0;

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
            ingest_rate: INGEST_RATE,
            is_enabled: true,
            created: now.clone(),
            last_updated: now,
        }
    }

    fn shown(&self) -> Value {
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

/// All connections, in the order they were made.
#[derive(Debug)]
pub struct Connections {
    all: Vec<Connection>,
    made: u32,
}

impl Connections {
    /// The connections that are there from the start.
    pub fn new(options: &Options) -> Connections {
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
        Connections { all, made: 0 }
    }

    /// Whether a connection takes drops by API; `None` if there is no such connection.
    pub fn is_stream(&self, id: &str) -> Option<bool> {
        let found = self.all.iter().find(|connection| connection.id == id)?;
        Some(found.bucket.is_none() && found.connection_type == CUSTOM)
    }

    /// Whether a connection is there and not paused.
    pub fn is_enabled(&self, id: &str) -> bool {
        self.all
            .iter()
            .any(|connection| connection.id == id && connection.is_enabled)
    }
}

/// One page of all connections.
pub fn list(cloudzero: &CloudZero, query: &str) -> Reply {
    let (mut limit, mut offset, mut key, mut order) = (PAGE, 0, None, "asc".to_owned());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "limit" => match value.parse() {
                Ok(given @ 1..=LARGEST_PAGE) => limit = given,
                _ => return Reply::bad(format!("limit must be from 1 to {LARGEST_PAGE}")),
            },
            "cursor" => match offset_of(&value) {
                Some(given) => offset = given,
                None => return Reply::bad("the cursor is unknown"),
            },
            "sort_key" if SORT_KEYS.contains(&&*value) => key = Some(value.into_owned()),
            "sort_order" if matches!(&*value, "asc" | "desc") => order = value.into_owned(),
            "sort_key" | "sort_order" => return Reply::bad(format!("{name} is unknown")),
            _ => {}
        }
    }
    let mut all = lock(&cloudzero.connections).all.clone();
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
        .map(Connection::shown)
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

/// The published description of a page.
pub fn pagination(
    total: usize,
    offset: usize,
    shown: usize,
    limit: usize,
    cursor: impl Fn(usize) -> String,
) -> Value {
    let next = (offset + shown < total).then(|| cursor(offset + shown));
    let previous = (offset > 0).then(|| cursor(offset.saturating_sub(limit)));
    json!({
        "page_count": total.div_ceil(limit),
        "item_count": shown,
        "total_count": total,
        "cursor": {
            "has_next": next.is_some(),
            "has_previous": previous.is_some(),
            "next_cursor": next,
            "previous_cursor": previous,
        },
    })
}

/// Has `=`, `+` or `/` for most offsets, as a cursor must be URL-encoded.
fn cursor(offset: usize) -> String {
    BASE64.encode(format!("connections>{offset}"))
}

fn offset_of(cursor: &str) -> Option<usize> {
    let plain = String::from_utf8(BASE64.decode(cursor).ok()?).ok()?;
    plain.strip_prefix("connections>")?.parse().ok()
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

/// What a body says about a connection. `None` outside: it says nothing; inside: it says null.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    name: Option<String>,
    cloud_provider: Option<String>,
    #[serde(deserialize_with = "given")]
    expected_ingest_rate: Option<Option<f64>>,
    is_enabled: Option<bool>,
    #[serde(deserialize_with = "given")]
    s3_bucket_info: Option<Option<Map<String, Value>>>,
}

fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// Makes a connection: a stream, unless it has a bucket.
pub fn create(cloudzero: &CloudZero, body: &[u8]) -> Reply {
    let wish: Wish = match serde_json::from_slice(body) {
        Ok(wish) => wish,
        Err(error) => return Reply::bad(format!("the body cannot be read: {error}")),
    };
    let (Some(name), Some(provider)) = (&wish.name, &wish.cloud_provider) else {
        return Reply::bad("name and cloud_provider are required");
    };
    let mut connections = lock(&cloudzero.connections);
    let id = format!("conn-{:04}", connections.made + 1);
    let mut connection = Connection::new(&id, name, CUSTOM, provider);
    if let Err(error) = fulfil(&mut connection, wish) {
        return Reply::bad(error);
    }
    connections.made += 1;
    let shown = connection.shown();
    connections.all.push(connection);
    Reply::ok(&json!({ "connection": shown }))
}

/// One connection.
pub fn one(cloudzero: &CloudZero, id: &str) -> Reply {
    let connections = lock(&cloudzero.connections);
    match connections
        .all
        .iter()
        .find(|connection| connection.id == id)
    {
        Some(connection) => Reply::ok(&json!({ "connection": connection.shown() })),
        None => Reply::missing(format!("there is no connection {id}")),
    }
}

/// Changes a connection that a user made.
pub fn change(cloudzero: &CloudZero, id: &str, body: &[u8]) -> Reply {
    let wish: Wish = match serde_json::from_slice(body) {
        Ok(wish) => wish,
        Err(error) => return Reply::bad(format!("the body cannot be read: {error}")),
    };
    let mut connections = lock(&cloudzero.connections);
    let found = connections
        .all
        .iter_mut()
        .find(|connection| connection.id == id);
    let Some(connection) = found else {
        return Reply::missing(format!("there is no connection {id}"));
    };
    if connection.connection_type != CUSTOM {
        return Reply::bad("only custom connections can be changed");
    }
    let mut changed = connection.clone();
    if let Err(error) = fulfil(&mut changed, wish) {
        return Reply::bad(error);
    }
    changed.last_updated = Utc::now().timestamp().to_string();
    *connection = changed;
    Reply::ok(&json!({ "connection": connection.shown() }))
}

fn fulfil(connection: &mut Connection, wish: Wish) -> Result<(), String> {
    if let Some(name) = wish.name {
        connection.name = name;
    }
    if let Some(rate) = wish.expected_ingest_rate {
        connection.ingest_rate = rate.unwrap_or(INGEST_RATE);
    }
    if let Some(is_enabled) = wish.is_enabled {
        connection.is_enabled = is_enabled;
    }
    match wish.s3_bucket_info {
        None => {}
        Some(None) => connection.bucket = None,
        Some(Some(info)) => {
            let mut whole = connection.bucket.take().unwrap_or_else(|| json!({}));
            for (key, value) in info {
                whole[key] = value;
            }
            if !whole["bucket_name"].is_string() || !whole["bucket_path"].is_string() {
                return Err("s3_bucket_info needs bucket_name and bucket_path".to_owned());
            }
            connection.bucket = Some(whole);
        }
    }
    if connection.name.is_empty() || connection.cloud_provider.is_empty() {
        return Err("name and cloud_provider must not be empty".to_owned());
    }
    Ok(())
}
