//! Changes of the file: open months are updated by the next run, settled ones on request.

use std::collections::BTreeMap;

use super::{Tagged, one_value, published_files};
use crate::support::{Billstream, MONTH, Row, Sandbox, assert_line_items_are, csv_rows};

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

/// Rows of a report by their item.
fn report(billstream: &Billstream, arguments: &[&str]) -> BTreeMap<String, Row> {
    let mut command = vec!["report"];
    command.extend(arguments);
    command.extend(["--format", "csv"]);
    let rows = csv_rows(billstream.run(&command).ok().stdout.as_bytes());
    let rows = rows.into_iter().map(|row| (row["item"].clone(), row));
    rows.collect()
}

#[test]
fn labels_of_a_later_month_apply_to_months_that_were_published_before() {
    let tagged = Tagged::new("resource,team\nlkc-nowhere,nobody\n");
    let sandbox = Sandbox::start(&["--today", "2026-11-23"]);
    let billstream = tagged.billstream().from(&sandbox);
    let before = billstream.import("2026-09").ok();
    before.says(&[
        "WARN",
        "Rules match no resource of these months",
        "lines=\"2\"",
    ]);

    // Inventory, owners and another provider, for the next month only.
    tagged.write("resource,environment,team\nlkc-7aa01x,,orders\n,production,rest\n");
    let billstream = billstream
        .env("BILLSTREAM_INVENTORY", "true")
        .env("BILLSTREAM_CLOUD_PROVIDER", "Confluent Cloud");
    let import = billstream.import(MONTH).ok();
    import.says(&[
        "Settled months keep the names and tags of their last publish",
        "billstream transform --connection confluent --month 2026-09",
    ]);
    let again = billstream.import(MONTH).ok();
    assert!(!again.stderr.contains("Settled months"), "it is said once");
    let published = |column: &str| {
        billstream.query(&format!(
            "select billing_period, count(distinct \"{column}\") as n from line_items group by 1 order by 1"
        ))
    };
    let names = published("resource/tag:confluent_environment");
    assert_eq!(names[0]["n"], "0", "the first month was published without");
    assert!(names[1]["n"] != "0");

    for by in ["environment", "cloud_provider", "tag:team"] {
        let changes = report(
            &billstream,
            &["changes", "--param", &format!("month={MONTH}"), "--by", by],
        );
        assert!(changes.len() > 1 || by == "cloud_provider", "{changes:?}");
        for (item, row) in &changes {
            let is_zero = |column: &str| row[column].trim_matches(['0', '.', '-']).is_empty();
            assert!(!is_zero("previous_cost") && !is_zero("cost"), "{by} {item}");
        }
    }
    // Every report knows the same owners of the first month.
    let month = "month=2026-09";
    let owners = report(&billstream, &["owners", "--param", month]);
    let top = report(
        &billstream,
        &["top_resources", "--param", month, "--by", "tag:team"],
    );
    let by_tag = billstream.query(
        "select tag_value, billed_cost from costs_by_tag where tag_key = 'team' and billing_period = '2026-09' order by 1",
    );
    let by_day = billstream.query(
        "select json_text(tags, 'team') as team, sum(billed_cost) as billed_cost,
            sum(billed_cost) filter (where line_item_type not in ('Credit', 'Adjustment')) as charges
        from daily_costs where billing_period = '2026-09' and json_text(tags, 'team') <> '' group by 1 order by 1",
    );
    assert_eq!((by_tag.len(), by_day.len()), (2, 2));
    for (tag, day) in by_tag.iter().zip(&by_day) {
        let team = &day["team"];
        assert_eq!(
            (&tag["tag_value"], &tag["billed_cost"]),
            (team, &day["billed_cost"])
        );
        for found in [&owners[team], &top[team]] {
            assert_eq!(found["billed_cost"], day["charges"], "{team}");
        }
    }
}
