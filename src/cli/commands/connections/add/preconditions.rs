//! What `connections add` refuses before anything is asked, made or stored.

use secrecy::ExposeSecret;

use crate::cli::commands::connections::add::AddArgs;
use crate::config::secret::{Credentials, Place};
use crate::config::{Config, Origin, keyring, settings};
use crate::error::{Error, Result};

/// A name that a connection has already.
pub fn taken(config: &Config, args: &AddArgs) -> Result<()> {
    let name = &args.name;
    if config.is_configured(name) && !args.replace {
        return Err(Error::config(format!("there is a connection `{name}` already")).with_hint(
            format!(
                "`billstream connections rotate {name}` gives it a new key, --replace puts this one in its place, \
                 --name adds another one"
            ),
        ));
    }
    Ok(())
}

/// An endpoint that runs would not use, as a variable overrules what is stored.
pub fn overruled_endpoint(config: &Config, args: &AddArgs) -> Result<()> {
    let used = config.value(&settings::ENDPOINT, Some(&args.name));
    let used = used.filter(|used| {
        matches!(used.origin, Origin::Variable(_)) && config.environment_overrules(&args.name)
    });
    let bare = |url: &str| url.trim().trim_end_matches('/').to_string();
    match (&args.endpoint, used) {
        (Some(wanted), Some(used)) if bare(wanted) != bare(&used.text) => {
            Err(overruled(&used.origin.to_string(), "--endpoint", args))
        }
        _ => Ok(()),
    }
}

/// A key that runs would not use, as variables overrule what is stored; `None` is one still to be made.
pub fn overruled_key(config: &Config, args: &AddArgs, new: Option<&Credentials>) -> Result<()> {
    if !config.uses_env_credentials(&args.name) || !config.environment_overrules(&args.name) {
        return Ok(());
    }
    let used = config.credentials(&args.name).ok();
    let same = used.zip(new).is_some_and(|(used, new)| {
        used.key == new.key && used.secret.expose_secret() == new.secret.expose_secret()
    });
    match same {
        true => Ok(()),
        false => Err(overruled("CONFLUENT_CLOUD_API_KEY", "the new key", args)),
    }
}

fn overruled(variable: &str, new: &str, args: &AddArgs) -> Error {
    Error::config(format!(
        "runs of `{}` would use {variable} instead of {new}",
        args.name
    ))
    .with_hint("unset the variable, or choose another --name")
}

/// An entry of the keyring that is not this configuration's; that there is no keyring shows here, too.
pub fn foreign_entry(config: &Config, name: &str) -> Result<()> {
    let entry = keyring::read(name)?;
    let own = matches!(config.credentials_place(name), Some(Place::Keyring(own)) if own == name);
    match entry.is_some() && !own {
        true => Err(Error::config(format!(
            "the keyring has an entry `{name}` already, which another configuration may use"
        ))
        .with_hint("choose another --name, or delete that entry")),
        false => Ok(()),
    }
}

/// A file that is gone when the shell's line is over, such as `<(...)`.
pub fn passing(place: &Place) -> Result<()> {
    match place {
        Place::File(path) if !path.is_file() => Err(Error::usage(format!(
            "`{}` is no file that later runs could read",
            path.display()
        ))
        .with_hint("give the key and its secret on stdin, a line each")),
        _ => Ok(()),
    }
}
