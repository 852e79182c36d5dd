//! Tags of the user: a CSV file of rules, one value per resource and key.

#[path = "tags/changes.rs"]
mod changes;
#[path = "tags/files.rs"]
mod files;
#[path = "tags/owners.rs"]
mod owners;
#[path = "tags/rules.rs"]
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tempfile::{TempDir, tempdir};

use crate::support::{Billstream, CONNECTION, MONTH, Row, Sandbox, drop_in_force, published_files};

/// Rules with every way to match, in order of specificity.
pub const RULES: &str = "\
environment,resource,name,service,team,cost_centre
env-k2m9d,,,,platform,100
,,orders-*,,orders,
,lkc-pay3nt,,,payments,300
,,,flink,streaming,
,,*,,,9
";

/// A store with a file of tags beside it.
pub struct Tagged {
    store: TempDir,
    folder: TempDir,
}

impl Tagged {
    pub fn new(rules: &str) -> Tagged {
        let tagged = Tagged {
            store: tempdir().unwrap(),
            folder: tempdir().unwrap(),
        };
        tagged.write(rules);
        tagged
    }

    pub fn store(&self) -> &Path {
        self.store.path()
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("tags.csv")
    }

    pub fn write(&self, rules: &str) {
        std::fs::write(self.file(), rules).unwrap();
    }

    /// billstream with the file configured.
    pub fn billstream(&self) -> Billstream {
        Billstream::on(self.store()).env("BILLSTREAM_TAGS", self.file().to_str().unwrap())
    }
}

/// Values of a tag by `resource/id`; the empty id stands for costs without a resource.
pub fn values<'r>(rows: &'r [Row], key: &str) -> BTreeMap<&'r str, BTreeSet<&'r str>> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in rows {
        // The column exists once there is a value.
        let value = row.get(&format!("resource/tag:{key}"));
        let value = value.map_or("", String::as_str);
        values.entry(&row["resource/id"]).or_default().insert(value);
    }
    values
}

/// Asserts that each resource has one value of a tag, and costs without a resource have none; returns the
/// values by resource.
#[track_caller]
pub fn one_value<'r>(rows: &'r [Row], key: &str) -> BTreeMap<&'r str, &'r str> {
    let values = values(rows, key);
    let one = values.into_iter().map(|(id, values)| {
        assert_eq!(values.len(), 1, "{id} has {values:?}");
        let value = values.into_iter().next().unwrap();
        assert!(
            !id.is_empty() || value.is_empty(),
            "{value} without a resource"
        );
        (id, value)
    });
    one.collect()
}

#[test]
fn line_items_and_drop_have_one_tag_value_per_resource() {
    let (sandbox, tagged) = (Sandbox::start(&[]), Tagged::new(RULES));
    let billstream = tagged
        .billstream()
        .from(&sandbox)
        .at("2026-11-10T06:00:00Z");
    billstream.import(MONTH).ok().status("published");
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
    let drop = drop_in_force(tagged.store(), CONNECTION, MONTH);
    for rows in [billstream.line_items(MONTH), drop] {
        let teams = one_value(&rows, "team");
        // By specificity: id, name, environment, service.
        for (id, team) in [
            ("kafka-cluster/lkc-7aa01x", "orders"),
            ("kafka-cluster/lkc-pay3nt", "payments"),
            ("connector/lcc-5tt8w", "platform"),
            ("flink-compute-pool/lfcp-m31k0", "streaming"),
            ("kafka-cluster/lkc-st4g1n", ""),
            ("", ""),
        ] {
            assert_eq!(teams[id], team, "{id}");
        }
        let centres = one_value(&rows, "cost_centre");
        for (id, centre) in [
            // A lone `*` weighs least.
            ("kafka-cluster/lkc-7aa01x", "100"),
            ("kafka-cluster/lkc-pay3nt", "300"),
            ("kafka-cluster/lkc-st4g1n", "9"),
            ("", ""),
        ] {
            assert_eq!(centres[id], centre, "{id}");
        }
        // Costs without a resource exist and have no tags.
        assert!(rows.iter().any(|row| row["resource/id"].is_empty()));
    }
    let before = published_files(tagged.store());
    billstream.import(MONTH).ok().status("unchanged");
    assert!(published_files(tagged.store()) == before);
}

#[test]
fn a_catch_all_rule_tags_resources_only() {
    for rules in ["resource,team\n*,all\n", "name,resource,team\n,,all\n"] {
        let (sandbox, tagged) = (Sandbox::start(&[]), Tagged::new(rules));
        let billstream = tagged.billstream().from(&sandbox);
        billstream.import(MONTH).ok().status("published");
        let rows = billstream.line_items(MONTH);
        for (id, team) in one_value(&rows, "team") {
            assert_eq!(team, if id.is_empty() { "" } else { "all" }, "{id}");
        }
        billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
    }
}

#[test]
fn rules_match_inventory_names_once_loaded() {
    let rules = "environment,name,team\nproduction,,by environment\n*,new name,by name\n";
    let tagged = Tagged::new(rules);
    let sandbox = Sandbox::start(&["--rename-resource", "lkc-7aa01x=new name"]);
    let billstream = tagged
        .billstream()
        .from(&sandbox)
        .at("2026-11-10T06:00:00Z");
    billstream.import(MONTH).ok();
    let rows = billstream.line_items(MONTH);
    // Costs contain the ids of environments only.
    assert!(
        one_value(&rows, "team")
            .values()
            .all(|team| team.is_empty())
    );
    let named = billstream.env("BILLSTREAM_INVENTORY", "true");
    named.import(MONTH).ok().status("published");
    let rows = named.line_items(MONTH);
    let teams = one_value(&rows, "team");
    assert_eq!(teams["kafka-cluster/lkc-7aa01x"], "by name");
    assert_eq!(teams["connector/lcc-5tt8w"], "by environment");
    assert_eq!(teams["kafka-cluster/lkc-st4g1n"], "");
}

#[test]
fn accepts_any_text_as_a_value() {
    let rules = "\u{feff}resource,team,note\r\n\
                 lkc-7aa01x,\"Ops, \"\"EMEA\"\"\",\"two\nlines\"\r\n\
                 lkc-pay3nt,  équipe données  ,=1+1\r\n";
    let (sandbox, tagged) = (Sandbox::start(&[]), Tagged::new(rules));
    let billstream = tagged.billstream().from(&sandbox);
    billstream.import(MONTH).ok().status("published");
    let drop = drop_in_force(tagged.store(), CONNECTION, MONTH);
    for rows in [billstream.line_items(MONTH), drop] {
        let (teams, notes) = (one_value(&rows, "team"), one_value(&rows, "note"));
        assert_eq!(teams["kafka-cluster/lkc-7aa01x"], "Ops, \"EMEA\"");
        assert_eq!(notes["kafka-cluster/lkc-7aa01x"], "two\nlines");
        assert_eq!(teams["kafka-cluster/lkc-pay3nt"], "équipe données");
        assert_eq!(notes["kafka-cluster/lkc-pay3nt"], "=1+1");
    }
}

#[test]
fn rules_match_resource_kinds_and_a_lone_star_weighs_least() {
    let rules = "\
resource,name,environment,service,team
*,,,,rest
connector/*,,,,connectors
KAFKA-CLUSTER/lkc-pay3nt,,,,payments
connector/lkc-7aa01x,,,,wrong
,,production,ksqlDB,streams
";
    let (sandbox, tagged) = (Sandbox::start(&[]), Tagged::new(rules));
    let billstream = tagged.billstream().from(&sandbox);
    let mut billstream = billstream.env("BILLSTREAM_INVENTORY", "true");
    billstream = billstream.at("2026-11-10T06:00:00Z");
    billstream.import(MONTH).ok().status("published");
    let rows = billstream.line_items(MONTH);
    for (id, team) in one_value(&rows, "team") {
        let wanted = match id {
            "" => "",
            "kafka-cluster/lkc-pay3nt" => "payments",
            "ksqldb-cluster/lksqlc-90qpz" => "streams",
            id if id.starts_with("connector/") => "connectors",
            _ => "rest",
        };
        assert_eq!(team, wanted, "{id}");
    }
}
