use super::*;
use crate::connections::state::{CheckState, Paused, RecordedError, RunState};

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-11-{text}:00Z").parse().unwrap()
}

fn status(state: &ConnectionState, data: Option<&str>) -> (HealthStatus, String) {
    let now = at("23T06:00");
    let (status, reason) = evaluate(state, data.map(at), TimeDelta::hours(36), now);
    (status, reason.unwrap_or_default())
}

#[test]
fn is_late_after_the_interval_and_not_before() {
    let state = ConnectionState::default();
    assert_eq!(status(&state, None).0, HealthStatus::PendingData);
    assert_eq!(status(&state, Some("23T05:00")).0, HealthStatus::Healthy);
    assert_eq!(status(&state, Some("21T18:00")).0, HealthStatus::Healthy);
    let (late, reason) = status(&state, Some("21T17:59"));
    assert_eq!(late, HealthStatus::Late);
    assert!(
        reason.contains("2026-11-21 17:59Z: 36 hours, expected within 36"),
        "{reason}"
    );
}

#[test]
fn is_late_if_the_source_stalls() {
    let stalled_at = |month: &str, newest: &str| {
        let mut state = MonthState::default();
        state.completeness.newest_day = Some(newest.parse().unwrap());
        let months = [(month.parse().unwrap(), state)];
        stalled(&months, TimeDelta::hours(36), at("23T06:00"))
    };
    // 72 hours and the interval before the 23rd, 06:00 is the 18th, 18:00.
    assert_eq!(stalled_at("2026-11", "2026-11-17"), None);
    assert_eq!(
        stalled_at("2026-10", "2026-10-31"),
        None,
        "November was not pulled"
    );
    let reason = stalled_at("2026-11", "2026-11-10").unwrap();
    assert!(
        reason.contains("after 2026-11-10; those of 2026-11-17"),
        "{reason}"
    );
}

#[test]
fn an_earlier_gap_ends_completeness() {
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    let month = |through: &str, missing: &[&str]| {
        let mut state = MonthState {
            complete_through: Some(day(through)),
            ..MonthState::default()
        };
        let missing = missing.iter().map(|text| day(text)).collect();
        state
            .completeness
            .observe(None, missing, false, at("23T06:00"));
        state
    };
    let gap = (
        "2026-09".parse().unwrap(),
        month("2026-09-09", &["2026-09-10"]),
    );
    let whole = ("2026-10".parse().unwrap(), month("2026-10-31", &[]));
    assert_eq!(
        complete_through(&[gap.clone(), whole.clone()]),
        Some(day("2026-09-09"))
    );
    assert_eq!(complete_through(&[whole]), Some(day("2026-10-31")));
    assert_eq!(
        incomplete(gap.0, &gap.1).unwrap(),
        "2026-09 has no costs on 2026-09-10"
    );
}

#[test]
fn is_late_if_never_imported() {
    let added = |when| ConnectionState {
        check: Some(CheckState {
            at: at(when),
            error: None,
        }),
        ..ConnectionState::default()
    };
    assert_eq!(
        status(&added("21T18:00"), None).0,
        HealthStatus::PendingData
    );
    let (late, reason) = status(&added("21T17:59"), None);
    assert_eq!(late, HealthStatus::Late);
    assert!(
        reason.contains("not checked since 2026-11-21 17:59Z"),
        "{reason}"
    );
}

#[test]
fn error_outranks_age_and_pause_outranks_both() {
    let error = |when| RecordedError {
        at: at(when),
        message: format!("no at {when}"),
    };
    let errors = [("import", "22T06:00"), ("deliver", "23T01:00")];
    let mut state = ConnectionState {
        run: Some(RunState {
            checked_at: Some(at("22T06:00")),
            errors: errors.map(|(c, t)| (c.to_string(), error(t))).into(),
            ..RunState::default()
        }),
        ..ConnectionState::default()
    };
    let (bad, reason) = status(&state, Some("01T00:00"));
    assert_eq!(bad, HealthStatus::Error);
    assert_eq!(reason, "deliver of 2026-11-23 01:00Z: no at 23T01:00");
    state.paused = Some(Paused {
        since: at("20T00:00"),
    });
    assert_eq!(
        status(&state, None),
        (HealthStatus::Paused, "since 2026-11-20 00:00Z".into())
    );
}

#[test]
fn failed_check_counts_until_a_later_run() {
    let check = |when| CheckState {
        at: at(when),
        error: Some("refused".into()),
    };
    let run = RunState {
        checked_at: Some(at("22T06:00")),
        ..RunState::default()
    };
    let state = |when| ConnectionState {
        run: Some(run.clone()),
        check: Some(check(when)),
        ..ConnectionState::default()
    };
    assert_eq!(
        status(&state("22T07:00"), Some("23T00:00")).0,
        HealthStatus::Error
    );
    assert_eq!(
        status(&state("22T05:00"), Some("23T00:00")).0,
        HealthStatus::Healthy
    );
}
