//! `billstream connections remove`.

use crate::cli::commands::connections::AdminArgs;
use crate::cli::context::CommandContext;
use crate::config::Config;
use crate::config::edit::{self, Keep};
use crate::config::secret::{Credentials, Place};
use crate::confluent::iam::Iam;
use crate::connections::setup_state::{Notebook, Progress};
use crate::connections::state;
use crate::error::{Error, Result};
use crate::store::lease::Lease;
use crate::store::{destinations, runs};

/// Arguments of `connections remove`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Costs that were imported stay. With --revoke it asks for the Cloud API key of an organization administrator (or reads it
from stdin, key and secret, a line each), which is used once and not kept.")]
pub struct RemoveArgs {
    #[command(flatten)]
    connection: AdminArgs,
    /// Also delete the key at Confluent, and the roles and service account that a set-up made
    #[arg(long)]
    revoke: bool,
}

/// Removes a connection.
pub async fn run(args: RemoveArgs) -> Result<u8> {
    let name = args.connection.name.as_str();
    let scene = args.connection.scene()?;
    let is_noted = notes(&scene.config, name)?.is_some();
    if !is_noted {
        crate::cli::commands::connections::known(&scene, name).await?;
    }
    let admin = match args.revoke {
        true => Some(args.connection.key.administrator(&scene.config)?),
        false => None,
    };
    // What is there may have changed while somebody typed.
    let is_configured = scene.config.is_configured(name);
    let file = scene.config.place().filter(|_| is_noted || is_configured);
    let lock = file.map(|file| Notebook::beside(file, name, Keep::File).lock());
    let _lock = lock.transpose()?.flatten();
    let scene = CommandContext::of(scene.config.reload()?)?;
    let notes = notes(&scene.config, name)?;
    let in_keyring = matches!(
        scene.config.credentials_place(name),
        Some(Place::Keyring(_))
    );
    let keep = match in_keyring || notes.as_ref().is_some_and(|notes| notes.keyring) {
        true => Keep::Keyring,
        false => Keep::File,
    };
    let notebook = scene.config.place();
    let notebook = notebook.map(|file| Notebook::beside(file, name, keep));
    let run = runs::new_run_id((scene.settings.clock)());
    let lease = Lease::take(&scene.store, name, &run).await?;
    let done = async {
        if let Some(admin) = admin {
            revoke(&scene, name, admin, notes).await?;
        }
        forget(&scene, name, notebook.as_ref()).await?;
        say_what_stays(&scene, &args).await
    };
    let done = done.await;
    lease.release().await?;
    done.map(|()| 0)
}

/// What set-ups and rotations wrote down.
fn notes(config: &Config, name: &str) -> Result<Option<Progress>> {
    let notebook = |file| Notebook::beside(file, name, Keep::File);
    let notes = config.place().map(|file| notebook(file).load());
    Ok(notes.transpose()?.flatten())
}

/// Deletes at Confluent what the connection has, and what was made for it.
async fn revoke(
    scene: &CommandContext,
    name: &str,
    admin: Credentials,
    notes: Option<Progress>,
) -> Result<()> {
    let config = &scene.config;
    let is_configured = config.is_configured(name);
    let is_kept = notes.is_some() || is_configured;
    let notes = notes.unwrap_or_default();
    let mut keys: Vec<String> = notes.key.iter().chain(&notes.replaces).cloned().collect();
    // The environment's key may be that of anything, unless it is all that there is of the connection.
    if config.has_credentials(name) && !(is_kept && config.uses_env_credentials(name)) {
        match config.credentials(name) {
            Ok(credentials) => keys.push(credentials.key),
            Err(error) if keys.is_empty() => return Err(error),
            Err(_) => {}
        }
    }
    let mut settings = config.reaching(name, admin)?;
    // A set-up that was cut off is configured nowhere yet.
    if let Some(endpoint) = notes.endpoint.clone().filter(|_| !is_configured) {
        settings.endpoint = endpoint;
    }
    let admin = crate::cli::commands::connections::client(settings)?;
    let iam = Iam::new(&admin, None);
    let account = notes.service_account.as_ref();
    let mut others = 0;
    if let Some(account) = account {
        for key in iam.api_keys(&account.id).await? {
            // One whose secret was lost has the name that was noted.
            let named = !notes.key_name.is_empty() && key.display_name() == notes.key_name;
            match named || keys.contains(&key.id) {
                true => keys.push(key.id),
                false => others += 1,
            }
        }
    }
    keys.sort();
    keys.dedup();
    for key in &keys {
        iam.delete_api_key(key).await?;
        eprintln!("API key {key}: deleted");
    }
    let Some(account) = account else {
        if keys.is_empty() {
            return Err(Error::config(format!("no key of `{name}` is known here"))
                .with_hint("remove it without --revoke, and delete the key in Confluent Cloud"));
        }
        return Ok(());
    };
    if others > 0 {
        eprintln!(
            "service account `{}` ({}): stays, as it has {others} other keys",
            account.name, account.id
        );
    } else if account.made {
        iam.delete_service_account(&account.id).await?;
        eprintln!(
            "service account `{}` ({}): deleted",
            account.name, account.id
        );
    } else {
        for role in notes.role_bindings.iter().filter(|role| role.made) {
            iam.delete_role_binding(&role.id).await?;
            eprintln!("role {} ({}): deleted", role.name, role.id);
        }
    }
    Ok(())
}

/// Takes the connection out of configuration and store, and its credentials out of our own places.
async fn forget(scene: &CommandContext, name: &str, notebook: Option<&Notebook>) -> Result<()> {
    let config = &scene.config;
    if let (Some(file), true) = (config.place(), config.is_configured(name)) {
        // Last, so that nothing is left which nobody names: the keyring may be locked.
        edit::forget_own(file, name, config.credentials_place(name))?;
        edit::remove_connection(file, name)?;
    }
    if let Some(notebook) = notebook {
        notebook.discard()?;
    }
    state::forget(&scene.store, name).await
}

async fn say_what_stays(scene: &CommandContext, args: &RemoveArgs) -> Result<()> {
    let name = args.connection.name.as_str();
    eprintln!(
        "connection `{name}` is removed; its imported costs stay in {}",
        scene.store.display("")
    );
    if scene.config.uses_env_credentials(name) {
        eprintln!("CONFLUENT_CLOUD_API_KEY makes a connection of that name still: unset it, too");
    } else if !args.revoke {
        eprintln!(
            "its API key is still good: delete it in Confluent Cloud if nothing else uses it"
        );
    }
    let known = destinations::load(&scene.store, name).await?;
    if known != Default::default() {
        eprintln!(
            "CloudZero keeps what it was given: pause its connection there, and `billstream targets remove \
             --connection {name}`"
        );
    }
    Ok(())
}
