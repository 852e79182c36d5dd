//! Changes of the file: open months are updated by the next run, settled ones on request.

use super::{Tagged, one_value, published_files};
use crate::support::{MONTH, Sandbox, assert_line_items_are};

const ORDERS: &str = "kafka-cluster/lkc-7aa01x";

fn team(tagged: &Tagged, month: &str) -> String {
    let rows = tagged.billstream().line_items(month);
    one_value(&rows, "team")[ORDERS].to_string()
}

#[test]
fn a_changed_file_updates_open_months_and_settled_ones_by_a_named_transform() {
    let tagged = Tagged::new("resource,team\nlkc-7aa01x,first\n");
    let sandbox = Sandbox::start(&["--today", "2026-11-10"]);
    let import = |now: &str| {
        let billstream = tagged.billstream().from(&sandbox).at(now);
        let months = [
            "import", "--from", "2026-09", "--to", MONTH, "--format", "json",
        ];
        let statuses = billstream.run(&months).ok().statuses();
        statuses
            .into_iter()
            .map(|(_, status)| status)
            .collect::<Vec<_>>()
    };
    assert_eq!(import("2026-11-10T06:00:00Z"), ["published"; 2]);
    tagged.write("resource,team\nlkc-7aa01x,second\n");
    assert_eq!(import("2026-11-10T07:00:00Z"), ["unchanged", "published"]);
    assert_eq!(import("2026-11-10T08:00:00Z"), ["unchanged"; 2]);
    let teams = || ["2026-09", "2026-10"].map(|month| team(&tagged, month));
    assert_eq!(teams(), ["first", "second"]);

    // Another order of lines and a rule without a match: the same attributes.
    let before = published_files(tagged.store());
    tagged.write("team,resource\nnobody,lkc-nowhere\nsecond,LKC-7aa01x\nthird,lkc-7aa01x\n");
    assert_eq!(import("2026-11-10T09:00:00Z"), ["unchanged"; 2]);
    assert!(published_files(tagged.store()) == before);

    let transform = ["transform", "--month", "2026-09"];
    tagged
        .billstream()
        .run(&transform)
        .ok()
        .says(&["1 month published"]);
    assert_eq!(teams(), ["second"; 2]);
    tagged
        .billstream()
        .assert_month_is("2026-09", &sandbox.totals("2026-09"));

    // Without rules the tags disappear from months that are not settled.
    tagged.write("resource,team\n");
    assert_eq!(import("2026-11-10T10:00:00Z"), ["unchanged", "published"]);
    assert_eq!(teams(), ["second", ""]);
}

#[test]
fn every_key_ever_used_is_a_column_of_all_months() {
    let tagged = Tagged::new("resource,team\nlkc-7aa01x,first\n");
    let sandbox = Sandbox::start(&[]);
    let billstream = || {
        tagged
            .billstream()
            .from(&sandbox)
            .at("2026-11-10T06:00:00Z")
    };
    billstream().import("2026-09").ok();
    tagged.write("resource,product\nlkc-7aa01x,shop\n");
    billstream().import(MONTH).ok();
    for (month, team, product) in [("2026-09", "first", ""), (MONTH, "", "shop")] {
        let rows = billstream().line_items(month);
        assert_eq!(one_value(&rows, "team")[ORDERS], team);
        assert_eq!(one_value(&rows, "product")[ORDERS], product);
        let costs = billstream().costs(month);
        assert_line_items_are(&rows, &costs, &sandbox.totals(month));
    }
}

#[test]
fn refuses_a_key_that_differs_in_case_from_a_published_one() {
    let tagged = Tagged::new("resource,team\nlkc-7aa01x,first\n");
    let sandbox = Sandbox::start(&[]);
    let billstream = tagged.billstream().from(&sandbox);
    billstream.import(MONTH).ok();
    let (before, asked) = (published_files(tagged.store()), sandbox.requests());
    tagged.write("resource,Team\nlkc-7aa01x,second\n");
    let file = tagged.file().display().to_string();
    for command in ["import", "transform"] {
        let output = billstream.run(&[command, "--month", MONTH]).code(1);
        let output = output.says(&[
            &file,
            "the tag `Team` is already published as `team`",
            "use the published spelling `team`",
        ]);
        assert_eq!(
            output.stderr.matches("error:").count(),
            1,
            "{}",
            output.stderr
        );
    }
    assert_eq!(sandbox.requests(), asked);
    assert!(published_files(tagged.store()) == before);
}
