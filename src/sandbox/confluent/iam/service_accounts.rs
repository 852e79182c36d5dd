//! `/iam/v2/service-accounts` (spec: iam/v2 service-accounts).

use crate::sandbox::confluent::access::Right;
use crate::sandbox::confluent::iam::directory::{Account, now, principal};
use crate::sandbox::confluent::iam::{SERVICE_ACCOUNTS, lock};
use crate::sandbox::confluent::list::Query;
use crate::sandbox::confluent::request::{Answer, Call, Refused};
use crate::sandbox::server::response::{Source, empty, json};
use axum::extract::Path;
use axum::http::StatusCode;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

const LONGEST_NAME: usize = 64;
const LONGEST_DESCRIPTION: usize = 128;

/// The body of a new one.
#[derive(Debug, Deserialize)]
struct Wish {
    #[serde(default)]
    display_name: String,
    description: Option<String>,
}

/// All service accounts, or those called `display_name`.
pub async fn list(call: Call) -> Answer {
    call.authorize(Right::Iam)?;
    let query = Query::read(&call, &["display_name"])?;
    let directory = lock(&call.sandbox.iam.directory);
    let accounts = directory.accounts.iter();
    let wanted = accounts.filter(|account| query.takes("display_name", &account.display_name));
    Ok(
        query.answer(&call, "iam/v2", "ServiceAccount", wanted, |account| {
            shown(&call, account)
        }),
    )
}

/// Makes one; its name must be new.
pub async fn create(call: Call, body: Bytes) -> Answer {
    call.authorize(Right::Iam)?;
    let wish: Wish = call.read(&body)?;
    let description = wish.description.unwrap_or_default();
    if wish.display_name.is_empty() || wish.display_name.chars().count() > LONGEST_NAME {
        let detail = format!("display_name must have 1 to {LONGEST_NAME} characters");
        return Err(invalid(&call, "/display_name", &detail));
    }
    if description.chars().count() > LONGEST_DESCRIPTION {
        let detail = format!("description must have at most {LONGEST_DESCRIPTION} characters");
        return Err(invalid(&call, "/description", &detail));
    }
    let mut directory = lock(&call.sandbox.iam.directory);
    let same = |account: &Account| account.display_name == wish.display_name;
    if directory.accounts.iter().any(same) {
        return Err(call.conflict("a service account with this display_name exists"));
    }
    let account = Account {
        id: directory.mint.id("sa"),
        display_name: wish.display_name,
        description,
        made: now(),
    };
    let shown = shown(&call, &account);
    directory.accounts.push(account);
    Ok(json(StatusCode::CREATED, &shown))
}

/// One service account.
pub async fn one(call: Call, Path(id): Path<String>) -> Answer {
    call.authorize(Right::Iam)?;
    let directory = lock(&call.sandbox.iam.directory);
    let account = directory.accounts.iter().find(|account| account.id == id);
    let account = account.ok_or_else(|| call.missing("service account", &id))?;
    Ok(json(StatusCode::OK, &shown(&call, account)))
}

/// Deletes one with its keys and role bindings.
pub async fn remove(call: Call, Path(id): Path<String>) -> Answer {
    call.authorize(Right::Iam)?;
    let mut directory = lock(&call.sandbox.iam.directory);
    let before = directory.accounts.len();
    directory.accounts.retain(|account| account.id != id);
    if directory.accounts.len() == before {
        return Err(call.missing("service account", &id));
    }
    let principal = principal(&id);
    directory.keys.retain(|key| key.owner != id);
    directory
        .bindings
        .retain(|binding| binding.principal != principal);
    Ok(empty(StatusCode::NO_CONTENT))
}

/// 422.
fn invalid(call: &Call, pointer: &str, detail: &str) -> Refused {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let source = Some(Source::Pointer(pointer));
    call.refuse(status, "validation_error", detail, source)
}

fn shown(call: &Call, account: &Account) -> Value {
    let id = &account.id;
    let path = format!("{SERVICE_ACCOUNTS}/{id}");
    json!({
        "api_version": "iam/v2",
        "kind": "ServiceAccount",
        "id": id,
        "metadata": call.metadata(&path, &format!("/service-account={id}"), &account.made),
        "display_name": account.display_name,
        "description": account.description,
    })
}
