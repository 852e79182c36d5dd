//! `billstream destinations add`: sets up CloudZero's side of a destination and remembers it.

mod rehearse;

use crate::billing_period::BillingPeriod;
use crate::cli::args::{SummaryFormat, parse_month};
use crate::cli::commands::destinations::billing_connection::{Lookup, find_or_create};
use crate::cli::commands::destinations::{ConnectionArgs, manual_setup};
use crate::cli::output::stderr::{note, note_lines};
use crate::cli::print_text;
use crate::cloudzero::client::Client;
use crate::cloudzero::connections::BucketInfo;
use crate::config::Connection;
use crate::error::{Error, Result};
use crate::pipeline::deliver::destinations::{BucketDestination, Destinations};
use crate::pipeline::deliver::double_counting;
use crate::store::destinations::{self, BucketRecord, DestinationsRecord, StreamRecord};
use crate::store::lease::{Fence, Lease};
use crate::store::{Store, runs};

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Service {
    /// CloudZero
    Cloudzero,
}

/// Arguments of `destinations add`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("kind").required(true).args(["stream", "bucket"])))]
pub(super) struct AddArgs {
    /// Service to deliver to
    #[arg(value_enum)]
    service: Service,
    /// Send line items to CloudZero's Stream API
    #[arg(long)]
    stream: bool,
    /// Write drops to this folder of a bucket, which CloudZero reads
    #[arg(long, value_name = "URL")]
    bucket: Option<String>,
    /// Name of the billing connection in CloudZero [default: billstream-CONNECTION]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// CloudZero's id of an existing billing connection
    #[arg(long, value_name = "ID")]
    cloudzero_connection: Option<String>,
    /// AWS account of the bucket, if CloudZero needs it
    #[arg(long, value_name = "ID", requires = "bucket")]
    aws_account: Option<String>,
    /// Try it with a published month in a test namespace of CloudZero's stream; nobody sees it, nothing is remembered
    #[arg(long)]
    rehearse: bool,
    /// Month to rehearse [default: the last published one]
    #[arg(long, value_name = "YYYY-MM", value_parser = parse_month, requires = "rehearse")]
    month: Option<BillingPeriod>,
    /// Format of the rehearsal's outcome on stdout [default: table]
    #[arg(long, value_enum, requires = "rehearse")]
    format: Option<SummaryFormat>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl AddArgs {
    fn billing_connection_name(&self, connection: &Connection) -> String {
        let default = || format!("billstream-{}", connection.name);
        self.name.clone().unwrap_or_else(default)
    }
}

/// Runs `destinations add`.
pub(super) async fn run(args: &AddArgs) -> Result<u8> {
    let Service::Cloudzero = args.service;
    if args.rehearse {
        return rehearse::run(args).await;
    }
    let (context, connection) = args.connection.open()?;
    let store = &context.store;
    let api = context.config.destinations(&connection.name)?.api;
    let api = api
        .map(|api| Client::new(api, context.timing()))
        .transpose()?;
    let bucket = args
        .bucket
        .as_deref()
        .map(|location| BucketDestination::open(location, store, &connection.name))
        .transpose()?;
    let setup = Setup {
        args,
        connection: &connection,
        store,
        api: api.as_ref(),
        bucket: bucket.as_ref().map(|bucket| &bucket.store),
    };
    let run = runs::new_run_id((context.settings.clock)());
    let lease = Lease::take(store, &connection.name, &run).await?;
    let fence = lease.fence();
    let mut outcome = setup.run(fence).await;
    if outcome.is_err()
        && let Err(error) = destinations::release_unrecorded(fence).await
    {
        outcome = outcome.map_err(|failed| {
            failed.with_another_hint(format!(
                "the destination is still claimed ({error}); release it with `billstream destinations remove \
                 --connection {}`",
                connection.name
            ))
        });
    }
    if let Err(error) = lease.release().await {
        tracing::warn!(connection = %connection.name, %error, "Could not release the lease");
    }
    outcome.map(|()| 0)
}

/// Set-up of one destination.
struct Setup<'a> {
    args: &'a AddArgs,
    connection: &'a Connection,
    store: &'a Store,
    api: Option<&'a Client>,
    /// `None` for a stream.
    bucket: Option<&'a Store>,
}

impl Setup<'_> {
    async fn run(&self, fence: &Fence) -> Result<()> {
        let (store, connection) = (self.store, &self.connection.name);
        let record = destinations::load(store, connection).await?;
        // Checked before anything is created in CloudZero.
        let named = self.args.cloudzero_connection.as_deref();
        let with_named = with_destination(record.clone(), self.bucket, named);
        destinations::claim(fence, &with_named.places()).await?;
        let on_s3 = self.bucket.filter(|bucket| bucket.url().scheme() == "s3");
        let info =
            on_s3.map(|bucket| BucketInfo::from_url(bucket.url(), self.args.aws_account.clone()));
        let name = self.args.billing_connection_name(self.connection);
        let lookup = self.look_up(&name, info.as_ref()).await?;
        if let Lookup::Manual { reason } = lookup {
            note_lines(&format!(
                "{reason}; complete these steps by hand:\n{}",
                manual_setup::steps(&name, self.connection, info.as_ref())
            ));
        }
        if let Some(info) = &info {
            print_text(&manual_setup::read_policy(info))?;
        }
        let id = match &lookup {
            Lookup::Known(id) => Some(id.as_str()),
            Lookup::NotNeeded | Lookup::Manual { .. } => None,
        };
        if self.bucket.is_none() && id.is_none() {
            return Err(Error::config(
                "could not add the stream: its connection id is not known yet",
            )
            .with_hint(
                "create the connection in CloudZero, then run the command again with \
                     --cloudzero-connection ID",
            ));
        }
        let record = with_destination(record, self.bucket, id);
        destinations::save(fence, &record).await?;
        if let Some(api) = self.api {
            let added = self.added(id);
            double_counting::warn_of_added(api, &added, &record, store, connection).await;
        }
        self.report(id);
        Ok(())
    }

    /// The destination that is added, whose billing connection in CloudZero is `id`.
    fn added(&self, id: Option<&str>) -> Destinations {
        let id = id.map(str::to_string);
        let bucket = self.bucket.map(|store| BucketDestination {
            store: store.clone(),
            cloudzero_connection: id.clone(),
        });
        Destinations::of(bucket, id.filter(|_| self.bucket.is_none()))
    }

    /// Finds or creates the billing connection.
    async fn look_up(&self, name: &str, info: Option<&BucketInfo>) -> Result<Lookup> {
        let is_unreadable = self.bucket.is_some() && info.is_none();
        if is_unreadable {
            tracing::warn!(
                "CloudZero reads S3 buckets only: no billing connection is created for this bucket"
            );
        }
        if let Some(id) = &self.args.cloudzero_connection {
            return Ok(Lookup::Known(id.clone()));
        }
        if is_unreadable {
            return Ok(Lookup::NotNeeded);
        }
        match self.api {
            Some(api) => find_or_create(api, name, self.connection, info).await,
            None => Ok(Lookup::Manual {
                reason: "CLOUDZERO_API_KEY is not set",
            }),
        }
    }

    fn report(&self, id: Option<&str>) {
        let name = &self.connection.name;
        match (self.bucket, id) {
            (Some(bucket), Some(id)) => note!(
                "`{name}` now delivers to {}, which CloudZero's connection `{id}` reads",
                bucket.display("")
            ),
            (Some(bucket), None) => {
                note!("`{name}` now delivers to {}", bucket.display(""))
            }
            (None, id) => note!(
                "`{name}` now delivers to CloudZero's stream `{}`",
                id.unwrap_or_default()
            ),
        }
    }
}

/// Returns the record with one more destination: `bucket`, or else the stream `id`.
fn with_destination(
    mut record: DestinationsRecord,
    bucket: Option<&Store>,
    id: Option<&str>,
) -> DestinationsRecord {
    match (bucket, id) {
        (Some(bucket), id) => {
            let url = bucket.url().to_string();
            let known = record.bucket.filter(|known| known.url == url);
            let known = known.and_then(|known| known.cloudzero_connection);
            record.bucket = Some(BucketRecord {
                cloudzero_connection: id.map(str::to_string).or(known),
                url,
            });
        }
        (None, Some(id)) => {
            record.stream = Some(StreamRecord {
                cloudzero_connection: id.to_string(),
            });
        }
        (None, None) => {}
    }
    record
}
