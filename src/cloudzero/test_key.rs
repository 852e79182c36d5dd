//! Keys of CloudZero's test namespaces (docs: `cloudzero-test-key`).
//!
//! CloudZero executes an operation with this header in the namespace that its key names, and keeps what the operation
//! changes there for an hour. A random key gives every rehearsal a separate namespace.

use std::fmt;

use reqwest::header::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Result};
use crate::http::sanitize::Sanitizer;

const HEADER: HeaderName = HeaderName::from_static("cloudzero-test-key");
/// Words of 32 random bits in a key.
const WORDS: usize = 4;

/// Key of a test namespace. Whoever has it can see and change the namespace, so it is never displayed.
#[derive(Clone)]
pub(crate) struct TestKey {
    text: SecretString,
    value: HeaderValue,
}

impl TestKey {
    /// Creates a key from random numbers in 0..1.
    ///
    /// # Errors
    /// Kind `Bug`, if the key is no header value.
    pub(crate) fn generate(random: &dyn Fn() -> f64) -> Result<TestKey> {
        let words = (0..WORDS).map(|_| {
            let word = (random() * (f64::from(u32::MAX) + 1.0)) as u32;
            format!("{word:08x}")
        });
        let text = format!("billstream-{}", words.collect::<String>());
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| Error::bug("a test key has characters that no header has"))?;
        value.set_sensitive(true);
        Ok(TestKey {
            text: text.into(),
            value,
        })
    }

    /// Header of the operations in the namespace.
    pub(crate) fn header(&self) -> (HeaderName, HeaderValue) {
        (HEADER, self.value.clone())
    }

    /// Returns a sanitizer that redacts the key too.
    pub(crate) fn sanitizer(&self, sanitizer: &Sanitizer) -> Sanitizer {
        sanitizer.with_secret(self.text.expose_secret())
    }
}

/// Hides the key.
impl fmt::Debug for TestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn key_has_128_random_bits_and_is_hidden() {
        let next = Cell::new(0.0);
        let random = || {
            let now = next.get();
            next.set(now + 0.25);
            now
        };
        let key = TestKey::generate(&random).unwrap();
        let (name, value) = key.header();
        assert_eq!(name, "cloudzero-test-key");
        assert_eq!(value, "billstream-000000004000000080000000c0000000");
        assert!(value.is_sensitive());
        let shown = format!("{key:?} {value:?}");
        assert!(!shown.contains("billstream-"), "{shown}");
        let said = "no namespace `billstream-000000004000000080000000c0000000`";
        let sanitizer = key.sanitizer(&Sanitizer::new(["api-key".to_owned()]));
        assert_eq!(
            sanitizer.sanitize(&format!("{said}, api-key")).as_deref(),
            Some("no namespace `[redacted]`, [redacted]")
        );
    }
}
