//! Client of the Stream API of one billing connection (docs: AnyCost Stream).

use serde::Deserialize;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::client::{Client, Idempotency, IdempotencyKey};
use crate::cloudzero::month_form::{MonthForms, send_in_either_form};
use crate::cloudzero::request_bodies::{RequestBody, StreamOperation};
use crate::cloudzero::totals::HourlyTotals;
use crate::cloudzero::{sign_objection, stream_contents};
use crate::error::{Error, Result};
use crate::http::request_error::RequestError;

const PATH: [&str; 4] = ["v2", "connections", "billing", "anycost"];
/// Validation errors that are shown.
const SHOWN_ERRORS: usize = 5;

/// Billing connection of CloudZero that takes line items by request, one request after the other.
#[derive(Debug)]
pub(crate) struct Stream<'c> {
    client: &'c Client,
    connection: &'c str,
    months: MonthForms,
    has_learned: bool,
}

/// Rows of one request for a month.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upload<'b> {
    pub(crate) period: BillingPeriod,
    pub(crate) operation: StreamOperation,
    pub(crate) body: &'b RequestBody,
}

/// Result of a validation that does not stop a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Valid,
    /// The validator objects to negative amounts, and to nothing else.
    RefusesSigns,
}

/// Response to a validation.
enum ValidationAnswer {
    Valid,
    /// Validation errors, sanitized.
    Invalid(Vec<String>),
    /// Status 400 or 422.
    Refused(RequestError),
}

impl ValidationAnswer {
    /// Returns true if the form of the month may be the reason.
    fn is_maybe_about_month(&self) -> bool {
        match self {
            ValidationAnswer::Valid => false,
            ValidationAnswer::Invalid(errors) => errors
                .iter()
                .any(|error| error.to_lowercase().contains("month")),
            ValidationAnswer::Refused(_) => true,
        }
    }

    fn is_about_signs(&self) -> bool {
        match self {
            ValidationAnswer::Valid => false,
            ValidationAnswer::Invalid(errors) => {
                sign_objection::are_about_signs(errors.iter().map(String::as_str))
            }
            ValidationAnswer::Refused(refusal) => sign_objection::are_about_signs(refusal.detail()),
        }
    }

    fn into_verdict(self, operation: &str) -> Result<Verdict> {
        match self {
            ValidationAnswer::Valid => Ok(Verdict::Valid),
            ValidationAnswer::Invalid(errors) => {
                let shown = errors[..errors.len().min(SHOWN_ERRORS)].join("; ");
                Err(
                    Error::data(format!("{operation}: CloudZero rejects it: {shown}")).with_hint(
                        "correct the mapping, or skip validation with --no-validate; nothing has been sent",
                    ),
                )
            }
            ValidationAnswer::Refused(refusal) => Err(refusal.into_error()),
        }
    }
}

impl<'c> Stream<'c> {
    /// Creates the client of a billing connection, by CloudZero's id, that accepts months in these forms as far as
    /// is known.
    pub(crate) fn new(client: &'c Client, connection: &'c str, months: MonthForms) -> Stream<'c> {
        Stream {
            client,
            connection,
            months,
            has_learned: false,
        }
    }

    /// CloudZero's id of the billing connection.
    pub(crate) fn connection(&self) -> &'c str {
        self.connection
    }

    /// Client of the API.
    pub(crate) fn client(&self) -> &'c Client {
        self.client
    }

    /// Forms of months to remember, if other ones than the given were accepted.
    pub(crate) fn learned_months(&self) -> Option<MonthForms> {
        self.has_learned.then_some(self.months)
    }

    /// Fetches the totals of a month; empty if CloudZero has no drop for it.
    ///
    /// # Errors
    /// Those of [`Client::get`], and kind `Data` for an unexpected response.
    pub(crate) async fn fetch_totals(&mut self, period: BillingPeriod) -> Result<HourlyTotals> {
        let operation = format!(
            "reading {period} from CloudZero's stream `{}`",
            self.connection
        );
        let mut form = self.months.path;
        let response = send_in_either_form(&mut form, is_invalid, async |form| {
            let month = form.format(period);
            let path = self.path(&["billing_drops", &month]);
            match self.client.get_month(&operation, &path).await {
                // A wrong connection id fails with the first request that changes something.
                Err(failure) if failure.is_not_found() => Ok(None),
                response => response.map(Some),
            }
        })
        .await?;
        self.learn(MonthForms {
            path: form,
            ..self.months
        });
        match response {
            Some(response) => stream_contents::parse(&response).map_err(|e| e.context(operation)),
            None => Ok(HourlyTotals::default()),
        }
    }

    /// Sends one request body, and returns its size.
    ///
    /// # Errors
    /// Those of [`Client::post`].
    pub(crate) async fn post(
        &mut self,
        operation: &str,
        upload: Upload<'_>,
        key: IdempotencyKey,
    ) -> Result<u64> {
        let first = self.months.body;
        let mut form = first;
        let bytes = send_in_either_form(&mut form, is_invalid, async |form| {
            let body = upload.body.to_json(upload.period, upload.operation, form);
            let bytes = body.len() as u64;
            // CloudZero would answer a known key with the first form's refusal.
            let key = if form == first {
                key.clone()
            } else {
                key.with_other_month_form()
            };
            let path = self.path(&["billing_drops"]);
            let key = Idempotency::Key(key);
            let sent = self.client.post(operation, &path, body.into(), key).await;
            sent.map(|_| bytes)
        })
        .await?;
        self.learn(MonthForms {
            body: form,
            ..self.months
        });
        Ok(bytes)
    }

    /// Lets CloudZero validate a request body, without changing anything.
    ///
    /// # Errors
    /// Kind `Data` with CloudZero's validation errors, unless all of them are about negative amounts.
    pub(crate) async fn validate(
        &mut self,
        operation: &str,
        upload: Upload<'_>,
    ) -> Result<Verdict> {
        let answer = self.ask_validator(operation, upload).await?;
        if !answer.is_about_signs() {
            return answer.into_verdict(operation);
        }
        let Some(unsigned) = upload.body.without_signs() else {
            return answer.into_verdict(operation);
        };
        // CloudZero may report only some of its errors: there are no others if the body without signs is valid.
        let upload = Upload {
            body: &unsigned,
            ..upload
        };
        let answer = self.ask_validator(operation, upload).await?;
        answer
            .into_verdict(operation)
            .map(|_| Verdict::RefusesSigns)
    }

    async fn ask_validator(
        &mut self,
        operation: &str,
        upload: Upload<'_>,
    ) -> Result<ValidationAnswer> {
        let mut form = self.months.body;
        let is_refused = |answer: &std::result::Result<ValidationAnswer, Error>| matches!(answer, Ok(answer) if answer.is_maybe_about_month());
        let answer = send_in_either_form(&mut form, is_refused, async |form| {
            let body = upload.body.to_json(upload.period, upload.operation, form);
            self.ask_validator_once(operation, body).await
        })
        .await?;
        self.learn(MonthForms {
            body: form,
            ..self.months
        });
        Ok(answer)
    }

    async fn ask_validator_once(&self, operation: &str, body: Vec<u8>) -> Result<ValidationAnswer> {
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
            .await;
        let response = match response {
            Ok(response) => response,
            Err(refusal) if refusal.is_invalid_request() => {
                return Ok(ValidationAnswer::Refused(refusal));
            }
            Err(failure) => return Err(failure.into_error()),
        };
        let response: ValidationResponse = serde_json::from_slice(&response)
            .map_err(|_| Error::data(format!("{operation}: unexpected JSON in the response")))?;
        let Validation { is_valid, errors } = response.connection;
        if is_valid {
            return Ok(ValidationAnswer::Valid);
        }
        let errors = errors.iter().filter_map(|e| self.client.sanitize(e));
        let errors: Vec<String> = errors.collect();
        Ok(ValidationAnswer::Invalid(if errors.is_empty() {
            vec!["no reason given".to_string()]
        } else {
            errors
        }))
    }

    fn learn(&mut self, months: MonthForms) {
        self.has_learned |= months != self.months;
        self.months = months;
    }

    fn path<'p>(&'p self, rest: &[&'p str]) -> Vec<&'p str> {
        let mut path = PATH.to_vec();
        path.push(self.connection);
        path.extend_from_slice(rest);
        path
    }
}

/// Returns true for a refusal whose reason may be the form of the month.
fn is_invalid<T>(outcome: &std::result::Result<T, RequestError>) -> bool {
    matches!(outcome, Err(refusal) if refusal.is_invalid_request())
}
