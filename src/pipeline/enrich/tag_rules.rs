//! The CSV file of tags and owners: rules that match resources, and the values they give.
//!
//! ```csv
//! environment,resource,name,service,team,cost_centre
//! production,,orders-*,,checkout,4711
//! ,lkc-7aa01x,,,payments,
//! ```
//! The columns `environment`, `resource`, `name`, `service` and `connection` say what a rule matches, each with `*`
//! and `?` where wanted; all others are tags. `sql/models/resource_facts.sql` applies the rules of a connection.

use std::sync::{Arc, LazyLock};

use arrow::array::{Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::cloudzero::cbf;
use crate::error::{Error, Result};
use crate::store::remote;

/// Columns that say what a rule matches, by weight: the first outweighs all others.
const MATCH: [&str; 4] = ["resource", "name", "environment", "service"];
/// The column that says whose rule it is; the least of all.
const CONNECTION: &str = "connection";
/// Names of columns that mean one of these, such as those of the table `resources`.
const MEANT: [(&str, &str); 6] = [
    ("resource_id", "resource"),
    ("resource_name", "name"),
    ("environment_id", "environment"),
    ("environment_name", "environment"),
    ("service_name", "service"),
    ("connection_name", "connection"),
];
/// Tags that come from Confluent's names. Every month has them, with or without values.
pub const OWN: [&str; 5] = [
    "resource/tag:confluent_environment_id",
    "resource/tag:confluent_environment",
    "resource/tag:confluent_name",
    "resource/tag:confluent_cloud",
    "resource/tag:confluent_cluster_kind",
];
/// The largest file that is taken, in bytes.
const MOST_BYTES: u64 = 64 << 20;

/// Columns of the rules: where the rule stands, its patterns for `ilike` (NULL for any), how specific it is,
/// and its tags as a JSON object.
static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::Int64, false);
    let patterns = MATCH.map(text);
    let fields = std::iter::once(number("line"))
        .chain(patterns)
        .chain([number("specificity"), text("tags")]);
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
});

/// A file that was read.
#[derive(Debug, Clone)]
pub struct Tags {
    /// Its rules.
    pub rules: RecordBatch,
    /// The keys of its tags.
    pub keys: Vec<String>,
}

/// The rules for a connection of a file at a path or URL.
///
/// # Errors
/// Kind configuration, for a place that cannot be read; class data, with line and column, for what is no
/// table of rules.
pub async fn read(location: &str, connection: &str) -> Result<Tags> {
    let text = fetch(location).await?;
    rules(&text, connection).map_err(|e| e.context(shown(location)))
}

/// The file, as errors name it; what follows a `?` may be a token.
pub fn shown(location: &str) -> String {
    format!("tags {}", location.split('?').next().unwrap_or_default())
}

/// No rules.
pub fn none() -> RecordBatch {
    RecordBatch::new_empty(SCHEMA.clone())
}

async fn fetch(location: &str) -> Result<Vec<u8>> {
    let url = remote::url_of(location)?;
    let said = |e: &dyn std::fmt::Display| {
        let first = e.to_string().lines().next().unwrap_or_default().to_string();
        format!("cannot read {}: {first}", shown(location))
    };
    let failed = |e: &dyn std::fmt::Display| {
        Error::config(said(e))
            .with_hint("check the setting `tags` (BILLSTREAM_TAGS) and that the file may be read")
    };
    // A service that does not answer may do so later.
    let unread = |e: object_store::Error| match e {
        object_store::Error::Generic { .. } if url.scheme() != "file" => {
            Error::remote(said(&e)).with_hint("nothing was imported; run it again later")
        }
        e => failed(&e),
    };
    if url.query().is_some() {
        return Err(failed(&"what follows the `?` of a URL is not sent"));
    }
    let store = remote::object_store(&url)?;
    let path = Path::from_url_path(url.path()).map_err(|e| failed(&e))?;
    let found = store.get(&path).await.map_err(unread)?;
    if found.meta.size > MOST_BYTES {
        let limit = MOST_BYTES >> 20;
        return Err(failed(&format!("it is larger than {limit} MB")));
    }
    Ok(found.bytes().await.map_err(unread)?.to_vec())
}

const CSV: &str = "values with commas or line breaks stand in double quotes; the text is UTF-8";

/// What a column of the file is.
enum Column {
    Match(usize),
    Connection,
    Tag(String),
}

fn rules(text: &[u8], connection: &str) -> Result<Tags> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(text);
    let header = reader.headers().map_err(|e| unreadable(text, &e))?;
    let columns = header.iter().map(column).collect::<Result<Vec<_>>>()?;
    refuse_header(header, &columns)?;
    let header_len = header.len();
    let mut rules = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| unreadable(text, &e))?;
        if record.len() != header_len {
            // Blanks alone are no rule.
            if record.iter().all(str::is_empty) && record.len() == 1 {
                continue;
            }
            let line = record.position().map_or(0, |at| line_of(text, at));
            return Err(Error::data(format!(
                "line {line}: {} values where the header has {header_len}",
                record.len()
            ))
            .with_hint(CSV));
        }
        let line = record.position().map_or(0, csv::Position::line);
        let rule = Rule::of(line, &columns, &record, connection);
        rules.extend(rule.filter(|rule| !rule.tags.is_empty()));
    }
    let keys = columns.iter().filter_map(|column| match column {
        Column::Tag(key) => Some(key.clone()),
        Column::Match(_) | Column::Connection => None,
    });
    Ok(Tags {
        rules: batch(&rules)?,
        keys: keys.collect(),
    })
}

/// The line of a record, for errors. The reader's own count is of where it began to look, before empty lines.
fn line_of(text: &[u8], at: &csv::Position) -> u64 {
    let from = usize::try_from(at.byte()).unwrap_or(usize::MAX);
    let rest = text.get(from..).unwrap_or_default();
    let skipped = rest.iter().take_while(|b| b"\r\n".contains(b)).count();
    let before = text.get(..from + skipped).unwrap_or(text);
    before.iter().filter(|b| **b == b'\n').count() as u64 + 1
}

fn unreadable(text: &[u8], e: &csv::Error) -> Error {
    let line = e
        .position()
        .map_or(String::new(), |at| format!("line {}: ", line_of(text, at)));
    let why = match e.kind() {
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8",
        _ => "it is no CSV",
    };
    Error::data(format!("{line}{why}")).with_hint(CSV)
}

fn column(name: &str) -> Result<Column> {
    let lower = name.to_lowercase();
    let matched = MATCH.iter().position(|column| *column == lower);
    if let Some(at) = matched {
        return Ok(Column::Match(at));
    }
    if lower == CONNECTION {
        return Ok(Column::Connection);
    }
    if let Some((_, meant)) = MEANT.iter().find(|(other, _)| *other == lower) {
        return Err(
            Error::data(format!("line 1: a column is called `{name}`")).with_hint(format!(
                "write `{meant}` for what a rule matches; as a tag, give it another key"
            )),
        );
    }
    if name.is_empty() {
        return Err(Error::data("line 1: a column has no name")
            .with_hint("name it, or take the comma at the end of the line away"));
    }
    if let Some(key) = name.strip_prefix(cbf::TAG_PREFIX) {
        return Err(
            Error::data(format!("line 1: a column is called `{name}`")).with_hint(format!(
                "write `{key}`: line items have it as {name} all the same"
            )),
        );
    }
    let mut own = OWN
        .iter()
        .filter_map(|tag| tag.strip_prefix(cbf::TAG_PREFIX));
    if own.any(|own| own.eq_ignore_ascii_case(name)) {
        return Err(Error::data(format!(
            "line 1: the tag `{name}` comes from Confluent's names"
        ))
        .with_hint("choose another key, such as team"));
    }
    if cbf::legal_key(name) != name {
        return Err(
            Error::data(format!("line 1: CloudZero takes no tag key `{name}`"))
                .with_hint("keys have letters, digits and _ . : / = + - @ and no spaces"),
        );
    }
    Ok(Column::Tag(name.to_string()))
}

fn refuse_header(header: &csv::StringRecord, columns: &[Column]) -> Result<()> {
    for (at, name) in header.iter().enumerate() {
        let earlier = header.iter().take(at);
        if earlier
            .into_iter()
            .any(|earlier| earlier.eq_ignore_ascii_case(name))
        {
            return Err(
                Error::data(format!("line 1: two columns are called `{name}`"))
                    .with_hint("a letter's case does not tell them apart"),
            );
        }
    }
    let (matches, tags): (Vec<_>, Vec<_>) = columns
        .iter()
        .partition(|column| !matches!(column, Column::Tag(_)));
    if matches.is_empty() || tags.is_empty() {
        let missing = if tags.is_empty() {
            "tags"
        } else {
            "what a rule matches"
        };
        return Err(
            Error::data(format!("line 1: no column says {missing}")).with_hint(format!(
                "it takes one or more of {}, {CONNECTION} and a column for each tag, such as team",
                MATCH.join(", ")
            )),
        );
    }
    Ok(())
}

struct Rule {
    line: u64,
    patterns: [Option<String>; MATCH.len()],
    specificity: i64,
    tags: serde_json::Map<String, serde_json::Value>,
}

impl Rule {
    /// The rule of a line; `None` when it is for other connections.
    fn of(
        line: u64,
        columns: &[Column],
        record: &csv::StringRecord,
        connection: &str,
    ) -> Option<Rule> {
        let mut rule = Rule {
            line,
            patterns: Default::default(),
            specificity: 0,
            tags: serde_json::Map::new(),
        };
        for (column, value) in columns
            .iter()
            .zip(record)
            .filter(|(_, value)| !value.is_empty())
        {
            let is_any = value.bytes().all(|b| b == b'*');
            if is_any && !matches!(column, Column::Tag(_)) {
                continue;
            }
            // Digits to the base of three: none, a pattern, the thing itself.
            let digit = if value.contains(['*', '?']) { 1 } else { 2 };
            match column {
                Column::Connection => {
                    let pattern = glob::Pattern::new(value).ok();
                    pattern.filter(|pattern| pattern.matches(connection))?;
                    rule.specificity += digit;
                }
                Column::Tag(key) => {
                    rule.tags.insert(key.clone(), value.into());
                }
                Column::Match(at) => {
                    rule.specificity += digit * 3i64.pow((MATCH.len() - at) as u32);
                    rule.patterns[*at] = Some(like(value));
                }
            }
        }
        Some(rule)
    }
}

/// A pattern of `*` and `?` as one of SQL's LIKE.
fn like(pattern: &str) -> String {
    let mut like = String::with_capacity(pattern.len());
    for c in pattern.chars() {
        match c {
            '*' => like.push('%'),
            '?' => like.push('_'),
            '%' | '_' | '\\' => like.extend(['\\', c]),
            c => like.push(c),
        }
    }
    like
}

fn batch(rules: &[Rule]) -> Result<RecordBatch> {
    let number = |of: fn(&Rule) -> i64| Arc::new(rules.iter().map(of).collect::<Int64Array>());
    let pattern = |at: usize| {
        let values = rules.iter().map(|rule| rule.patterns[at].as_deref());
        Arc::new(values.collect::<StringArray>())
    };
    let tags = rules
        .iter()
        .map(|rule| serde_json::Value::Object(rule.tags.clone()).to_string());
    let columns: Vec<arrow::array::ArrayRef> = vec![
        number(|rule| rule.line as i64),
        pattern(0),
        pattern(1),
        pattern(2),
        pattern(3),
        number(|rule| rule.specificity),
        Arc::new(StringArray::from_iter_values(tags)),
    ];
    RecordBatch::try_new(SCHEMA.clone(), columns).map_err(|e| Error::bug(format!("tags: {e}")))
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;

    use super::*;

    fn rules_for_acme(text: &[u8]) -> Result<Tags> {
        rules(text, "acme")
    }

    #[test]
    fn rules_have_patterns_weight_and_tags() {
        let batch = rules_for_acme(
            b"\xef\xbb\xbfEnvironment, name ,resource,team,cost_centre\n\
              production,orders_*,,checkout,47\n,,lkc-1,payments,\n*,,,all,\n,,,,\nx,y,z,,\n",
        )
        .unwrap();
        assert_eq!(batch.keys, ["team", "cost_centre"]);
        let batch = batch.rules;
        let texts = |name: &str| {
            let column = batch.column_by_name(name).unwrap().as_string::<i32>();
            column
                .iter()
                .map(|text| text.unwrap_or("-").to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(texts("environment"), ["production", "-", "-"]);
        assert_eq!(texts("name"), ["orders\\_%", "-", "-"]);
        assert_eq!(texts("resource"), ["-", "lkc-1", "-"]);
        assert_eq!(
            texts("tags"),
            [
                r#"{"cost_centre":"47","team":"checkout"}"#,
                r#"{"team":"payments"}"#,
                r#"{"team":"all"}"#
            ]
        );
        let numbers = |name: &str| {
            let column = batch.column_by_name(name).unwrap();
            column.as_primitive::<Int64Type>().values().to_vec()
        };
        assert_eq!(numbers("specificity"), [3 * (9 + 6), 3 * 54, 0]);
        assert_eq!(numbers("line"), [2, 3, 4]);
    }

    #[test]
    fn what_is_no_table_of_rules_is_told_with_its_line() {
        for (text, words) in [
            ("team\nx\n", "no column says what a rule matches"),
            ("name,service\nx,y\n", "no column says tags"),
            ("name,team,Team\n", "two columns are called `Team`"),
            ("name,\n", "a column has no name"),
            ("Environment_ID,team\n", "called `Environment_ID`"),
            ("name,cost centre\n", "no tag key `cost centre`"),
            ("name,Confluent_Name\n", "`Confluent_Name` comes from"),
            ("name,resource/tag:team\n", "called `resource/tag:team`"),
            (
                "name,team\na,b\n  \nc\n",
                "line 4: 1 values where the header has 2",
            ),
            ("", "no column"),
        ] {
            let error = rules_for_acme(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words), "{text:?}: {error}");
        }
        assert!(rules_for_acme(b"name,team\n\xff,x\n").is_err());
    }

    #[test]
    fn rules_of_other_connections_are_left_out() {
        let read = rules_for_acme(
            b"connection,resource,team\nacme,,exact\nac*,,pattern\nglobex,,other\n*,lkc-1,any\n",
        );
        let rules = read.unwrap().rules;
        let numbers = rules.column_by_name("specificity").unwrap();
        assert_eq!(
            numbers.as_primitive::<Int64Type>().values().to_vec(),
            [2, 1, 3 * 54]
        );
        let resources = rules.column_by_name("resource").unwrap().as_string::<i32>();
        assert_eq!(
            resources.iter().collect::<Vec<_>>(),
            [None, None, Some("lkc-1")]
        );
    }
}
