//! `billstream import --demo`, and the in-process sandbox of the demos.

use chrono::Utc;
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;

use crate::cli::args::{RunArgs, SummaryFormat};
use crate::cli::context::CommandContext;
use crate::cli::import_connection::import_connection;
use crate::cli::output::stderr::note_lines;
use crate::cli::output::summary::print_summary;
use crate::config::secret::Credentials;
use crate::config::settings::{self, Setting};
use crate::config::{Config, Environment, Flags};
use crate::error::{Error, Result};
use crate::pipeline::import::ImportOptions;
use crate::pipeline::select::Selection;
use crate::sandbox;
use crate::store::tables::Table;
use crate::store::{Store, TableName};

/// Name of the demo's connection.
pub(crate) const DEMO_CONNECTION: &str = "demo";

/// Sandbox in this process, served until it is dropped. The demos use it through the real HTTP client.
pub(crate) struct DemoSandbox {
    server: JoinHandle<Result<()>>,
    options: sandbox::Options,
    url: String,
}

impl DemoSandbox {
    /// Starts a sandbox whose current day is that of the system clock.
    ///
    /// # Errors
    /// Kind configuration, when no port on loopback is available.
    pub(crate) async fn start() -> Result<DemoSandbox> {
        let failed =
            |e: std::io::Error| Error::config(format!("could not listen on `127.0.0.1`: {e}"));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let options = sandbox::Options {
            today: Utc::now().date_naive(),
            ..sandbox::Options::default()
        };
        Ok(DemoSandbox {
            server: tokio::spawn(sandbox::serve(listener, options.clone())),
            options,
            url: sandbox::base_url(&address),
        })
    }

    /// Environment with the sandbox's endpoint and no key; excludes the variables of the process.
    pub(crate) fn environment_without_key(&self) -> Environment {
        self.variables(&[])
    }

    /// Environment with the sandbox's endpoint and key.
    fn environment_with_key(&self) -> Environment {
        self.variables(&[
            (settings::KEY, &self.options.key),
            (settings::SECRET, self.options.secret.expose_secret()),
            (settings::INVENTORY, "true"),
        ])
    }

    fn variables(&self, more: &[(Setting, &str)]) -> Environment {
        let common = [
            (settings::ENDPOINT, self.url.as_str()),
            (settings::REQUESTS_PER_SECOND, "1000"),
        ];
        let all = common.iter().chain(more);
        all.map(|(key, value)| (key.variable, *value)).collect()
    }

    /// Key of the organization's administrator.
    pub(crate) fn admin_credentials(&self) -> Credentials {
        Credentials {
            key: self.options.admin_key.clone(),
            secret: self.options.admin_secret.clone(),
        }
    }
}

impl Drop for DemoSandbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Imports twelve invented months.
pub(crate) async fn import_demo(args: &RunArgs, mut options: ImportOptions) -> Result<u8> {
    if options.months == Selection::Pending {
        options.months = Selection::All;
    }
    let sandbox = DemoSandbox::start().await?;
    let flags = Flags {
        config: None,
        connection: Some(DEMO_CONNECTION.to_string()),
        ..args.flags()
    };
    let context = CommandContext::of(Config::of(flags, sandbox.environment_with_key())?)?;
    refuse_other_connections(&context.store).await?;
    let work = async |name: &str| import_connection(&context, name, &options).await;
    let results = context.each(vec![DEMO_CONNECTION.to_string()], work).await;
    let code = print_summary(&context, results, args.summary);
    if code.is_ok() && args.summary.format == SummaryFormat::Table {
        next_steps(&context.store);
    }
    code
}

/// Refuses a store with other connections, so that invented costs are never mixed with real ones.
///
/// # Errors
/// Kind configuration, when the store has costs of another connection.
pub(crate) async fn refuse_other_connections(store: &Store) -> Result<()> {
    for name in [TableName::Costs, TableName::LineItems] {
        let Some(table) = Table::open(store, name).await? else {
            continue;
        };
        if let Some(other) = table
            .files()
            .await?
            .into_iter()
            .find(|file| file.connection != DEMO_CONNECTION)
        {
            return Err(Error::config(format!(
                "could not import the demo into `{}`: the store has costs of connection `{}`",
                store.display(""),
                other.connection
            ))
            .with_hint("choose another folder with --store"));
        }
    }
    Ok(())
}

fn next_steps(store: &Store) {
    let flag = match store.local() {
        Some(folder)
            if std::path::Path::new(settings::STORE.default)
                .canonicalize()
                .ok()
                .as_deref()
                == Some(folder) =>
        {
            String::new()
        }
        _ => format!(" --store {}", store.display("").trim_end_matches('/')),
    };
    // Repeats the command as it was called, because `cargo run` does not add it to the PATH.
    let command = std::env::args()
        .next()
        .unwrap_or_else(|| "billstream".to_string());
    note_lines(&format!(
        "\nTry next:\n  \
         {command} query{flag} 'select \"resource/service\", sum(\"cost/cost\") as cost from line_items group by 1 order by 2 desc'\n  \
         {command} query{flag} 'select billing_period, \"lineitem/type\", sum(\"cost/cost\") as cost from line_items group by 1, 2 order by 1, 2'\n  \
         {command} import --demo{flag}    # again: nothing changed, so nothing is published"
    ));
}
