//! Rows of CSV, and the files of a store.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::path::Path;

use serde_json::Value;

/// Row by column name. CSV does not distinguish NULL from the empty text.
pub type Row = HashMap<String, String>;

/// Rows of a CSV text with a header.
pub fn csv_rows(text: &[u8]) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(text);
    let header = reader.headers().unwrap().clone();
    reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            header
                .iter()
                .zip(record.iter())
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect()
        })
        .collect()
}

/// Rows of a gzipped CSV file.
pub fn csv_gz_rows(bytes: &[u8]) -> Vec<Row> {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .read_to_end(&mut text)
        .unwrap();
    csv_rows(&text)
}

/// Files by their path in a folder, with their bytes.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Reads all files below a folder.
pub fn files_below(folder: &Path) -> Files {
    let read = |name: String| {
        std::fs::read(folder.join(&name))
            .ok()
            .map(|bytes| (name, bytes))
    };
    names_below(folder).into_iter().filter_map(read).collect()
}

/// Lists the paths of all files below a folder, which may change meanwhile.
pub fn names_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(
                    path.strip_prefix(folder)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_string(),
                );
            }
        }
    }
    found
}

/// Writes files of [`files_below`] into a folder.
pub fn write_files(folder: &Path, files: &Files) {
    for (name, bytes) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// Reads all files of a store except `runs/`, to which every run adds.
pub fn published_files(store: &Path) -> Files {
    let mut files = files_below(store);
    files.retain(|name, _| !name.starts_with("runs/"));
    files
}

/// Folder of a month in a drop: `20261001-20261101` for `2026-10`.
pub fn drop_folder(month: &str) -> String {
    let (year, number) = month.split_once('-').unwrap();
    let (year, number): (u32, u32) = (year.parse().unwrap(), number.parse().unwrap());
    let (next_year, next) = if number == 12 {
        (year + 1, 1)
    } else {
        (year, number + 1)
    };
    format!("{year}{number:02}01-{next_year}{next:02}01")
}

/// Returns the id of the active drop of a month.
pub fn current_drop_id(store: &Path, connection: &str, month: &str) -> String {
    let path = store
        .join("cloudzero")
        .join(connection)
        .join(drop_folder(month))
        .join("manifest.json");
    let manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(manifest["version"], "1.3.0");
    assert_eq!(manifest.as_object().unwrap().len(), 2, "{manifest}");
    manifest["current_drop_id"].as_str().unwrap().to_string()
}

/// Reads the rows of the active drop of a month.
pub fn drop_in_force(store: &Path, connection: &str, month: &str) -> Vec<Row> {
    let id = current_drop_id(store, connection, month);
    let folder = store
        .join("cloudzero")
        .join(connection)
        .join(drop_folder(month))
        .join(id);
    let files = files_below(&folder);
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
        .iter()
        .flat_map(|(name, bytes)| {
            assert!(name.ends_with(".csv.gz"), "{name} is in a drop");
            csv_gz_rows(bytes)
        })
        .collect()
}

/// Lists files that a commit of a table names and that do not exist.
pub fn lost_files(store: &Path) -> Vec<String> {
    let mut lost = BTreeSet::new();
    for name in names_below(store) {
        let Some((table, _)) = name
            .split_once("/_delta_log/")
            .filter(|_| name.ends_with(".json"))
        else {
            continue;
        };
        for line in std::fs::read_to_string(store.join(&name)).unwrap().lines() {
            let action: Value = serde_json::from_str(line).unwrap();
            if let Some(path) = action["add"]["path"].as_str() {
                let file = format!("{table}/{path}");
                if !store.join(&file).exists() {
                    lost.insert(file);
                }
            }
        }
    }
    lost.into_iter().collect()
}

/// Makes all staging marks older than the time for which files of other runs are kept.
pub fn age_marks(store: &Path) {
    let folder = store.join("runs/staging");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(25 * 60 * 60);
    for mark in names_below(&folder) {
        let file = std::fs::File::options().write(true).open(folder.join(mark));
        file.unwrap().set_modified(old).unwrap();
    }
}

/// Lists Parquet files of a store that neither a commit of their table nor a staging mark names.
pub fn orphans(store: &Path) -> Vec<String> {
    let names = names_below(store);
    let mut known = BTreeSet::new();
    for name in &names {
        if let Some((table, _)) = name
            .split_once("/_delta_log/")
            .filter(|_| name.ends_with(".json"))
        {
            for line in std::fs::read_to_string(store.join(name)).unwrap().lines() {
                let action: Value = serde_json::from_str(line).unwrap();
                if let Some(path) = action["add"]["path"].as_str() {
                    known.insert(format!("{table}/{path}"));
                }
            }
        } else if let Some(mark) = name.strip_prefix("runs/staging/") {
            let parts: Vec<&str> = mark.split('/').collect();
            let [table, connection, month, _, file] = parts[..] else {
                panic!("{name} is no mark")
            };
            known.insert(format!(
                "{table}/connection={connection}/billing_period={month}/{file}"
            ));
        }
    }
    let is_data = |name: &String| name.ends_with(".parquet") && !name.starts_with("runs/");
    names
        .into_iter()
        .filter(|name| is_data(name) && !known.contains(name))
        .collect()
}
