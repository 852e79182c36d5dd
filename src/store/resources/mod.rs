//! The Delta table `resources`: what is known of environments, clusters and connectors, with its history.
//!
//! A row is a resource for as long as its facts were the same: `valid_from` (included) to `valid_until`
//! (excluded, NULL while it holds). The newest row of a resource is its last known one, also after it was
//! deleted. A connection is a partition, small enough to be written anew whenever something changed.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;

use crate::confluent::inventory::{
    Inventory, Resource, ResourceKind as Kind, ResourceList as List,
};
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::delta::{Current, Delta, Layout};
use crate::store::writer::FileWriter;

const LAYOUT: Layout = Layout {
    name: "resources",
    partitions: &["connection"],
};
const TEXTS: [&str; 11] = [
    "resource_id",
    "kind",
    "name",
    "environment_id",
    "kafka_cluster_id",
    "cloud",
    "region",
    "cluster_kind",
    "availability",
    "package",
    "connector_class",
];
const TIMES: [&str; 2] = ["valid_from", "valid_until"];
const COMMIT_ATTEMPTS: usize = 20;

/// Columns of the table, without the partition column: texts, then two times in microseconds, UTC.
static COLUMNS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let texts = TEXTS.map(|name| Field::new(name, DataType::Utf8, true));
    let times = TIMES.map(|name| Field::new(name, time.clone(), true));
    Arc::new(Schema::new(
        texts.into_iter().chain(times).collect::<Vec<_>>(),
    ))
});

/// A resource for as long as its facts were the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The facts.
    pub resource: Resource,
    /// When they were first seen.
    pub valid_from: DateTime<Utc>,
    /// When they were first not seen any more.
    pub valid_until: Option<DateTime<Utc>>,
}

/// The rows of connections, or of one of them, with the column `connection`; none when the table was never
/// made.
///
/// # Errors
/// What the store says.
pub async fn read(store: &Store, connection: Option<&str>) -> Result<RecordBatch> {
    let mut batches = Vec::new();
    if let Some(delta) = Delta::open(store, LAYOUT).await? {
        for current in delta.files().await? {
            let [of] = current.partition.as_slice() else {
                continue;
            };
            if connection.is_none_or(|connection| connection == of) {
                batches.extend(rows_of(store, &current, of).await?);
            }
        }
    }
    concat_batches(&schema(), &batches).map_err(|e| unreadable(&e))
}

/// Columns of [`read`].
pub fn schema() -> SchemaRef {
    let connection = Arc::new(Field::new("connection", DataType::Utf8, true));
    let columns = COLUMNS.fields().iter().cloned();
    Arc::new(Schema::new(
        std::iter::once(connection)
            .chain(columns)
            .collect::<Vec<_>>(),
    ))
}

/// Brings a connection's rows up to what was listed; nothing is written when nothing changed. Call it with
/// the connection's lease. Gives whether something changed.
///
/// # Errors
/// What the store says.
pub async fn update(
    store: &Store,
    connection: &str,
    run: &str,
    inventory: &Inventory,
    at: DateTime<Utc>,
) -> Result<bool> {
    let mut delta = Delta::open_or_create(store, LAYOUT, &COLUMNS).await?;
    let before = rows(&read(store, Some(connection)).await?)?;
    let Some(after) = updated(before, inventory, at) else {
        return Ok(false);
    };
    let path = format!("connection={connection}/{run}.parquet");
    let name = format!("{}/{path}", LAYOUT.name);
    let mut writer = FileWriter::new(store, &name, COLUMNS.clone())?;
    writer.write(&batch(&after)?).await?;
    let file = writer.finish(path, &[]).await?;
    for _ in 0..COMMIT_ATTEMPTS {
        let record = json!({ "run": run });
        if delta
            .replace(&[connection], std::slice::from_ref(&file), &record)
            .await?
        {
            return Ok(true);
        }
        // The lease keeps others from this connection: it was another one's commit.
        delta.load().await?;
    }
    store.delete(&name).await?;
    Err(Error::locked(format!(
        "others write to {} all the time",
        store.display(LAYOUT.name)
    )))
}

/// The rows after a listing at `at`; `None` when nothing changed. What was not listed stays as it is.
fn updated(mut rows: Vec<Row>, inventory: &Inventory, at: DateTime<Utc>) -> Option<Vec<Row>> {
    let listed: BTreeMap<&str, &Resource> = inventory
        .resources
        .iter()
        .map(|r| (r.id.as_str(), r))
        .collect();
    let mut holds = BTreeSet::new();
    let mut changed = false;
    for row in rows.iter_mut().filter(|row| row.valid_until.is_none()) {
        let same = match listed.get(row.resource.id.as_str()) {
            Some(now) => **now == row.resource,
            None => !is_gone(&row.resource, inventory, &listed),
        };
        if same {
            holds.insert(row.resource.id.clone());
        } else {
            row.valid_until = Some(at);
            changed = true;
        }
    }
    for (id, resource) in &listed {
        if !holds.contains(*id) {
            rows.push(Row {
                resource: (*resource).clone(),
                valid_from: at,
                valid_until: None,
            });
            changed = true;
        }
    }
    rows.sort_by(|a, b| (&a.resource.id, a.valid_from).cmp(&(&b.resource.id, b.valid_from)));
    changed.then_some(rows)
}

/// Whether a resource that was not seen would have been: its list was read, or what it was in is gone.
fn is_gone(resource: &Resource, inventory: &Inventory, listed: &BTreeMap<&str, &Resource>) -> bool {
    let was_read = |kind: Kind, parent: &str| {
        let parent = parent.to_string();
        inventory.listed.contains(&List { kind, parent })
    };
    let environments_read = was_read(Kind::Environment, "");
    let environment = resource.environment_id.as_deref().unwrap_or_default();
    if resource.kind == Kind::Environment {
        return environments_read;
    }
    if environments_read && !listed.contains_key(environment) {
        return true;
    }
    if resource.kind != Kind::Connector {
        return was_read(resource.kind, environment);
    }
    let cluster = resource.kafka_cluster_id.as_deref().unwrap_or_default();
    let cluster_gone = was_read(Kind::KafkaCluster, environment) && !listed.contains_key(cluster);
    cluster_gone || was_read(Kind::Connector, cluster)
}

async fn rows_of(store: &Store, current: &Current, connection: &str) -> Result<Vec<RecordBatch>> {
    let name = format!("{}/{}", LAYOUT.name, current.file.path);
    let bad = |e: &dyn std::fmt::Display| {
        Error::data(format!("cannot read {}: {e}", store.display(&name)))
    };
    let bytes = store
        .get(&name)
        .await?
        .ok_or_else(|| bad(&"it is not there"))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes);
    let reader = reader
        .and_then(|builder| builder.build())
        .map_err(|e| bad(&e))?;
    reader
        .map(|batch| conform(&batch.map_err(|e| bad(&e))?, connection))
        .collect()
}

/// A file's rows in today's columns: one that is not there yet is NULL.
fn conform(batch: &RecordBatch, connection: &str) -> Result<RecordBatch> {
    let schema = schema();
    let columns = schema.fields().iter().map(|field| {
        if field.name() == "connection" {
            let values = std::iter::repeat_n(connection, batch.num_rows());
            return Ok(Arc::new(StringArray::from_iter_values(values)) as ArrayRef);
        }
        match batch.column_by_name(field.name()) {
            Some(column) => cast(column, field.data_type()).map_err(|e| unreadable(&e)),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        }
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(schema, columns).map_err(|e| unreadable(&e))
}

fn unreadable(e: &dyn std::fmt::Display) -> Error {
    Error::data(format!("the table {}: {e}", LAYOUT.name))
}

fn batch(rows: &[Row]) -> Result<RecordBatch> {
    let texts = |of: fn(&Resource) -> Option<&str>| {
        let values = rows.iter().map(|row| of(&row.resource));
        Arc::new(values.collect::<StringArray>()) as ArrayRef
    };
    let times = |of: fn(&Row) -> Option<DateTime<Utc>>| {
        let values = rows
            .iter()
            .map(|row| of(row).map(|time| time.timestamp_micros()));
        let values = values.collect::<TimestampMicrosecondArray>();
        Arc::new(values.with_timezone("UTC")) as ArrayRef
    };
    let columns = vec![
        texts(|r| Some(&r.id)),
        texts(|r| Some(r.kind.name())),
        texts(|r| r.name.as_deref()),
        texts(|r| r.environment_id.as_deref()),
        texts(|r| r.kafka_cluster_id.as_deref()),
        texts(|r| r.cloud.as_deref()),
        texts(|r| r.region.as_deref()),
        texts(|r| r.cluster_kind.as_deref()),
        texts(|r| r.availability.as_deref()),
        texts(|r| r.package.as_deref()),
        texts(|r| r.connector_class.as_deref()),
        times(|row| Some(row.valid_from)),
        times(|row| row.valid_until),
    ];
    RecordBatch::try_new(COLUMNS.clone(), columns).map_err(|e| unreadable(&e))
}

/// The rows of a batch of [`read`].
fn rows(batch: &RecordBatch) -> Result<Vec<Row>> {
    let texts = |name: &str| {
        let column = batch.column_by_name(name);
        let column = column.ok_or_else(|| unreadable(&format!("there is no column {name}")))?;
        Ok::<_, Error>(column.as_string::<i32>().clone())
    };
    let columns: Vec<StringArray> = TEXTS.into_iter().map(texts).collect::<Result<_>>()?;
    let time = |name: &str, at: usize| {
        let column = batch
            .column_by_name(name)?
            .as_primitive::<TimestampMicrosecondType>();
        column.is_valid(at).then(|| column.value(at))
    };
    let row = |at: usize| {
        let text = |column: usize| {
            let column = &columns[column];
            column.is_valid(at).then(|| column.value(at).to_string())
        };
        let time = |name| DateTime::from_timestamp_micros(time(name, at)?);
        Some(Row {
            resource: Resource {
                id: text(0)?,
                kind: Kind::from_name(&text(1)?)?,
                name: text(2),
                environment_id: text(3),
                kafka_cluster_id: text(4),
                cloud: text(5),
                region: text(6),
                cluster_kind: text(7),
                availability: text(8),
                package: text(9),
                connector_class: text(10),
            },
            valid_from: time("valid_from")?,
            valid_until: time("valid_until"),
        })
    };
    (0..batch.num_rows())
        .map(|at| row(at).ok_or_else(|| unreadable(&format!("row {at} cannot be read"))))
        .collect()
}
