//! `billstream connections remove`.

use crate::cli::commands::connections::{AdminArgs, check_exists, report};
use crate::cli::context::CommandContext;
use crate::cli::output::stderr::note;
use crate::config::secret::Credentials;
use crate::connections::{release, revoke};
use crate::error::Result;
use crate::store::lease::{Fence, Lease};
use crate::store::{destinations, runs};

/// Arguments of `connections remove`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Imported costs stay. With --revoke the command prompts for the Cloud API key of an organization administrator, or reads
it from stdin (key and secret, one per line). It is used once and not stored.")]
pub(crate) struct RemoveArgs {
    #[command(flatten)]
    connection: AdminArgs,
    /// Also delete the key at Confluent, and the roles and service account that a setup created
    #[arg(long)]
    revoke: bool,
}

/// Removes a connection.
pub(crate) async fn run(args: RemoveArgs) -> Result<u8> {
    let name = args.connection.name.as_str();
    let context = args.connection.context()?;
    if revoke::setup_state(&context.config, name)?.is_none() {
        check_exists(&context, name).await?;
    }
    let admin = if args.revoke {
        Some(args.connection.key.administrator_key(&context.config)?)
    } else {
        None
    };
    let _lock = revoke::lock(&context.config, name)?;
    // The configuration may have changed while the key was typed.
    let context = CommandContext::of(context.config.reload()?)?;
    let run_id = runs::new_run_id((context.settings.clock)());
    let lease = Lease::take(&context.store, name, &run_id).await?;
    let outcome = remove(&context, lease.fence(), admin).await;
    release(lease, name).await;
    outcome.map(|()| 0)
}

async fn remove(context: &CommandContext, fence: &Fence, admin: Option<Credentials>) -> Result<()> {
    let (config, store, name) = (&context.config, fence.store(), fence.connection());
    let is_revoked = admin.is_some();
    if let Some(admin) = admin {
        revoke::revoke(config, name, admin, &report).await?;
    }
    let delivered = destinations::load(store, name).await? != Default::default();
    revoke::delete(config, fence).await?;
    note!(
        "removed connection `{name}`; its imported costs stay in {}",
        store.display("")
    );
    if let Some(variable) = revoke::remaining_variable(config, name) {
        note!("{variable} still defines a connection of that name; unset it as well");
    } else if !is_revoked {
        note!(
            "its API key is still active; delete it in Confluent Cloud unless something else uses it"
        );
    }
    if delivered {
        note!(
            "its destinations are released; CloudZero keeps what was delivered: pause its connection there"
        );
    }
    Ok(())
}
