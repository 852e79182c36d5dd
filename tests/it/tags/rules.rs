//! Choice of rules, compared with a naive implementation over the same file.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Date32Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use billstream::engine::sql_files::SqlFiles;
use billstream::engine::{self, Limits};
use billstream::pipeline::enrich::tag_rules;
use billstream::store::{Store, resources};
use proptest::prelude::*;

/// A resource in costs.
#[derive(Debug, Clone)]
struct Resource {
    id: String,
    name: String,
    environment: String,
    products: Vec<&'static str>,
}

/// Patterns of resource, name, environment and service, and the values of two tags.
#[derive(Debug, Clone)]
struct Rule {
    patterns: [String; 4],
    values: [String; 2],
}

const KEYS: [&str; 2] = ["team", "product"];
const PRODUCTS: [(&str, &str); 5] = [
    ("KAFKA", "Kafka"),
    ("KSQL", "ksqlDB"),
    ("CLUSTER_LINK", "Cluster Linking"),
    ("FUTURE_THING", "Future Thing"),
    ("", "Confluent Cloud"),
];

/// Returns true if a text matches a pattern with `*` and `?`.
fn fits(pattern: &[char], text: &[char]) -> bool {
    match (pattern.first(), text.first()) {
        (None, None) => true,
        (Some('*'), _) => {
            fits(&pattern[1..], text) || (!text.is_empty() && fits(pattern, &text[1..]))
        }
        (Some('?'), Some(_)) => fits(&pattern[1..], &text[1..]),
        (Some(p), Some(t)) => p == t && fits(&pattern[1..], &text[1..]),
        _ => false,
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let chars = |text: &str| text.to_lowercase().chars().collect::<Vec<_>>();
    fits(&chars(pattern), &chars(text))
}

/// Returns true for a pattern that matches everything: empty or `*`.
fn is_any(pattern: &str) -> bool {
    pattern.chars().all(|c| c == '*')
}

impl Rule {
    fn takes(&self, resource: &Resource) -> bool {
        let [id, name, environment, service] = &self.patterns;
        let one = |pattern: &str, text: &str| {
            is_any(pattern) || (!text.is_empty() && matches(pattern, text))
        };
        // The form of an id of unknown kind in CloudZero.
        let shown = format!("resource/{}", resource.id.replace([':', '/'], "_"));
        let of_service = |product: &&str| {
            let words = PRODUCTS.iter().find(|(code, _)| code == product).unwrap().1;
            one(service, product) || one(service, words)
        };
        (one(id, &resource.id) || one(id, &shown))
            && one(name, &resource.name)
            && one(environment, &resource.environment)
            && (is_any(service) || resource.products.iter().any(of_service))
    }

    /// Specificity by column: exact value before pattern before any.
    fn specificity(&self) -> [u8; 4] {
        self.patterns
            .each_ref()
            .map(|pattern| match pattern.as_str() {
                any if is_any(any) => 0,
                pattern if pattern.contains(['*', '?']) => 1,
                _ => 2,
            })
    }
}

/// Tags by resource and key, by a scan of every rule for every resource.
fn naive(resources: &[Resource], rules: &[Rule]) -> BTreeMap<(String, String), String> {
    let mut chosen = BTreeMap::new();
    for resource in resources {
        for (at, key) in KEYS.iter().enumerate() {
            let mut best: Option<&Rule> = None;
            for rule in rules
                .iter()
                .filter(|rule| !rule.values[at].is_empty() && rule.takes(resource))
            {
                if best.is_none_or(|best| rule.specificity() > best.specificity()) {
                    best = Some(rule);
                }
            }
            if let Some(rule) = best {
                chosen.insert(
                    (resource.id.clone(), key.to_string()),
                    rule.values[at].clone(),
                );
            }
        }
    }
    chosen
}

fn costs(resources: &[Resource]) -> RecordBatch {
    let rows: Vec<(&Resource, &str)> = resources
        .iter()
        .flat_map(|resource| {
            resource
                .products
                .iter()
                .map(move |product| (resource, *product))
        })
        .collect();
    let text = |of: fn(&(&Resource, &str)) -> String| {
        Arc::new(StringArray::from_iter_values(rows.iter().map(of))) as ArrayRef
    };
    RecordBatch::try_from_iter([
        ("resource_id", text(|row| row.0.id.clone())),
        ("resource_name", text(|row| row.0.name.clone())),
        ("environment_id", text(|row| row.0.environment.clone())),
        ("product", text(|row| row.1.to_string())),
        ("line_type", text(|_| "X".to_string())),
        (
            "start_date",
            Arc::new(Date32Array::from(vec![20_000; rows.len()])) as ArrayRef,
        ),
    ])
    .unwrap()
}

/// Tags by the shipped SQL over the parsed file.
async fn by_sql(resources: &[Resource], rules: &[Rule]) -> BTreeMap<(String, String), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tags.csv");
    let mut file = csv::Writer::from_path(&path).unwrap();
    file.write_record([
        "resource",
        "name",
        "environment",
        "service",
        KEYS[0],
        KEYS[1],
    ])
    .unwrap();
    for rule in rules {
        file.write_record(rule.patterns.iter().chain(&rule.values))
            .unwrap();
    }
    file.flush().unwrap();
    let read = tag_rules::read(path.to_str().unwrap(), "demo")
        .await
        .unwrap();
    let store = Store::open(folder.path().join("store").to_str().unwrap()).unwrap();
    let context = engine::session(&store, Limits::default()).unwrap();
    context.register_batch("costs", costs(resources)).unwrap();
    context.register_batch("tag_rules", read.rules).unwrap();
    let nothing = resources::read(&store, None).await.unwrap();
    context.register_batch("resources", nothing).unwrap();
    let sql = SqlFiles::load(None).unwrap();
    let frame = sql
        .get("models/resource_facts")
        .unwrap()
        .plan(&context, Vec::new())
        .await
        .unwrap();
    let mut found = BTreeMap::new();
    for batch in frame.collect().await.unwrap() {
        let texts = |at: usize| cast(batch.column(at), &DataType::Utf8).unwrap();
        let columns = [texts(0), texts(1), texts(2)];
        let [ids, names, values] = columns.each_ref().map(|column| column.as_string::<i32>());
        for ((id, name), value) in ids.iter().zip(names).zip(values) {
            let key = name
                .unwrap()
                .strip_prefix("resource/tag:")
                .filter(|key| KEYS.contains(key));
            if let (Some(key), Some(value)) = (key, value) {
                let before = found.insert(
                    (id.unwrap().to_string(), key.to_string()),
                    value.to_string(),
                );
                assert_eq!(before, None, "{id:?} has two values of {key}");
            }
        }
    }
    found
}

/// Texts with special characters of SQL, CSV and regular expressions.
const TEXT: &str = "[aAbé%_\\\\.(|/\"'-]{1,4}";

fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(String::new()),
        1 => TEXT,
        2 => "[aAbÉ%_\\\\.(|/\"'*?-]{1,3}",
        1 => "\\*?[ab]\\*?",
        1 => "resource/\\*?[ab]?\\*?",
        1 => "\\*{1,2}",
    ]
}

fn service() -> impl Strategy<Value = String> {
    let words = PRODUCTS.iter().flat_map(|(code, words)| [*code, *words]);
    let words: Vec<String> = words.map(str::to_lowercase).collect();
    prop_oneof![
        3 => Just(String::new()),
        1 => proptest::sample::select(words),
        1 => Just("*k*".to_string()),
        1 => Just("ksql??".to_string()),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    let value = || prop_oneof![1 => Just(String::new()), 3 => "[x-z]{1,2}"];
    let patterns = (pattern(), pattern(), pattern(), service());
    (patterns, value(), value()).prop_map(|((id, name, environment, service), team, product)| {
        Rule {
            patterns: [id, name, environment, service],
            values: [team, product],
        }
    })
}

fn resource() -> impl Strategy<Value = Resource> {
    let products: Vec<&str> = PRODUCTS.iter().map(|(code, _)| *code).collect();
    let products = proptest::sample::subsequence(products, 1..3);
    let name = prop_oneof![1 => Just(String::new()), 3 => TEXT, 1 => "[ab]{1,2}\n[ab]"];
    let environment = prop_oneof![1 => Just(String::new()), 3 => TEXT];
    (TEXT, name, environment, products).prop_map(|(id, name, environment, products)| Resource {
        id,
        name,
        environment,
        products,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]
    #[test]
    fn sql_agrees_with_a_naive_implementation(
        resources in proptest::collection::vec(resource(), 1..24),
        rules in proptest::collection::vec(rule(), 0..24),
    ) {
        // Ids are unique.
        let by_id: BTreeMap<String, Resource> = resources.into_iter().map(|r| (r.id.clone(), r)).collect();
        let resources: Vec<Resource> = by_id.into_values().collect();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let found = runtime.block_on(by_sql(&resources, &rules));
        prop_assert_eq!(found, naive(&resources, &rules));
    }
}

#[test]
fn naive_implementation_matches_patterns() {
    for (pattern, text, fit) in [
        ("a*", "ABC", true),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("*b", "ab", true),
        ("É", "é", true),
        ("%", "x", false),
        ("", "", true),
    ] {
        assert_eq!(matches(pattern, text), fit, "{pattern} {text}");
    }
}
