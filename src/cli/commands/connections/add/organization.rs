//! Check of `connections add` that no other connection has the same Confluent organization.

use crate::cli::check_organization::{CheckOptions, check_organization, others};
use crate::cli::commands::connections::add::{AddArgs, access};
use crate::cli::context::CommandContext;
use crate::config::Config;
use crate::config::secret::Credentials;
use crate::confluent::client::Client;
use crate::connections::provision;
use crate::error::Result;
use crate::pipeline::organization;

/// Checks the organization of the new key, and claims it.
///
/// # Errors
/// Kind configuration, naming the other connection; those of the store.
pub(super) async fn check(config: &Config, args: &AddArgs, credentials: Credentials) -> Result<()> {
    let access = access(config, args, credentials)?;
    let context = CommandContext::of(config.reload()?)?;
    let options = CheckOptions {
        allow: args.allow_same_organization,
        dry_run: false,
        ask_again: true,
        ask_others: true,
    };
    check_organization(&context, &args.name, &access, options, None).await
}

/// Checks the administrator's organization before anything is created in it, if the store has other connections.
///
/// # Errors
/// As [`check`], and those of the request.
pub(super) async fn refuse_before_setup(
    config: &Config,
    args: &AddArgs,
    admin: &Client,
) -> Result<()> {
    let context = CommandContext::of(config.reload()?)?;
    let others = others(&context, &args.name).await?;
    if args.allow_same_organization || others.is_empty() {
        return Ok(());
    }
    let id = provision::organization_id(admin, &args.setup_request()).await?;
    let (timing, now) = (context.timing(), (context.settings.clock)());
    organization::refuse_claimed(&context.store, &args.name, &id, &others, &timing, now).await
}
