//! Delta tables below a location: the log decides which files are current.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use deltalake::logstore::{StorageConfig, default_logstore};
use deltalake::{DeltaTable, DeltaTableError};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::prefix::PrefixStore;

use crate::error::{Error, Result};
use crate::query::sources::files::{FileType, SourceFile};
use crate::query::sources::location::Objects;

const LOG: &str = "_delta_log";

/// Delta table, with the objects below its folder.
pub(super) struct Table {
    folder: Path,
    objects: HashMap<String, object_store::ObjectMeta>,
}

/// Removes the objects of Delta tables from `found`, and returns the tables.
pub(super) fn take_tables(found: &mut Objects) -> Vec<Table> {
    let folders = found.objects.iter().filter_map(|object| {
        let parts: Vec<_> = object.location.parts().collect();
        let at = parts.iter().position(|part| part.as_ref() == LOG)?;
        Some(parts[..at].iter().cloned().collect::<Path>())
    });
    let folders: BTreeSet<Path> = folders.collect();
    folders
        .into_iter()
        .map(|folder| {
            let objects = found
                .objects
                .extract_if(.., |object| object.location.prefix_matches(&folder))
                .map(|object| (object.location.to_string(), object));
            let objects = objects.collect();
            Table { folder, objects }
        })
        .collect()
}

/// Refuses files that lie in the folder of a Delta table whose log is not among them: old versions would count as well.
///
/// # Errors
/// Kind data.
pub(super) async fn refuse_parts(found: &Objects) -> Result<()> {
    // A web server lists nothing.
    if found.objects.is_empty() || found.base.scheme() == "https" {
        return Ok(());
    }
    let parts: Vec<_> = found.root.parts().collect();
    for length in (0..=parts.len()).rev() {
        let folder: Path = parts[..length].iter().cloned().collect();
        let log = folder.clone().join(LOG);
        if found
            .objects
            .iter()
            .any(|object| object.location.prefix_matches(&log))
        {
            continue;
        }
        let first = found.store.list(Some(&log)).try_next().await;
        // A folder that may not be listed is no reason to refuse the files below it.
        if let Ok(Some(_)) = first {
            return Err(Error::data(format!(
                "the files are a part of the Delta table `{folder}`, whose log decides which of them are current"
            ))
            .with_hint("name the folder of the table, and filter its rows"));
        }
    }
    Ok(())
}

/// Current files of a table.
///
/// # Errors
/// Kind data, for a table with deletion vectors or renamed columns, or whose files are missing.
pub(super) async fn files(found: &Objects, table: &Table) -> Result<Vec<SourceFile>> {
    let failed = |e: DeltaTableError| {
        Error::data(format!(
            "could not read the Delta log of `{}`: {e}",
            table.folder
        ))
    };
    let opened = open(found, table).await?;
    let snapshot = opened.snapshot().map_err(failed)?;
    let configuration = snapshot.metadata().configuration();
    let mapping = configuration.get("delta.columnMapping.mode");
    if mapping.is_some_and(|mode| mode != "none") {
        return Err(unsupported(table, "column mapping"));
    }
    let views: Vec<_> = opened
        .get_active_add_actions_by_predicate(None)
        .try_collect()
        .await
        .map_err(failed)?;
    let mut files = Vec::with_capacity(views.len());
    for view in views {
        if view.deletion_vector_descriptor().is_some() {
            return Err(unsupported(table, "deletion vectors"));
        }
        let name = view.path();
        let path = Path::parse(format!("{}/{name}", table.folder))
            .map_err(|e| Error::data(format!("the Delta log names the file {name}: {e}")))?;
        let object = table.objects.get(path.as_ref()).ok_or_else(|| {
            Error::data(format!("the file {name} of the Delta log does not exist"))
        })?;
        files.push(SourceFile {
            store: found.store.clone(),
            name: found.name(object).to_string(),
            object: object.clone(),
            file_type: FileType::Parquet,
            partition: view.partition_values_map().into_iter().collect(),
        });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

async fn open(found: &Objects, table: &Table) -> Result<DeltaTable> {
    let failed = |e: &dyn std::fmt::Display| {
        Error::data(format!(
            "could not read the Delta table `{}`: {e}",
            table.folder
        ))
    };
    let mut url = found.base.clone();
    url.set_path(&format!("{}/", table.folder));
    let prefixed = PrefixStore::new(found.store.clone(), table.folder.clone());
    let log = default_logstore(
        Arc::new(prefixed),
        found.store.clone(),
        &url,
        &StorageConfig::default(),
    );
    let mut opened = DeltaTable::new(log);
    opened.load().await.map_err(|e| failed(&e))?;
    Ok(opened)
}

fn unsupported(table: &Table, feature: &str) -> Error {
    Error::data(format!(
        "the Delta table `{}` uses {feature}, which is not supported",
        table.folder
    ))
    .with_hint("export the table's current rows as Parquet or CSV, and use that folder")
}
