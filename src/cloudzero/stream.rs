//! Client of the Stream API of one billing connection (docs: AnyCost Stream).

use serde::Deserialize;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::client::{Client, Idempotency, IdempotencyKey};
use crate::cloudzero::stream_contents;
use crate::cloudzero::totals::HourlyTotals;
use crate::error::{Error, Result};

const PATH: [&str; 4] = ["v2", "connections", "billing", "anycost"];
/// Validation errors that are shown, and the length of each.
const SHOWN_ERRORS: usize = 5;
const SHOWN_ERROR_CHARS: usize = 300;

/// Billing connection of CloudZero that takes line items by request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream<'c> {
    pub(crate) client: &'c Client,
    /// CloudZero's id of the billing connection.
    pub(crate) connection: &'c str,
}

impl Stream<'_> {
    /// Fetches the totals of a month; empty if CloudZero has no drop for it.
    ///
    /// # Errors
    /// Those of [`Client::get`], and kind `Data` for an unexpected response.
    pub(crate) async fn fetch_totals(&self, period: BillingPeriod) -> Result<HourlyTotals> {
        let operation = format!(
            "reading {period} from CloudZero's stream `{}`",
            self.connection
        );
        let month = period.to_string();
        let path = self.path(&["billing_drops", &month]);
        match self.client.get(&operation, &path, &[]).await {
            Ok(response) => stream_contents::parse(&response).map_err(|e| e.context(operation)),
            // A wrong connection id fails with the first request that changes something.
            Err(failure) if failure.is_not_found() => Ok(HourlyTotals::default()),
            Err(failure) => Err(failure.into_error()),
        }
    }

    /// Sends one request body.
    ///
    /// # Errors
    /// Those of [`Client::post`].
    pub(crate) async fn post(
        &self,
        operation: &str,
        body: Vec<u8>,
        key: IdempotencyKey,
    ) -> Result<()> {
        let path = self.path(&["billing_drops"]);
        self.client
            .post(operation, &path, body.into(), Idempotency::Key(key))
            .await?;
        Ok(())
    }

    /// Lets CloudZero validate a request body, without changing anything.
    ///
    /// # Errors
    /// Kind `Data` with CloudZero's validation errors.
    pub(crate) async fn validate(&self, operation: &str, body: Vec<u8>) -> Result<()> {
        #[derive(Deserialize)]
        struct ValidationResponse {
            connection: Validation,
        }
        #[derive(Deserialize)]
        struct Validation {
            is_valid: bool,
            #[serde(default)]
            errors: Vec<String>,
        }
        let mut path = PATH.to_vec();
        path.push("validate_billing_drop");
        let response = self
            .client
            .post(operation, &path, body.into(), Idempotency::Safe)
            .await?;
        let response: ValidationResponse = serde_json::from_slice(&response)
            .map_err(|_| Error::data(format!("{operation}: unexpected JSON in the response")))?;
        let Validation { is_valid, errors } = response.connection;
        if is_valid {
            return Ok(());
        }
        let shown: Vec<String> = errors
            .iter()
            .take(SHOWN_ERRORS)
            .map(|e| shorten(e))
            .collect();
        Err(Error::data(format!(
            "{operation}: CloudZero rejects it: {}",
            shown.join("; ")
        ))
        .with_hint(
            "correct the mapping, or skip validation with --no-validate; nothing has been sent",
        ))
    }

    fn path<'p>(&'p self, rest: &[&'p str]) -> Vec<&'p str> {
        let mut path = PATH.to_vec();
        path.push(self.connection);
        path.extend_from_slice(rest);
        path
    }
}

fn shorten(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(SHOWN_ERROR_CHARS)
        .collect()
}
