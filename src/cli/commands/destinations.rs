//! `billstream targets`: where a connection delivers to.

use std::io::Write;

use clap::Subcommand;

use crate::cli::args::StoreArgs;
use crate::cli::context::CommandContext;
use crate::cli::output::stdout::terminal_width;
use crate::cli::output::table::{Column, Table};
use crate::cli::print;
use crate::cloudzero::client::Client;
use crate::cloudzero::connections::{self, BucketInfo};
use crate::config::{Connection, Flags};
use crate::error::{Error, Result};
use crate::pipeline::deliver::destinations::{Bucket, warn_of_same_costs};
use crate::store::destinations::{self, BucketRecord, StreamRecord, TargetsRecord};
use crate::store::lease::Lease;
use crate::store::{Store, runs};

/// Arguments of `targets`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  billstream targets add cloudzero --stream
  billstream targets add cloudzero --bucket s3://acme-billing/confluent
  billstream targets list
  billstream targets remove")]
pub struct TargetsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set up CloudZero's half, and remember where to deliver
    Add(AddArgs),
    /// Show where every connection of the store delivers to
    List {
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Forget where the connection delivers to
    Remove {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, clap::Args)]
struct Place {
    #[command(flatten)]
    store: StoreArgs,
    /// Name of the connection [env: BILLSTREAM_CONNECTION] [default: confluent]
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Service {
    /// CloudZero
    Cloudzero,
}

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("kind").required(true).args(["stream", "bucket"])))]
struct AddArgs {
    /// Whom to deliver to
    #[arg(value_enum)]
    service: Service,
    /// Send line items to CloudZero's API
    #[arg(long)]
    stream: bool,
    /// Write drops to this folder of a bucket, which CloudZero reads
    #[arg(long, value_name = "URL")]
    bucket: Option<String>,
    /// Name of the billing connection in CloudZero [default: billstream-CONNECTION]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// CloudZero's id of a billing connection that is there already
    #[arg(long, value_name = "ID")]
    cloudzero_connection: Option<String>,
    /// AWS account of the bucket, where CloudZero should know it
    #[arg(long, value_name = "ID", requires = "bucket")]
    aws_account: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl Place {
    /// The scene, and the one connection that it is about.
    fn scene(&self) -> Result<(CommandContext, Connection)> {
        let scene = CommandContext::open(Flags {
            connection: self.connection.clone(),
            ..self.store.flags()
        })?;
        let connection = scene.config.connection(&scene.config.one_connection()?)?;
        Ok((scene, connection))
    }
}

/// Runs `targets`.
pub async fn run(args: TargetsArgs) -> Result<u8> {
    match args.command {
        Command::Add(args) => add(&args).await,
        Command::List { store } => list(&store).await,
        Command::Remove { place } => {
            let (scene, connection) = place.scene()?;
            let (store, name) = (&scene.store, &connection.name);
            destinations::forget(store, name).await?;
            let _ = writeln!(
                std::io::stderr(),
                "`{name}` delivers to {} from now on; pause its connection in CloudZero if it has one",
                store.display(&format!("cloudzero/{name}"))
            );
            Ok(0)
        }
    }
}

async fn list(args: &StoreArgs) -> Result<u8> {
    let store = CommandContext::open(args.flags())?.store;
    let headers = ["connection", "destination", "place", "cloudzero connection"];
    let mut table = Table::new(headers.map(Column::text).to_vec());
    for (connection, record) in destinations::all(&store).await? {
        let mut row = |target: &str, place: &str, id: &str| {
            table.row(
                [&connection, target, place, id]
                    .map(str::to_string)
                    .to_vec(),
            );
        };
        let mut from_environment = record.delivered;
        if let Some(bucket) = record.bucket {
            let read_by = bucket.cloudzero_connection.as_deref().unwrap_or("-");
            row("bucket", &bucket.url, read_by);
            from_environment.remove(&bucket.url);
        }
        if let Some(stream) = record.stream {
            let id = stream.cloudzero_connection;
            from_environment.remove(&destinations::stream_place(&id));
            row("stream", "-", &id);
        }
        for place in &from_environment {
            row("by environment", place, "-");
        }
    }
    print(table.render(terminal_width()).as_bytes())?;
    Ok(0)
}

async fn add(args: &AddArgs) -> Result<u8> {
    let Service::Cloudzero = args.service;
    let (scene, connection) = args.place.scene()?;
    let store = &scene.store;
    let api = scene.config.targets(&connection.name)?.api;
    let api = api
        .map(|api| Client::new(api, scene.timing()))
        .transpose()?;
    let bucket = args
        .bucket
        .as_deref()
        .map(|location| Bucket::open(location, store, &connection.name))
        .transpose()?;
    let bucket = bucket.map(|bucket| bucket.store);
    let run = runs::new_run_id((scene.settings.clock)());
    let lease = Lease::take(store, &connection.name, &run).await?;
    let done = set_up(args, &connection, store, api.as_ref(), bucket.as_ref()).await;
    lease.release().await?;
    done
}

async fn set_up(
    args: &AddArgs,
    connection: &Connection,
    store: &Store,
    api: Option<&Client>,
    bucket: Option<&Store>,
) -> Result<u8> {
    let mut record = destinations::load(store, &connection.name).await?;
    // Before anything is made at CloudZero.
    destinations::refuse_shared(
        store,
        &connection.name,
        &with(record.clone(), bucket, args.cloudzero_connection.as_deref()),
    )
    .await?;
    let name = args
        .name
        .clone()
        .unwrap_or_else(|| format!("billstream-{}", connection.name));
    let on_s3 = bucket.filter(|bucket| bucket.url().scheme() == "s3");
    let info = on_s3.map(|bucket| BucketInfo::of(bucket.url(), args.aws_account.clone()));
    let unread = bucket.is_some() && on_s3.is_none();
    if unread {
        tracing::warn!("CloudZero reads buckets of S3 only: no connection is made for this one.");
    }
    let (id, by_hand) = match (&args.cloudzero_connection, api) {
        (Some(id), _) => (Some(id.clone()), None),
        _ if unread => (None, None),
        (None, None) => (None, Some("CLOUDZERO_API_KEY is not set".to_string())),
        (None, Some(api)) => found_or_made(api, &name, connection, info.as_ref()).await?,
    };
    if let Some(api) = api {
        warn_of_same_costs(api, &[]).await;
    }
    if let Some(why) = by_hand {
        let _ = writeln!(
            std::io::stderr(),
            "{why}: these steps are left to you\n{}",
            steps(&name, connection, info.as_ref())
        );
    }
    if let Some(info) = &info {
        print(policy(info).as_bytes())?;
    }
    record = with(record, bucket, id.as_deref());
    if bucket.is_none() && id.is_none() {
        return Err(Error::config(
            "the stream has no connection id yet, so nothing was remembered",
        )
        .with_hint("run it again with --cloudzero-connection ID once the connection is there"));
    }
    destinations::save(store, &connection.name, &record).await?;
    let place = match (&id, bucket) {
        (_, Some(bucket)) => bucket.display(""),
        (id, None) => format!("CloudZero's stream `{}`", id.as_deref().unwrap_or_default()),
    };
    let _ = writeln!(
        std::io::stderr(),
        "`{}` delivers to {place} from now on{}",
        connection.name,
        id.filter(|_| bucket.is_some())
            .map_or(String::new(), |id| format!(
                ", read by CloudZero's connection `{id}`"
            )),
    );
    Ok(0)
}

/// The record with the new target.
fn with(mut record: TargetsRecord, bucket: Option<&Store>, id: Option<&str>) -> TargetsRecord {
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

/// The id of the connection of that name and kind, or why it is left to the user.
async fn found_or_made(
    api: &Client,
    name: &str,
    connection: &Connection,
    info: Option<&BucketInfo>,
) -> Result<(Option<String>, Option<String>)> {
    let refused = |failure: crate::http::request_error::RequestError| match failure.status {
        Some(status) if status.as_u16() == 403 => Ok((
            None,
            Some("the API key may not manage billing connections".to_string()),
        )),
        _ => Err(failure.error),
    };
    let all = match connections::list(api).await {
        Ok(all) => all,
        Err(failure) => return refused(failure),
    };
    if let Some(found) = all.iter().find(|other| other.name == name) {
        let same = match info {
            None => found.is_stream(),
            Some(info) => found.reads(info),
        };
        if !same {
            return Err(Error::config(format!(
                "CloudZero has a connection `{name}` of another kind or bucket ({})",
                found.id()
            ))
            .with_hint("choose another name with --name, or pause that connection in CloudZero"));
        }
        say(found, "found");
        return Ok((Some(found.id().to_string()), None));
    }
    match connections::create(api, name, &connection.cloud_provider, info).await {
        Ok(made) => {
            say(&made, "made");
            Ok((Some(made.id().to_string()), None))
        }
        Err(failure) => refused(failure),
    }
}

fn say(connection: &connections::Connection, what: &str) {
    let _ = writeln!(
        std::io::stderr(),
        "{what} CloudZero's billing connection `{}` ({})",
        connection.name,
        connection.id()
    );
}

/// What CloudZero's role needs, and the path to paste.
fn policy(info: &BucketInfo) -> String {
    let BucketInfo {
        bucket_name: bucket,
        bucket_path: path,
        ..
    } = info;
    let policy = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": ["s3:Get*", "s3:List*"],
            "Resource": [
                format!("arn:aws:s3:::{bucket}"),
                format!("arn:aws:s3:::{bucket}/{path}/*"),
            ],
        }],
    });
    format!(
        "Bucket Name: {bucket}\nBucket Path: {path}\nRead policy of CloudZero's role:\n{policy:#}\n"
    )
}

fn steps(name: &str, connection: &Connection, info: Option<&BucketInfo>) -> String {
    let provider = &connection.cloud_provider;
    let open = format!(
        "  1. CloudZero: Settings, Cloud Connections, Create Connection, Custom; name it {name}, with the \
         Cloud Provider {provider}"
    );
    match info {
        Some(_) => format!(
            "{open}\n  2. choose the S3 bucket, and paste the bucket and path below\n  3. give CloudZero's \
             role the policy below"
        ),
        None => format!(
            "{open}\n  2. choose the REST API, and copy the connection id\n  3. set CLOUDZERO_API_KEY, and run \
             `billstream targets add cloudzero --stream --cloudzero-connection ID`"
        ),
    }
}
