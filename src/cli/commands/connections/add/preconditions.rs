//! Checks of `connections add` before anything is requested, created or stored.

use secrecy::ExposeSecret;

use crate::cli::commands::connections::add::AddArgs;
use crate::config::secret::{Credentials, SecretRef};
use crate::config::{Config, Origin, keyring, settings};
use crate::error::{Error, Result};

/// Checks that no connection of that name exists, unless it is to be replaced.
pub(super) fn name_is_free(config: &Config, args: &AddArgs) -> Result<()> {
    let name = &args.name;
    if config.is_configured(name) && !args.replace {
        return Err(
            Error::config(format!("connection `{name}` already exists")).with_hint(format!(
                "rotate its key with `billstream connections rotate {name}`, replace it with --replace, or choose \
                 another --name"
            )),
        );
    }
    Ok(())
}

/// Checks that runs will use the stored endpoint, rather than one from a variable.
pub(super) fn endpoint_is_used(config: &Config, args: &AddArgs) -> Result<()> {
    let effective = config.value(&settings::ENDPOINT, Some(&args.name));
    let overriding = effective.filter(|value| {
        matches!(value.origin, Origin::Variable(_)) && config.env_overrides(&args.name)
    });
    let normalize = |url: &str| url.trim().trim_end_matches('/').to_string();
    match (&args.endpoint, overriding) {
        (Some(new), Some(value)) if normalize(new) != normalize(&value.text) => {
            Err(overridden(&value.origin.to_string(), "--endpoint", args))
        }
        _ => Ok(()),
    }
}

/// Checks that runs will use the stored key, rather than one from variables; `None` is a key to be created.
pub(super) fn key_is_used(
    config: &Config,
    args: &AddArgs,
    new: Option<&Credentials>,
) -> Result<()> {
    if !config.uses_env_credentials(&args.name) || !config.env_overrides(&args.name) {
        return Ok(());
    }
    let effective = config.credentials(&args.name).ok();
    let is_same = effective.zip(new).is_some_and(|(effective, new)| {
        effective.key == new.key && effective.secret.expose_secret() == new.secret.expose_secret()
    });
    if is_same {
        Ok(())
    } else {
        Err(overridden(settings::KEY.variable, "the new key", args))
    }
}

fn overridden(variable: &str, new: &str, args: &AddArgs) -> Error {
    Error::config(format!(
        "runs of `{}` would use {variable} instead of {new}",
        args.name
    ))
    .with_hint("unset the variable, or choose another --name")
}

/// Checks that the keyring works, and has no entry of that name from another configuration.
pub(super) fn keyring_entry_is_free(config: &Config, name: &str) -> Result<()> {
    let exists = keyring::read(name)?.is_some();
    let stored = config.stored_credentials(name);
    let is_own = matches!(stored, Some(SecretRef::Keyring(entry)) if entry == name);
    if exists && !is_own {
        return Err(Error::config(format!(
            "the keyring already has an entry `{name}`, which another configuration may use"
        ))
        .with_hint("choose another --name, or delete that entry"));
    }
    Ok(())
}

/// Refuses files that later runs cannot read, such as those of `<(...)`.
pub(super) fn file_is_permanent(location: &SecretRef) -> Result<()> {
    match location {
        SecretRef::File(path) if !path.is_file() => Err(Error::usage(format!(
            "`{}` is not a file that later runs can read",
            path.display()
        ))
        .with_hint("pass the key and its secret on stdin, one per line")),
        _ => Ok(()),
    }
}
