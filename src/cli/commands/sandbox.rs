//! `billstream sandbox`: fake Confluent Cloud and CloudZero APIs on loopback, with invented data.

use crate::error::{Error, Result};
use crate::sandbox::{
    AcceptedMonths, Bucket, DEFAULT_ADMIN_KEY, DEFAULT_ADMIN_SECRET, DEFAULT_CLOUDZERO_KEY,
    DEFAULT_COSTS_PER_DAY, DEFAULT_KEY, DEFAULT_KEY_DELAY, DEFAULT_SECRET, DEFAULT_STREAM_ID,
    Dialect, Fault, Options, base_url, serve,
};
use crate::store::Store;
use chrono::{NaiveDate, Utc};
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::net::TcpListener;

/// Arguments of `billstream sandbox`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  billstream sandbox
  billstream sandbox --port 0 --costs-per-day 10000 --gzip
  billstream sandbox --fault 429:2:retry_after=3 --fault cut
  billstream sandbox --bucket ./store/drops --fault cz-lost-reply")]
pub(crate) struct SandboxArgs {
    /// Port on 127.0.0.1; 0 picks a free one
    #[arg(long, default_value_t = 8900)]
    port: u16,
    /// API key
    #[arg(long, default_value = DEFAULT_KEY)]
    key: String,
    /// API secret of the key (guards invented data only)
    #[arg(long, default_value = DEFAULT_SECRET, hide_default_value = true)]
    secret: secrecy::SecretString,
    /// API key of the organization's admin, who can also manage service accounts and keys
    #[arg(long, value_name = "KEY", default_value = DEFAULT_ADMIN_KEY)]
    admin_key: String,
    /// API secret of the admin's key (guards invented data only)
    #[arg(long, value_name = "SECRET", default_value = DEFAULT_ADMIN_SECRET, hide_default_value = true)]
    admin_secret: secrecy::SecretString,
    /// Time until a new API key is active
    #[arg(long, value_name = "MILLISECONDS", default_value_t = DEFAULT_KEY_DELAY.as_millis() as u64)]
    key_delay_ms: u64,
    /// Number of organizations of the admin; the costs belong to the first
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    organizations: u32,
    /// Omit this resource or environment from the inventory; its costs stay
    #[arg(long = "gone-resource", value_name = "ID")]
    gone_resources: Vec<String>,
    /// Rename this resource or environment in the inventory; its costs keep the old name
    #[arg(long = "rename-resource", value_name = "ID=NAME", value_parser = parse_id_and_name)]
    renamed: Vec<(String, String)>,
    /// Costs of each complete day, at least 56
    #[arg(long, value_name = "COUNT", default_value_t = DEFAULT_COSTS_PER_DAY)]
    costs_per_day: usize,
    /// Seed of the synthetic organization
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Current day (UTC); costs go back one year from it [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<NaiveDate>,
    #[allow(
        rustdoc::broken_intra_doc_links,
        reason = "the brackets are syntax of the help text"
    )]
    /// Inject a fault: kind[:times][:option=value], such as 429:2:retry_after=3 or reset
    ///
    /// Kinds: 429, 429-date, 429-reset, 500, 502-html, 503, html-200, 404, 401, 403, reset, cut,
    /// truncated-json, slow, repeat-token, expired-token, bad-record, missing-amount, outside-window,
    /// redirect, wrong-clock. In changes below /iam/: iam-402, iam-403, iam-409,
    /// iam-500, iam-lost-reply. In lists of resources: inventory-403, inventory-404, inventory-500,
    /// inventory-empty.
    /// In CloudZero's API: cz-429, cz-500, cz-503, cz-400, cz-403, cz-404, cz-413, cz-409, cz-reset,
    /// cz-lost-reply, cz-late, cz-invalid, cz-corrupt.
    /// Options: retry_after (seconds), secs (pause of slow), after (number of requests to skip first).
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<Fault>,
    /// Requests per second before 429
    #[arg(long, value_name = "REQUESTS", value_parser = clap::value_parser!(u32).range(1..))]
    rate_limit: Option<u32>,
    /// Time until Confluent's API answers a request
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    latency_ms: u64,
    /// Compress costs for clients that accept gzip
    #[arg(long)]
    gzip: bool,
    /// Restate a few amounts of earlier months, differently for each number above 0
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    revision: u32,
    /// Return no costs for this day
    #[arg(long = "drop-day", value_name = "YYYY-MM-DD")]
    drop_days: Vec<NaiveDate>,
    /// Serve the same costs in another order
    #[arg(long)]
    reorder: bool,
    /// CloudZero API key (guards invented data only)
    #[arg(long, value_name = "KEY", default_value = DEFAULT_CLOUDZERO_KEY, hide_default_value = true)]
    cloudzero_key: secrecy::SecretString,
    /// Folder or s3:// URL of a bucket that CloudZero polls at each GET /sandbox/cloudzero/poll
    #[arg(long, value_name = "PATH|URL")]
    bucket: Option<String>,
    /// Add CloudZero's native Confluent connection
    #[arg(long)]
    native_confluent: bool,
    /// Let CloudZero's validation refuse negative amounts
    #[arg(long)]
    refuse_signs: bool,
    /// Form of months in request bodies that CloudZero accepts: any, datetime or year-month
    #[arg(long, value_name = "FORM", default_value = "any")]
    months_in_bodies: AcceptedMonths,
    /// Form of months in paths that CloudZero accepts: any, datetime or year-month
    #[arg(long, value_name = "FORM", default_value = "any")]
    months_in_paths: AcceptedMonths,
    /// Let CloudZero ignore test keys, so that rehearsals change the real months
    #[arg(long)]
    ignore_test_keys: bool,
}

/// Listens on 127.0.0.1, prints the address, and serves until Ctrl-C.
///
/// # Errors
/// Kind usage when the port is not available, else those of the bucket.
pub(crate) async fn run(args: SandboxArgs) -> Result<()> {
    let bucket = args.bucket.as_deref().map(open_bucket).transpose()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port))
        .await
        .map_err(|error| {
            Error::usage(format!(
                "could not listen on `127.0.0.1:{}`: {error}",
                args.port
            ))
            .with_hint("choose another port with --port, or a free one with --port 0")
        })?;
    let address = listener
        .local_addr()
        .map_err(|error| Error::remote(format!("could not read the sandbox's address: {error}")))?;
    let url = base_url(&address);
    print_address(&url, &args);
    let options = Options {
        key: args.key,
        secret: args.secret,
        admin_key: args.admin_key,
        admin_secret: args.admin_secret,
        key_delay: Duration::from_millis(args.key_delay_ms),
        organizations: args.organizations as usize,
        gone_resources: args.gone_resources,
        renamed: args.renamed,
        costs_per_day: args.costs_per_day,
        seed: args.seed,
        today: args.today.unwrap_or_else(|| Utc::now().date_naive()),
        faults: args.faults,
        rate_limit: args.rate_limit,
        latency: Duration::from_millis(args.latency_ms),
        gzip: args.gzip,
        revision: args.revision,
        drop_days: args.drop_days,
        reorder: args.reorder,
        cloudzero_key: args.cloudzero_key,
        bucket,
        native_confluent: args.native_confluent,
        dialect: Dialect {
            refuses_signs: args.refuse_signs,
            months_in_bodies: args.months_in_bodies,
            months_in_paths: args.months_in_paths,
            ignores_test_keys: args.ignore_test_keys,
        },
        ..Options::default()
    };
    tokio::select! {
        served = serve(listener, options) => served,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

fn parse_id_and_name(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((id, name)) if !id.is_empty() => Ok((id.to_owned(), name.to_owned())),
        _ => Err("give an id and a name, as in lkc-7aa01x=orders".to_owned()),
    }
}

fn open_bucket(location: &str) -> Result<Bucket> {
    let store = Store::open(location)?;
    Ok(Bucket {
        root: store.root(),
        prefix: store.path(""),
        name: store.url().host_str().unwrap_or("local").to_owned(),
        path: store.url().path().trim_matches('/').to_owned(),
    })
}

/// Prints the address to stdout, and the variables for using it to stderr. Ignores closed streams, because
/// the sandbox serves without them.
fn print_address(url: &str, args: &SandboxArgs) {
    use secrecy::ExposeSecret as _;
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "sandbox listening on {url}").and_then(|()| stdout.flush());
    let _ = writeln!(
        std::io::stderr(),
        "export CONFLUENT_CLOUD_REST_ENDPOINT={url}\n\
         export CONFLUENT_CLOUD_API_KEY={}\n\
         export CONFLUENT_CLOUD_API_SECRET={}\n\
         export CLOUDZERO_API_URL={url}\n\
         export CLOUDZERO_API_KEY={}\n\
         export CLOUDZERO_CONNECTION_ID={DEFAULT_STREAM_ID}",
        args.key,
        args.secret.expose_secret(),
        args.cloudzero_key.expose_secret()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_id_and_new_name() {
        let pair = |id: &str, name: &str| Ok((id.to_owned(), name.to_owned()));
        assert_eq!(parse_id_and_name("lkc-1=a=b, c"), pair("lkc-1", "a=b, c"));
        assert_eq!(parse_id_and_name("env-1="), pair("env-1", ""));
        for wrong in ["", "lkc-1", "=name"] {
            assert!(parse_id_and_name(wrong).is_err(), "{wrong}");
        }
    }
}
