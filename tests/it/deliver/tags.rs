//! Columns of a drop: the fixed ones, then tags by legal key.

use std::io::Read;

use super::{Scene, active_drop, deliver};
use crate::support::{BUCKET, Billstream, MONTH, Sandbox, files_below, sum};

/// The shipped model.
const MODEL: &str = include_str!("../../../sql/models/line_items.sql");

/// SQL of a tag column with one value; line items without a resource have no tags.
pub fn tag(key: &str, value: &str) -> String {
    format!("case when resource_id is not null then '{value}' end as \"resource/tag:{key}\"")
}

/// Folder with the shipped model and additional columns.
fn model_with(columns: &[String]) -> tempfile::TempDir {
    assert!(MODEL.contains("\n  from typed"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("models")).unwrap();
    let sql = MODEL.replace(
        "\n  from typed",
        &format!(",\n  {}\n  from typed", columns.join(",\n  ")),
    );
    std::fs::write(folder.path().join("models/line_items.sql"), sql).unwrap();
    folder
}

/// Transforms a month of the scene again, with additional columns.
pub fn transform(scene: &Scene, month: &str, columns: &[String]) {
    let sql = model_with(columns);
    let folder = sql.path().to_str().unwrap();
    scene
        .to_bucket()
        .run(&["transform", "--month", month, "--sql-dir", folder])
        .ok();
}

/// Columns of the active drop's files.
fn header(scene: &Scene) -> Vec<String> {
    let drop_id = active_drop(scene.bucket.path()).unwrap();
    let folder = scene.bucket.path().join("20261001-20261101").join(drop_id);
    let mut headers = files_below(&folder).into_values().map(|bytes| {
        let mut text = String::new();
        flate2::read::GzDecoder::new(&bytes[..])
            .read_to_string(&mut text)
            .unwrap();
        let header = csv::Reader::from_reader(text.as_bytes())
            .headers()
            .unwrap()
            .clone();
        header.iter().map(str::to_string).collect::<Vec<_>>()
    });
    let first = headers.next().unwrap();
    assert!(headers.all(|other| other == first));
    first
}

fn tags(header: &[String]) -> Vec<&str> {
    let tags = header
        .iter()
        .filter_map(|name| name.strip_prefix("resource/tag:"));
    tags.collect()
}

#[test]
fn tags_follow_the_fixed_columns_sorted_by_key() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    let shipped = header(&scene);
    let fixed = shipped
        .iter()
        .take_while(|name| !name.starts_with("resource/tag:"))
        .count();
    assert_eq!(shipped.len(), fixed + tags(&shipped).len(), "{shipped:?}");
    let mut sorted = tags(&shipped);
    sorted.sort_unstable();
    assert_eq!(tags(&shipped), sorted);

    transform(&scene, MONTH, &[tag("aaa", "x"), tag("zzz", "y")]);
    deliver(&scene.to_bucket(), &[]).ok().delivery("delivered");
    let more = header(&scene);
    assert_eq!(more[..fixed], shipped[..fixed]);
    assert_eq!(tags(&more).first(), Some(&"aaa"));
    assert_eq!(tags(&more).last(), Some(&"zzz"));
    scene.assert_polled(&scene.month.holding);
}

#[test]
fn tag_of_one_month_is_a_column_of_later_deliveries() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&[]));
    let importing = scene.to_bucket().from(&confluent);
    importing
        .run(&["import", "--month", "2026-09", "--no-deliver"])
        .ok();
    transform(&scene, "2026-09", &[tag("only-september", "x")]);
    deliver(&scene.to_bucket(), &["--month", MONTH])
        .ok()
        .delivery("delivered");
    assert!(tags(&header(&scene)).contains(&"only-september"));
    scene.assert_polled(&scene.month.holding);
    // A month without the tag of another is complete, too.
    deliver(&scene.to_bucket(), &[]).ok();
    scene.cloudzero.poll().months();
    let holds = scene.cloudzero.holds(BUCKET, "2026-09").total();
    assert_eq!(holds.cost.to_string(), confluent.totals("2026-09").net);
}

#[test]
fn legalizes_tag_keys_and_merges_equal_ones() {
    let scene = Scene::new(&[]);
    let of_kafka = "case when resource_id is not null and product = 'KAFKA' then 'spaced' end \
                    as \"resource/tag:Team Name\"";
    let columns = [
        of_kafka.to_string(),
        tag("Team_Name", "scored"),
        tag("größe", "é"),
    ];
    transform(&scene, MONTH, &columns);
    let output = deliver(&scene.to_bucket(), &[]).ok();
    output.delivery("delivered");
    output.says(&["Team Name", "Team_Name"]);
    let found = header(&scene);
    let teams = tags(&found)
        .into_iter()
        .filter(|key| *key == "Team_Name")
        .count();
    assert_eq!(teams, 1, "{found:?}");
    for key in tags(&found) {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"_.:/=+-@".contains(&b);
        assert!(key.bytes().all(legal), "{key}");
    }
    scene.assert_polled(&scene.month.holding);

    // The first value counts, and every resource has one.
    let drop_id = active_drop(scene.bucket.path()).unwrap();
    let folder = scene.bucket.path().join("20261001-20261101").join(drop_id);
    let files = files_below(&folder);
    let rows: Vec<_> = files
        .values()
        .flat_map(|b| crate::support::csv_gz_rows(b))
        .collect();
    let with = |value: &str| {
        rows.iter()
            .filter(|r| r["resource/tag:Team_Name"] == value)
            .count()
    };
    assert!(with("spaced") > 0 && with("scored") > 0);
    let resources = rows.iter().filter(|r| !r["resource/id"].is_empty()).count();
    assert_eq!(with("spaced") + with("scored"), resources);
    assert_eq!(sum(&rows, "cost/cost").to_string(), scene.month.totals.net);
}

#[test]
fn stream_has_legal_tag_keys() {
    let scene = Scene::new(&[]);
    transform(&scene, MONTH, &[tag("Team Name", "a, \"b\"")]);
    let stream: Billstream = scene.to_stream();
    deliver(&stream, &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
    for row in scene.cloudzero.rows(MONTH) {
        let value = row.get("resource/tag:Team_Name");
        assert_eq!(value.is_some(), row.get("resource/id").is_some(), "{row}");
        assert!(value.is_none_or(|value| value == "a, \"b\""), "{row}");
        assert!(row.get("resource/tag:Team Name").is_none());
    }
}
