//! Every edge of the diagram of a month's states in `docs/concepts.md`, and no other.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use super::*;

const DOCS: &str = include_str!("../../../../docs/concepts.md");
const MONTH: &str = "2026-10";

type Edge = (String, String);

/// Edges of the table in the documentation.
fn documented() -> BTreeSet<Edge> {
    let table = DOCS.split("| from | to | when |\n|---|---|---|\n").nth(1);
    let rows = table
        .unwrap()
        .lines()
        .take_while(|line| line.starts_with('|'));
    let edge = |row: &str| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (cells[1].to_owned(), cells[2].to_owned())
    };
    rows.map(edge).collect()
}

/// What a run sees of [`MONTH`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Whole,
    Empty,
    /// Without the 5th.
    Gap,
    /// Without one line type.
    LineTypeMissing,
    /// Without one line type and the 5th.
    BothMissing,
    /// As [`Answer::Gap`], which the run accepts.
    AcceptedGap,
}

use Answer::{AcceptedGap, BothMissing, Empty, Gap, LineTypeMissing, Whole};

fn shown(answer: Answer, now: DateTime<Utc>, of: NaiveDate) -> Vec<Cost> {
    let mut costs = punctual(now, of);
    if BillingPeriod::of(of) != period(MONTH) {
        // The months around it are always there, so that its gaps show.
        return if of < day("2026-09-01") {
            Vec::new()
        } else {
            costs
        };
    }
    if matches!(answer, LineTypeMissing | BothMissing) {
        costs.retain(|cost| cost.line_type != "KAFKA_NUM_CKUS");
    }
    let is_gap = matches!(answer, Gap | BothMissing | AcceptedGap) && of == day("2026-10-05");
    if answer == Empty || is_gap {
        costs.clear();
    }
    costs
}

/// Pulls on days with answers, and returns the edges between the states of [`MONTH`].
async fn walk(runs: &[(&str, Answer)]) -> BTreeSet<Edge> {
    let current = Arc::new(Mutex::new(Whole));
    let script = {
        let current = current.clone();
        Script::new(move |now, of| shown(*current.lock(), now, of))
    };
    let mut daily = Daily::start(script).await;
    daily.pulls_only = true;
    let mut states = vec!["new".to_owned()];
    for (today, answer) in runs {
        *current.lock() = *answer;
        daily
            .import_with(at(day(today)), *answer == AcceptedGap)
            .await;
        states.push(daily.state_name(MONTH, today).await.to_owned());
    }
    let edges = states.windows(2).filter(|pair| pair[0] != pair[1]);
    edges
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_diagram_has_every_edge_and_no_other() {
    let walks: &[&[(&str, Answer)]] = &[
        &[
            ("2026-10-20", Whole),
            ("2026-11-05", Whole),
            ("2026-11-18", Whole),
        ],
        &[("2026-11-05", Whole)],
        &[
            ("2026-11-20", Whole),
            ("2026-11-27", LineTypeMissing),
            ("2026-11-28", Whole),
        ],
        &[("2026-11-05", Empty), ("2026-11-06", Whole)],
        &[
            ("2026-11-05", Empty),
            ("2026-11-06", Gap),
            ("2026-11-07", Whole),
        ],
        &[("2026-11-20", Empty), ("2026-11-21", Whole)],
        &[
            ("2026-11-20", Empty),
            ("2026-11-21", Empty),
            ("2026-11-22", Empty),
            ("2026-11-27", Empty),
        ],
        &[("2026-10-20", Gap), ("2026-10-21", Whole)],
        &[
            ("2026-10-05", Whole),
            ("2026-10-10", Gap),
            ("2026-10-11", BothMissing),
        ],
        &[("2026-11-20", Gap), ("2026-11-21", Whole)],
        &[
            ("2026-10-20", Whole),
            ("2026-10-21", LineTypeMissing),
            ("2026-10-22", Whole),
        ],
        &[
            ("2026-11-05", Whole),
            ("2026-11-06", LineTypeMissing),
            ("2026-11-07", Whole),
        ],
        &[
            ("2026-11-05", Whole),
            ("2026-11-06", Gap),
            ("2026-11-07", AcceptedGap),
        ],
    ];
    let mut edges = BTreeSet::new();
    for runs in walks {
        edges.extend(walk(runs).await);
    }
    assert_eq!(edges, documented());
}
