//! Location of the file of tags, and errors in it.

use std::os::unix::fs::PermissionsExt;

use super::{RULES, Tagged, one_value};
use crate::s3::server::{Bucket, settings};
use crate::support::{Billstream, MONTH, Sandbox, published_files};

/// Asserts that an import with this file sends no request and publishes nothing.
#[track_caller]
fn refused(rules: &str, code: i32, words: &[&str]) {
    let (sandbox, tagged) = (Sandbox::start(&[]), Tagged::new(rules));
    let billstream = tagged.billstream().from(&sandbox);
    let output = billstream
        .run(&["import", "--from", "2026-09", "--to", MONTH])
        .code(code);
    let file = tagged.file().display().to_string();
    let output = output.says(&[&file, "hint:"]).says(words);
    assert_eq!(
        output.stderr.matches("error:").count(),
        1,
        "{}",
        output.stderr
    );
    assert_eq!(sandbox.requests(), 0, "{rules:?}");
    assert!(published_files(tagged.store()).is_empty(), "{rules:?}");
    // Costs alone need no tags.
    billstream.run(&["pull", "--month", MONTH]).ok();
    let before = published_files(tagged.store());
    billstream
        .run(&["transform", "--month", MONTH])
        .code(code)
        .says(words);
    assert!(published_files(tagged.store()) == before);
}

#[test]
fn rejects_invalid_files_with_the_line() {
    for (rules, words) in [
        ("", &["no column"][..]),
        (
            "team\nx\n",
            &["line 1", "no column that matches resources", "environment"],
        ),
        ("name\nx\n", &["line 1", "no column for a tag"]),
        ("name,team,TEAM\nx,y,z\n", &["line 1", "TEAM"]),
        (
            "name,cost centre\nx,y\n",
            &["line 1", "cost centre", "without spaces"],
        ),
        (
            "name,confluent_cloud\nx,y\n",
            &["line 1", "confluent_cloud"],
        ),
        (
            "name,resource/tag:team\nx,y\n",
            &["line 1", "use the key alone, `team`"],
        ),
        ("name,team,\nx,y,z\n", &["line 1", "no name"]),
        (
            "name,team\na,b\n\nc\n",
            &["line 4", "1 values, but the header has 2"],
        ),
        (
            "name,team\na,b,c\n",
            &["line 2", "3 values, but the header has 2"],
        ),
    ] {
        refused(rules, 1, words);
    }
}

#[test]
fn rejects_a_file_that_is_not_utf8_with_the_line() {
    let tagged = Tagged::new("");
    std::fs::write(tagged.file(), b"name,team\na,b\n\xff\xfe,c\n").unwrap();
    let sandbox = Sandbox::start(&[]);
    let output = tagged.billstream().from(&sandbox).import(MONTH).code(1);
    output.says(&["line 3", "not UTF-8"]);
    assert!(published_files(tagged.store()).is_empty());
}

#[test]
fn a_missing_or_unreadable_file_is_a_configuration_error() {
    let (sandbox, tagged) = (Sandbox::start(&[]), Tagged::new(RULES));
    let folder = tagged.file().parent().unwrap().to_path_buf();
    for place in [
        folder.join("none.csv"),
        folder.join("none/tags.csv"),
        folder.clone(),
    ] {
        let place = place.to_str().unwrap();
        let billstream = tagged
            .billstream()
            .from(&sandbox)
            .env("BILLSTREAM_TAGS", place);
        let output = billstream.import(MONTH).code(3);
        output.says(&[place, "BILLSTREAM_TAGS"]);
        billstream.run(&["transform", "--month", MONTH]).code(2);
    }
    for place in ["ftp://somewhere/tags.csv", "s3://user:hush@bucket/tags.csv"] {
        let billstream = tagged
            .billstream()
            .from(&sandbox)
            .env("BILLSTREAM_TAGS", place);
        let output = billstream.import(MONTH).code(3);
        assert!(!output.stderr.contains("hush"), "{}", output.stderr);
    }
    assert_eq!(sandbox.requests(), 0);
    assert!(published_files(tagged.store()).is_empty());
    if is_privileged() {
        return;
    }
    std::fs::set_permissions(tagged.file(), PermissionsExt::from_mode(0o000)).unwrap();
    tagged.billstream().from(&sandbox).import(MONTH).code(3);
}

/// Returns true if this user can read every file.
fn is_privileged() -> bool {
    std::fs::read("/etc/shadow").is_ok()
}

#[test]
fn the_configured_path_is_relative_to_the_working_folder() {
    let (sandbox, tagged) = (Sandbox::start(&[]), Tagged::new(RULES));
    let billstream = Billstream::on(tagged.store()).from(&sandbox);
    std::fs::create_dir(billstream.home().join("a folder")).unwrap();
    std::fs::copy(
        tagged.file(),
        billstream.home().join("a folder/100% tags.csv"),
    )
    .unwrap();
    let config = billstream.home().join("billstream.toml");
    std::fs::write(&config, "tags = \"a folder/100% tags.csv\"\n").unwrap();
    let billstream = billstream
        .env("BILLSTREAM_CONFIG", config.to_str().unwrap())
        .at("2026-11-10T06:00:00Z");
    billstream.import(MONTH).ok().status("published");
    let rows = billstream.line_items(MONTH);
    assert_eq!(
        one_value(&rows, "team")["kafka-cluster/lkc-7aa01x"],
        "orders"
    );
    // The environment variable takes precedence.
    let other = Tagged::new("resource,team\nlkc-7aa01x,other\n");
    let other = billstream.env("BILLSTREAM_TAGS", other.file().to_str().unwrap());
    other.import(MONTH).ok().status("published");
    let rows = other.line_items(MONTH);
    assert_eq!(
        one_value(&rows, "team")["kafka-cluster/lkc-7aa01x"],
        "other"
    );
}

#[test]
fn reads_the_file_from_s3() {
    let (sandbox, bucket) = (Sandbox::start(&[]), Bucket::new("tags", "rules"));
    bucket.put("tags.csv", RULES);
    let tagged = Tagged::new("");
    let at = |url: &str| {
        let billstream = tagged
            .billstream()
            .from(&sandbox)
            .env("BILLSTREAM_TAGS", url);
        settings()
            .iter()
            .fold(billstream, |b, (name, value)| b.env(name, value))
    };
    for missing in ["s3://tags/rules/none.csv", "s3://no-such-bucket/tags.csv"] {
        at(missing)
            .import(MONTH)
            .code(3)
            .says(&[missing, "BILLSTREAM_TAGS"]);
    }
    assert!(published_files(tagged.store()).is_empty());
    let billstream = at("s3://tags/rules/tags.csv");
    billstream.import(MONTH).ok().status("published");
    let rows = billstream.line_items(MONTH);
    assert_eq!(
        one_value(&rows, "team")["kafka-cluster/lkc-pay3nt"],
        "payments"
    );
    bucket.put("tags.csv", "resource,team\nlkc-pay3nt,others\n");
    let later = billstream.at("2026-11-10T06:00:00Z");
    later.run(&["transform", "--month", MONTH]).ok();
    let rows = later.line_items(MONTH);
    assert_eq!(
        one_value(&rows, "team")["kafka-cluster/lkc-pay3nt"],
        "others"
    );
}
