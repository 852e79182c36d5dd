//! The billing connection in CloudZero that a destination uses: found, adopted or created.

use crate::cli::output::stderr::note;
use crate::cloudzero::client::Client;
use crate::cloudzero::connections::{self, BillingConnection, BucketInfo};
use crate::config::Connection;
use crate::error::{Error, Result};
use crate::http::request_error::RequestError;

/// Billing connection that a destination uses.
#[derive(Debug)]
pub(super) enum Lookup {
    /// Found, created or named by the user.
    Known(String),
    /// CloudZero cannot read the bucket, so it has no billing connection.
    NotNeeded,
    /// The user has to create it.
    Manual {
        /// Reason why billstream cannot create it.
        reason: &'static str,
    },
}

/// Finds the billing connection of that name, or creates it if the API key may. With `info` it reads a bucket, else
/// it is a stream.
///
/// # Errors
/// Kind `Config` if the name belongs to another connection, or another connection reads the bucket; those of the
/// requests.
pub(super) async fn find_or_create(
    api: &Client,
    name: &str,
    connection: &Connection,
    info: Option<&BucketInfo>,
) -> Result<Lookup> {
    let all = match connections::list(api).await {
        Ok(all) => all,
        Err(failure) => return manual_if_forbidden(failure),
    };
    if let Some(found) = same(&all, name, info) {
        report_connection("found", found);
        return Ok(Lookup::Known(found.id().to_string()));
    }
    refuse_other(&all, name, info)?;
    match connections::create(api, name, &connection.cloud_provider, info).await {
        Ok(created) => {
            report_connection("created", &created);
            Ok(Lookup::Known(created.id().to_string()))
        }
        Err(failure) if connections::may_exist(&failure) => {
            adopt_created(api, name, info, failure).await
        }
        Err(failure) => manual_if_forbidden(failure),
    }
}

/// Looks for the connection that a failed request may have created. A second request could create a second one, and
/// CloudZero would count every dollar twice.
async fn adopt_created(
    api: &Client,
    name: &str,
    info: Option<&BucketInfo>,
    failure: RequestError,
) -> Result<Lookup> {
    let hint = format!(
        "look for `{name}` in CloudZero (Settings, Connections), then run the command again: it uses a connection of \
         that name"
    );
    let all = match connections::list(api).await {
        Ok(all) => all,
        Err(error) => {
            return Err(failure
                .into_error()
                .context(format!(
                    "CloudZero may have created the connection, and it could not be looked up ({error})"
                ))
                .with_hint(hint));
        }
    };
    match same(&all, name, info) {
        Some(created) => {
            report_connection("created", created);
            Ok(Lookup::Known(created.id().to_string()))
        }
        None => Err(failure
            .into_error()
            .context("CloudZero does not list the new connection")
            .with_hint(hint)),
    }
}

/// Finds the connection of that name and kind.
fn same<'c>(
    all: &'c [BillingConnection],
    name: &str,
    info: Option<&BucketInfo>,
) -> Option<&'c BillingConnection> {
    all.iter()
        .find(|other| other.name == name && other.matches(info))
}

/// Refuses a name that is taken, and a bucket that an enabled connection reads already: with a second one CloudZero
/// would count every dollar twice.
///
/// # Errors
/// Kind `Config`.
fn refuse_other(all: &[BillingConnection], name: &str, info: Option<&BucketInfo>) -> Result<()> {
    if let Some(found) = all.iter().find(|other| other.name == name) {
        return Err(Error::config(format!(
            "CloudZero's billing connection `{name}` ({}) has another kind or bucket",
            found.id()
        ))
        .with_hint("choose another name with --name, or pause that connection in CloudZero"));
    }
    let reader = info.and_then(|info| {
        all.iter()
            .find(|other| other.is_enabled && other.reads(info))
    });
    match reader {
        None => Ok(()),
        Some(reader) => Err(Error::config(format!(
            "CloudZero's billing connection `{}` ({}) reads this bucket already; with a second one CloudZero would \
             count every dollar twice",
            reader.name,
            reader.id()
        ))
        .with_hint(format!(
            "use it with --cloudzero-connection {}, or pause it in CloudZero",
            reader.id()
        ))),
    }
}

fn manual_if_forbidden(failure: RequestError) -> Result<Lookup> {
    if failure.is_forbidden() {
        return Ok(Lookup::Manual {
            reason: "the CloudZero API key cannot manage billing connections",
        });
    }
    Err(failure.into_error())
}

fn report_connection(action: &str, connection: &BillingConnection) {
    note!(
        "{action} CloudZero's billing connection `{}` ({})",
        connection.name,
        connection.id()
    );
}
