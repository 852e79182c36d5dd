//! Places as people write them: a path or a URL.
//!
//! One rule for stores, buckets, sources, tags and outputs: text with `://` is a URL, whose `%20` is a space; anything
//! else is a path, taken literally but for a leading `~/`, which is the home folder.

use std::path::{Component, Path, PathBuf};

use url::Url;

use crate::error::{Error, Result};

/// A parsed place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PathOrUrl {
    /// Path, as written or of a `file://` URL.
    Path(PathBuf),
    /// URL with another scheme.
    Url(Url),
}

/// Returns true for the schemes of object stores.
fn is_remote(scheme: &str) -> bool {
    ["s3", "gs", "az", "abfs", "abfss", "https"].contains(&scheme)
}

impl PathOrUrl {
    /// Parses a path or a URL.
    ///
    /// # Errors
    /// Kind configuration, for a malformed URL, a `file://` URL of another host, and the home folder of another user.
    pub(crate) fn parse(text: &str) -> Result<PathOrUrl> {
        if let Some(scheme) = text.split(":/").next().filter(|scheme| is_remote(scheme))
            && !text.contains("://")
            && text.len() > scheme.len()
        {
            return Err(Error::config(format!("`{scheme}:/…` is not a URL"))
                .with_hint(format!("write {scheme}://, or ./{scheme}:/ for a folder")));
        }
        if !text.contains("://") {
            return expand_home(text).map(PathOrUrl::Path);
        }
        // Not named in full: a URL may hold credentials.
        let shown = text.split("://").next().unwrap_or_default();
        let url = Url::parse(text)
            .map_err(|e| Error::config(format!("`{shown}://…` is not a URL: {e}")))?;
        if url.scheme() != "file" {
            return Ok(PathOrUrl::Url(url));
        }
        let is_plain = url.query().is_none() && url.fragment().is_none();
        let path = url.to_file_path().ok().filter(|_| is_plain);
        path.map(PathOrUrl::Path).ok_or_else(|| {
            Error::config(format!("`{text}` is not the URL of a file or folder")).with_hint(
                "write file:///path with %23 for # and %3F for ?, or pass the path itself",
            )
        })
    }

    /// Returns it as a URL. A path becomes absolute, without `.` and `..`, and keeps its trailing slash.
    ///
    /// # Errors
    /// Kind configuration, for an empty path.
    pub(crate) fn into_url(self) -> Result<Url> {
        let path = match self {
            PathOrUrl::Url(url) => return Ok(url),
            PathOrUrl::Path(path) => path,
        };
        let failed = |e: &dyn std::fmt::Display| {
            Error::config(format!("`{}` is not a path: {e}", path.display()))
        };
        let is_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        let absolute = without_dots(&std::path::absolute(&path).map_err(|e| failed(&e))?);
        let url = if is_folder {
            Url::from_directory_path(&absolute)
        } else {
            Url::from_file_path(&absolute)
        };
        url.map_err(|()| failed(&"it is not absolute"))
    }
}

/// Path of a text, with a leading `~/` as the home folder.
///
/// # Errors
/// Kind configuration, for the home folder of another user, and if there is none.
pub(crate) fn expand_home(text: &str) -> Result<PathBuf> {
    let Some(rest) = text.strip_prefix('~') else {
        return Ok(PathBuf::from(text));
    };
    let rest = match rest.strip_prefix('/') {
        Some(rest) => rest,
        None if rest.is_empty() => "",
        None => {
            return Err(Error::config(format!(
                "`{text}` begins with the home folder of another user, which is not supported"
            ))
            .with_hint(
                "write the path in full, ~/ for your own home folder, or ./~ for a folder with that name",
            ));
        }
    };
    let home = std::env::home_dir().filter(|home| home.is_absolute());
    let home = home.ok_or_else(|| {
        Error::config(format!("`{text}`: the home folder is unknown"))
            .with_hint("set HOME, or write the path in full")
    })?;
    // Joining nothing would add a slash.
    Ok(if rest.is_empty() {
        home
    } else {
        home.join(rest)
    })
}

/// Absolute path without `.` and `..`, which object stores reject.
fn without_dots(path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                resolved.pop();
            }
            Component::CurDir => {}
            part => resolved.push(part),
        }
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> PathBuf {
        match PathOrUrl::parse(text).unwrap() {
            PathOrUrl::Path(path) => path,
            PathOrUrl::Url(url) => panic!("{url}"),
        }
    }

    #[test]
    fn a_url_with_one_slash_is_not_a_folder() {
        for text in ["s3:/bucket/x", "gs:/x", "https:/x"] {
            let error = PathOrUrl::parse(text).unwrap_err();
            assert!(error.hint().unwrap().contains("://"), "{error}");
        }
        assert_eq!(path("./s3:/x"), Path::new("./s3:/x"));
    }

    #[test]
    fn paths_are_literal_and_urls_are_decoded() {
        for text in [
            "x/per%20cent",
            "100%",
            "a%2Fb",
            r"back\slash",
            "a#1?b",
            "s3:x",
            "ü/",
        ] {
            assert_eq!(path(text), Path::new(text));
        }
        assert_eq!(path("file:///x/per%20cent"), Path::new("/x/per cent"));
        assert_eq!(path("file:///x/per%2520cent"), Path::new("/x/per%20cent"));
        for text in ["file:///x?y", "file:///x#y", "file://host/x"] {
            assert!(PathOrUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_home_folder_is_expanded_and_that_of_others_refused() {
        let home = std::env::home_dir().unwrap();
        assert_eq!(path("~/x"), home.join("x"));
        assert_eq!(path("~"), home);
        assert_eq!(path("x/~/y"), Path::new("x/~/y"));
        let error = PathOrUrl::parse("~other/x").unwrap_err();
        assert!(error.hint().unwrap().contains("./~"), "{error:?}");
    }

    #[test]
    fn the_url_of_a_path_names_the_same_path() {
        let here = std::env::current_dir().unwrap();
        for text in ["x/per%20cent", "100%", r"back\slash", "a b#1?", "ü", "[x]*"] {
            let url = PathOrUrl::parse(text).unwrap().into_url().unwrap();
            assert_eq!(url.to_file_path().unwrap(), here.join(text));
            assert_eq!(
                PathOrUrl::parse(url.as_str()).unwrap(),
                PathOrUrl::Path(here.join(text))
            );
        }
        let folder = PathOrUrl::parse("../x/./y/").unwrap().into_url().unwrap();
        let expected = Url::from_directory_path(here.parent().unwrap().join("x/y")).unwrap();
        assert_eq!(folder, expected);
    }

    #[test]
    fn a_malformed_url_is_not_repeated() {
        let error = PathOrUrl::parse("https://user:secret@:1").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
