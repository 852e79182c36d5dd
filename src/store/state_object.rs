//! Small JSON objects of the store.

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::store::Store;

/// Parses an object that the next run can create again. `None`, with a warning, if it was cut: by a power cut, or by a
/// full disk.
///
/// # Errors
/// Kind data, for other content.
pub(super) fn parse<T: DeserializeOwned>(
    store: &Store,
    name: &str,
    bytes: &[u8],
) -> Result<Option<T>> {
    match serde_json::from_slice(bytes) {
        Ok(value) => Ok(Some(value)),
        // File systems fill what they lost with zeros.
        Err(e) if e.is_eof() || bytes.last() == Some(&0) => {
            let name = store.display(name);
            tracing::warn!(name, bytes = bytes.len(), "Ignored an incomplete file");
            Ok(None)
        }
        Err(e) => Err(
            Error::data(format!("could not read `{}`: {e}", store.display(name)))
                .with_hint("delete the file; the next run creates it again"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignores_cut_objects_and_refuses_other_content() {
        let store = Store::in_memory();
        let parse = |bytes: &[u8]| parse::<Vec<u32>>(&store, "x", bytes);
        assert_eq!(parse(b"[1]").unwrap(), Some(vec![1]));
        for cut in [&b""[..], b"[1", b"\0\0\0", b"[1,\0"] {
            assert_eq!(parse(cut).unwrap(), None);
        }
        assert!(parse(b"{}").is_err());
        assert!(parse(b"[x]").is_err());
    }
}
