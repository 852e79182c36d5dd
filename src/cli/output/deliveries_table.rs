//! Table of deliveries.

use std::collections::BTreeMap;

use crate::cli::output::money::count;
use crate::cli::output::table::{Column, NONE, Table};
use crate::pipeline::deliver::delivery::{Delivery, DeliveryStatus, DestinationKind};

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
        places.insert(&delivery.place, delivery.destination.name());
        let counted = |number: u64| match number {
            0 => NONE.to_string(),
            number => count(number),
        };
        table.row(vec![
            delivery.billing_period.to_string(),
            delivery.destination.name().to_string(),
            status(delivery.status).to_string(),
            parts(delivery),
            counted(delivery.rows),
            counted(delivery.bytes),
            delivery
                .drop_id
                .as_ref()
                .map_or(NONE.to_string(), ToString::to_string),
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
    let unit = match (delivery.destination, delivery.parts) {
        (_, 0) => return NONE.to_string(),
        (DestinationKind::Bucket, 1) => "file",
        (DestinationKind::Bucket, _) => "files",
        (DestinationKind::Stream, 1) => "request",
        (DestinationKind::Stream, _) => "requests",
    };
    format!("{} {unit}", count(delivery.parts as u64))
}

fn status(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Delivered => "delivered",
        DeliveryStatus::Unchanged => "unchanged",
        DeliveryStatus::Pending => "pending",
        DeliveryStatus::Pinned => "pinned",
        DeliveryStatus::RolledBack => "rolled back",
        DeliveryStatus::Cleared => "cleared",
        DeliveryStatus::DryRun => "dry run",
        DeliveryStatus::Rehearsed => "rehearsed",
    }
}
