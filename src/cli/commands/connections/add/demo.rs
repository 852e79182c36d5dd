//! `billstream connections add --demo`: a complete setup against a fake Confluent in this process.

use crate::cli::commands::connections::add::{
    AddArgs, KeyToStore, client, import, probe, report, store,
};
use crate::cli::commands::demo::{DEMO_CONNECTION, DemoSandbox, refuse_other_connections};
use crate::cli::context::CommandContext;
use crate::cli::output::stderr::note;
use crate::config::{Config, Flags};
use crate::connections::provision;
use crate::error::{Error, Result};

/// Runs the demo. The key ends with the fake server; the invented costs stay in the store.
pub(super) async fn run(mut args: AddArgs) -> Result<u8> {
    let sandbox = DemoSandbox::start().await?;
    let folder = tempfile::tempdir()
        .map_err(|e| Error::config(format!("could not create a temporary folder: {e}")))?;
    let file = folder.path().join("billstream.toml");
    args.name = DEMO_CONNECTION.to_string();
    args.with_inventory = true;
    let load_config = || {
        let flags = Flags {
            config: file.exists().then(|| file.clone()),
            connection: Some(DEMO_CONNECTION.to_string()),
            ..args.store.flags()
        };
        Config::of(flags, sandbox.environment_without_key())
    };
    let config = load_config()?;
    refuse_other_connections(&CommandContext::of(load_config()?)?.store).await?;
    let admin = client(&config, &args, sandbox.admin_credentials())?;
    let new = provision::set_up(&admin, &file, &args.setup_request(), &report).await?;
    probe(&config, &args, new.credentials.clone(), new.role_is_new).await?;
    let key = KeyToStore::Credentials(new.credentials.clone());
    store(&config, &args, &file, &key)?;
    new.finish()?;
    let code = import(load_config()?, &args).await;
    note!(
        "the fake Confluent and its key are gone, the invented costs stay: see `billstream connections list`"
    );
    code
}
