//! `billstream connections add`.

#[cfg(feature = "sandbox")]
mod demo;
mod organization;
mod preconditions;

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use crate::cli::args::{StoreArgs, SummaryArgs};
use crate::cli::commands::connections::key_input::{KeyArgs, KeyInput};
use crate::cli::commands::connections::report;
use crate::cli::context::CommandContext;
use crate::cli::import_connection::import_connection;
use crate::cli::output::stderr::note;
use crate::cli::output::summary::print_summary;
use crate::cli::print_text;
use crate::config::credential_store::{self, CredentialStore};
use crate::config::edit::{self, NewValue};
use crate::config::secret::{Credentials, SecretRef};
use crate::config::settings::{self, Setting};
use crate::config::{Config, DEFAULT_CONNECTION, Flags, Origin, check_name};
use crate::confluent::client::{Client, Settings};
use crate::connections::provision::{self, SetupRequest};
use crate::connections::setup_state::SetupFiles;
use crate::connections::state::{self, CheckState};
use crate::connections::{interactive_client, key_probe};
use crate::error::{Error, Result};
use crate::pipeline::import::ImportOptions;
use crate::pipeline::select::Selection;

/// The same dollars may reach CloudZero by another way that Confluent does not tell of.
const MARKETPLACE_NOTE: &str = "note: if AWS, Azure or Google bills you for Confluent (marketplace), CloudZero has the same \
                                dollars from that bill; see \"Marketplace\" in docs/delivery.md";

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Service {
    /// Confluent Cloud
    Confluent,
}

/// Arguments of `connections add`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The key is prompted for, or read from stdin (key and secret, one per line); it is never an argument.
With --setup it is the key of an organization administrator, which is used once and not stored.

Examples:
  billstream connections add confluent
  billstream connections add confluent --name acme --key-env ACME_KEY --secret-file /run/secrets/acme
  billstream connections add confluent --name acme --setup --dry-run
  billstream connections add confluent --name acme --setup --with-inventory --keyring < admin-key
  billstream connections add --demo")]
pub(crate) struct AddArgs {
    /// Source of the costs
    #[arg(value_enum, default_value = "confluent")]
    service: Service,
    /// Name of the connection
    #[arg(long, value_name = "NAME", default_value = DEFAULT_CONNECTION)]
    name: String,
    /// Create a service account with its role and key, using an administrator's key
    #[arg(long)]
    setup: bool,
    /// Run a complete setup against a fake Confluent in this process, and import its invented costs
    #[cfg(feature = "sandbox")]
    #[arg(long, conflicts_with_all = ["setup", "name", "keyring", "endpoint", "replace"])]
    demo: bool,
    /// Also list names and regions of resources; requires the role Operator
    #[arg(long)]
    with_inventory: bool,
    /// Print the requests of a setup without creating anything
    #[arg(long, requires = "setup")]
    dry_run: bool,
    /// Name of the service account of a setup
    #[arg(
        long,
        value_name = "NAME",
        default_value = "billstream",
        requires = "setup"
    )]
    service_account: String,
    /// Id of the organization of a setup, if the administrator has access to several
    #[arg(long, value_name = "ID", requires = "setup")]
    organization: Option<String>,
    /// Store the credentials in the system's keyring instead of a file
    #[arg(long)]
    keyring: bool,
    /// URL of Confluent's API [default: https://api.confluent.cloud]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Seconds to wait for a new key to become active [default: 60, with --setup 180]
    #[arg(long, value_name = "SECONDS")]
    wait_secs: Option<u64>,
    /// Replace an existing connection of that name
    #[arg(long)]
    replace: bool,
    /// Store the connection without importing
    #[arg(long)]
    no_import: bool,
    /// Add it although another connection has the same Confluent organization
    #[arg(long)]
    allow_same_organization: bool,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    summary: SummaryArgs,
}

impl AddArgs {
    fn credential_store(&self) -> CredentialStore {
        if self.keyring {
            CredentialStore::Keyring
        } else {
            CredentialStore::File
        }
    }

    fn setup_request(&self) -> SetupRequest {
        SetupRequest {
            connection: self.name.clone(),
            organization: self.organization.clone(),
            service_account: self.service_account.clone(),
            inventory: self.with_inventory,
            credential_store: self.credential_store(),
        }
    }

    fn flags(&self) -> Flags {
        Flags {
            connection: Some(self.name.clone()),
            ..self.store.flags()
        }
    }
}

/// Adds a connection.
pub(crate) async fn run(args: AddArgs) -> Result<u8> {
    let Service::Confluent = args.service;
    check_name(&args.name)?;
    #[cfg(feature = "sandbox")]
    if args.demo {
        return demo::run(args).await;
    }
    let config = Config::load(args.flags())?;
    preconditions::name_is_free(&config, &args)?;
    preconditions::endpoint_is_used(&config, &args)?;
    if args.setup {
        preconditions::key_is_used(&config, &args, None)?;
    }
    if args.dry_run {
        return dry_run(&config, &args).await;
    }
    let file = config.writable_path()?;
    if args.keyring {
        preconditions::keyring_entry_is_free(&config, &args.name)?;
    }
    if args.setup {
        set_up(&config, &args, &file).await?;
    } else {
        add_existing_key(&config, &args, &file).await?;
    }
    import(Config::load(args.flags())?, &args).await
}

/// Prints the requests of a setup to stdout.
async fn dry_run(config: &Config, args: &AddArgs) -> Result<u8> {
    let admin = client(config, args, args.key.administrator_key(config)?)?;
    let on_request = |request: &str| {
        let _ = print_text(&format!("{request}\n"));
    };
    provision::dry_run(&admin, &args.setup_request(), &on_request, &report).await?;
    note!("dry run: nothing was created");
    Ok(0)
}

/// Creates a key with an administrator's key, then probes and stores it.
async fn set_up(config: &Config, args: &AddArgs, file: &Path) -> Result<()> {
    let admin = args.key.administrator_key(config)?;
    let (config, _lock) = lock(config, file, args)?;
    let admin = client(&config, args, admin)?;
    organization::refuse_before_setup(&config, args, &admin).await?;
    let new = provision::set_up(&admin, file, &args.setup_request(), &report).await?;
    let checked = async {
        probe(&config, args, new.credentials.clone(), new.role_is_new).await?;
        organization::check(&config, args, new.credentials.clone()).await
    };
    checked.await.map_err(|e| new.with_undo_hint(e))?;
    let key = KeyToStore::Credentials(new.credentials.clone());
    store(&config, args, file, &key)?;
    new.finish()
}

/// Probes and stores a key that the user has.
async fn add_existing_key(config: &Config, args: &AddArgs, file: &Path) -> Result<()> {
    let (credentials, key) = match args.key.connection_key(config)? {
        KeyInput::Entered(credentials) => {
            (credentials.clone(), KeyToStore::Credentials(credentials))
        }
        KeyInput::Referenced { .. } if args.keyring => {
            return Err(Error::usage("--keyring requires a key that is entered")
                .with_hint("omit --keyring: the variable or file stays the location of the key"));
        }
        KeyInput::Referenced {
            key,
            secret,
            credentials,
        } => {
            preconditions::file_is_permanent(&key)?;
            preconditions::file_is_permanent(&secret)?;
            (credentials, KeyToStore::References(key, secret))
        }
    };
    preconditions::key_is_used(config, args, Some(&credentials))?;
    let (config, _lock) = lock(config, file, args)?;
    probe(&config, args, credentials.clone(), false).await?;
    organization::check(&config, args, credentials).await?;
    store(&config, args, file, &key)
}

/// Locks out other commands, and reloads the configuration, which may have changed while the key was typed.
fn lock(config: &Config, file: &Path, args: &AddArgs) -> Result<(Config, Option<File>)> {
    let files = SetupFiles::beside(file, &args.name, args.credential_store());
    let lock = files.lock()?;
    files.check_writable()?;
    let config = config.reload()?;
    preconditions::name_is_free(&config, args)?;
    Ok((config, lock))
}

/// Client for the connection's organization.
fn client(config: &Config, args: &AddArgs, credentials: Credentials) -> Result<Client> {
    interactive_client(&access(config, args, credentials)?)
}

/// Access to the connection's organization.
fn access(config: &Config, args: &AddArgs, credentials: Credentials) -> Result<Settings> {
    let mut settings = config.confluent_with(&args.name, credentials)?;
    if let Some(endpoint) = &args.endpoint {
        settings.endpoint = endpoint
            .parse()
            .map_err(|e| Error::usage(format!("--endpoint is not a URL: {e}")))?;
    }
    Ok(settings)
}

async fn probe(
    config: &Config,
    args: &AddArgs,
    credentials: Credentials,
    role_is_new: bool,
) -> Result<()> {
    let client = client(config, args, credentials)?;
    let today = (config.settings()?.clock)().date_naive();
    let default_secs = if args.setup { 180 } else { 60 };
    let timeout = Duration::from_secs(args.wait_secs.unwrap_or(default_secs));
    let probed = key_probe::probe_new_key(&client, today, timeout, role_is_new, &report).await?;
    note!("key works: read {} costs of {}", probed.costs, probed.day);
    Ok(())
}

enum KeyToStore {
    /// Written to a file or the keyring.
    Credentials(Credentials),
    /// Locations of key and secret, which the configuration file refers to.
    References(SecretRef, SecretRef),
}

/// Stores the connection in the configuration file, and deletes credentials that it no longer uses.
fn store(config: &Config, args: &AddArgs, file: &Path, key: &KeyToStore) -> Result<()> {
    let name = &args.name;
    let mut values: Vec<(Setting, NewValue)> = Vec::new();
    let location = match key {
        KeyToStore::Credentials(credentials) => {
            let location = args.credential_store().secret_ref(file, name);
            credential_store::write(&location, credentials)?;
            values.push((settings::CREDENTIALS, NewValue::Secret(location.clone())));
            location
        }
        KeyToStore::References(key, secret) => {
            values.push((settings::KEY, NewValue::Secret(key.clone())));
            values.push((settings::SECRET, NewValue::Secret(secret.clone())));
            secret.clone()
        }
    };
    let endpoint = args.endpoint.clone().or_else(|| {
        let value = config.value(&settings::ENDPOINT, Some(name))?;
        (value.origin != Origin::Default).then_some(value.text)
    });
    values.extend(endpoint.map(|url| (settings::ENDPOINT, NewValue::Text(url))));
    if args.with_inventory {
        values.push((settings::INVENTORY, NewValue::Boolean(true)));
    }
    edit::set_connection(file, name, &values)?;
    let previous = config.stored_credentials(name);
    let previous = previous.filter(|previous| previous.to_string() != location.to_string());
    credential_store::delete_own(file, name, previous)?;
    note!(
        "stored connection `{name}` in {} (secret: {location})",
        file.display()
    );
    Ok(())
}

/// Records the successful check, and imports the pending months.
async fn import(config: Config, args: &AddArgs) -> Result<u8> {
    let context = CommandContext::of(config)?;
    let state = CheckState {
        at: (context.settings.clock)(),
        error: None,
    };
    state::save_check(&context.store, &args.name, &state).await?;
    note!("{MARKETPLACE_NOTE}");
    if args.no_import {
        note!("run `billstream import` to import its costs");
        return Ok(0);
    }
    let options = ImportOptions {
        months: Selection::Pending,
        dry_run: false,
        allow_missing_data: false,
        pull_only: false,
        no_deliver: false,
        unvalidated: false,
        allow_same_organization: args.allow_same_organization,
    };
    let work = async |name: &str| import_connection(&context, name, &options).await;
    let results = context.each(vec![args.name.clone()], work).await;
    print_summary(&context, results, args.summary)
}
