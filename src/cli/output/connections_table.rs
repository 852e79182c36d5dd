//! Tables of the health of connections, and of where they deliver.

use chrono::{DateTime, Utc};

use crate::cli::output::table::{Column, NONE, Table};
use crate::connections::health::Health;

/// One row per connection, then one row per destination.
pub(crate) fn connections_table(all: &[Health], width: Option<usize>) -> String {
    let mut table = Table::new(vec![
        Column::text("connection"),
        Column::text("status"),
        Column::text("complete through"),
        Column::text("last data"),
        Column::text("next due"),
        Column::text("months").detail(),
    ]);
    for health in all {
        table.row(vec![
            health.connection.clone(),
            health.status.to_string(),
            health
                .complete_through
                .map_or(NONE.to_string(), |day| day.to_string()),
            time(health.last_data),
            time(health.next_due),
            months(health),
        ]);
    }
    let mut out = table.render(width);
    let mut destinations = Table::new(vec![
        Column::text("connection"),
        Column::text("destination"),
        Column::text("last delivery"),
        Column::text("place"),
    ]);
    let mut has_destinations = false;
    for health in all {
        for destination in &health.destinations {
            has_destinations = true;
            destinations.row(vec![
                health.connection.clone(),
                destination.destination.to_string(),
                time(destination.delivered_at),
                destination.location.clone(),
            ]);
        }
    }
    if has_destinations {
        out.push('\n');
        out.push_str(&destinations.render(width));
    }
    out
}

/// Returns a time to the minute, in UTC.
pub(crate) fn time(time: Option<DateTime<Utc>>) -> String {
    time.map_or(NONE.to_string(), |time| {
        time.format("%Y-%m-%d %H:%MZ").to_string()
    })
}

/// Returns the number of months by state.
pub(crate) fn months(health: &Health) -> String {
    const STATES: [&str; 6] = [
        "open",
        "pending",
        "incomplete",
        "on hold",
        "settling",
        "settled",
    ];
    let counted = STATES.into_iter().filter_map(|state| {
        let count = health.months.get(state).filter(|count| **count > 0)?;
        Some(format!("{count} {state}"))
    });
    let counted: Vec<String> = counted.collect();
    if counted.is_empty() {
        NONE.to_string()
    } else {
        counted.join(", ")
    }
}
