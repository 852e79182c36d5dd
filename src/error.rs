//! What can go wrong, in classes that decide the exit code, with a hint of what to do next.

use std::fmt;

/// Result of anything that can fail in a way a user should read about.
pub type Result<T> = std::result::Result<T, Error>;

/// The class of an error. Each has one exit code, which scripts may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Bad data, a failed check, a broken SQL file. Exit code 1.
    Data,
    /// Wrong arguments. Exit code 2.
    Usage,
    /// Configuration or credentials. Exit code 3.
    Config,
    /// Some periods were done and others were not. Exit code 4.
    Partial,
    /// Totals do not reconcile. Exit code 5.
    Reconcile,
    /// Another run holds the lease, or committed first. Exit code 6.
    Locked,
    /// The remote side stayed unavailable after all retries. Exit code 7.
    Remote,
    /// A defect of billstream itself. Exit code 70.
    Bug,
}

impl Class {
    /// The process exit code of this class.
    pub fn exit_code(self) -> u8 {
        match self {
            Class::Data => 1,
            Class::Usage => 2,
            Class::Config => 3,
            Class::Partial => 4,
            Class::Reconcile => 5,
            Class::Locked => 6,
            Class::Remote => 7,
            Class::Bug => 70,
        }
    }
}

/// An error: its class, what was tried on what, and what to do next.
///
/// The message starts in lower case and ends without a full stop. Neither message nor hint ever
/// holds a secret or a raw payload.
#[derive(Debug)]
pub struct Error {
    class: Class,
    message: String,
    hint: Option<String>,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $class:ident;)*) => {
        impl Error {
            $($(#[$doc])* pub fn $name(message: impl fmt::Display) -> Self {
                Error { class: Class::$class, message: message.to_string(), hint: None }
            })*
        }
    };
}

constructors! {
    /// Bad data, a failed check, a broken SQL file.
    data => Data;
    /// Wrong arguments.
    usage => Usage;
    /// Configuration or credentials.
    config => Config;
    /// Part of the work was done.
    partial => Partial;
    /// Totals do not reconcile.
    reconcile => Reconcile;
    /// Another run was there first.
    locked => Locked;
    /// The remote side is unavailable.
    remote => Remote;
    /// A defect of billstream.
    bug => Bug;
}

impl Error {
    /// The class, which decides the exit code.
    pub fn class(&self) -> Class {
        self.class
    }

    /// What to do next, if there is something to say.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The same error once more, for one that came through the engine by reference.
    pub fn copy(&self) -> Error {
        Error {
            class: self.class,
            message: self.message.clone(),
            hint: self.hint.clone(),
        }
    }

    /// Adds what to do next; an earlier hint, being nearer to the cause, stays.
    pub fn with_hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint.get_or_insert_with(|| hint.to_string());
        self
    }

    /// Adds what to do next after an earlier hint.
    pub fn with_more_hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(match self.hint {
            Some(first) => format!("{first}; {hint}"),
            None => hint.to_string(),
        });
        self
    }

    /// Puts what was being done before the message: `context: message`.
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Adds what was being done to the error of a result.
pub trait Context<T> {
    /// Puts `what()` before the error's message.
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Context<T> for Result<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| e.context(what()))
    }
}
