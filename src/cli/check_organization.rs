//! Check that no two connections have the same Confluent organization, as `import`, `pull`, `connections add` and
//! `connections check` run it.

use crate::cli::context::CommandContext;
use crate::confluent::client::Settings;
use crate::connections::state;
use crate::error::Result;
use crate::pipeline::organization::{self, Candidate, OtherConnection};
use crate::store::lease::Fence;

/// Variations of the check.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CheckOptions {
    /// Accepts, and remembers, that another connection has the same organization.
    pub(crate) allow: bool,
    /// Changes and asks nothing.
    pub(crate) dry_run: bool,
    /// Asks Confluent again even if it refused before.
    pub(crate) ask_again: bool,
    /// Asks for the organizations of other connections as well, with their keys.
    pub(crate) ask_others: bool,
}

/// Checks that no other connection has the organization that `access` reads. `fence` is that of a run.
///
/// # Errors
/// Kind `Config`, naming the other connection; kind `Locked` after a lost lease; those of the store.
pub(crate) async fn check_organization(
    context: &CommandContext,
    connection: &str,
    access: &Settings,
    options: CheckOptions,
    fence: Option<&Fence>,
) -> Result<()> {
    let candidate = Candidate {
        store: &context.store,
        connection,
        access,
        timing: context.timing(),
        now: (context.settings.clock)(),
        allow: options.allow,
        dry_run: options.dry_run,
        ask_again: options.ask_again,
        fence,
    };
    let others = async || {
        let mut others = others(context, connection).await?;
        if !options.ask_others {
            others.iter_mut().for_each(|other| other.access = None);
        }
        Ok(others)
    };
    organization::check(&candidate, others).await
}

/// The other connections of the configuration and the store.
///
/// # Errors
/// Those of the store.
pub(crate) async fn others(
    context: &CommandContext,
    connection: &str,
) -> Result<Vec<OtherConnection>> {
    let config = &context.config;
    let mut names = state::names(&context.store).await?;
    names.extend(config.configured().iter().cloned());
    names.remove(connection);
    let others = names.into_iter().map(|name| {
        // The environment's key is that of the connection that the command is about.
        let has_own_key = config.is_configured(&name) && !config.uses_env_credentials(&name);
        let access = has_own_key.then(|| config.confluent(&name).ok()).flatten();
        OtherConnection { name, access }
    });
    Ok(others.collect())
}
