//! `billstream import --demo`, and the sandbox in this process that demos use.

use std::io::Write;

use chrono::Utc;
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;

use crate::cli::args::{RunArgs, SummaryFormat};
use crate::cli::context::CommandContext;
use crate::cli::import_connection::import_connection;
use crate::cli::output::summary::print_summary;
use crate::config::secret::Credentials;
use crate::config::settings::{self, Key};
use crate::config::{Config, Environment, Flags};
use crate::error::{Error, Result};
use crate::pipeline::import::Options;
use crate::pipeline::select::Selection;
use crate::sandbox;
use crate::store::Store;
use crate::store::tables::Table;

/// The demo's connection.
pub const DEMO: &str = "demo";

/// A sandbox in this process, until it is dropped. It is reached through the real HTTP client.
pub struct Playground {
    server: JoinHandle<Result<()>>,
    options: sandbox::Options,
    url: String,
}

impl Playground {
    /// Starts one, whose current day is the computer's.
    ///
    /// # Errors
    /// Kind configuration, when there is no port on loopback.
    pub async fn start() -> Result<Playground> {
        let failed = |e: std::io::Error| Error::config(format!("cannot listen on 127.0.0.1: {e}"));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let options = sandbox::Options {
            today: Utc::now().date_naive(),
            ..sandbox::Options::default()
        };
        Ok(Playground {
            server: tokio::spawn(sandbox::serve(listener, options.clone())),
            options,
            url: sandbox::base_url(&address),
        })
    }

    /// The environment of somebody who has the sandbox for Confluent, without a key, and nothing of the process's
    /// own.
    pub fn surroundings(&self) -> Environment {
        self.variables(&[])
    }

    /// As [`Playground::surroundings`], with a key.
    fn environment(&self) -> Environment {
        self.variables(&[
            (settings::KEY, &self.options.key),
            (settings::SECRET, self.options.secret.expose_secret()),
            (settings::INVENTORY, "true"),
        ])
    }

    fn variables(&self, more: &[(Key, &str)]) -> Environment {
        let own = [
            (settings::ENDPOINT, self.url.as_str()),
            (settings::REQUESTS_PER_SECOND, "1000"),
        ];
        let all = own.iter().chain(more);
        all.map(|(key, value)| (key.variable, *value)).collect()
    }

    /// The key of the organization's administrator.
    pub fn administrator(&self) -> Credentials {
        Credentials {
            key: self.options.admin_key.clone(),
            secret: self.options.admin_secret.clone(),
        }
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Imports twelve invented months.
pub async fn demo(args: &RunArgs, mut options: Options) -> Result<u8> {
    if options.months == Selection::Due {
        options.months = Selection::All;
    }
    let playground = Playground::start().await?;
    let flags = Flags {
        config: None,
        connection: Some(DEMO.to_string()),
        ..args.flags()
    };
    let scene = CommandContext::of(Config::of(flags, playground.environment())?)?;
    refuse_other_connections(&scene.store).await?;
    let work = async |name: &str| import_connection(&scene, name, &options).await;
    let results = scene.each(vec![DEMO.to_string()], work).await;
    let code = print_summary(&scene, results, args.summary);
    if code.is_ok() && args.summary.format == SummaryFormat::Table {
        next_steps(&scene.store);
    }
    code
}

/// Invented costs must not come to lie beside real ones.
pub async fn refuse_other_connections(store: &Store) -> Result<()> {
    for name in ["costs", "line_items"] {
        let Some(table) = Table::open(store, name).await? else {
            continue;
        };
        if let Some(other) = table
            .files()
            .await?
            .into_iter()
            .find(|file| file.connection != DEMO)
        {
            return Err(Error::config(format!(
                "{} holds costs of `{}`: the demo's invented costs do not go beside them",
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
    // As it was called: with `cargo run` the command is not in the PATH.
    let command = std::env::args()
        .next()
        .unwrap_or_else(|| "billstream".to_string());
    let _ = writeln!(
        std::io::stderr(),
        "\nTry next:\n  \
         {command} query{flag} 'select \"resource/service\", sum(\"cost/cost\") as cost from line_items group by 1 order by 2 desc'\n  \
         {command} query{flag} 'select billing_period, \"lineitem/type\", sum(\"cost/cost\") as cost from line_items group by 1, 2 order by 1, 2'\n  \
         {command} import --demo{flag}    # again: nothing changed, so nothing is published"
    );
}
