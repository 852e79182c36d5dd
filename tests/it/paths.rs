//! Paths are taken literally, whatever characters they have; URLs are decoded once.

use std::path::Path;

use crate::support::{Billstream, Exact, MONTH, Sandbox, csv_rows, orphans};

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_store_lies_in_the_folder_that_was_named() {
    let sandbox = Sandbox::start(&[]);
    let totals = sandbox.totals(MONTH);
    for name in ["per%20cent", "100%", r"back\slash", "a%2Fb ü#1?/"] {
        let parent = tempfile::tempdir().unwrap();
        let location = format!("{}/{name}", parent.path().display());
        let billstream = Billstream::new(location).from(&sandbox);
        billstream.import(MONTH).ok().status("published");
        billstream.assert_month_is(MONTH, &totals);
        billstream.import(MONTH).ok().status("unchanged");
        let name = name.trim_end_matches('/');
        assert_eq!(entries(parent.path()), [name]);
        let store = parent.path().join(name);
        assert_eq!(
            entries(&store),
            ["cloudzero", "costs", "line_items", "runs"]
        );
        assert_eq!(orphans(&store), Vec::<String>::new());
    }
}

#[test]
fn the_home_folder_is_expanded_and_that_of_others_refused() {
    let sandbox = Sandbox::start(&[]);
    let billstream = Billstream::new("~/stores/x").from(&sandbox);
    billstream.import(MONTH).ok();
    assert_eq!(entries(&billstream.home().join("stores")), ["x"]);
    assert!(!billstream.home().join("~").exists());
    let other = Billstream::new("~somebody/x").from(&sandbox);
    other
        .import(MONTH)
        .code(3)
        .says(&["`~somebody/x`", "another user", "hint: ", "~/"]);
    assert!(!other.home().join("~somebody").exists());
}

#[test]
fn outputs_sources_and_tags_are_found_where_they_were_named() {
    let sandbox = Sandbox::start(&[]);
    let billstream = Billstream::new("store").from(&sandbox);
    billstream.import(MONTH).ok();
    let total = Exact::of(&sandbox.totals(MONTH).net);
    let sql = "select * from line_items";
    for (folder, file) in [
        ("per%20cent", "100%.parquet"),
        (r"back\slash", "a#b?.csv"),
        ("a b%2Fc", "ü+.parquet"),
    ] {
        let folder = billstream.home().join(folder);
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join(file);
        let output = path.to_str().unwrap();
        billstream.run(&["query", sql, "-o", output]).ok();
        assert_eq!(entries(&folder), [file]);
        let (stem, extension) = file.rsplit_once('.').unwrap();
        let first = stem.chars().next().unwrap();
        let pattern = folder.join(format!("{first}*.{extension}"));
        for location in [output, folder.to_str().unwrap(), pattern.to_str().unwrap()] {
            let source = format!("other={location}");
            let sum =
                "select sum(\"cost/cost\") as sum from all_line_items where connection = 'other'";
            let rows = billstream
                .run(&["query", "--format", "csv", "--source", &source, sum])
                .ok();
            let rows = csv_rows(rows.stdout.as_bytes());
            assert_eq!(Exact::of(&rows[0]["sum"]), total, "{location}");
        }
    }
    // A folder of drops.
    let source = format!("other={}", billstream.home().join("x%20y").display());
    let drops = billstream.home().join("store/cloudzero/confluent");
    std::fs::rename(&drops, billstream.home().join("x%20y")).unwrap();
    let sum = "select sum(\"cost/cost\") as sum from all_line_items where connection = 'other'";
    let rows = billstream.run(&["query", "--format", "csv", "--source", &source, sum]);
    let rows = csv_rows(rows.ok().stdout.as_bytes());
    assert_eq!(Exact::of(&rows[0]["sum"]), total);

    let tags = billstream.home().join("tags%20 100%.csv");
    std::fs::write(&tags, "service,team\nKafka,data\n").unwrap();
    let tagged = billstream.env("BILLSTREAM_TAGS", "tags%20 100%.csv");
    tagged
        .run(&["transform", "--month", MONTH, "--format", "json"])
        .ok()
        .status("published");
}
