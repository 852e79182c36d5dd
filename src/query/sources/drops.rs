//! CloudZero drops as a source: only the files of each month's current drop count.

use datafusion::datasource::listing::ListingTableUrl;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use serde_json::Value;
use url::Url;

use crate::engine;
use crate::error::{Error, Result};
use crate::query::sources::files::{list_error, listing_url, object_store};

/// Files of the current drops below a folder, or `None` if it has no manifest.
pub(super) async fn current_files(
    context: &SessionContext,
    url: &Url,
) -> Result<Option<Vec<ListingTableUrl>>> {
    let folder = listing_url(url)?;
    if !folder.is_collection() || url.path().contains('*') {
        return Ok(None);
    }
    let store = object_store(context, &folder)?;
    let failed = |e: object_store::Error| list_error(url.as_str(), &e);
    let listing = store.list(Some(folder.prefix()));
    let names: Vec<_> = listing
        .map_ok(|meta| meta.location)
        .try_collect()
        .await
        .map_err(failed)?;
    let is_manifest = |name: &&object_store::path::Path| name.filename() == Some("manifest.json");
    let manifests: Vec<_> = names.iter().filter(is_manifest).collect();
    let mut files = Vec::new();
    for manifest in &manifests {
        let object = store.get(manifest).await.map_err(failed)?;
        let bytes = object.bytes().await.map_err(failed)?;
        let content: Value = serde_json::from_slice(&bytes)
            .map_err(|e| Error::data(format!("could not read the manifest {manifest}: {e}")))?;
        let drop_id = content["current_drop_id"].as_str().ok_or_else(|| {
            Error::data(format!("the manifest {manifest} has no `current_drop_id`"))
        })?;
        let month = manifest.to_string();
        let month = month.trim_end_matches("manifest.json");
        let drop_folder = format!("{month}{drop_id}/");
        for name in &names {
            let text = name.as_ref();
            if text.starts_with(&drop_folder) && text.ends_with(".csv.gz") {
                let mut file = url.clone();
                if let Ok(mut segments) = file.path_segments_mut() {
                    segments.clear().extend(name.parts());
                }
                let file = ListingTableUrl::try_new(file, None);
                files.push(file.map_err(|e| engine::failed("drop", &e))?);
            }
        }
    }
    Ok((!manifests.is_empty()).then_some(files))
}
