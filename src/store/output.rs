//! Places that files are written to and that are no stores.

use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::path_or_url::PathOrUrl;

impl Store {
    /// Opens a folder, which is created, or a place in a bucket at an `s3://`, `gs://` or `az://` URL, to write files
    /// below it.
    ///
    /// # Errors
    /// Kind configuration, for a URL with another scheme, unusable credentials and an unusable folder.
    pub(crate) fn open_output(location: &str) -> Result<Store> {
        match PathOrUrl::parse(location)? {
            PathOrUrl::Path(_) => {
                Store::open(location).map_err(|e| e.context("could not open the output folder"))
            }
            PathOrUrl::Url(url) => match url.scheme() {
                "s3" | "gs" | "az" => Store::open_remote(url),
                scheme => Err(Error::config(format!(
                    "`{scheme}://…`: the scheme `{scheme}` is not supported for writing"
                ))
                .with_hint("write to a folder, or to an s3://, gs:// or az:// URL")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_places_that_cannot_be_written_to() {
        for location in ["https://host/folder?sig=hush", "ftp://host/x"] {
            let error = Store::open_output(location).unwrap_err();
            let shown = format!("{error} {:?}", error.hint());
            assert!(
                shown.contains("s3://") && !shown.contains("hush"),
                "{shown}"
            );
        }
    }
}
