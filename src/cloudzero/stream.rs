//! The Stream API: what a month holds, and the requests that change it (docs: AnyCost Stream).

use serde::Deserialize;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::client::{Client, Idempotency, IdempotencyKey};
use crate::cloudzero::stream_contents::{self, Hours};
use crate::error::{Error, Result};

const PATH: [&str; 4] = ["v2", "connections", "billing", "anycost"];

/// One stream: a billing connection of CloudZero that takes rows.
#[derive(Debug, Clone, Copy)]
pub struct Stream<'c> {
    /// The client.
    pub client: &'c Client,
    /// CloudZero's id of the connection.
    pub connection: &'c str,
}

impl Stream<'_> {
    /// What the month holds now; nothing when CloudZero knows no drop of it.
    ///
    /// # Errors
    /// As [`Client::get`], and for an unreadable answer.
    pub async fn held(&self, period: BillingPeriod) -> Result<Hours> {
        let asked = format!(
            "what CloudZero's stream `{}` holds of {period}",
            self.connection
        );
        let month = period.to_string();
        let path = self.path(&["billing_drops", &month]);
        match self.client.get(&asked, &path, &[]).await {
            Ok(answer) => stream_contents::read(&answer).map_err(|e| e.context(asked)),
            // A wrong connection id shows with the first request that changes something.
            Err(failure) if failure.is_not_found() => Ok(Hours::new()),
            Err(failure) => Err(failure.into_error()),
        }
    }

    /// Sends one body.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub async fn post(&self, asked: &str, body: Vec<u8>, key: IdempotencyKey) -> Result<()> {
        let path = self.path(&["billing_drops"]);
        self.client
            .post(asked, &path, body.into(), Idempotency::Key(key))
            .await?;
        Ok(())
    }

    /// Asks whether CloudZero would take a body, which changes nothing.
    ///
    /// # Errors
    /// Kind data, with what CloudZero found wrong.
    pub async fn validate(&self, asked: &str, body: Vec<u8>) -> Result<()> {
        #[derive(Deserialize)]
        struct Answer {
            connection: Verdict,
        }
        #[derive(Deserialize)]
        struct Verdict {
            is_valid: bool,
            #[serde(default)]
            errors: Vec<String>,
        }
        let mut path = PATH.to_vec();
        path.push("validate_billing_drop");
        let answer = self
            .client
            .post(asked, &path, body.into(), Idempotency::Safe)
            .await?;
        let answer: Answer = serde_json::from_slice(&answer).map_err(|_| {
            Error::data(format!(
                "{asked}: the answer of the validation is unreadable"
            ))
        })?;
        if answer.connection.is_valid {
            return Ok(());
        }
        let errors: Vec<String> = answer
            .connection
            .errors
            .iter()
            .take(5)
            .map(|e| brief(e))
            .collect();
        Err(Error::data(format!(
            "{asked}: CloudZero would refuse it: {}",
            errors.join("; ")
        ))
        .with_hint(
            "nothing was sent; mend the mapping, or leave the validation out with --no-validate",
        ))
    }

    fn path<'p>(&'p self, rest: &[&'p str]) -> Vec<&'p str> {
        let mut path = PATH.to_vec();
        path.push(self.connection);
        path.extend_from_slice(rest);
        path
    }
}

fn brief(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
