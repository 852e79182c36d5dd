//! Streams: adding a drop, listing them, reading a month back, validating (spec: anycost_stream).

use crate::sandbox::cloudzero::faults::Trouble;
use crate::sandbox::cloudzero::period::Month;
use crate::sandbox::cloudzero::response::Reply;
use crate::sandbox::cloudzero::rows::Row;
use crate::sandbox::cloudzero::upload::{Operation, Upload};
use crate::sandbox::cloudzero::{CloudZero, lock};
use crate::sandbox::faults::Kind;
use crate::sandbox::server::state::Sandbox;
use axum::http::StatusCode;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// How long a drop is at work, so that a second one at the same time is seen.
const WORK: Duration = Duration::from_millis(5);
/// Errors that a validation lists.
const MOST_ERRORS: usize = 20;

/// A drop that keeps the rules.
struct Checked {
    month: Month,
    operation: Operation,
    rows: Vec<Row>,
}

/// Applies a drop. `free` says whether the stream has no other request in flight.
pub async fn add(
    sandbox: &Sandbox,
    number: u64,
    connection: &str,
    free: bool,
    upload: Option<Result<Upload, String>>,
) -> Reply {
    let cloudzero = &sandbox.cloudzero;
    if let Err(refused) = find(cloudzero, connection) {
        return refused;
    }
    if !free {
        let text = "another request for this stream is in flight";
        return Reply::error(StatusCode::CONFLICT, text);
    }
    tokio::time::sleep(WORK).await;
    let mut upload = match upload {
        Some(Ok(upload)) => upload,
        Some(Err(error)) => return Reply::bad(error),
        None => return Reply::bad("there is no body"),
    };
    let mut checked = match check(&upload, 1) {
        Ok(checked) => checked,
        Err(errors) => return Reply::bad(errors.join("; ")),
    };
    let hit = |wanted| {
        let wanted = move |kind| kind == Kind::CloudZero(wanted);
        sandbox.faults.take(number, wanted).is_some()
    };
    if !checked.rows.is_empty() && hit(Trouble::Corrupt) {
        upload.corrupt();
        if let Ok(corrupt) = check(&upload, 1) {
            checked = corrupt;
        }
    }
    let Checked {
        month,
        operation,
        rows,
    } = checked;
    let late = hit(Trouble::Late);
    let applied = lock(&cloudzero.holdings).apply(connection, month, operation, rows, late);
    let (drop_id, row_count) = match applied {
        Ok(applied) => applied,
        Err(error) => return Reply::bad(error),
    };
    let drop = json!({ "drop_id": drop_id, "month": month.published(), "row_count": row_count });
    let reply = Reply::ok(&json!({ "connection": drop }));
    if hit(Trouble::LostReply) {
        reply.unsent()
    } else {
        reply
    }
}

/// The drops of a stream, one a month.
pub fn list(cloudzero: &CloudZero, connection: &str) -> Reply {
    if let Err(refused) = find(cloudzero, connection) {
        return refused;
    }
    let holdings = lock(&cloudzero.holdings);
    let own = holdings.all().filter(|(holder, ..)| *holder == connection);
    let drops: Vec<_> = own
        .map(|(_, month, held)| {
            let rows = held.rows.len();
            json!({ "drop_id": held.drop_id, "month": month.published(), "row_count": rows })
        })
        .collect();
    Reply::ok(&json!({ "billing_drops": drops }))
}

/// The rows of a month of a stream.
pub fn contents(cloudzero: &CloudZero, connection: &str, month: &str) -> Reply {
    if let Err(refused) = find(cloudzero, connection) {
        return refused;
    }
    let Some(month) = Month::read(month) else {
        return Reply::bad("month must be YYYY-MM or an ISO 8601 datetime");
    };
    let held = lock(&cloudzero.holdings).look(connection, month);
    let Some(held) = held else {
        return Reply::missing(format!("{connection} has no drop for {month}"));
    };
    let rows: Vec<&str> = held.rows.iter().map(|row| &*row.text).collect();
    let text = format!(r#"{{"billing_drop":[{}]}}"#, rows.join(","));
    Reply::text(StatusCode::OK, text)
}

/// Checks a drop without applying it.
pub fn validate(
    sandbox: &Arc<Sandbox>,
    number: u64,
    upload: Option<Result<Upload, String>>,
) -> Reply {
    let invalid = |kind| kind == Kind::CloudZero(Trouble::Invalid);
    let errors = match upload {
        Some(Ok(_)) if sandbox.faults.take(number, invalid).is_some() => {
            vec!["data[0]: found wrong on purpose".to_owned()]
        }
        Some(Ok(upload)) => check(&upload, MOST_ERRORS).err().unwrap_or_default(),
        Some(Err(error)) => return Reply::bad(error),
        None => return Reply::bad("there is no body"),
    };
    let is_valid = errors.is_empty();
    Reply::ok(&json!({ "connection": { "is_valid": is_valid, "errors": errors } }))
}

fn find(cloudzero: &CloudZero, id: &str) -> Result<(), Reply> {
    match lock(&cloudzero.connections).is_stream(id) {
        Some(true) => Ok(()),
        Some(false) => Err(Reply::bad(format!("connection {id} takes no drops by API"))),
        None => Err(Reply::missing(format!("there is no connection {id}"))),
    }
}

fn check(upload: &Upload, most: usize) -> Result<Checked, Vec<String>> {
    let one = |error| vec![error];
    let month = upload.month().map_err(one)?;
    Ok(Checked {
        month,
        operation: upload.operation().map_err(one)?,
        rows: upload.checked(month, most)?,
    })
}
