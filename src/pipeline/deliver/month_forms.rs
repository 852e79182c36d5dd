//! Memory of the forms of months that a billing connection accepts, in
//! `runs/connections/<connection>/cloudzero.json`.
//!
//! A wrong memory costs one more request: what it fails is sent in the other form, which is remembered then.

use serde::{Deserialize, Serialize};

use crate::cloudzero::month_form::MonthForms;
use crate::cloudzero::stream::Stream;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::RunContext;
use crate::store::connection_state::{self, CLOUDZERO};

/// State of CloudZero's API as a connection knows it.
#[derive(Debug, Serialize, Deserialize)]
struct CloudZeroState {
    /// CloudZero's id of the billing connection.
    billing_connection: String,
    months: MonthForms,
}

/// Opens the stream destination of a run, with what is remembered of it.
///
/// # Errors
/// Kind `Config` without an API key; those of the store.
pub(crate) async fn open_stream(run: &RunContext) -> Result<Stream<'_>> {
    run.destinations.check_key()?;
    let (Some(connection), Some(client)) = (&run.destinations.stream, &run.destinations.api) else {
        return Err(Error::bug("no stream destination"));
    };
    let months = load(run, connection).await?;
    Ok(Stream::new(client, connection, months))
}

/// Loads the forms that a billing connection accepts; the default ones if none are remembered.
///
/// # Errors
/// Those of the store.
pub(super) async fn load(run: &RunContext, billing_connection: &str) -> Result<MonthForms> {
    let state = connection_state::read(&run.store, &run.connection, CLOUDZERO).await;
    let state: Option<CloudZeroState> = match state {
        // It is written again once there is something to remember.
        Err(error) if error.kind() == ErrorKind::Data => {
            tracing::warn!(%error, "Ignored what was remembered of CloudZero");
            None
        }
        state => state?,
    };
    let state = state.filter(|state| state.billing_connection == billing_connection);
    Ok(state.map(|state| state.months).unwrap_or_default())
}

/// Remembers what a stream was found to accept. A failure is logged only: the next run asks CloudZero again.
pub(crate) async fn remember(run: &RunContext, stream: &Stream<'_>) {
    let Some(months) = stream.learned_months() else {
        return;
    };
    let state = CloudZeroState {
        billing_connection: stream.connection().to_string(),
        months,
    };
    let written = async { connection_state::write_fenced(&run.fence()?, CLOUDZERO, &state).await };
    if let Err(error) = written.await {
        tracing::warn!(%error, "Could not remember the form of months that CloudZero accepts");
    }
}
