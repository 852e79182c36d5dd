//! `billstream connections add`.

mod preconditions;

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use crate::cli::args::{StoreArgs, SummaryArgs};
use crate::cli::commands::connections::ask::{Given, KeyArgs};
use crate::cli::commands::connections::provision;
use crate::cli::commands::demo::{DEMO, Playground, refuse_other_connections};
use crate::cli::context::CommandContext;
use crate::cli::import_connection::import_connection;
use crate::cli::output::summary::print_summary;
use crate::config::edit::{self, Keep, Set};
use crate::config::secret::{Credentials, Place};
use crate::config::settings::{self, Key};
use crate::config::{Config, DEFAULT_CONNECTION, Flags, Origin, check_name};
use crate::confluent::client::Client;
use crate::connections::key_probe;
use crate::connections::setup_state::Notebook;
use crate::connections::state::{self, CheckState};
use crate::error::{Error, Result};
use crate::pipeline::import::Options;
use crate::pipeline::select::Selection;

/// Whose costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Service {
    /// Confluent Cloud
    Confluent,
}

/// Arguments of `connections add`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The key is asked for, or read from stdin (key and secret, a line each); it is never an argument.
With --setup it is that of an organization administrator, which is used once and not kept.

Examples:
  billstream connections add confluent
  billstream connections add confluent --name acme --key-env ACME_KEY --secret-file /run/secrets/acme
  billstream connections add confluent --name acme --setup --dry-run
  billstream connections add confluent --name acme --setup --with-inventory --keyring < admin-key
  billstream connections add --demo")]
pub struct AddArgs {
    /// Whose costs
    #[arg(value_enum, default_value = "confluent")]
    service: Service,
    /// Name of the connection
    #[arg(long, value_name = "NAME", default_value = DEFAULT_CONNECTION)]
    name: String,
    /// Make a service account with its role and key, with an administrator's key
    #[arg(long)]
    setup: bool,
    /// Play a whole set-up against a sandbox in this process, and import its invented costs
    #[arg(long, conflicts_with_all = ["setup", "name", "keyring", "endpoint", "replace"])]
    demo: bool,
    /// Also ask for names and regions, which takes the role Operator
    #[arg(long)]
    with_inventory: bool,
    /// List the calls of a set-up; make nothing
    #[arg(long, requires = "setup")]
    dry_run: bool,
    /// Name of the service account of a set-up
    #[arg(
        long,
        value_name = "NAME",
        default_value = "billstream",
        requires = "setup"
    )]
    service_account: String,
    /// Id of the organization of a set-up, where the administrator sees several
    #[arg(long, value_name = "ID", requires = "setup")]
    organization: Option<String>,
    /// Keep the credentials in the system's keyring instead of a file
    #[arg(long)]
    keyring: bool,
    /// Where Confluent's API is [default: https://api.confluent.cloud]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Seconds to wait for a key that is so new that Confluent does not take it yet [default: 60, with --setup 180]
    #[arg(long, value_name = "SECONDS")]
    wait_secs: Option<u64>,
    /// Take the place of a connection of that name
    #[arg(long)]
    replace: bool,
    /// Store the connection, and import nothing yet
    #[arg(long)]
    no_import: bool,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    summary: SummaryArgs,
}

impl AddArgs {
    fn keep(&self) -> Keep {
        match self.keyring {
            true => Keep::Keyring,
            false => Keep::File,
        }
    }

    /// What a set-up is asked to do.
    fn wish(&self) -> provision::Asked {
        provision::Asked {
            wish: crate::connections::provision::Wish {
                connection: self.name.clone(),
                organization: self.organization.clone(),
                service_account: self.service_account.clone(),
                inventory: self.with_inventory,
            },
            keep: self.keep(),
        }
    }
}

/// Adds a connection.
pub async fn run(args: AddArgs) -> Result<u8> {
    let Service::Confluent = args.service;
    check_name(&args.name)?;
    if args.demo {
        return demo(args).await;
    }
    let flags = |name: &str| Flags {
        connection: Some(name.to_string()),
        ..args.store.flags()
    };
    let config = Config::load(flags(&args.name))?;
    preconditions::taken(&config, &args)?;
    preconditions::overruled_endpoint(&config, &args)?;
    if args.setup {
        preconditions::overruled_key(&config, &args, None)?;
    }
    if args.dry_run {
        let admin = reaching(&config, &args, args.key.administrator(&config)?)?;
        return provision::dry_run(&admin, &args.wish()).await;
    }
    let file = config.writable()?;
    if args.keyring {
        preconditions::foreign_entry(&config, &args.name)?;
    }
    if args.setup {
        let admin = args.key.administrator(&config)?;
        let (config, _lock) = alone(&config, &file, &args)?;
        let admin = reaching(&config, &args, admin)?;
        let new = provision::run(&admin, &file, &args.wish()).await?;
        prove(&config, &args, new.credentials.clone(), new.role_is_new)
            .await
            .map_err(|e| new.undo(e, &args.name))?;
        let kept = Kept::Credentials(new.credentials.clone());
        store(&config, &args, &file, &kept)?;
        new.finish()?;
    } else {
        let given = args.key.given(&config, "Cloud API key")?;
        let (credentials, kept) = match given {
            Given::Asked(credentials) => (credentials.clone(), Kept::Credentials(credentials)),
            Given::Places { .. } if args.keyring => {
                return Err(Error::usage("--keyring is for a key that is asked for")
                    .with_hint("leave it out: the place that is named stays the key's place"));
            }
            Given::Places {
                key,
                secret,
                credentials,
            } => {
                [&key, &secret]
                    .into_iter()
                    .try_for_each(preconditions::passing)?;
                (credentials, Kept::Places(key, secret))
            }
        };
        preconditions::overruled_key(&config, &args, Some(&credentials))?;
        let (config, _lock) = alone(&config, &file, &args)?;
        prove(&config, &args, credentials, false).await?;
        store(&config, &args, &file, &kept)?;
    }
    import(Config::load(flags(&args.name))?, &args).await
}

/// Keeps other commands out, and takes the configuration as it is now.
fn alone(config: &Config, file: &Path, args: &AddArgs) -> Result<(Config, Option<File>)> {
    let notebook = Notebook::beside(file, &args.name, args.keep());
    let lock = notebook.lock()?;
    notebook.writable()?;
    let config = config.reload()?;
    preconditions::taken(&config, args)?;
    Ok((config, lock))
}

/// A client for the connection's organization, for somebody who waits.
fn reaching(config: &Config, args: &AddArgs, credentials: Credentials) -> Result<Client> {
    let mut settings = config.reaching(&args.name, credentials)?;
    if let Some(endpoint) = &args.endpoint {
        settings.endpoint = endpoint
            .parse()
            .map_err(|e| Error::usage(format!("--endpoint is not a URL: {e}")))?;
    }
    crate::cli::commands::connections::client(settings)
}

/// Asks for costs with the new key, and says what came.
async fn prove(
    config: &Config,
    args: &AddArgs,
    credentials: Credentials,
    role_is_new: bool,
) -> Result<()> {
    let client = reaching(config, args, credentials)?;
    let today = (config.settings()?.clock)().date_naive();
    let default = if args.setup { 180 } else { 60 };
    let patience = Duration::from_secs(args.wait_secs.unwrap_or(default));
    let say = |text: &str| eprintln!("{text}");
    let proof = key_probe::prove_new(&client, today, patience, role_is_new, &say).await?;
    eprintln!(
        "costs of {}: {} read, so the key works",
        proof.day, proof.costs
    );
    Ok(())
}

/// What is stored of a key.
enum Kept {
    /// The credentials themselves, in a file of their own or the keyring.
    Credentials(Credentials),
    /// Where key and secret are.
    Places(Place, Place),
}

/// Writes the connection into the configuration file.
fn store(config: &Config, args: &AddArgs, file: &Path, kept: &Kept) -> Result<()> {
    let name = &args.name;
    let mut settings: Vec<(Key, Set)> = Vec::new();
    let place = match kept {
        Kept::Credentials(credentials) => {
            let place = edit::credentials_place(file, name, args.keep());
            edit::keep(&place, credentials)?;
            settings.push((settings::CREDENTIALS, Set::Place(place.clone())));
            place
        }
        Kept::Places(key, secret) => {
            settings.push((settings::KEY, Set::Place(key.clone())));
            settings.push((settings::SECRET, Set::Place(secret.clone())));
            secret.clone()
        }
    };
    let endpoint = args.endpoint.clone().or_else(|| {
        let given = config.value(&settings::ENDPOINT, Some(name))?;
        (given.origin != Origin::Default).then_some(given.text)
    });
    settings.extend(endpoint.map(|url| (settings::ENDPOINT, Set::Text(url))));
    if args.with_inventory {
        settings.push((settings::INVENTORY, Set::Switch(true)));
    }
    edit::set_connection(file, name, &settings)?;
    let before = config.credentials_place(name);
    let before = before.filter(|before| before.to_string() != place.to_string());
    edit::forget_own(file, name, before)?;
    eprintln!(
        "connection `{name}` is stored in {} (secret: {place})",
        file.display()
    );
    Ok(())
}

/// Imports what is due of the new connection.
async fn import(config: Config, args: &AddArgs) -> Result<u8> {
    let scene = CommandContext::of(config)?;
    let state = CheckState {
        at: (scene.settings.clock)(),
        error: None,
    };
    state::checked(&scene.store, &args.name, &state).await?;
    if args.no_import {
        eprintln!("`billstream import` imports it from now on");
        return Ok(0);
    }
    let options = Options {
        months: Selection::Due,
        dry_run: false,
        allow_shrink: false,
        pull_only: false,
        no_deliver: false,
        unvalidated: false,
    };
    let work = async |name: &str| import_connection(&scene, name, &options).await;
    let results = scene.each(vec![args.name.clone()], work).await;
    print_summary(&scene, results, args.summary)
}

/// The whole set-up with a sandbox in this process; the key goes with the sandbox, the costs stay.
async fn demo(mut args: AddArgs) -> Result<u8> {
    let playground = Playground::start().await?;
    let folder = tempfile::tempdir()
        .map_err(|e| Error::config(format!("cannot make a temporary folder: {e}")))?;
    let file = folder.path().join("billstream.toml");
    args.name = DEMO.to_string();
    args.with_inventory = true;
    let config = || {
        let flags = Flags {
            config: file.exists().then(|| file.clone()),
            connection: Some(DEMO.to_string()),
            ..args.store.flags()
        };
        Config::of(flags, playground.surroundings())
    };
    let bare = config()?;
    refuse_other_connections(&CommandContext::of(config()?)?.store).await?;
    let admin = reaching(&bare, &args, playground.administrator())?;
    let new = provision::run(&admin, &file, &args.wish()).await?;
    prove(&bare, &args, new.credentials.clone(), new.role_is_new).await?;
    store(
        &bare,
        &args,
        &file,
        &Kept::Credentials(new.credentials.clone()),
    )?;
    new.finish()?;
    let code = import(config()?, &args).await;
    eprintln!(
        "the sandbox and its key are gone, the invented costs stay: `billstream connections list` shows them"
    );
    code
}
