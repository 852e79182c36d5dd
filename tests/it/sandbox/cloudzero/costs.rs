//! Costs: types, granularities, filters, paging, request limit.

use super::*;

async fn ask_costs(server: &Server, query: &str) -> Vec<Value> {
    let (status, body) = get(server, &format!("/v2/billing/costs?{query}")).await;
    assert_eq!(status, 200, "{query}: {body}");
    body["costs"].as_array().unwrap().clone()
}

#[tokio::test]
async fn sums_costs_by_type_granularity_and_group() {
    let server = Server::start(options()).await;
    let rows = json!([
        { "time/usage_start": "2026-10-01T00:00:00Z", "cost/cost": "10", "cost/discounted_cost": "7.5",
          "cost/on_demand_cost": "12" },
        { "time/usage_start": "2026-10-02T05:00:00Z", "cost/cost": "1", "cost/amortized_cost": "2" },
        { "time/usage_start": "2026-10-02T06:00:00Z", "cost/cost": "-3", "lineitem/type": "Credit" },
    ]);
    post(&server, DROPS, &json!({ "month": "2026-10", "data": rows })).await;
    for (kind, expected) in [
        ("billed_cost", 8.0),
        ("discounted_cost", 5.5),
        ("on_demand_cost", 10.0),
        ("amortized_cost", 9.0),
        ("discounted_amortized_cost", 6.5),
        ("real_cost", 9.5),
    ] {
        let query = format!("start_date=2026-10-01&granularity=monthly&cost_type={kind}");
        let expected = json!({ "usage_date": "2026-10-01T00:00:00+00:00", "cost": expected });
        assert_eq!(ask_costs(&server, &query).await, [expected], "{kind}");
    }
    let dates = async |query: &str| {
        let costs = ask_costs(&server, query).await;
        Vec::from_iter(
            costs
                .iter()
                .map(|cost| text(cost, "usage_date")[5..16].to_owned()),
        )
    };
    let october = "cost_type=billed_cost&start_date=2026-10-01T00%3A00%3A00Z";
    assert_eq!(dates(october).await, ["10-01T00:00", "10-02T00:00"]);
    assert_eq!(
        dates(&format!("{october}&end_date=2026-10-02")).await,
        ["10-01T00:00"]
    );
    let hourly = format!("{october}&granularity=hourly");
    assert_eq!(
        dates(&hourly).await,
        ["10-01T00:00", "10-02T05:00", "10-02T06:00"]
    );
    assert_eq!(
        dates(&format!("{october}&granularity=weekly")).await,
        ["09-28T00:00"]
    );
    assert_eq!(
        dates(&format!("{october}&granularity=yearly")).await,
        ["01-01T00:00"]
    );
    let filter = |text: &str| {
        let text: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        format!("{october}&filters={text}")
    };
    assert_eq!(
        dates(&filter(r#"{"BillingConnectionID":["sandbox-stream"]}"#))
            .await
            .len(),
        2
    );
    assert_eq!(
        dates(&filter(r#"{"BillingConnectionID":["other"]}"#))
            .await
            .len(),
        0
    );
    assert_eq!(
        dates(&filter(r#"{"!LineItemType":["Usage"]}"#)).await,
        ["10-02T00:00"]
    );
    let grouped = ask_costs(
        &server,
        &format!("{october}&group_by=LineItemType&group_by=BillingConnectionID"),
    )
    .await;
    assert_eq!(
        grouped[1],
        json!({ "usage_date": "2026-10-02T00:00:00+00:00", "cost": -3.0,
        "LineItemType": "Credit", "BillingConnectionID": "sandbox-stream" })
    );
    for wrong in [
        "granularity=daily",
        "start_date=yesterday",
        "start_date=2026-10-01&end_date=2026-10-01",
        "start_date=2026-10-01&granularity=secondly",
        "start_date=2026-10-01&cost_type=usage_amount",
        "start_date=2026-10-01&filters=x",
        "start_date=2026-10-01&filters=%7B%22Service%22%3A%5B%5D%7D",
        "start_date=2026-10-01&group_by=Service",
    ] {
        let (status, body) = get(&server, &format!("/v2/billing/costs?{wrong}")).await;
        assert_eq!(status, 400, "{wrong}: {body}");
    }
}

#[tokio::test]
async fn pages_results_and_limits_requests() {
    let server = Server::start(options()).await;
    for month in ["2026-08", "2026-10"] {
        let rows = (0..744 * 8).map(|number| {
            let (day, hour, kind) = (number / 192 + 1, number / 8 % 24, number % 8);
            let kinds = [
                "Usage",
                "Tax",
                "Support",
                "Purchase",
                "Discount",
                "Credit",
                "Fee",
                "Adjustment",
            ];
            json!({ "time/usage_start": format!("{month}-{day:02}T{hour:02}:00:00Z"),
                    "cost/cost": "0.1", "lineitem/type": kinds[kind] })
        });
        let body = json!({ "month": month, "data": Vec::from_iter(rows) });
        assert_eq!(post(&server, DROPS, &body).await.0, 200);
    }
    let path = "/v2/billing/costs?start_date=2026-08-01&granularity=hourly&cost_type=billed_cost&group_by=LineItemType";
    let (_, first) = get(&server, path).await;
    assert_eq!(first["costs"].as_array().unwrap().len(), 10_000);
    assert_eq!(first["pagination"]["total_count"], 744 * 16);
    let next = text(&first["pagination"]["cursor"], "next_cursor");
    let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    // Pages show the results as of the query.
    post(&server, DROPS, &october("replace_drop", &[])).await;
    for request in 1..62 {
        let (status, second) = get(&server, &format!("{path}&cursor={next}")).await;
        assert_eq!(
            (status, second["costs"].as_array().unwrap().len()),
            (200, 744 * 16 - 10_000)
        );
        assert_eq!(second["pagination"]["cursor"]["has_next"], false);
        if request > 1 {
            continue;
        }
        for _ in 1..60 {
            assert_eq!(
                get(&server, "/v2/billing/costs?start_date=2026-09-01")
                    .await
                    .0,
                200
            );
        }
    }
    let (status, body) = get(&server, path).await;
    assert_eq!(status, 429);
    assert!(body["error"]["message"].is_string());
    assert_eq!(
        get(&server, "/v2/billing/costs?cursor=costs%3E99%3E0")
            .await
            .0,
        410
    );
}
