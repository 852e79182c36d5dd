//! How keys and their secrets come in: asked for on the terminal, on stdin, or by the place that holds them.
//! Never as an argument, which everybody on the computer could read.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use secrecy::ExposeSecret;

use crate::config::Config;
use crate::config::secret::{Credentials, Place};
use crate::error::{Error, Result};

/// Where a key and its secret are. Without these they are asked for on a terminal, and read from stdin
/// otherwise: the key, then the secret, a line each.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct KeyArgs {
    /// Environment variable that holds the key
    #[arg(
        long,
        value_name = "VARIABLE",
        group = "key_place",
        requires = "secret_place"
    )]
    key_env: Option<String>,
    /// File that holds the key
    #[arg(
        long,
        value_name = "PATH",
        group = "key_place",
        requires = "secret_place"
    )]
    key_file: Option<PathBuf>,
    /// Environment variable that holds the secret
    #[arg(
        long,
        value_name = "VARIABLE",
        group = "secret_place",
        requires = "key_place"
    )]
    secret_env: Option<String>,
    /// File that holds the secret, and that only its owner may read
    #[arg(
        long,
        value_name = "PATH",
        group = "secret_place",
        requires = "key_place"
    )]
    secret_file: Option<PathBuf>,
}

/// What was given.
pub enum Given {
    /// The credentials themselves.
    Asked(Credentials),
    /// The places of key and secret, and what is there now.
    Places {
        /// Of the key.
        key: Place,
        /// Of the secret.
        secret: Place,
        /// What is there.
        credentials: Credentials,
    },
}

impl Given {
    /// The credentials, wherever they came from.
    pub fn credentials(self) -> Credentials {
        match self {
            Given::Asked(credentials) | Given::Places { credentials, .. } => credentials,
        }
    }
}

impl KeyArgs {
    fn place(variable: Option<&String>, file: Option<&PathBuf>) -> Result<Option<Place>> {
        let file = file.map(std::path::absolute).transpose();
        let file = file.map_err(|e| Error::usage(format!("the path of a key: {e}")))?;
        let variable = variable.map(|name| Place::Variable(name.clone()));
        Ok(variable.or(file.map(Place::File)))
    }

    /// The key and secret of an organization administrator.
    ///
    /// # Errors
    /// As [`KeyArgs::given`].
    pub fn administrator(&self, config: &Config) -> Result<Credentials> {
        let given = self.given(config, "administrator's Cloud API key")?;
        Ok(given.credentials())
    }

    /// The key and secret of `whose`, such as `Cloud API key`.
    ///
    /// # Errors
    /// Kind configuration: a place that holds nothing, or a file that others can read. Kind usage: an empty
    /// answer.
    pub fn given(&self, config: &Config, whose: &str) -> Result<Given> {
        let key = KeyArgs::place(self.key_env.as_ref(), self.key_file.as_ref())?;
        let secret = KeyArgs::place(self.secret_env.as_ref(), self.secret_file.as_ref())?;
        let (Some(key), Some(secret)) = (key, secret) else {
            return ask(whose).map(Given::Asked);
        };
        let read = |place: &Place, what: &str| place.read(config.environment(), what);
        let credentials = Credentials {
            key: read(&key, "the key")?.expose_secret().to_string(),
            secret: read(&secret, "the secret")?,
        };
        Ok(Given::Places {
            key,
            secret,
            credentials,
        })
    }
}

fn ask(whose: &str) -> Result<Credentials> {
    let failed = |e: std::io::Error| Error::usage(format!("cannot read the {whose}: {e}"));
    let stdin = std::io::stdin();
    let terminal = stdin.is_terminal();
    if terminal {
        eprint!("{whose}: ");
        let _ = std::io::stderr().flush();
    }
    let mut key = String::new();
    stdin.lock().read_line(&mut key).map_err(failed)?;
    let secret = match terminal {
        true => hidden("Its secret (not shown): ").map_err(failed)?,
        false => {
            let mut secret = String::new();
            stdin.lock().read_line(&mut secret).map_err(failed)?;
            secret
        }
    };
    let (key, secret) = (key.trim(), secret.trim());
    if key.is_empty() || secret.is_empty() {
        let what = if key.is_empty() { "key" } else { "secret" };
        return Err(Error::usage(format!("there is no {what}")).with_hint(format!(
            "type the {whose} and its secret, give them on stdin, a line each, or say where they are with \
             --key-env or --key-file and --secret-env or --secret-file"
        )));
    }
    Ok(Credentials {
        key: key.to_string(),
        secret: secret.to_string().into(),
    })
}

/// Asks for a text on the terminal that is not shown there.
#[cfg(unix)]
fn hidden(prompt: &str) -> std::io::Result<String> {
    // Ctrl-C would end the process before the terminal shows again what is typed.
    // SAFETY: no handler of ours is put in, and the one before is put back.
    let before = unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    let answer = rpassword::prompt_password(prompt);
    let interrupted = |e: &std::io::Error| e.kind() == std::io::ErrorKind::Interrupted;
    unsafe {
        libc::signal(libc::SIGINT, before);
        if answer.as_ref().is_err_and(interrupted) {
            libc::raise(libc::SIGINT);
        }
    }
    answer
}

#[cfg(not(unix))]
fn hidden(prompt: &str) -> std::io::Result<String> {
    rpassword::prompt_password(prompt)
}
