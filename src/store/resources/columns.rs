//! Rows of the table `resources` as Arrow columns.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};

use super::{ResourceVersion, unreadable};
use crate::confluent::inventory::{Resource, ResourceKind};
use crate::error::{Error, Result};

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

/// Columns without the partition column: texts, then times in microseconds, UTC.
pub(super) static FILE_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let texts = TEXTS.map(|name| Field::new(name, DataType::Utf8, true));
    let times = TIMES.map(|name| Field::new(name, time.clone(), true));
    Arc::new(Schema::new(
        texts.into_iter().chain(times).collect::<Vec<_>>(),
    ))
});

/// Columns of [`super::read`].
pub(crate) fn schema() -> SchemaRef {
    let connection = Arc::new(Field::new("connection", DataType::Utf8, true));
    let columns = FILE_SCHEMA.fields().iter().cloned();
    Arc::new(Schema::new(
        std::iter::once(connection)
            .chain(columns)
            .collect::<Vec<_>>(),
    ))
}

/// Converts a file's rows to the columns of [`schema`]; columns that an older file lacks are NULL.
pub(super) fn conform(batch: &RecordBatch, connection: &str) -> Result<RecordBatch> {
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

/// Batch of a file.
pub(super) fn to_batch(rows: &[ResourceVersion]) -> Result<RecordBatch> {
    let texts = |of: fn(&Resource) -> Option<&str>| {
        let values = rows.iter().map(|row| of(&row.resource));
        Arc::new(values.collect::<StringArray>()) as ArrayRef
    };
    let times = |of: fn(&ResourceVersion) -> Option<DateTime<Utc>>| {
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
    RecordBatch::try_new(FILE_SCHEMA.clone(), columns).map_err(|e| unreadable(&e))
}

/// Rows of a batch of [`super::read`].
pub(super) fn from_batch(batch: &RecordBatch) -> Result<Vec<ResourceVersion>> {
    let texts = |name: &str| {
        let column = batch.column_by_name(name);
        let column = column.ok_or_else(|| unreadable(&format!("column {name} is missing")))?;
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
        Some(ResourceVersion {
            resource: Resource {
                id: text(0)?,
                kind: ResourceKind::from_name(&text(1)?)?,
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
        .map(|at| row(at).ok_or_else(|| unreadable(&format!("row {at} is incomplete"))))
        .collect()
}
