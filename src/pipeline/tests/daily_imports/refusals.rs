//! Months that Confluent refuses (HTTP 400).

use super::scenarios::{FIRST_RUN, costs, in_month, sixty_days};
use super::*;
use crate::billing_period::Window;
use crate::error::ErrorKind;

#[tokio::test(flavor = "multi_thread")]
async fn months_before_the_organization_are_skipped_and_not_asked_for_again() {
    let script = Script::new(costs).refusing(|_, window: Window| {
        let is_before = window.start < period("2026-08").first_day();
        is_before.then_some(400)
    });
    sixty_days(script, async |daily, today, summary| {
        assert_eq!(summary.kind(), None, "{today}: {:?}", summary.errors);
        let requests = daily.source.take_requests();
        let refused = requests
            .iter()
            .filter(|window| window.start < period("2026-08").first_day())
            .count();
        let expected = match (today - day(FIRST_RUN)).num_days() {
            0 => 9,
            // A month later the server is asked again; the oldest month is out of reach then.
            30 => 8,
            _ => 0,
        };
        assert_eq!(
            (refused, summary.unavailable.len()),
            (expected, expected),
            "{today}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_every_month_is_an_error() {
    let script = Script::new(costs).refusing(|_, _| Some(400));
    let daily = Daily::start(script).await;
    let summary = daily.import_at(at(day(FIRST_RUN))).await;
    assert_eq!(summary.kind(), Some(ErrorKind::Refused));
    assert_eq!(summary.errors.len(), 12);
    assert_eq!(summary.unavailable, []);
    let again = daily.import_at(at(day("2026-10-06"))).await;
    assert_eq!(again.errors.len(), 12, "nothing was remembered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_month_that_can_change_is_never_skipped() {
    let script = Script::new(costs).refusing(|now, window| {
        let is_refused = now.date_naive() == day("2026-11-08") && in_month(window.start, "2026-10");
        is_refused.then_some(400)
    });
    sixty_days(script, async |_, today, summary| {
        let expected = (today == day("2026-11-08")).then_some(ErrorKind::Partial);
        assert_eq!(summary.kind(), expected, "{today}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_past_today_is_asked_for_again_up_to_today() {
    let script = Script::new(costs).refusing(|now, window| {
        let is_future = window.end > now.date_naive();
        is_future.then_some(400)
    });
    sixty_days(script, async |_, today, summary| {
        // On its first day a month has no day that is over.
        let expected = (today.to_string().ends_with("-01")).then_some(ErrorKind::Partial);
        assert_eq!(summary.kind(), expected, "{today}: {:?}", summary.errors);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_recheck_hides_no_month_that_can_change() {
    // August lacks a day, so that it stays due; September has settled and is refused once.
    let gap = day("2026-08-14");
    let script = Script::new(move |now, of| {
        if of == gap && now.date_naive() < day("2026-10-29") {
            return Vec::new();
        }
        costs(now, of)
    })
    .refusing(|now, window| {
        let is_refused = now.date_naive() == day("2026-10-26") && window.start < day("2026-10-01");
        is_refused.then_some(400)
    });
    let mut daily = Daily::start(script).await;
    daily.pulls_only = true;
    daily.import_daily("2026-10-19", "2026-10-25").await;
    assert_eq!(
        daily.state_name("2026-08", "2026-10-25").await,
        "incomplete"
    );
    assert_eq!(daily.state_name("2026-09", "2026-10-25").await, "settled");
    let refused = daily.import_at(at(day("2026-10-26"))).await;
    assert_eq!(refused.kind(), Some(ErrorKind::Partial));
    assert_eq!(of(&refused, "2026-08").status, PeriodStatus::Failed);
    let next = daily.import_at(at(day("2026-10-27"))).await;
    assert_eq!(of(&next, "2026-08").status, PeriodStatus::Unchanged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_on_hold_is_asked_for_until_its_costs_are_back() {
    let script = Script::new(|now, of| {
        let is_lost = of == day("2026-08-14") && now.date_naive() == day("2026-10-26");
        if is_lost { Vec::new() } else { costs(now, of) }
    })
    .refusing(|now, window| {
        let is_refused = now.date_naive() == day("2026-10-27") && in_month(window.start, "2026-08");
        is_refused.then_some(400)
    });
    let mut daily = Daily::start(script).await;
    daily.pulls_only = true;
    daily.import_at(at(day("2026-10-19"))).await;
    let held = daily.import_at(at(day("2026-10-26"))).await;
    assert_eq!(of(&held, "2026-08").state, Some("on hold"));
    let refused = daily.import_at(at(day("2026-10-27"))).await;
    assert_eq!(refused.kind(), Some(ErrorKind::Partial));
    let back = daily.import_at(at(day("2026-10-28"))).await;
    assert_eq!(of(&back, "2026-08").state, Some("settled"));
}
