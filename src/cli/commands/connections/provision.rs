//! `billstream connections add confluent --setup`: the command's side of [`crate::connections::provision`].

use std::path::Path;

use crate::cli::print;
use crate::config::edit::Keep;
use crate::config::secret::Credentials;
use crate::confluent::client::Client;
use crate::confluent::iam::Iam;
use crate::connections::provision::{self, Wish};
use crate::connections::setup_state::{Notebook, Progress, ProvisionedResource};
use crate::error::{Error, Result};

/// What a set-up is asked to do.
pub struct Asked {
    /// For whom.
    pub wish: Wish,
    /// Where the new key is held and kept.
    pub keep: Keep,
}

/// A key that was made, and is to be proven.
pub struct New {
    /// The key.
    pub credentials: Credentials,
    /// Whether its role was bound just now, and may take a moment, too.
    pub role_is_new: bool,
    notebook: Notebook,
    progress: Progress,
}

/// Lists the calls of a set-up on stdout. What only looks is done; nothing is made.
pub async fn dry_run(admin: &Client, asked: &Asked) -> Result<u8> {
    let tell = |call: &str| {
        let _ = print(format!("{call}\n").as_bytes());
    };
    let iam = Iam::new(admin, Some(&tell));
    // Nothing is written into it.
    let notebook = Notebook::beside(Path::new(""), &asked.wish.connection, Keep::File);
    let mut progress = Progress::default();
    let say = |text: &str| eprintln!("{text}");
    provision::account(&iam, &asked.wish, &notebook, &mut progress, &say).await?;
    let owner = progress
        .service_account
        .as_ref()
        .map(|account| account.id.clone());
    let owner = owner.unwrap_or_default();
    let connection = &asked.wish.connection;
    provision::key(&iam, &owner, connection, &notebook, &mut progress, &say).await?;
    print(
        format!(
            "GET {}billing/v1/costs (with the new key)\n",
            admin.endpoint()
        )
        .as_bytes(),
    )?;
    eprintln!("dry run: nothing was made");
    Ok(0)
}

/// Makes service account, roles and key, or goes on where an earlier run stopped.
pub async fn run(admin: &Client, file: &Path, asked: &Asked) -> Result<New> {
    let name = &asked.wish.connection;
    let notebook = Notebook::beside(file, name, asked.keep);
    let mut progress = match notebook.load()? {
        Some(earlier) if !earlier.finished => {
            eprintln!("an earlier set-up of `{name}` was cut off: going on where it stopped");
            earlier
        }
        Some(earlier) => reload(earlier),
        None => Progress::default(),
    };
    progress.endpoint = Some(admin.endpoint().clone());
    progress.keyring = asked.keep == Keep::Keyring;
    let iam = Iam::new(admin, None);
    let say = |text: &str| eprintln!("{text}");
    let made = async {
        provision::account(&iam, &asked.wish, &notebook, &mut progress, &say).await?;
        let owner = progress
            .service_account
            .as_ref()
            .map(|account| account.id.clone());
        let owner = owner.ok_or_else(|| Error::bug("there is no service account"))?;
        provision::key(&iam, &owner, name, &notebook, &mut progress, &say).await
    };
    let made = made.await;
    let role_is_new = progress
        .role_bindings
        .iter()
        .any(ProvisionedResource::is_new);
    match made {
        Ok(credentials) => Ok(New {
            credentials,
            role_is_new,
            notebook,
            progress,
        }),
        Err(error) => Err(with_undo(error, name, &progress)),
    }
}

/// A set-up after one that came to its end: what that made is made already, but for the key.
fn reload(earlier: Progress) -> Progress {
    if let Some(key) = &earlier.key {
        eprintln!("the key that it had is good still: confluent api-key delete {key}");
    }
    let before = |thing: ProvisionedResource| ProvisionedResource {
        earlier: true,
        ..thing
    };
    Progress {
        service_account: earlier.service_account.map(before),
        role_bindings: earlier.role_bindings.into_iter().map(before).collect(),
        ..Progress::default()
    }
}

impl New {
    /// An error of a later step, with what was made and how to take it back.
    pub fn undo(&self, error: Error, name: &str) -> Error {
        with_undo(error, name, &self.progress)
    }

    /// The new key is stored: what was made stays written down, for its rotation or removal.
    pub fn finish(mut self) -> Result<()> {
        self.progress.finished = true;
        self.notebook.save(&self.progress)?;
        self.notebook.let_go()
    }
}

/// The error with what was made so far, how to go on and how to take it back.
fn with_undo(error: Error, name: &str, progress: &Progress) -> Error {
    let made = progress.made();
    if made.is_empty() {
        return error;
    }
    let account = progress.service_account.as_ref();
    // The connection that is to be replaced has its key still.
    let remove = match account.is_some_and(|account| account.earlier) {
        true => "to take it back".to_string(),
        false => {
            format!("`billstream connections remove {name} --revoke` takes it back, and so does")
        }
    };
    error.with_another_hint(format!(
        "made so far: {}; the same command again goes on from there, {remove}: {}",
        made.join(", "),
        progress.undo().join(" && ")
    ))
}
