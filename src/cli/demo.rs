//! `billstream import --demo`.

use std::io::Write;

use url::Url;

use super::args::{RunArgs, SummaryFormat};
use super::report::from_confluent;
use super::run::job;
use crate::config::{self, Environment, Settings};
use crate::confluent::client;
use crate::error::{Error, Result};
use crate::pipeline::import::Options;
use crate::pipeline::months::Selection;
use crate::pipeline::targets::Targets;
use crate::sandbox;
use crate::store::Store;
use crate::store::tables::Table;

/// The demo's connection.
const DEMO: &str = "demo";

/// The demo: a sandbox in this process, reached through the real HTTP client.
pub async fn demo(args: &RunArgs, mut options: Options) -> Result<u8> {
    if options.months == Selection::Due {
        options.months = Selection::All;
    }
    let mut flags = args.flags();
    flags.connection = Some(DEMO.to_string());
    let settings = Settings::resolve(&flags, &Environment::default())?;
    let store = Store::open(&settings.store)?;
    refuse_other_connections(&store).await?;

    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
    let listener =
        listener.map_err(|e| Error::config(format!("cannot listen on 127.0.0.1: {e}")))?;
    let address = listener
        .local_addr()
        .map_err(|e| Error::config(format!("cannot listen on 127.0.0.1: {e}")))?;
    let organization = sandbox::Options {
        today: (settings.clock)().date_naive(),
        ..sandbox::Options::default()
    };
    let (key, secret) = (organization.key.clone(), organization.secret.clone());
    let server = tokio::spawn(sandbox::serve(listener, organization));
    let endpoint = Url::parse(&sandbox::base_url(&address))
        .map_err(|e| Error::bug(format!("the sandbox's address: {e}")))?;
    let mut confluent = client::Settings::new(endpoint, key, secret);
    confluent.requests_per_second = 1000;
    let targets = Targets::in_store(&store, DEMO);
    let job = job(&settings, store.clone(), targets)?;
    let code = from_confluent("import", &settings, job, confluent, options, args.format).await;
    server.abort();
    if code.is_ok() && args.format == SummaryFormat::Table {
        next_steps(&store);
    }
    code
}

/// Invented costs must not come to lie beside real ones.
async fn refuse_other_connections(store: &Store) -> Result<()> {
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
            if std::path::Path::new(config::DEFAULT_STORE)
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
