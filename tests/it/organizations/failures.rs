//! A failure of one connection does not affect the others, and the exit code reports it.

use super::{NAMES, Scene, import, of, statuses};
use crate::support::MONTH;

#[test]
fn a_wrong_key_fails_its_connection_only() {
    let scene = Scene::new(&[&[], &[], &[]]);
    let billstream = scene.with_key("globex", "no-such-key");
    let output = import(&billstream).code(4);
    let json = output.json();
    for name in ["acme", "initech"] {
        assert_eq!(statuses(&json, name), ["published"]);
        assert_eq!(of(&json, name)["exit_code"], 0);
        scene.assert_month_is(name, MONTH);
    }
    let failed = of(&json, "globex");
    assert_eq!(failed["exit_code"], 3);
    assert_eq!(statuses(&json, "globex"), ["failed"]);
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("401"), "{error}");
    scene.assert_nothing_of("globex");
    output.says(&["error: connection `globex`: ", "401", "hint:"]);

    let table = billstream.run(&["import", "--month", MONTH]).code(4);
    let row = table
        .stdout
        .lines()
        .find(|line| line.contains("globex"))
        .unwrap();
    assert!(row.contains("failed"), "{}", table.stdout);
    let others = table
        .stdout
        .lines()
        .filter(|line| line.contains("unchanged"))
        .count();
    assert_eq!(others, 2, "{}", table.stdout);

    // With the right key the connection is imported.
    let json = import(&scene.billstream()).ok().json();
    assert_eq!(statuses(&json, "globex"), ["published"]);
    assert_eq!(statuses(&json, "acme"), ["unchanged"]);
    scene.assert_month_is("globex", MONTH);
}

#[test]
fn a_connection_without_a_key_fails_before_any_request() {
    let scene = Scene::new(&[&[], &[]]);
    let billstream = scene.billstream().without("globex_KEY");
    let output = import(&billstream).code(4);
    let json = output.json();
    let failed = of(&json, "globex");
    assert_eq!(failed["exit_code"], 3);
    assert!(
        failed["error"].as_str().unwrap().contains("globex_KEY"),
        "{failed}"
    );
    assert!(failed.get("periods").is_none(), "{failed}");
    output.says(&["connection `globex`", "globex_KEY"]);
    assert_eq!(statuses(&json, "acme"), ["published"]);
    assert_eq!(scene.sandboxes[1].requests(), 0);
    let table = billstream.run(&["import", "--month", MONTH]).code(4);
    let row = table
        .stdout
        .lines()
        .find(|line| line.contains("globex"))
        .unwrap();
    assert!(row.contains("failed"), "{}", table.stdout);
}

#[test]
fn equal_failures_decide_the_exit_code() {
    let scene = Scene::new(&[&[], &[]]);
    let all = |key: &str| {
        scene
            .billstream()
            .env("acme_KEY", key)
            .env("globex_KEY", key)
    };
    let json = import(&all("no-such-key")).code(3).json();
    assert!(
        scene
            .names()
            .iter()
            .all(|name| of(&json, name)["exit_code"] == 3)
    );

    // Different failures: partial.
    let mut scene = Scene::new(&[&[], &[]]);
    scene.sandboxes[1].stop();
    let billstream = scene
        .with_key("acme", "no-such-key")
        .env("BILLSTREAM_RETRY_ATTEMPTS", "1");
    let json = import(&billstream).code(4).json();
    assert_eq!(of(&json, "acme")["exit_code"], 3);
    assert_eq!(of(&json, "globex")["exit_code"], 7);
    scene.sandboxes[0].stop();
    let billstream = scene.billstream().env("BILLSTREAM_RETRY_ATTEMPTS", "1");
    let output = import(&billstream).code(7);
    output.says(&["connection `acme`", "connection `globex`"]);
    for name in NAMES {
        scene.assert_nothing_of(name);
    }
}

#[test]
fn bad_data_in_one_connection_outranks_other_errors() {
    let scene = Scene::new(&[&[], &["--fault", "bad-record"], &[]]);
    let output = import(&scene.with_key("initech", "no-such-key")).code(1);
    assert_eq!(scene.sandboxes[1].fired("bad-record"), 1);
    let json = output.json();
    let codes = NAMES.map(|name| of(&json, name)["exit_code"].as_u64().unwrap());
    assert_eq!(codes, [0, 1, 3]);
    scene.assert_month_is("acme", MONTH);
    scene.assert_nothing_of("globex");
}

#[test]
fn unreconciled_totals_in_one_connection_outrank_other_errors() {
    // A mapping that doubles the costs of one organization.
    let scene = Scene::new(&[&[], &[]]);
    let sql = scene.path().join("sql");
    std::fs::create_dir_all(sql.join("models")).unwrap();
    let model = include_str!("../../../sql/models/line_items.sql");
    let from = "else net_amount\n    end as \"cost/cost\"";
    assert!(model.contains(from));
    let to = "when connection = 'globex' then net_amount + net_amount\n      ";
    let model = model.replace(from, &format!("{to}{from}"));
    std::fs::write(sql.join("models/line_items.sql"), model).unwrap();
    let billstream = scene
        .billstream()
        .env("BILLSTREAM_SQL_DIR", sql.to_str().unwrap());
    let output = import(&billstream).code(5);
    let json = output.json();
    assert_eq!(of(&json, "globex")["exit_code"], 5);
    assert_eq!(of(&json, "acme")["exit_code"], 0);
    assert!(
        of(&json, "globex")["error"]
            .as_str()
            .unwrap()
            .contains("not published")
    );
    scene.assert_month_is("acme", MONTH);
    scene.assert_nothing_of("globex");
    output.says(&["connection `globex`: ", "line_items_match_wire"]);
}

#[test]
fn reports_a_month_on_hold_with_its_connection() {
    let scene = Scene::new(&[&[], &[]]);
    import(&scene.billstream()).ok();
    let shrunk = Scene::new(&[&[], &["--drop-day", "2026-10-07"]]);
    let billstream = shrunk
        .billstream()
        .env("BILLSTREAM_STORE", scene.path().to_str().unwrap());
    let output = import(&billstream).code(4);
    let json = output.json();
    assert_eq!(statuses(&json, "acme"), ["unchanged"]);
    assert_eq!(statuses(&json, "globex"), ["held"]);
    let globex = of(&json, "globex");
    assert_eq!(globex["exit_code"], 4);
    assert!(
        globex["error"]
            .as_str()
            .unwrap()
            .contains("2026-10 is on hold"),
        "{globex}"
    );
    output.says(&["held: globex: 2026-10", "2026-10-07"]);
    scene.assert_month_is("globex", MONTH);
}

#[test]
fn a_broken_setting_fails_its_connection_only() {
    let scene = Scene::new(&[&[], &[]]);
    scene.configure("", |name| match name {
        "acme" => "currency = \"dollars\"".to_string(),
        _ => String::new(),
    });
    let output = import(&scene.billstream()).code(4);
    let output = output.says(&["connection `acme`", "dollars", "currency"]);
    assert_eq!(statuses(&output.json(), "globex"), ["published"]);
    scene.assert_month_is("globex", MONTH);
}

#[test]
fn a_missing_inventory_role_is_not_a_failure() {
    let scene = Scene::new(&[&[], &[]]);
    scene.configure("", |_| "inventory = true".to_string());
    let output = import(&scene.with_key("acme", "billing-only")).ok();
    let output = output.says(&["Operator", "connection=acme"]);
    for name in scene.names() {
        assert_eq!(statuses(&output.json(), name), ["published"]);
        scene.assert_month_is(name, MONTH);
    }
    let kept = scene
        .billstream()
        .query("select distinct connection from resources");
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["connection"], "globex");
}
