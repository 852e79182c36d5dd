//! What CloudZero's document and guide disagree on, either of which a sandbox can follow.

use super::*;
use billstream::sandbox::{AcceptedMonths, Dialect};

const H0: &str = "2026-10-01T00:00:00Z";
const DATETIME: &str = "2026-10-01T00:00:00Z";
const YEAR_MONTH: &str = "2026-10";

async fn speaking(dialect: Dialect) -> Server {
    Server::start(Options {
        dialect,
        ..options()
    })
    .await
}

fn upload(month: &str) -> Value {
    json!({ "month": month, "data": [row(H0, "1")] })
}

#[tokio::test]
async fn accepts_months_in_the_configured_form_only() {
    for (months, datetime, year_month) in [
        (AcceptedMonths::Any, 200, 200),
        (AcceptedMonths::Datetime, 200, 400),
        (AcceptedMonths::YearMonth, 400, 200),
    ] {
        let server = speaking(Dialect {
            months_in_bodies: months,
            ..Dialect::default()
        })
        .await;
        for (month, expected) in [(DATETIME, datetime), (YEAR_MONTH, year_month)] {
            let (status, _) = post(&server, DROPS, &upload(month)).await;
            assert_eq!(status, expected, "{months:?} {month}");
            let (status, body) = post(&server, VALIDATE, &upload(month)).await;
            assert_eq!(status, 200);
            let is_valid = body["connection"]["is_valid"].as_bool().unwrap();
            assert_eq!(is_valid, expected == 200, "{months:?} {month}");
        }
        let server = speaking(Dialect {
            months_in_paths: months,
            ..Dialect::default()
        })
        .await;
        for (month, expected) in [(DATETIME, datetime), (YEAR_MONTH, year_month)] {
            assert_eq!(post(&server, DROPS, &upload(month)).await.0, 200);
            let (status, _) = get(&server, &format!("{DROPS}/{month}")).await;
            assert_eq!(status, expected, "{months:?} {month}");
        }
        let (_, requests) = get(&server, "/sandbox/cloudzero/requests").await;
        let sent: Vec<&Value> = requests
            .as_array()
            .unwrap()
            .iter()
            .map(|request| &request["month_sent"])
            .collect();
        assert_eq!(sent, [DATETIME, DATETIME, YEAR_MONTH, YEAR_MONTH]);
    }
}

#[tokio::test]
async fn validation_can_refuse_signs_which_drops_may_have() {
    let server = speaking(Dialect {
        refuses_signs: true,
        ..Dialect::default()
    })
    .await;
    let credit = october("replace_drop", &[(H0, "5"), (H0, "-1.5")]);
    let (_, body) = post(&server, VALIDATE, &credit).await;
    let errors = &body["connection"]["errors"];
    let expected = r"data[1].cost/cost: '-1.5' does not match '^\d+(\.\d{1,})?$'";
    assert_eq!(errors, &json!([expected]));
    assert_eq!(post(&server, DROPS, &credit).await.0, 200);
    assert_eq!(stored(&server).await, rows_and_cost(2, "3.5"));
    let (_, body) = post(&server, VALIDATE, &october("sum", &[(H0, "5")])).await;
    assert_eq!(body["connection"]["is_valid"], true);
    // The list of errors is cut.
    let many = vec![(H0, "-1"); 30];
    let (_, body) = post(&server, VALIDATE, &october("sum", &many)).await;
    let errors = body["connection"]["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 20);
}
