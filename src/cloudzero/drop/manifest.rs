//! The manifest of a billing period, which names the active drop.

use object_store::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::billing_period::BillingPeriod;
use crate::cloudzero::drop::DropId;
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::lease::Fence;

/// Version of the manifest format.
const VERSION: &str = "1.3.0";

/// Content of `manifest.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    #[serde(default)]
    version: String,
    current_drop_id: DropId,
}

/// Manifest as it was read.
#[derive(Debug)]
pub(crate) struct ActiveManifest {
    /// The active drop.
    pub(crate) drop_id: DropId,
    /// Version of the object, for a conditional replacement.
    pub(crate) object: ObjectMeta,
}

/// Reads the manifest of a period; `None` if there is none.
///
/// # Errors
/// Kind `Data` for a malformed manifest, besides the errors of the store.
pub(crate) async fn read_manifest(
    destination: &Store,
    period: BillingPeriod,
) -> Result<Option<ActiveManifest>> {
    let name = manifest_name(period);
    let Some((bytes, object)) = destination.get_with_meta(&name).await? else {
        return Ok(None);
    };
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|e| {
        let name = destination.display(&name);
        Error::data(format!("could not read manifest `{name}`: {e}"))
            .with_hint("delete the file, then deliver the month again")
    })?;
    Ok(Some(ActiveManifest {
        drop_id: manifest.current_drop_id,
        object,
    }))
}

/// Makes a drop the active one, if the manifest is still the object `previous`.
///
/// The fence keeps other runs out; the condition is for a run that sleeps between the two requests. A server that ignores
/// it would let that run activate an older drop, which the next delivery replaces, because its record names another one.
/// So the server of a destination is not probed like that of a store: a probe would leave objects where CloudZero reads.
///
/// # Errors
/// Kind `Locked` if the manifest has changed since, or the run lost its lease.
pub(crate) async fn activate_drop(
    fence: &Fence,
    destination: &Store,
    period: BillingPeriod,
    drop_id: &DropId,
    previous: Option<&ObjectMeta>,
) -> Result<()> {
    let manifest = Manifest {
        version: VERSION.into(),
        current_drop_id: drop_id.clone(),
    };
    let json =
        serde_json::to_vec_pretty(&manifest).map_err(|e| Error::bug(format!("manifest: {e}")))?;
    fence.confirm().await?;
    destination
        .put_if_unchanged(&manifest_name(period), json.into(), previous)
        .await
}

fn manifest_name(period: BillingPeriod) -> String {
    format!("{}/manifest.json", period.folder())
}
