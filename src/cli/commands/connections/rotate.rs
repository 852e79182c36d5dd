//! `billstream connections rotate`.

use std::time::Duration;

use crate::cli::commands::connections::{AdminArgs, check_exists, report};
use crate::cli::context::CommandContext;
use crate::connections::rotate::{RotateOptions, Rotation};
use crate::error::Result;

/// Arguments of `connections rotate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prompts for the Cloud API key of an organization administrator, or reads it from stdin (key and secret, one per line).
It is used once and not stored. Running the command again resumes an interrupted rotation.")]
pub(crate) struct RotateArgs {
    #[command(flatten)]
    connection: AdminArgs,
    /// Seconds to wait for the new key to become active
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    wait_secs: u64,
}

/// Rotates the key of a connection.
pub(crate) async fn run(args: RotateArgs) -> Result<u8> {
    let name = args.connection.name.as_str();
    let context = args.connection.context()?;
    check_exists(&context, name).await?;
    let rotation = Rotation::prepare(&context.config, name)?;
    let admin = args.connection.key.administrator_key(&context.config)?;
    let _lock = rotation.lock()?;
    // The configuration may have changed while the key was typed.
    let CommandContext {
        config,
        settings,
        store,
        ..
    } = CommandContext::of(context.config.reload()?)?;
    let options = RotateOptions {
        now: (settings.clock)(),
        timeout: Duration::from_secs(args.wait_secs),
    };
    rotation
        .run(&config, &store, admin, options, &report)
        .await?;
    Ok(0)
}
