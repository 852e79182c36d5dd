//! Objects at a location: a file, a folder with its subfolders, or a pattern.

use std::sync::Arc;

use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use glob::{MatchOptions, Pattern};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use url::Url;

use crate::error::{Error, Result};
use crate::query::diagnostics::explain_without_text;
use crate::store::remote;

/// Objects at a location, sorted by path.
pub(super) struct Objects {
    pub(super) store: Arc<dyn ObjectStore>,
    /// URL of the location's bucket, host or file system.
    pub(super) base: Url,
    /// Folder that names are relative to.
    pub(super) root: Path,
    pub(super) objects: Vec<ObjectMeta>,
    /// True if the location names one object.
    pub(super) is_file: bool,
}

impl Objects {
    /// Path of an object below the root.
    pub(super) fn name<'a>(&self, object: &'a ObjectMeta) -> &'a str {
        below(&self.root, object.location.as_ref())
    }
}

/// Lists the objects of a location. A path that exists is taken as it is, whatever its characters; any other is a
/// pattern of `*`, `**`, `?`, `[…]` and `{a,b}`.
pub(super) async fn list(context: &SessionContext, location: &str) -> Result<Objects> {
    let url = remote::url_of(location)?;
    let base = &url[..url::Position::BeforePath];
    let base_url = Url::parse(base).map_err(|e| invalid(location, &e))?;
    let store = match url.query() {
        // A signature is valid for one file: others of the host have separate stores.
        Some(_) => remote::object_store(&url)?,
        None => {
            let store_url = ObjectStoreUrl::parse(base).map_err(|e| invalid(location, &e))?;
            let store = context.runtime_env().object_store(store_url);
            store.map_err(|e| explain_without_text(&e, &[]))?
        }
    };
    let path = Path::from_url_path(url.path()).map_err(|e| invalid(location, &e))?;
    let found = |root: Path, objects: Vec<ObjectMeta>, is_file| Objects {
        store: store.clone(),
        base: base_url.clone(),
        root,
        objects,
        is_file,
    };
    let mut refused = None;
    if !path.as_ref().contains('*') {
        match store.head(&path).await {
            Ok(object) => {
                let (folder, _) = path.as_ref().rsplit_once('/').unwrap_or_default();
                let root = Path::parse(folder).map_err(|e| invalid(location, &e))?;
                return Ok(found(root, vec![object], true));
            }
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => refused = Some(error),
        }
        if url.scheme() != "https" {
            let objects = below_folder(store.as_ref(), &path, location).await?;
            if !objects.is_empty() {
                return Ok(found(path, objects, false));
            }
        }
    }
    if let Some(error) = refused {
        return Err(list_error(location, &error));
    }
    let mut objects = Vec::new();
    let mut roots = Vec::new();
    for text in alternatives(path.as_ref()) {
        let Some(special) = text.find(['*', '?', '[']) else {
            // Braces alone: each alternative is a file or a folder.
            let path = Path::parse(&text).map_err(|e| invalid(location, &e))?;
            if text != url_path_text(&url) {
                objects.extend(exact_or_below(store.as_ref(), &path, location).await?);
                roots.push(text.rsplit_once('/').unwrap_or_default().0.to_string());
            }
            continue;
        };
        let folder = text[..special].rsplit_once('/').unwrap_or_default().0;
        let pattern = text[folder.len()..].trim_start_matches('/');
        let pattern = Pattern::new(pattern).map_err(|e| invalid(location, &e))?;
        let root = Path::parse(folder).map_err(|e| invalid(location, &e))?;
        let listed = below_folder(store.as_ref(), &root, location).await?;
        objects.extend(
            listed
                .into_iter()
                .filter(|object| matches(&pattern, below(&root, object.location.as_ref()))),
        );
        roots.push(folder.to_string());
    }
    objects.sort_by(|a, b| a.location.cmp(&b.location));
    objects.dedup_by(|a, b| a.location == b.location);
    let root = Path::parse(common_folder(&roots)).map_err(|e| invalid(location, &e))?;
    Ok(found(root, objects, false))
}

/// The location's path without escapes, as [`Path`] has it.
fn url_path_text(url: &Url) -> String {
    Path::from_url_path(url.path())
        .map(|path| path.to_string())
        .unwrap_or_default()
}

async fn exact_or_below(
    store: &dyn ObjectStore,
    path: &Path,
    location: &str,
) -> Result<Vec<ObjectMeta>> {
    match store.head(path).await {
        Ok(object) => Ok(vec![object]),
        Err(_) => below_folder(store, path, location).await,
    }
}

async fn below_folder(
    store: &dyn ObjectStore,
    folder: &Path,
    location: &str,
) -> Result<Vec<ObjectMeta>> {
    let listed: std::result::Result<Vec<_>, _> = store.list(Some(folder)).try_collect().await;
    let mut objects = match listed {
        Ok(objects) => objects,
        Err(object_store::Error::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(list_error(location, &error)),
    };
    // Object stores also keep markers of empty folders.
    objects.retain(|object| object.location != *folder);
    objects.sort_by(|a, b| a.location.cmp(&b.location));
    Ok(objects)
}

fn below<'a>(root: &Path, location: &'a str) -> &'a str {
    let rest = location.strip_prefix(root.as_ref()).unwrap_or(location);
    rest.trim_start_matches('/')
}

/// Returns true if a pattern matches a name, or a folder that contains it.
fn matches(pattern: &Pattern, name: &str) -> bool {
    let options = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: false,
    };
    let folders = name.match_indices('/').map(|(at, _)| &name[..at]);
    folders
        .chain([name])
        .any(|name| pattern.matches_with(name, options))
}

/// The texts that braces such as `{a,b}` stand for. Braces without a comma are literal.
fn alternatives(text: &str) -> Vec<String> {
    let mut from = 0;
    while let Some(open) = text[from..].find('{').map(|at| at + from) {
        let Some(close) = closing_brace(&text[open..]).map(|at| at + open) else {
            break;
        };
        let parts = split_at_commas(&text[open + 1..close]);
        if parts.len() > 1 {
            let (before, after) = (&text[..open], &text[close + 1..]);
            return parts
                .iter()
                .flat_map(|part| alternatives(&format!("{before}{part}{after}")))
                .collect();
        }
        from = open + 1;
    }
    vec![text.to_string()]
}

fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

/// Parts between the commas outside inner braces.
fn split_at_commas(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Deepest folder that contains all folders.
fn common_folder(folders: &[String]) -> String {
    let mut common: Option<Vec<&str>> = None;
    for folder in folders {
        let parts: Vec<&str> = folder.split('/').collect();
        common = Some(match common {
            None => parts,
            Some(common) => {
                let equal = common.into_iter().zip(parts).take_while(|(a, b)| a == b);
                equal.map(|(part, _)| part).collect()
            }
        });
    }
    common.unwrap_or_default().join("/")
}

fn invalid(location: &str, error: &dyn std::fmt::Display) -> Error {
    Error::config(format!(
        "could not use `{location}` as a location of files: {error}"
    ))
}

/// Error of a location that could not be listed or read.
pub(super) fn list_error(location: &str, error: &object_store::Error) -> Error {
    let object_store::Error::Generic {
        store: "LocalFileSystem",
        source,
    } = error
    else {
        return Error::remote(format!("could not list {location}: {error}")).with_hint(
            "check the location, and the credentials in the provider's environment variables",
        );
    };
    let text = source.to_string();
    let cause = text.strip_prefix("Unable to walk dir: ").unwrap_or(&text);
    let is_loop = cause.contains("loop found") || cause.contains("levels of symbolic links");
    let hint = if is_loop {
        "delete the symbolic link that leads back, or name a folder without it"
    } else {
        "check the folder and its permissions"
    };
    Error::config(format!("could not list {location}: {cause}")).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[tokio::test]
    async fn loops_of_symbolic_links_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = Path::from_absolute_path(folder.path()).unwrap();
        let store = object_store::local::LocalFileSystem::new();
        let link = folder.path().join("link");
        for target in [link.as_path(), folder.path()] {
            std::os::unix::fs::symlink(target, &link).unwrap();
            let error = below_folder(&store, &path, "x").await.unwrap_err();
            assert_eq!(error.kind(), crate::error::ErrorKind::Config);
            let (text, name) = (error.to_string(), link.display().to_string());
            assert!(text.starts_with("could not list x: "), "{text}");
            assert!(text.contains(&name), "{text}");
            assert!(error.hint().unwrap().contains("symbolic link"));
            std::fs::remove_file(&link).unwrap();
        }
    }

    #[test]
    fn braces_are_alternatives_and_stars_stay_in_their_folder() {
        assert_eq!(
            alternatives("a/{x,y{1,2}}/*.csv"),
            ["a/x/*.csv", "a/y1/*.csv", "a/y2/*.csv"]
        );
        assert_eq!(alternatives("a{b}/c{"), ["a{b}/c{"]);
        let pattern = |text: &str| Pattern::new(text).unwrap();
        for (text, name, expected) in [
            ("*.csv", "a.csv", true),
            ("*.csv", "sub/a.csv", false),
            ("**/*.csv", "a.csv", true),
            ("**/*.csv", "x/y/a.csv", true),
            ("2026-*", "2026-10/x/a.csv", true),
            ("*", "x/a.csv", true),
        ] {
            assert_eq!(matches(&pattern(text), name), expected, "{text} {name}");
        }
        let folders = ["a/b/c".to_string(), "a/b".to_string(), "a/bc".to_string()];
        assert_eq!(common_folder(&folders), "a");
    }
}
