//! Errors with a kind that decides the exit code, a source, and hints for the user.
//!
//! Modules define leaf errors (`thiserror` enums) where callers tell conditions apart, and convert them
//! into [`Error`] once the condition no longer matters. Callers never match on message text.

use std::fmt;
use std::sync::Arc;

use crate::display_text::{for_display, lines_for_display};

/// Result of an operation that fails with an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Kind of an error. Each kind has one exit code, which scripts may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Bad data, a failed check, a broken SQL file. Exit code 1.
    Data,
    /// Wrong arguments. Exit code 2.
    Usage,
    /// Configuration or credentials. Exit code 3.
    Config,
    /// Some periods completed and others did not. Exit code 4.
    Partial,
    /// Totals do not reconcile. Exit code 5.
    Reconcile,
    /// Another run holds the lease, or committed first. Exit code 6.
    Locked,
    /// The remote side stayed unavailable after all retries. Exit code 7.
    Remote,
    /// The remote side rejected a request as invalid (HTTP 400). Exit code 8.
    Refused,
    /// A defect in billstream itself. Exit code 70.
    Bug,
}

impl ErrorKind {
    /// Process exit code of this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::Data => 1,
            ErrorKind::Usage => 2,
            ErrorKind::Config => 3,
            ErrorKind::Partial => 4,
            ErrorKind::Reconcile => 5,
            ErrorKind::Locked => 6,
            ErrorKind::Remote => 7,
            ErrorKind::Refused => 8,
            ErrorKind::Bug => 70,
        }
    }
}

/// Error as the user sees it: the failed action, its object, the cause, and hints.
///
/// The message starts in lower case, ends without a full stop and includes the cause. Neither message
/// nor hints ever contain a secret or a raw payload, and whatever they quote is fit for display: one line without
/// control characters, and URLs without credentials and queries. Cheap to clone: the source is shared.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    /// Lines below the message.
    excerpt: Box<str>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    hints: Vec<String>,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {
        impl Error {
            $($(#[$doc])* pub fn $name(message: impl fmt::Display) -> Self {
                Error {
                    kind: ErrorKind::$kind,
                    message: for_display(&message.to_string()),
                    excerpt: Box::default(),
                    source: None,
                    hints: Vec::new(),
                }
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
    /// Part of the work completed.
    partial => Partial;
    /// Totals do not reconcile.
    reconcile => Reconcile;
    /// Another run holds the lease, or committed first.
    locked => Locked;
    /// The remote side is unavailable.
    remote => Remote;
    /// The remote side rejected a request as invalid.
    refused => Refused;
    /// A defect in billstream.
    bug => Bug;
}

impl Error {
    /// Wraps a leaf error, whose text becomes the message.
    pub fn new(kind: ErrorKind, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Error {
            kind,
            message: for_display(&source.to_string()),
            excerpt: Box::default(),
            source: Some(Arc::new(source)),
            hints: Vec::new(),
        }
    }

    /// Kind, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Hints as one line, the one nearest to the cause first.
    pub fn hint(&self) -> Option<String> {
        (!self.hints.is_empty()).then(|| self.hints.join("; "))
    }

    /// Leaf error of type `E` that caused this one, for callers that handle that condition.
    pub fn source_as<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.source.as_deref()?.downcast_ref()
    }

    /// Adds a hint unless an earlier one exists, which is nearer to the cause.
    pub fn with_hint(mut self, hint: impl fmt::Display) -> Self {
        if self.hints.is_empty() {
            self.hints.push(for_display(&hint.to_string()));
        }
        self
    }

    /// Adds a hint after the existing ones.
    pub fn with_another_hint(mut self, hint: impl fmt::Display) -> Self {
        self.hints.push(for_display(&hint.to_string()));
        self
    }

    /// Prefixes the message with the failed action: `context: message`.
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        let context = for_display(&context.to_string());
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// Adds lines below the message, such as a line of a statement with a mark under it.
    pub fn with_excerpt(mut self, lines: &str) -> Self {
        self.excerpt = lines_for_display(lines).into();
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &*self.excerpt {
            "" => Ok(()),
            excerpt => write!(f, "\n{excerpt}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Adds context to the error of a result.
pub trait Context<T> {
    /// Prefixes the error's message with `context()`.
    fn context(self, context: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Context<T> for Result<T> {
    fn context(self, context: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| error.context(context()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no lease")]
    struct NoLease;

    #[test]
    fn keeps_the_leaf_error_and_orders_hints_by_nearness() {
        let error = Error::new(ErrorKind::Locked, NoLease)
            .with_hint("wait")
            .with_hint("ignored")
            .with_another_hint("or stop it")
            .context("importing 2026-10");
        assert_eq!(error.to_string(), "importing 2026-10: no lease");
        assert_eq!(error.hint().as_deref(), Some("wait; or stop it"));
        assert!(error.source_as::<NoLease>().is_some());
        assert_eq!(error.kind().exit_code(), 6);
    }

    #[test]
    fn quotes_nothing_that_steers_a_terminal_or_is_a_secret() {
        let error = Error::data("no table `a\n\u{1b}[2J\u{202e}`")
            .context("reading `https://u:hush@host/x?sig=hush`")
            .with_hint("try\nhint: `s3://b?token=hush`")
            .with_excerpt(" 1 | a\u{9b}\n   | ^");
        assert_eq!(
            error.to_string(),
            "reading `https://…@host/x?…`: no table `a\\n\\u{1b}[2J\\u{202e}`\n 1 | a\\u{9b}\n   | ^"
        );
        assert_eq!(error.hint().as_deref(), Some("try\\nhint: `s3://b?…`"));
    }
}
