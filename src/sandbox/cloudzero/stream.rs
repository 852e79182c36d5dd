//! Streams: add, list, read and validate drops (spec: anycost_stream).

use crate::sandbox::cloudzero::dialect::AcceptedMonths;
use crate::sandbox::cloudzero::faults::CloudZeroFault;
use crate::sandbox::cloudzero::line_item::LineItem;
use crate::sandbox::cloudzero::namespace::Namespace;
use crate::sandbox::cloudzero::period::Month;
use crate::sandbox::cloudzero::response::Reply;
use crate::sandbox::cloudzero::upload::{DropOperation, DropUpload};
use crate::sandbox::faults::FaultKind;
use crate::sandbox::server::state::{Sandbox, lock};
use axum::http::StatusCode;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Processing time of a drop, so that concurrent drops overlap.
const PROCESSING_TIME: Duration = Duration::from_millis(5);
/// Maximum errors in the response of a validation.
const MAX_ERRORS: usize = 20;

struct ValidDrop {
    month: Month,
    operation: DropOperation,
    line_items: Vec<LineItem>,
}

/// Applies a drop. `is_free` is false while another drop of the stream is in flight.
pub(crate) async fn add(
    sandbox: &Sandbox,
    namespace: &Namespace,
    request_number: u64,
    connection: &str,
    is_free: bool,
    upload: Option<Result<DropUpload, String>>,
) -> Reply {
    if let Err(refused) = require_stream(namespace, connection) {
        return refused;
    }
    if !is_free {
        let text = "another request for this stream is in flight";
        return Reply::error(StatusCode::CONFLICT, text);
    }
    tokio::time::sleep(PROCESSING_TIME).await;
    let mut upload = match upload {
        Some(Ok(upload)) => upload,
        Some(Err(error)) => return Reply::bad_request(error),
        None => return Reply::bad_request("the body is missing"),
    };
    let months = sandbox.options.dialect.months_in_bodies;
    let mut valid = match validate_upload(&upload, months, 1) {
        Ok(valid) => valid,
        Err(errors) => return Reply::bad_request(errors.join("; ")),
    };
    let takes_fault = |fault| {
        sandbox
            .faults
            .take(request_number, |kind| kind == FaultKind::CloudZero(fault))
            .is_some()
    };
    if !valid.line_items.is_empty() && takes_fault(CloudZeroFault::Corrupt) {
        upload.corrupt();
        if let Ok(corrupt) = validate_upload(&upload, months, 1) {
            valid = corrupt;
        }
    }
    let ValidDrop {
        month,
        operation,
        line_items,
    } = valid;
    let is_delayed = takes_fault(CloudZeroFault::Delayed);
    let applied =
        lock(&namespace.ledger).apply(connection, month, operation, line_items, is_delayed);
    let (drop_id, row_count) = match applied {
        Ok(applied) => applied,
        Err(error) => return Reply::bad_request(error),
    };
    let drop = json!({ "drop_id": drop_id, "month": month.to_datetime(), "row_count": row_count });
    let reply = Reply::ok(&json!({ "connection": drop }));
    if takes_fault(CloudZeroFault::LostReply) {
        reply.with_reset()
    } else {
        reply
    }
}

/// Lists the drops of a stream, one per month.
pub(crate) fn list(namespace: &Namespace, connection: &str) -> Reply {
    if let Err(refused) = require_stream(namespace, connection) {
        return refused;
    }
    let ledger = lock(&namespace.ledger);
    let stored = ledger.all().filter(|(owner, ..)| *owner == connection);
    let drops: Vec<_> = stored
        .map(|(_, month, stored)| {
            let row_count = stored.line_items.len();
            json!({ "drop_id": stored.drop_id, "month": month.to_datetime(), "row_count": row_count })
        })
        .collect();
    Reply::ok(&json!({ "billing_drops": drops }))
}

/// Returns the rows of a stream and month.
pub(crate) fn rows(
    namespace: &Namespace,
    connection: &str,
    month: &str,
    months: AcceptedMonths,
) -> Reply {
    if let Err(refused) = require_stream(namespace, connection) {
        return refused;
    }
    if let Err(error) = months.check(month) {
        return Reply::bad_request(error);
    }
    let Some(month) = Month::parse(month) else {
        return Reply::bad_request("month must be YYYY-MM or an ISO 8601 datetime");
    };
    let stored = lock(&namespace.ledger).read(connection, month);
    let Some(stored) = stored else {
        return Reply::not_found(format!("{connection} has no drop for {month}"));
    };
    let rows: Vec<&str> = stored.line_items.iter().map(|item| &*item.text).collect();
    let text = format!(r#"{{"billing_drop":[{}]}}"#, rows.join(","));
    Reply::json_text(StatusCode::OK, text)
}

/// Validates a drop without applying it.
pub(crate) fn validate(
    sandbox: &Arc<Sandbox>,
    request_number: u64,
    upload: Option<Result<DropUpload, String>>,
) -> Reply {
    let invalid = |kind| kind == FaultKind::CloudZero(CloudZeroFault::Invalid);
    let errors = match upload {
        Some(Ok(_)) if sandbox.faults.take(request_number, invalid).is_some() => {
            vec!["data[0]: invalid on purpose".to_owned()]
        }
        Some(Ok(upload)) => {
            let dialect = sandbox.options.dialect;
            let mut errors = Vec::new();
            if dialect.refuses_signs {
                errors = upload.sign_errors(MAX_ERRORS);
            }
            let others = validate_upload(&upload, dialect.months_in_bodies, MAX_ERRORS).err();
            errors.extend(others.unwrap_or_default());
            errors.truncate(MAX_ERRORS);
            errors
        }
        Some(Err(error)) => return Reply::bad_request(error),
        None => return Reply::bad_request("the body is missing"),
    };
    let is_valid = errors.is_empty();
    Reply::ok(&json!({ "connection": { "is_valid": is_valid, "errors": errors } }))
}

fn require_stream(namespace: &Namespace, id: &str) -> Result<(), Reply> {
    match lock(&namespace.connections).is_stream(id) {
        Some(true) => Ok(()),
        Some(false) => Err(Reply::bad_request(format!(
            "connection {id} does not accept drops by API"
        ))),
        None => Err(Reply::not_found(format!("connection {id} does not exist"))),
    }
}

fn validate_upload(
    upload: &DropUpload,
    months: AcceptedMonths,
    max_errors: usize,
) -> Result<ValidDrop, Vec<String>> {
    let as_list = |error| vec![error];
    if let Some(month) = upload.month_text() {
        months.check(&month).map_err(as_list)?;
    }
    let month = upload.month().map_err(as_list)?;
    Ok(ValidDrop {
        month,
        operation: upload.operation().map_err(as_list)?,
        line_items: upload.line_items(month, max_errors)?,
    })
}
