//! Rehearsal: sends a month to a test namespace of CloudZero, reads it back and compares it.
//!
//! Nothing is recorded, claimed or remembered, and nobody sees the month: CloudZero runs the requests in a namespace
//! of their own and drops it after an hour. The real month is read before and after, to check that it stayed.

use crate::billing_period::BillingPeriod;
use crate::cloudzero::client::Client;
use crate::cloudzero::columns::format_timestamp;
use crate::cloudzero::stream::Stream;
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::deliver::delivery::{Delivery, DeliveryStatus, DestinationKind};
use crate::pipeline::deliver::hourly_totals::sum_by_hour;
use crate::pipeline::deliver::month_forms;
use crate::pipeline::deliver::request_batches::RequestPlan;
use crate::pipeline::deliver::source::PublishedLineItems;
use crate::pipeline::deliver::stream::{difference_after, send};
use crate::pipeline::publish::Tables;

/// Billing connection to rehearse with.
pub(crate) struct Rehearsal<'c> {
    /// Client of the real API.
    real: &'c Client,
    /// Client of the test namespace.
    namespace: Client,
    /// CloudZero's id of the billing connection.
    connection: String,
}

impl<'c> Rehearsal<'c> {
    /// Creates a rehearsal with the stream destination of a run.
    ///
    /// # Errors
    /// Kind `Usage` for a connection that delivers to a bucket only, `Config` without an API key.
    pub(crate) fn of_destination(run: &'c RunContext) -> Result<Rehearsal<'c>> {
        let Some(connection) = &run.destinations.stream else {
            return Err(Error::usage(format!(
                "could not rehearse: connection `{}` delivers to a bucket only, and CloudZero has no test \
                 namespace for files",
                run.connection
            ))
            .with_hint("preview a drop with `deliver --dry-run`, or set CLOUDZERO_CONNECTION_ID to a stream"));
        };
        run.destinations.check_key()?;
        let real = run.destinations.api.as_deref();
        let real = real.ok_or_else(|| Error::bug("no client of CloudZero's API"))?;
        Ok(Rehearsal::new(
            real,
            real.in_test_namespace()?,
            connection.clone(),
        ))
    }

    /// Creates a rehearsal with a billing connection that may exist in the namespace only.
    pub(crate) fn new(real: &'c Client, namespace: Client, connection: String) -> Rehearsal<'c> {
        Rehearsal {
            real,
            namespace,
            connection,
        }
    }

    /// Rehearses the delivery of a published month.
    ///
    /// # Errors
    /// Kind `Reconcile` if CloudZero shows another month than was sent, or changes the real one; kind `Config` for
    /// amounts in another currency than US dollars; those of a delivery.
    pub(crate) async fn rehearse(
        &self,
        run: &RunContext,
        tables: &Tables,
        period: BillingPeriod,
        skip_validation: bool,
    ) -> Result<Delivery> {
        let rehearsed = self
            .send_and_compare(run, tables, period, skip_validation)
            .await;
        rehearsed.map_err(|e| e.context(format!("rehearsing {period} of `{}`", run.connection)))
    }

    async fn send_and_compare(
        &self,
        run: &RunContext,
        tables: &Tables,
        period: BillingPeriod,
        skip_validation: bool,
    ) -> Result<Delivery> {
        if run.currency != "USD" {
            return Err(Error::config(format!(
                "could not rehearse amounts in {}: CloudZero accepts US dollars only",
                run.currency
            ))
            .with_hint("set BILLSTREAM_CURRENCY=USD if the amounts are in US dollars"));
        }
        let month = tables.month(run, period).await?;
        let published = PublishedLineItems {
            run,
            period,
            columns: tables.line_item_columns()?,
            files: month.line_items,
            record: month.line_items_record,
        };
        let hours = sum_by_hour(&published, &published.checked_totals().await?).await?;
        let months = month_forms::load(run, &self.connection).await?;
        let mut real = Stream::new(self.real, &self.connection, months);
        let before = real.fetch_totals(period).await?;
        let mut stream = Stream::new(&self.namespace, &self.connection, months);
        let mut plan = RequestPlan::new(&published, hours).await?;
        plan.clear_lost_hours(&published, &stream.fetch_totals(period).await?)
            .await?;
        let attempt = format!("{}-{period}-rehearsal", run.run);
        let bytes = send(&published, &mut stream, &plan, &attempt, skip_validation).await?;
        let limit = run.destinations.read_back;
        let difference = difference_after(&mut stream, period, &plan.hours, limit).await?;
        if real.fetch_totals(period).await? != before {
            return Err(Error::reconcile(format!(
                "{period} of CloudZero's stream `{}` changed during the rehearsal",
                self.connection
            ))
            .with_hint(
                "unless another delivery was under way, CloudZero does not keep rehearsals apart: do not rehearse, \
                 and deliver the month by name to make it right",
            ));
        }
        if let Some(first) = difference {
            return Err(Error::reconcile(format!(
                "CloudZero does not hold what was sent: {}: sent {}; CloudZero holds {}",
                format_timestamp(first.hour),
                first.expected,
                first.actual
            ))
            .with_hint(
                "rehearse again, with a longer BILLSTREAM_READ_BACK_SECS if CloudZero is slow; nothing was delivered",
            ));
        }
        Ok(Delivery {
            rows: plan.rows,
            parts: plan.requests,
            bytes,
            ..Delivery::new(
                period,
                DestinationKind::Stream,
                self.connection.clone(),
                DeliveryStatus::Rehearsed,
            )
        })
    }
}
