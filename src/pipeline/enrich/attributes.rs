//! Resource attributes of a month: region and tags, one value per resource.
//!
//! `sql/models/resource_facts.sql` derives them from the stored inventory and the file of tags; the mapping
//! joins them by resource id. A month is published again when they change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::record_batch::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;
use parking_lot::Mutex;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::cbf::TAG_PREFIX;
use crate::engine;
use crate::engine::sql_files::short_digest;
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::enrich::tag_rules;
use crate::pipeline::transform::inputs::{costs_session, parameters};
use crate::store::resources;
use crate::store::writer::DataFile;

/// SQL file that derives the attributes.
const MODEL: &str = "models/resource_facts";
/// Table that the mapping joins.
pub(crate) const TABLE: &str = "resource_facts";
/// Column of regions.
const REGION: &str = "resource/region";
/// Column of the lines of rules that match a resource.
const RULE: &str = "rule";

/// Inventory and tag rules: the inputs of every month's attributes, read once per run.
#[derive(Debug, Clone)]
pub struct EnrichmentInputs {
    resources: RecordBatch,
    tags: RecordBatch,
    /// The inventory could not be read.
    incomplete: bool,
    /// Lines of the rules that matched a resource of a month; `None` before the first month.
    matched: Arc<Mutex<Option<BTreeSet<i64>>>>,
}

/// Resource attributes of a month.
#[derive(Debug, Clone)]
pub struct ResourceAttributes {
    /// Text columns: `resource_id`, `resource/region` and one column per tag; one row per known resource.
    pub(crate) batch: RecordBatch,
    /// Digest of the values; empty if there are none.
    pub(crate) digest: String,
    /// The inventory could not be read, so names and regions may be missing.
    pub(crate) incomplete: bool,
}

impl EnrichmentInputs {
    /// Reads inventory and tags of the connection. `published` are the columns of the `line_items` table.
    ///
    /// An unreadable inventory is logged and does not stop an import.
    ///
    /// # Errors
    /// As [`tag_rules::read`], and kind data for a tag that is published in another spelling.
    pub async fn read(context: &RunContext, published: &[String]) -> Result<EnrichmentInputs> {
        let tags = match &context.options.tags {
            None => tag_rules::none(),
            Some(location) => {
                let tags = tag_rules::read(location, &context.connection).await?;
                check_spelling(&tags.keys, published)
                    .map_err(|e| e.context(tag_rules::display(location)))?;
                tags.rules
            }
        };
        let resources = resources::read(&context.store, Some(&context.connection)).await;
        if let Err(error) = &resources {
            tracing::warn!(
                %error,
                "Could not read names and regions; changed months are published without them"
            );
        }
        Ok(EnrichmentInputs {
            incomplete: resources.is_err(),
            resources: resources.unwrap_or_else(|_| RecordBatch::new_empty(resources::schema())),
            tags,
            matched: Arc::default(),
        })
    }

    /// Lines of the rules that matched no resource of the months so far; none before the first month.
    pub(crate) fn unmatched_rules(&self) -> Vec<i64> {
        let Some(matched) = self.matched.lock().clone() else {
            return Vec::new();
        };
        let lines = self.tags.column_by_name("line");
        let lines = lines.map(|lines| lines.as_primitive::<Int64Type>().values().to_vec());
        let mut unmatched = lines.unwrap_or_default();
        unmatched.retain(|line| !matched.contains(line));
        unmatched
    }

    /// Returns the attributes of a month with these costs. Without inventory and tags they are what the costs say of
    /// their resources: names and environment ids.
    ///
    /// # Errors
    /// Kind data, for SQL that does not plan or does not return one value per resource and column.
    pub async fn of_month(
        &self,
        context: &RunContext,
        period: BillingPeriod,
        costs: &[DataFile],
    ) -> Result<ResourceAttributes> {
        let model = context.sql.get(MODEL)?;
        let session = self.session(context, period, costs)?;
        let what = model.display();
        let frame = model.plan(&session, parameters(context, period)).await?;
        let rows = engine::within(context.limits, &what, frame.collect()).await?;
        let (values, matched) = values(&rows).map_err(|e| e.context(what))?;
        // A user's SQL file need not tell which rules match.
        if model.path.is_none() || !matched.is_empty() {
            self.matched.lock().get_or_insert_default().extend(matched);
        }
        let attributes = ResourceAttributes::of(&values)?;
        Ok(ResourceAttributes {
            incomplete: self.incomplete,
            ..attributes
        })
    }

    /// Digest of the inventory and the rules.
    ///
    /// # Errors
    /// Kind bug, if they cannot be shown as text.
    pub(crate) fn digest(&self) -> Result<String> {
        let text = pretty_format_batches(std::slice::from_ref(&self.resources));
        let rules = pretty_format_batches(std::slice::from_ref(&self.tags));
        let bug = |e| Error::bug(format!("{TABLE}: {e}"));
        Ok(short_digest(&format!(
            "{}\0{}",
            text.map_err(bug)?,
            rules.map_err(bug)?
        )))
    }

    /// Returns true if there are neither resources nor rules.
    pub(crate) fn is_empty(&self) -> bool {
        self.resources.num_rows() + self.tags.num_rows() == 0
    }

    fn session(
        &self,
        context: &RunContext,
        period: BillingPeriod,
        costs: &[DataFile],
    ) -> Result<SessionContext> {
        let session = costs_session(context, period, costs)?;
        for (name, batch) in [("resources", &self.resources), ("tag_rules", &self.tags)] {
            session
                .register_batch(name, batch.clone())
                .map_err(|e| engine::failed(&format!("table {name}"), &e))?;
        }
        Ok(session)
    }
}

/// Refuses keys that differ from a published tag in case only: case-insensitive tools would see two columns
/// of one name.
fn check_spelling(keys: &[String], published: &[String]) -> Result<()> {
    let published = || published.iter().filter_map(|c| c.strip_prefix(TAG_PREFIX));
    let other = |key: &String| {
        let mut others = published().filter(|p| p != key && p.eq_ignore_ascii_case(key));
        others.next().map(|other| (key.clone(), other))
    };
    match keys.iter().find_map(other) {
        None => Ok(()),
        Some((key, other)) => Err(Error::data(format!(
            "the tag `{key}` is already published as `{other}`"
        ))
        .with_hint(format!("use the published spelling `{other}`"))),
    }
}

/// Values by resource id and column.
type Values = BTreeMap<(String, String), String>;

/// Collects rows of `resource_id`, `column_name`, `value`, and the lines of the rules that they name.
fn values(batches: &[RecordBatch]) -> Result<(Values, BTreeSet<i64>)> {
    let mut values = Values::new();
    let mut matched = BTreeSet::new();
    for batch in batches {
        let text = |name: &str| {
            let column = batch.column_by_name(name);
            let column =
                column.ok_or_else(|| Error::data(format!("the column {name} is missing")))?;
            cast(column, &DataType::Utf8)
                .map_err(|_| Error::data(format!("the column {name} is not text")))
        };
        let [ids, columns, texts] = [text("resource_id")?, text("column_name")?, text("value")?];
        let (ids, columns) = (ids.as_string::<i32>(), columns.as_string::<i32>());
        for ((id, column), value) in ids.iter().zip(columns).zip(texts.as_string::<i32>()) {
            let (Some(id), Some(column), Some(value)) = (id, column, value) else {
                continue;
            };
            if column == RULE {
                matched.extend(value.parse::<i64>());
                continue;
            }
            if column != REGION && column.strip_prefix(TAG_PREFIX).is_none_or(str::is_empty) {
                return Err(
                    Error::data(format!("`{column}` is neither {REGION} nor a tag"))
                        .with_hint(format!("name tags {TAG_PREFIX}<key>")),
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
    Ok((values, matched))
}

impl ResourceAttributes {
    /// No attributes.
    ///
    /// # Errors
    /// Kind bug, if Arrow refuses the columns.
    pub(crate) fn none() -> Result<ResourceAttributes> {
        ResourceAttributes::of(&Values::new())
    }

    fn of(values: &Values) -> Result<ResourceAttributes> {
        let ids: BTreeSet<&str> = values.keys().map(|(id, _)| id.as_str()).collect();
        let present = values.keys().map(|(_, column)| column.as_str());
        let columns: BTreeSet<&str> = tag_rules::BUILTIN_TAGS
            .into_iter()
            .chain([REGION])
            .chain(present)
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
        let digest = if values.is_empty() {
            String::new()
        } else {
            let json = serde_json::to_string(&values.iter().collect::<Vec<_>>());
            short_digest(&json.map_err(|e| Error::bug(format!("JSON: {e}")))?)
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

    fn attributes(rows: &[(&str, &str, &str)]) -> Result<ResourceAttributes> {
        ResourceAttributes::of(&values(&[batch(rows)])?.0)
    }

    #[test]
    fn has_one_row_per_resource_and_one_column_per_tag() {
        let attributes = attributes(&[
            ("lkc-2", "resource/tag:team", "b"),
            ("lkc-1", REGION, "eu-west-1"),
            ("lkc-2", "resource/tag:empty", ""),
            ("lkc-2", "resource/tag:team", "b"),
        ])
        .unwrap();
        assert_eq!(attributes.batch.num_rows(), 2);
        assert_eq!(
            attributes.batch.num_columns(),
            1 + tag_rules::BUILTIN_TAGS.len() + 2
        );
        let team = attributes
            .batch
            .column_by_name("resource/tag:team")
            .unwrap();
        assert_eq!(
            team.as_string::<i32>().iter().collect::<Vec<_>>(),
            [None, Some("b")]
        );
        assert!(!attributes.digest.is_empty());
    }

    #[test]
    fn digest_is_independent_of_row_order() {
        let (a, b) = (("x", "resource/tag:a", "1"), ("y", "resource/tag:a", "2"));
        let digest = |rows: &[_]| attributes(rows).unwrap().digest;
        assert_eq!(digest(&[a, b]), digest(&[b, a]));
        assert_ne!(digest(&[a]), digest(&[a, b]));
        assert_eq!(digest(&[]), "");
    }

    #[test]
    fn refuses_two_values_and_unknown_columns() {
        let two = [("x", "resource/tag:a", "1"), ("x", "resource/tag:a", "2")];
        assert!(
            attributes(&two)
                .unwrap_err()
                .to_string()
                .contains("two values")
        );
        for column in ["cost/cost", "resource/tag:", "team"] {
            assert!(attributes(&[("x", column, "1")]).is_err(), "{column}");
        }
    }
}
