//! Table of deliveries.

use std::collections::BTreeMap;

use crate::cli::output::money::count;
use crate::cli::output::table::{Column, NONE, Table};
use crate::pipeline::deliver::delivery::{Delivery, Status, Target};

/// Deliveries by month, followed by the places of their destinations.
pub(crate) fn deliveries_table(deliveries: &[Delivery], width: Option<usize>) -> String {
    let mut table = Table::new(vec![
        Column::text("period"),
        Column::text("destination"),
        Column::text("status"),
        Column::number("parts"),
        Column::number("rows"),
        Column::number("bytes"),
        Column::text("drop").detail(),
    ]);
    let mut places: BTreeMap<&str, &str> = BTreeMap::new();
    for delivery in deliveries {
        places.insert(&delivery.place, destination(delivery.target));
        let counted = |number: u64| match number {
            0 => NONE.to_string(),
            number => count(number),
        };
        table.row(vec![
            delivery.billing_period.to_string(),
            destination(delivery.target).to_string(),
            status(delivery.status).to_string(),
            parts(delivery),
            counted(delivery.rows),
            counted(delivery.bytes),
            delivery.drop_id.clone().unwrap_or_else(|| NONE.to_string()),
        ]);
    }
    let mut out = table.render(width);
    if !places.is_empty() {
        out.push('\n');
    }
    for (place, destination) in places {
        out.push_str(&format!("{destination}: {place}\n"));
    }
    out
}

fn parts(delivery: &Delivery) -> String {
    let unit = match (delivery.target, delivery.parts) {
        (_, 0) => return NONE.to_string(),
        (Target::Bucket, 1) => "file",
        (Target::Bucket, _) => "files",
        (Target::Stream, 1) => "request",
        (Target::Stream, _) => "requests",
    };
    format!("{} {unit}", count(delivery.parts as u64))
}

fn destination(target: Target) -> &'static str {
    match target {
        Target::Bucket => "bucket",
        Target::Stream => "stream",
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Delivered => "delivered",
        Status::Unchanged => "unchanged",
        Status::Pending => "pending",
        Status::Pinned => "pinned",
        Status::PointedBack => "pointed back",
        Status::Cleared => "cleared",
        Status::DryRun => "dry run",
    }
}
