//! Tests of the schema checker, on which the other tests of this topic rely.

use serde_json::{Value, json};

use super::{assert_clean, names, pairs, upload};
use crate::support::schema::{Api, Findings};

#[test]
fn accepts_the_published_schema_and_the_additions_of_the_guide() {
    let api = Api::read();
    assert_clean("unchanged", api.check_named("upload", &upload()));
    for (column, value) in [
        ("cost/cost", "-12.50"),
        ("cost/on_demand_cost", "0"),
        ("usage/amount", "0.000000000000000000000001"),
        ("lineitem/type", "CommittedUseVacancy"),
        ("lineitem/type", "CommittedUseRecurringFee"),
        ("lineitem/cloud_provider", "Confluent"),
        ("time/usage_start", "2026-10-01T00:00:00"),
        ("time/usage_start", "2026-10-01T00:00:00.25+00:00"),
        ("time/usage_end", "2026-10-01T01:00:00-05:30"),
        ("resource/tag:team.a/b=c@d-e_F9", "x"),
    ] {
        let mut upload = upload();
        upload["data"][0][column] = value.into();
        assert_clean(column, api.check_named("upload", &upload));
    }
}

#[test]
fn reports_violations_of_the_schema() {
    let api = Api::read();
    let refused = |what: &Value, found: Findings, said: &str| {
        let wrong = found.wrong.join("\n");
        assert!(wrong.contains(said), "{what}: `{wrong}` lacks `{said}`");
    };
    for (column, value, said) in [
        ("cost/cost", json!(12.5), "/data/0/cost/cost: a number is"),
        ("cost/cost", json!(12), "a number is"),
        ("cost/cost", json!(null), "null is"),
        ("cost/cost", json!("1e3"), "does not fit"),
        ("cost/cost", json!("1E-7"), "does not fit"),
        ("cost/cost", json!("+1"), "does not fit"),
        ("cost/cost", json!(".5"), "does not fit"),
        ("cost/cost", json!("5."), "does not fit"),
        ("cost/cost", json!("--5"), "does not fit"),
        ("cost/cost", json!("1,5"), "does not fit"),
        ("cost/cost", json!(""), "does not fit"),
        ("cost/discounted_cost", json!("NaN"), "does not fit"),
        ("usage/amount", json!("-1"), "does not fit"),
        ("usage/amount", json!(1), "a number is"),
        ("lineitem/type", json!("Refund"), "is none of"),
        ("lineitem/type", json!("usage"), "is none of"),
        ("time/usage_start", json!("2026-10-01"), "does not fit"),
        (
            "time/usage_start",
            json!("2026-10-01T00:00:00z"),
            "does not fit",
        ),
        (
            "time/usage_end",
            json!("2026-10-01T00:00:00.Z"),
            "does not fit",
        ),
        (
            "time/usage_end",
            json!("2026-10-01T00:00:00+0000"),
            "does not fit",
        ),
        ("resource/tag:team", json!(["x"]), "an array is"),
    ] {
        let mut upload = upload();
        upload["data"][0][column] = value;
        refused(&upload, api.check_named("upload", &upload), said);
    }
    for (name, value, said) in [
        ("month", json!("2026-10"), "/month: "),
        ("operation", json!("append"), "/operation: "),
        ("data", json!({}), "/data: an object is"),
        (
            "data",
            json!([{"cost/cost": "1"}]),
            "time/usage_start is missing",
        ),
        (
            "data",
            json!([{"time/usage_start": "2026-10-01T00:00:00Z"}]),
            "cost/cost is missing",
        ),
    ] {
        let mut upload = upload();
        upload[name] = value;
        refused(&upload, api.check_named("upload", &upload), said);
    }
    refused(
        &json!({}),
        api.check_named("upload", &json!({})),
        "data is missing",
    );
    for (endpoint, status, response, said) in [
        (
            "POST billing_drops",
            200,
            json!({"connection": {"drop_id": 7, "month": "2026-10-01T00:00:00Z", "row_count": 1}}),
            "drop_id: a number is",
        ),
        (
            "POST billing_drops",
            200,
            json!({"connection": {"drop_id": "7", "month": "2026-10-01T00:00:00Z", "row_count": 1.5}}),
            "row_count: a number is",
        ),
        (
            "POST billing_drops",
            200,
            json!({"billing_drops": []}),
            "connection is missing",
        ),
        (
            "POST billing_drops",
            418,
            json!({"message": "x"}),
            "does not answer 418",
        ),
        (
            "POST billing_drops",
            400,
            json!({"message": "x"}),
            "error is missing",
        ),
        (
            "POST billing_drops",
            403,
            json!({"error": {"message": "x"}}),
            "message is missing",
        ),
        (
            "POST validate_billing_drop",
            200,
            json!({"connection": {"is_valid": "yes"}}),
            "is_valid: a text is",
        ),
        (
            "POST validate_billing_drop",
            200,
            json!({"connection": {"is_valid": false, "errors": [{}]}}),
            "errors/0: an object is",
        ),
        (
            "GET billing_drops/{month}",
            200,
            json!({"billing_drop": [{"time/usage_start": "2026-10-01T00:00:00Z", "cost/cost": 1}]}),
            "cost/cost: a number is",
        ),
        (
            "GET connections/billing",
            200,
            json!({"connections": [{"id": "1"}]}),
            "connections/0: connection_id is missing",
        ),
        (
            "GET billing/costs",
            200,
            json!({"costs": [{"usage_date": "2026-10-01T00:00:00Z", "cost": "1"}]}),
            "cost: a text is",
        ),
    ] {
        refused(
            &response,
            api.check_answer(endpoint, status, &response),
            said,
        );
    }
    for (query, said) in [
        ("granularity=daily", "start_date is missing"),
        ("start_date=2026-10-01", "start_date: "),
        (
            "start_date=2026-10-01T00%3A00%3A00Z&cost_type=list_cost",
            "cost_type: ",
        ),
        (
            "start_date=2026-10-01T00:00:00Z&filters=Region",
            "holds no JSON",
        ),
        (
            "start_date=2026-10-01T00:00:00Z&filters=%7B%22Region%22%3A%22x%22%7D",
            "content/Region: a text is",
        ),
    ] {
        let query = pairs(query);
        refused(
            &query,
            api.check_request("GET billing/costs", "query", &query),
            said,
        );
    }
    let found = api.check_request("GET billing_drops/{month}", "month", &json!("2026-10-01"));
    refused(&Value::Null, found, "does not fit");
}

#[test]
fn names_unpublished_fields() {
    let api = Api::read();
    let mut upload = upload();
    upload["note"] = "x".into();
    for name in [
        "resource/name",
        "resource/tag:Team Name",
        "resource/tag:",
        "cost",
    ] {
        upload["data"][0][name] = "x".into();
    }
    let found = api.check_named("upload", &upload);
    assert_eq!(found.wrong, Vec::<String>::new());
    let expected = [
        "/note",
        "/data/*/resource/name",
        "/data/*/resource/tag:Team Name",
        "/data/*/resource/tag:",
        "/data/*/cost",
    ];
    assert_eq!(found.unnamed, names(expected));
}
