//! What is known of the resources of a month beside its costs: region and tags, one value a resource.
//!
//! `sql/models/resource_facts.sql` makes them of the stored inventory and of the file of tags, and the mapping
//! joins them by resource id. They are part of what a month was made from, so that a month is published anew
//! when they change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::prelude::SessionContext;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::cbf::TAG_PREFIX;
use crate::confluent::costs::decode;
use crate::engine;
use crate::engine::sql_files::short_digest;
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::enrich::tag_rules;
use crate::pipeline::transform::inputs::{parameters, register};
use crate::store::writer::DataFile;
use crate::store::{TableName, resources};

/// The SQL file that makes them.
const MODEL: &str = "models/resource_facts";
/// The table that the mapping joins.
pub const TABLE: &str = "resource_facts";
/// The column of regions.
const REGION: &str = "resource/region";
/// What facts of every month are made from, read once a run.
#[derive(Debug, Clone)]
pub struct Sources {
    resources: RecordBatch,
    tags: RecordBatch,
    /// Whether the inventory could not be read.
    incomplete: bool,
}

/// The facts of a month.
#[derive(Debug, Clone)]
pub struct ResourceAttributes {
    /// Texts: `resource_id`, `resource/region`, and a column a tag; a row a resource of which anything is known.
    pub batch: RecordBatch,
    /// Digest of them; empty where there are none.
    pub digest: String,
    /// Whether names and regions lack that may be known.
    pub incomplete: bool,
}

impl Sources {
    /// Reads inventory and tags of the job's connection. `published` are the columns that line items have
    /// already.
    ///
    /// An inventory that cannot be read is told, and stops no costs.
    ///
    /// # Errors
    /// As [`tag_rules::read`], and class data for a tag that is published in another spelling.
    pub async fn read(job: &RunContext, published: &[String]) -> Result<Sources> {
        let tags = match &job.tags {
            None => tag_rules::none(),
            Some(location) => {
                let tags = tag_rules::read(location, &job.connection).await?;
                refuse_other_spelling(&tags.keys, published)
                    .map_err(|e| e.context(tag_rules::shown(location)))?;
                tags.rules
            }
        };
        let resources = resources::read(&job.store, Some(&job.connection)).await;
        if let Err(error) = &resources {
            tracing::warn!(
                connection = %job.connection, %error,
                "Names and regions cannot be read; months that change are published without them."
            );
        }
        Ok(Sources {
            incomplete: resources.is_err(),
            resources: resources.unwrap_or_else(|_| RecordBatch::new_empty(resources::schema())),
            tags,
        })
    }

    /// The facts of a month with these costs. Without inventory and tags there are none, unless SQL of the user's
    /// own makes them of the costs alone.
    ///
    /// # Errors
    /// Kind data, for SQL that does not plan or does not give one value a resource and column.
    pub async fn of_month(
        &self,
        job: &RunContext,
        period: BillingPeriod,
        costs: &[DataFile],
    ) -> Result<ResourceAttributes> {
        let model = job.sql.get(MODEL)?;
        let facts = if !self.any() && model.path.is_none() {
            ResourceAttributes::none()?
        } else {
            let context = self.session(job, period, costs)?;
            let what = model.display();
            let frame = model.plan(&context, parameters(job, period)).await?;
            let rows = engine::within(job.limits, &what, frame.collect()).await?;
            ResourceAttributes::of(&values(&rows).map_err(|e| e.context(what))?)?
        };
        Ok(ResourceAttributes {
            incomplete: self.incomplete,
            ..facts
        })
    }

    /// Whether there are any.
    pub fn any(&self) -> bool {
        self.resources.num_rows() + self.tags.num_rows() > 0
    }

    fn session(
        &self,
        job: &RunContext,
        period: BillingPeriod,
        costs: &[DataFile],
    ) -> Result<SessionContext> {
        let context = engine::session(&job.store, job.limits)?;
        register(
            job,
            &context,
            TableName::Costs,
            &decode::SCHEMA,
            period,
            costs,
        )?;
        for (name, batch) in [("resources", &self.resources), ("tag_rules", &self.tags)] {
            context
                .register_batch(name, batch.clone())
                .map_err(|e| engine::failed(&format!("table {name}"), &e))?;
        }
        Ok(context)
    }
}

/// Tools that do not tell letters' case apart would see two columns of one name.
fn refuse_other_spelling(keys: &[String], published: &[String]) -> Result<()> {
    let published = || published.iter().filter_map(|c| c.strip_prefix(TAG_PREFIX));
    let other = |key: &String| {
        let mut others = published().filter(|p| p != key && p.eq_ignore_ascii_case(key));
        others.next().map(|other| (key.clone(), other))
    };
    match keys.iter().find_map(other) {
        None => Ok(()),
        Some((key, other)) => Err(Error::data(format!(
            "the tag `{key}` is published as `{other}` already"
        ))
        .with_hint(format!("choose one spelling: write `{other}`"))),
    }
}

/// Values by resource and column.
type Values = BTreeMap<(String, String), String>;

/// Rows of `resource_id`, `column_name`, `value`.
fn values(batches: &[RecordBatch]) -> Result<Values> {
    let mut values = Values::new();
    for batch in batches {
        let text = |name: &str| {
            let column = batch.column_by_name(name);
            let column = column.ok_or_else(|| Error::data(format!("there is no column {name}")))?;
            cast(column, &DataType::Utf8)
                .map_err(|_| Error::data(format!("the column {name} is no text")))
        };
        let [ids, columns, given] = [text("resource_id")?, text("column_name")?, text("value")?];
        let (ids, columns) = (ids.as_string::<i32>(), columns.as_string::<i32>());
        for ((id, column), value) in ids.iter().zip(columns).zip(given.as_string::<i32>()) {
            let (Some(id), Some(column), Some(value)) = (id, column, value) else {
                continue;
            };
            if column != REGION && column.strip_prefix(TAG_PREFIX).is_none_or(str::is_empty) {
                return Err(
                    Error::data(format!("`{column}` is neither {REGION} nor a tag"))
                        .with_hint(format!("tags are called {TAG_PREFIX}<key>")),
                );
            }
            let before = values.insert((id.to_string(), column.to_string()), value.to_string());
            if let Some(before) = before.filter(|before| before != value) {
                return Err(Error::data(format!(
                    "{id} has two values of {column}: `{before}` and `{value}`"
                )));
            }
        }
    }
    values.retain(|_, value| !value.is_empty());
    Ok(values)
}

impl ResourceAttributes {
    /// Nothing is known.
    ///
    /// # Errors
    /// Kind bug.
    pub fn none() -> Result<ResourceAttributes> {
        ResourceAttributes::of(&Values::new())
    }

    fn of(values: &Values) -> Result<ResourceAttributes> {
        let ids: BTreeSet<&str> = values.keys().map(|(id, _)| id.as_str()).collect();
        let given = values.keys().map(|(_, column)| column.as_str());
        let columns: BTreeSet<&str> = tag_rules::OWN
            .into_iter()
            .chain([REGION])
            .chain(given)
            .collect();
        let mut fields = vec![Field::new("resource_id", DataType::Utf8, true)];
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(StringArray::from_iter_values(&ids))];
        for column in columns {
            let value = |id: &&str| values.get(&(id.to_string(), column.to_string()));
            let texts: StringArray = ids.iter().map(value).collect();
            fields.push(Field::new(column, DataType::Utf8, true));
            arrays.push(Arc::new(texts));
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
            .map_err(|e| Error::bug(format!("{TABLE}: {e}")))?;
        let digest = match values.is_empty() {
            true => String::new(),
            false => {
                let json = serde_json::to_string(&values.iter().collect::<Vec<_>>());
                short_digest(&json.map_err(|e| Error::bug(format!("JSON: {e}")))?)
            }
        };
        Ok(ResourceAttributes {
            batch,
            digest,
            incomplete: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(rows: &[(&str, &str, &str)]) -> RecordBatch {
        let column = |of: fn(&(&str, &str, &str)) -> String| {
            Arc::new(rows.iter().map(of).map(Some).collect::<StringArray>()) as ArrayRef
        };
        RecordBatch::try_from_iter([
            ("resource_id", column(|row| row.0.to_string())),
            ("column_name", column(|row| row.1.to_string())),
            ("value", column(|row| row.2.to_string())),
        ])
        .unwrap()
    }

    fn facts(rows: &[(&str, &str, &str)]) -> Result<ResourceAttributes> {
        ResourceAttributes::of(&values(&[batch(rows)])?)
    }

    #[test]
    fn a_row_a_resource_and_a_column_a_tag() {
        let facts = facts(&[
            ("lkc-2", "resource/tag:team", "b"),
            ("lkc-1", REGION, "eu-west-1"),
            ("lkc-2", "resource/tag:empty", ""),
            ("lkc-2", "resource/tag:team", "b"),
        ])
        .unwrap();
        assert_eq!(facts.batch.num_rows(), 2);
        assert_eq!(facts.batch.num_columns(), 1 + tag_rules::OWN.len() + 2);
        let team = facts.batch.column_by_name("resource/tag:team").unwrap();
        assert_eq!(
            team.as_string::<i32>().iter().collect::<Vec<_>>(),
            [None, Some("b")]
        );
        assert!(!facts.digest.is_empty());
    }

    #[test]
    fn the_digest_is_of_the_values_whatever_their_order() {
        let (a, b) = (("x", "resource/tag:a", "1"), ("y", "resource/tag:a", "2"));
        let digest = |rows: &[_]| facts(rows).unwrap().digest;
        assert_eq!(digest(&[a, b]), digest(&[b, a]));
        assert_ne!(digest(&[a]), digest(&[a, b]));
        assert_eq!(digest(&[]), "");
    }

    #[test]
    fn two_values_and_unknown_columns_are_errors() {
        let two = [("x", "resource/tag:a", "1"), ("x", "resource/tag:a", "2")];
        assert!(facts(&two).unwrap_err().to_string().contains("two values"));
        for column in ["cost/cost", "resource/tag:", "team"] {
            assert!(facts(&[("x", column, "1")]).is_err(), "{column}");
        }
    }
}
