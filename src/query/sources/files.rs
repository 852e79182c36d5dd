//! Data files of a source: every file of its location is read, or named in a warning or error.

use std::sync::Arc;

use datafusion::prelude::SessionContext;
use object_store::{ObjectMeta, ObjectStore};

use crate::error::{Error, Result};
use crate::query::sources::{deliveries, delta, drops, location};

/// File with line items.
#[derive(Debug, Clone)]
pub(super) struct SourceFile {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) object: ObjectMeta,
    /// Path below the source's location.
    pub(super) name: String,
    pub(super) file_type: FileType,
    /// Columns whose one value is in the path or in the Delta log.
    pub(super) partition: Vec<(String, Option<String>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileType {
    Parquet,
    Csv,
    CsvGzip,
}

impl FileType {
    pub(super) fn of_name(name: &str) -> Option<FileType> {
        let name = name.to_ascii_lowercase();
        let types = [
            (".parquet", FileType::Parquet),
            (".csv.gz", FileType::CsvGzip),
            (".csv", FileType::Csv),
        ];
        let found = types.iter().find(|(end, _)| name.ends_with(end));
        found.map(|(_, file_type)| *file_type)
    }
}

/// Finds the data files of a source.
pub(super) async fn find(
    context: &SessionContext,
    source: &str,
    location: &str,
) -> Result<Vec<SourceFile>> {
    let mut found = location::list(context, location).await?;
    if found.is_file {
        return single_file(&found);
    }
    let is_pattern = location.contains(['*', '{', '[']);
    if found.objects.is_empty() && !is_pattern && FileType::of_name(location).is_some() {
        return Err(Error::data("there is no such file").with_hint("check the location"));
    }
    reject_iceberg(&found)?;
    delta::refuse_parts(&found).await?;
    drops::keep_current(&mut found).await?;
    let tables = delta::take_tables(&mut found);
    let mut files = Vec::new();
    let mut skipped = Vec::new();
    for object in &found.objects {
        let name = found.name(object);
        match reason_to_skip(name, object.size) {
            Some(reason) => skipped.push(format!("{name} ({reason})")),
            None => files.extend(FileType::of_name(name).map(|file_type| SourceFile {
                store: found.store.clone(),
                object: object.clone(),
                name: name.to_string(),
                file_type,
                partition: path_partition(name),
            })),
        }
    }
    for older in deliveries::keep_newest(&mut files) {
        tracing::warn!(
            source,
            folder = older.folder,
            read = older.newest,
            older = older.count,
            "Several deliveries of a month, read the newest"
        );
    }
    for table in &tables {
        files.extend(delta::files(&found, table).await?);
    }
    if files.is_empty() && tables.is_empty() {
        return Err(nothing_found(&skipped));
    }
    if !skipped.is_empty() {
        let (count, skipped) = (skipped.len(), listed(&skipped));
        tracing::warn!(source, count, files = %skipped, "Files of a source were not read");
    }
    warn_of_twins(source, &files);
    Ok(files)
}

fn single_file(found: &location::Objects) -> Result<Vec<SourceFile>> {
    let files = found.objects.iter().map(|object| {
        let name = found.name(object);
        let file_type = FileType::of_name(name).ok_or_else(|| {
            Error::data(format!("`{name}` is neither Parquet nor CSV"))
                .with_hint("use files that end in .parquet, .csv or .csv.gz, or a folder of them")
        })?;
        if object.size == 0 {
            return Err(Error::data(format!("`{name}` is empty")));
        }
        Ok(SourceFile {
            store: found.store.clone(),
            object: object.clone(),
            name: name.to_string(),
            file_type,
            partition: Vec::new(),
        })
    });
    files.collect()
}

fn reject_iceberg(found: &location::Objects) -> Result<()> {
    let is_metadata = |name: &&str| {
        let folder = name.rsplit('/').nth(1);
        folder == Some("metadata") && name.ends_with(".metadata.json")
    };
    let mut names = found.objects.iter().map(|object| found.name(object));
    match names.find(is_metadata) {
        Some(name) => Err(Error::data(format!(
            "{name} belongs to an Iceberg table, which is not supported"
        ))
        .with_hint("export the table's current rows as Parquet or CSV, and use that folder")),
        None => Ok(()),
    }
}

/// Reason not to read a file, as far as people need to know it.
fn reason_to_skip(name: &str, size: u64) -> Option<&'static str> {
    if is_housekeeping(name) {
        return None;
    }
    if name.split('/').any(|part| part.starts_with(['.', '_'])) {
        return Some("hidden");
    }
    match FileType::of_name(name) {
        None => Some("neither Parquet nor CSV"),
        Some(_) if size == 0 => Some("empty"),
        Some(_) => None,
    }
}

/// Returns true for files that exporters write beside the data.
fn is_housekeeping(name: &str) -> bool {
    let (folders, file) = name.rsplit_once('/').unwrap_or(("", name));
    let file = file.to_lowercase();
    let is_metadata = file.ends_with(".json") && folders.split('/').any(|f| f == "metadata");
    FileType::of_name(&file).is_none()
        && (is_metadata
            || file.ends_with("manifest.json")
            || file.ends_with(".crc")
            || file.starts_with("_success")
            || file.starts_with("_committed_")
            || file.starts_with("_started_")
            || file == ".ds_store")
}

/// Columns in folder names such as `month=2026-10`.
fn path_partition(name: &str) -> Vec<(String, Option<String>)> {
    let folders = name.rsplit_once('/').unwrap_or_default().0.split('/');
    let pairs = folders.filter_map(|folder| folder.split_once('='));
    pairs
        .map(|(key, value)| (key.to_string(), Some(value.to_string())))
        .collect()
}

/// Warns of files that differ in their format alone, such as `a.csv` and `a.csv.gz`.
fn warn_of_twins(source: &str, files: &[SourceFile]) {
    let stem = |file: &SourceFile| {
        let name = file.name.to_lowercase();
        let ends = [".csv.gz", ".csv", ".snappy.parquet", ".parquet"];
        let end = ends.iter().find_map(|end| name.strip_suffix(end));
        end.unwrap_or(&name).to_string()
    };
    let mut stems: Vec<_> = files.iter().map(|file| (stem(file), file)).collect();
    stems.sort_by(|a, b| (&a.0, &a.1.name).cmp(&(&b.0, &b.1.name)));
    for pair in stems.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        let (first, second) = (&pair[0].1.name, &pair[1].1.name);
        tracing::warn!(source, %first, %second, "Both files count, although they may be one file in two formats");
    }
}

fn nothing_found(skipped: &[String]) -> Error {
    let mut message = "no Parquet or CSV files found".to_string();
    if !skipped.is_empty() {
        message.push_str(&format!("; not read: {}", listed(skipped)));
    }
    Error::config(message)
        .with_hint("pass a file, a folder, or a pattern such as s3://bucket/exports/*.parquet")
}

fn listed(names: &[String]) -> String {
    const MAX_LISTED: usize = 10;
    let mut text = names[..names.len().min(MAX_LISTED)].join(", ");
    if names.len() > MAX_LISTED {
        text.push_str(&format!(" and {} more", names.len() - MAX_LISTED));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_or_has_a_reason() {
        for (name, size, expected) in [
            ("A.CSV", 5, None),
            ("x/b.Parquet", 5, None),
            ("c.csv.GZ", 0, Some("empty")),
            (".c.csv", 5, Some("hidden")),
            ("_tmp/c.csv", 5, Some("hidden")),
            ("_SUCCESS", 0, None),
            ("metadata/cur-Manifest.json", 9, None),
            ("metadata/schemas/1.json", 9, None),
            ("notes.txt", 5, Some("neither Parquet nor CSV")),
        ] {
            assert_eq!(reason_to_skip(name, size), expected, "{name}");
        }
        assert_eq!(
            path_partition("y/month=2026-10/a=b/c=d.csv"),
            [
                ("month".to_string(), Some("2026-10".to_string())),
                ("a".to_string(), Some("b".to_string()))
            ]
        );
    }
}
