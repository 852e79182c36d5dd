//! The CSV file of tags and owners: rules that match resources, and the tag values that they set.
//!
//! ```csv
//! environment,resource,name,service,team,cost_centre
//! production,,orders-*,,checkout,4711
//! ,lkc-7aa01x,,,payments,
//! ```
//! The columns `environment`, `resource`, `name`, `service` and `connection` select what a rule matches and may
//! contain the wildcards `*` and `?`; all other columns are tags. `sql/models/resource_facts.sql` applies the
//! rules of a connection.

use std::sync::{Arc, LazyLock};

use arrow::array::{Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::cloudzero::cbf;
use crate::error::{Error, Result};
use crate::store::remote;

/// Columns that select resources, by weight: the first outweighs all others.
const MATCH_COLUMNS: [&str; 4] = ["resource", "name", "environment", "service"];
/// Column that selects connections; it has the least weight.
const CONNECTION: &str = "connection";
/// Column names that users confuse with these, such as those of the table `resources`.
const COLUMN_ALIASES: [(&str, &str); 6] = [
    ("resource_id", "resource"),
    ("resource_name", "name"),
    ("environment_id", "environment"),
    ("environment_name", "environment"),
    ("service_name", "service"),
    ("connection_name", "connection"),
];
/// Tags from Confluent's inventory. Every month has these columns, with or without values.
pub(crate) const BUILTIN_TAGS: [&str; 5] = [
    "resource/tag:confluent_environment_id",
    "resource/tag:confluent_environment",
    "resource/tag:confluent_name",
    "resource/tag:confluent_cloud",
    "resource/tag:confluent_cluster_kind",
];
/// Size limit of the file.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Columns of the rules: line in the file, patterns for `ilike` (NULL for any), specificity, and tags as a
/// JSON object.
static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::Int64, false);
    let patterns = MATCH_COLUMNS.map(text);
    let fields = std::iter::once(number("line"))
        .chain(patterns)
        .chain([number("specificity"), text("tags")]);
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
});

/// Parsed file of tags.
#[derive(Debug, Clone)]
pub struct TagRules {
    /// The rules.
    pub rules: RecordBatch,
    /// Keys of the tags.
    pub(crate) keys: Vec<String>,
}

/// Reads the rules for a connection from a file at a path or URL.
///
/// # Errors
/// Kind configuration, for an unreadable location; kind data, with the line, for an invalid file.
pub async fn read(location: &str, connection: &str) -> Result<TagRules> {
    let text = fetch(location).await?;
    parse(&text, connection).map_err(|e| e.context(display(location)))
}

/// Name of the file in errors, without the part after a `?`, which may be a token.
pub(crate) fn display(location: &str) -> String {
    format!("tags {}", location.split('?').next().unwrap_or_default())
}

/// An empty set of rules.
pub(crate) fn none() -> RecordBatch {
    RecordBatch::new_empty(SCHEMA.clone())
}

async fn fetch(location: &str) -> Result<Vec<u8>> {
    let url = remote::url_of(location)?;
    let message = |e: &dyn std::fmt::Display| {
        let first = e.to_string().lines().next().unwrap_or_default().to_string();
        format!("could not read {}: {first}", display(location))
    };
    let failed = |e: &dyn std::fmt::Display| {
        Error::config(message(e))
            .with_hint("check the setting `tags` (BILLSTREAM_TAGS) and the permissions of the file")
    };
    let get_failed = |e: object_store::Error| match e {
        object_store::Error::Generic { .. } if url.scheme() != "file" => Error::remote(message(&e))
            .with_hint("nothing was imported; run the command again later"),
        e => failed(&e),
    };
    if url.query().is_some() {
        return Err(failed(&"URLs with a query (`?…`) are not supported"));
    }
    let store = remote::object_store(&url)?;
    let path = Path::from_url_path(url.path()).map_err(|e| failed(&e))?;
    let object = store.get(&path).await.map_err(get_failed)?;
    if object.meta.size > MAX_FILE_BYTES {
        let limit = MAX_FILE_BYTES >> 20;
        return Err(failed(&format!("the file is larger than {limit} MB")));
    }
    Ok(object.bytes().await.map_err(get_failed)?.to_vec())
}

const CSV_HINT: &str =
    "save the file as UTF-8, and put values with commas or line breaks in double quotes";

/// Meaning of a column of the file.
enum Column {
    /// Index in [`MATCH_COLUMNS`].
    Match(usize),
    Connection,
    Tag(String),
}

fn parse(text: &[u8], connection: &str) -> Result<TagRules> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(text);
    let header = reader.headers().map_err(|e| invalid_csv(text, &e))?;
    let columns = header.iter().map(classify).collect::<Result<Vec<_>>>()?;
    check_header(header, &columns)?;
    let header_len = header.len();
    let mut rules = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| invalid_csv(text, &e))?;
        if record.len() != header_len {
            // A blank line.
            if record.iter().all(str::is_empty) && record.len() == 1 {
                continue;
            }
            let line = record.position().map_or(0, |at| line_of(text, at));
            return Err(Error::data(format!(
                "line {line}: {} values, but the header has {header_len}",
                record.len()
            ))
            .with_hint(CSV_HINT));
        }
        if record.iter().any(|value| value.contains('\0')) {
            let line = record.position().map_or(0, |at| line_of(text, at));
            return Err(Error::data(format!(
                "line {line}: a value has a NUL character, which ends a text for many readers"
            ))
            .with_hint(CSV_HINT));
        }
        let line = record.position().map_or(0, csv::Position::line);
        let rule = Rule::of(line, &columns, &record, connection);
        rules.extend(rule.filter(|rule| !rule.tags.is_empty()));
    }
    let keys = columns.iter().filter_map(|column| match column {
        Column::Tag(key) => Some(key.clone()),
        Column::Match(_) | Column::Connection => None,
    });
    Ok(TagRules {
        rules: batch(&rules)?,
        keys: keys.collect(),
    })
}

/// Line number of a record, for errors. The reader's own count includes the empty lines before the record.
fn line_of(text: &[u8], at: &csv::Position) -> u64 {
    let from = usize::try_from(at.byte()).unwrap_or(usize::MAX);
    let rest = text.get(from..).unwrap_or_default();
    let skipped = rest.iter().take_while(|b| b"\r\n".contains(b)).count();
    let before = text.get(..from + skipped).unwrap_or(text);
    before.iter().filter(|b| **b == b'\n').count() as u64 + 1
}

fn invalid_csv(text: &[u8], e: &csv::Error) -> Error {
    let line = e
        .position()
        .map_or(String::new(), |at| format!("line {}: ", line_of(text, at)));
    let why = match e.kind() {
        csv::ErrorKind::Utf8 { .. } => "the text is not UTF-8",
        _ => "the text is not valid CSV",
    };
    Error::data(format!("{line}{why}")).with_hint(CSV_HINT)
}

fn classify(name: &str) -> Result<Column> {
    let lower = name.to_lowercase();
    let matched = MATCH_COLUMNS.iter().position(|column| *column == lower);
    if let Some(at) = matched {
        return Ok(Column::Match(at));
    }
    if lower == CONNECTION {
        return Ok(Column::Connection);
    }
    if let Some((_, intended)) = COLUMN_ALIASES.iter().find(|(other, _)| *other == lower) {
        return Err(
            Error::data(format!("line 1: unknown column `{name}`")).with_hint(format!(
                "use `{intended}` to match resources, or another key for a tag"
            )),
        );
    }
    if name.is_empty() {
        return Err(Error::data("line 1: a column has no name")
            .with_hint("name the column, or remove the comma at the end of the line"));
    }
    if let Some(key) = name.strip_prefix(cbf::TAG_PREFIX) {
        return Err(
            Error::data(format!("line 1: unknown column `{name}`")).with_hint(format!(
                "use the key alone, `{key}`; line items have it as {name}"
            )),
        );
    }
    let mut builtin = BUILTIN_TAGS
        .iter()
        .filter_map(|tag| tag.strip_prefix(cbf::TAG_PREFIX));
    if builtin.any(|key| key.eq_ignore_ascii_case(name)) {
        return Err(Error::data(format!(
            "line 1: the tag `{name}` is reserved for Confluent's inventory"
        ))
        .with_hint("use another key, such as team"));
    }
    if cbf::legal_key(name) != name {
        return Err(Error::data(format!(
            "line 1: CloudZero does not accept the tag key `{name}`"
        ))
        .with_hint("use letters, digits and _ . : / = + - @, without spaces"));
    }
    Ok(Column::Tag(name.to_string()))
}

fn check_header(header: &csv::StringRecord, columns: &[Column]) -> Result<()> {
    for (at, name) in header.iter().enumerate() {
        let earlier = header.iter().take(at);
        if earlier
            .into_iter()
            .any(|earlier| earlier.eq_ignore_ascii_case(name))
        {
            return Err(
                Error::data(format!("line 1: the column `{name}` appears twice"))
                    .with_hint("rename one of them; case does not distinguish columns"),
            );
        }
    }
    let (matches, tags): (Vec<_>, Vec<_>) = columns
        .iter()
        .partition(|column| !matches!(column, Column::Tag(_)));
    if matches.is_empty() || tags.is_empty() {
        let missing = if tags.is_empty() {
            "for a tag"
        } else {
            "that matches resources"
        };
        return Err(
            Error::data(format!("line 1: no column {missing}")).with_hint(format!(
                "add one or more of {}, {CONNECTION} and a column for each tag, such as team",
                MATCH_COLUMNS.join(", ")
            )),
        );
    }
    Ok(())
}

/// A rule of the file.
struct Rule {
    line: u64,
    patterns: [Option<String>; MATCH_COLUMNS.len()],
    specificity: i64,
    tags: serde_json::Map<String, serde_json::Value>,
}

impl Rule {
    /// Returns the rule of a line, or `None` if it is for other connections.
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
            let matches_all = value.bytes().all(|b| b == b'*');
            if matches_all && !matches!(column, Column::Tag(_)) {
                continue;
            }
            // Base-3 digits: 0 for any value, 1 for a pattern, 2 for an exact value.
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
                    rule.specificity += digit * 3i64.pow((MATCH_COLUMNS.len() - at) as u32);
                    rule.patterns[*at] = Some(like(value));
                }
            }
        }
        Some(rule)
    }
}

/// Converts a pattern with `*` and `?` to one for SQL's LIKE.
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

    fn rules_for_acme(text: &[u8]) -> Result<TagRules> {
        parse(text, "acme")
    }

    #[test]
    fn parses_patterns_specificity_and_tags() {
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
    fn refuses_invalid_files_with_the_line() {
        for (text, words) in [
            ("team\nx\n", "no column that matches resources"),
            ("name,service\nx,y\n", "no column for a tag"),
            ("name,team,Team\n", "the column `Team` appears twice"),
            ("name,\n", "a column has no name"),
            ("Environment_ID,team\n", "unknown column `Environment_ID`"),
            (
                "name,cost centre\n",
                "does not accept the tag key `cost centre`",
            ),
            ("name,Confluent_Name\n", "`Confluent_Name` is reserved"),
            (
                "name,resource/tag:team\n",
                "unknown column `resource/tag:team`",
            ),
            (
                "name,team\na,b\n  \nc\n",
                "line 4: 1 values, but the header has 2",
            ),
            (
                "name,team\na,b\nc,d\0\n",
                "line 3: a value has a NUL character",
            ),
            ("", "no column"),
        ] {
            let error = rules_for_acme(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words), "{text:?}: {error}");
        }
        assert!(rules_for_acme(b"name,team\n\xff,x\n").is_err());
    }

    #[test]
    fn omits_rules_of_other_connections() {
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
