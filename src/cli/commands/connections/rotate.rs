//! `billstream connections rotate`: a new key is made and proven before it takes the old one's place, and
//! the old one goes last.

use std::path::Path;
use std::time::Duration;

use crate::cli::commands::connections::AdminArgs;
use crate::cli::context::CommandContext;
use crate::config::edit::{self, Keep, Set};
use crate::config::secret::{Credentials, Place};
use crate::config::{Config, settings};
use crate::confluent::iam::Iam;
use crate::connections::setup_state::{Notebook, Progress};
use crate::connections::{key_probe, provision};
use crate::error::{Error, Result};
use crate::store::lease::Lease;
use crate::store::runs;

/// Arguments of `connections rotate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It asks for the Cloud API key of an organization administrator (or reads it from stdin, key and secret, a line each),
which is used once and not kept. A rotation that was cut off goes on where it stopped.")]
pub struct RotateArgs {
    #[command(flatten)]
    connection: AdminArgs,
    /// Seconds to wait for the new key until Confluent takes it
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    wait_secs: u64,
}

/// Rotates the key of a connection.
pub async fn run(args: RotateArgs) -> Result<u8> {
    let name = args.connection.name.as_str();
    let scene = args.connection.scene()?;
    let config = &scene.config;
    crate::cli::commands::connections::known(&scene, name).await?;
    let keep = place_to_keep(config, name)?;
    let file = config.writable()?;
    let notebook = Notebook::beside(&file, name, keep);
    begun(&notebook, name)?;
    config.credentials(name)?;
    let admin = args.connection.key.administrator(config)?;
    // What is there may have changed while somebody typed.
    let _lock = notebook.lock()?;
    notebook.writable()?;
    let scene = CommandContext::of(config.reload()?)?;
    let present = scene.config.credentials(name)?;
    let mut progress = begun(&notebook, name)?;
    match &progress.replaces {
        Some(_) if is_stale(&progress, &present) => reload(&mut progress),
        Some(_) => {
            eprintln!("an earlier rotation of `{name}` was cut off: going on where it stopped");
        }
        None => {}
    }
    let admin = crate::cli::commands::connections::client(scene.config.reaching(name, admin)?)?;
    let iam = Iam::new(&admin, None);

    // Runs would use a key that is about to go.
    let run = runs::new_run_id((scene.settings.clock)());
    let lease = Lease::take(&scene.store, name, &run).await?;
    let rotation = Rotation {
        scene: &scene,
        iam: &iam,
        notebook: &notebook,
        file: &file,
        keep,
        args: &args,
    };
    let done = rotation.rotate(&present, &mut progress).await;
    lease.release().await?;
    done.map(|()| 0)
}

/// What the steps share.
struct Rotation<'r> {
    scene: &'r CommandContext,
    iam: &'r Iam<'r>,
    notebook: &'r Notebook,
    file: &'r Path,
    keep: Keep,
    args: &'r RotateArgs,
}

impl Rotation<'_> {
    async fn rotate(&self, present: &Credentials, progress: &mut Progress) -> Result<()> {
        let name = self.args.connection.name.as_str();
        let switched = progress.replaces.is_some() && progress.key.as_ref() == Some(&present.key);
        if !switched {
            let owner = self.owner(present, progress).await?;
            if progress.replaces.is_none() {
                progress.replaces = Some(present.key.clone());
                (progress.key, progress.finished) = (None, false);
                progress.key_name.clear();
                self.notebook.save(progress)?;
            }
            let new = self
                .proven(&owner, progress)
                .await
                .map_err(|e| unswitched(e, name, progress))?;
            self.switch(&new)?;
        }
        if let Some(old) = &progress.replaces {
            self.iam.delete_api_key(old).await.map_err(|failure| {
                failure.into_error().with_another_hint(format!(
                    "`{name}` has its new key; the same command again deletes the old one, and so does: confluent \
                     api-key delete {old}"
                ))
            })?;
            eprintln!("API key {old}: deleted");
        }
        (progress.replaces, progress.finished) = (None, true);
        self.notebook.save(progress)?;
        self.notebook.let_go()
    }

    /// Who the key acts for.
    async fn owner(&self, present: &Credentials, progress: &Progress) -> Result<String> {
        let key = self.iam.api_key(&present.key).await?;
        let owner = key.as_ref().and_then(|key| key.owner()).map(str::to_string);
        let noted = || Some(progress.service_account.as_ref()?.id.clone());
        owner.or_else(noted).ok_or_else(|| {
            Error::config("Confluent knows no such key, so there is nobody to make a new one for").with_hint(
                "is the administrator of the same organization? `billstream connections add --setup --replace` makes a \
                 key from scratch",
            )
        })
    }

    /// A new key that was seen to read costs.
    async fn proven(&self, owner: &str, progress: &mut Progress) -> Result<Credentials> {
        let name = self.args.connection.name.as_str();
        let say = |text: &str| eprintln!("{text}");
        let new = provision::key(self.iam, owner, name, self.notebook, progress, &say).await?;
        let client = crate::cli::commands::connections::client(
            self.scene.config.reaching(name, new.clone())?,
        )?;
        let today = (self.scene.settings.clock)().date_naive();
        let patience = Duration::from_secs(self.args.wait_secs);
        let proof = key_probe::prove_new(&client, today, patience, false, &say).await?;
        eprintln!(
            "costs of {}: {} read, so the new key works",
            proof.day, proof.costs
        );
        Ok(new)
    }

    /// The new key takes the old one's place, in one step.
    fn switch(&self, new: &Credentials) -> Result<()> {
        let name = self.args.connection.name.as_str();
        let place = edit::credentials_place(self.file, name, self.keep);
        edit::keep(&place, new)?;
        edit::set_connection(
            self.file,
            name,
            &[(settings::CREDENTIALS, Set::Place(place.clone()))],
        )?;
        eprintln!("`{name}` has its new key (secret: {place})");
        Ok(())
    }
}

/// Where the credentials go: where they are, if that is a place of our own.
fn place_to_keep(config: &Config, name: &str) -> Result<Keep> {
    let places: Vec<_> = config.key_places(name).collect();
    if let Some((_, Place::Variable(variable), _)) = places
        .iter()
        .find(|(_, place, _)| matches!(place, Place::Variable(_)))
    {
        return Err(Error::config(format!(
            "the credentials of `{name}` come from {variable}, which only you can change"
        ))
        .with_hint(
            "make a key with the same owner in Confluent Cloud, set the variables, run `billstream connections check`, \
             then delete the old key",
        ));
    }
    match places.as_slice() {
        [] => Err(Error::config(format!("`{name}` is not configured here"))),
        places
            if places
                .iter()
                .any(|(_, place, _)| matches!(place, Place::Keyring(_))) =>
        {
            Ok(Keep::Keyring)
        }
        _ => Ok(Keep::File),
    }
}

/// The notes of a rotation that was cut off, or of what was there before.
fn begun(notebook: &Notebook, name: &str) -> Result<Progress> {
    match notebook.load()? {
        Some(earlier) if earlier.replaces.is_some() => Ok(earlier),
        Some(earlier) if !earlier.finished => Err(Error::config(format!(
            "a set-up of `{name}` was cut off"
        ))
        .with_hint(format!(
            "end it first: billstream connections add confluent --name {name} --setup --replace"
        ))),
        earlier => Ok(earlier.unwrap_or_default()),
    }
}

/// Whether the connection was given a key that the rotation which was cut off knows nothing of.
fn is_stale(progress: &Progress, present: &Credentials) -> bool {
    let known = [&progress.replaces, &progress.key];
    !known.contains(&&Some(present.key.clone()))
}

/// Begins a rotation after one that was cut off.
fn reload(progress: &mut Progress) {
    for key in progress.replaces.take().iter().chain(&progress.key) {
        eprintln!("a key that it had is good still: confluent api-key delete {key}");
    }
}

/// An error before the switch.
fn unswitched(error: Error, name: &str, progress: &Progress) -> Error {
    let undo = match &progress.key {
        Some(key) => format!(", and to take it back: confluent api-key delete {key}"),
        None => String::new(),
    };
    error.with_another_hint(format!(
        "`{name}` has its old key still; the same command again goes on from there{undo}"
    ))
}
