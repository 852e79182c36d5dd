//! CloudZero drops as a source: only the files of each month's current drop count.

use object_store::{ObjectMeta, ObjectStoreExt};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::query::sources::files::FileType;
use crate::query::sources::location::{Objects, list_error};

/// Name of a month's manifest.
const MANIFEST: &str = "manifest.json";

/// Keeps the files of the current drops, where manifests name them.
pub(super) async fn keep_current(found: &mut Objects) -> Result<()> {
    let is_manifest = |object: &&ObjectMeta| object.location.filename() == Some(MANIFEST);
    let manifests: Vec<_> = found.objects.iter().filter(is_manifest).cloned().collect();
    for manifest in manifests {
        let Some(drop_id) = current_drop(found, &manifest).await? else {
            continue;
        };
        let path = manifest.location.as_ref();
        let month = &path[..path.len() - MANIFEST.len()];
        let drop = format!("{month}{drop_id}/");
        let is_current = |object: &ObjectMeta| object.location.as_ref().starts_with(&drop);
        let is_data = |object: &ObjectMeta| FileType::of_name(object.location.as_ref()).is_some();
        if !found.objects.iter().any(|o| is_current(o) && is_data(o)) {
            return Err(Error::data(format!(
                "the manifest {} names the drop {drop_id}, which has no files",
                found.name(&manifest)
            ))
            .with_hint("write the drop again, or point the manifest at one that has files"));
        }
        found
            .objects
            .retain(|object| !object.location.as_ref().starts_with(month) || is_current(object));
    }
    Ok(())
}

/// Drop that a manifest names; `None` for the manifest of another product.
async fn current_drop(found: &Objects, manifest: &ObjectMeta) -> Result<Option<String>> {
    let name = found.name(manifest);
    let failed = |e: object_store::Error| list_error(name, &e);
    let object = found.store.get(&manifest.location).await.map_err(failed)?;
    let bytes = object.bytes().await.map_err(failed)?;
    let content: Value = serde_json::from_slice(&bytes)
        .map_err(|e| Error::data(format!("could not read the manifest {name}: {e}")))?;
    if let Some(id) = content["current_drop_id"].as_str() {
        return Ok(Some(id.to_string()));
    }
    // Azure's exports have a manifest of the same name.
    if content.get("manifestVersion").is_some() || content.get("blobs").is_some() {
        return Ok(None);
    }
    Err(Error::data(format!(
        "the manifest {name} has no `current_drop_id`"
    )))
}
