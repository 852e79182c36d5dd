//! Deliveries of a month: providers that keep every delivery put each one into a folder below the month's.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};

use crate::query::sources::files::SourceFile;

/// Month of which only the newest delivery is read.
pub(super) struct Deliveries {
    /// Folder of the month.
    pub(super) folder: String,
    pub(super) newest: String,
    /// Number of older deliveries.
    pub(super) count: usize,
}

/// Keeps the files of each month's newest delivery.
///
/// A month's folder is named like `20261001-20261101` or `billing_period=2026-10`, and a delivery's after its time or
/// with a UUID. The time in the names decides, else the time of the newest file.
pub(super) fn keep_newest(files: &mut Vec<SourceFile>) -> Vec<Deliveries> {
    let mut months: BTreeMap<String, BTreeMap<String, DateTime<Utc>>> = BTreeMap::new();
    let mut without_delivery = HashSet::new();
    for file in files.iter() {
        let Some((month, delivery)) = month_and_delivery(&file.name) else {
            continue;
        };
        match delivery {
            Some(delivery) => {
                let modified = file.object.last_modified;
                let newest = months.entry(month.to_string()).or_default();
                let newest = newest.entry(delivery.to_string()).or_insert(modified);
                *newest = (*newest).max(modified);
            }
            None => {
                without_delivery.insert(month.to_string());
            }
        }
    }
    months.retain(|month, deliveries| deliveries.len() > 1 && !without_delivery.contains(month));
    let mut kept = Vec::new();
    for (folder, deliveries) in &months {
        let have_times = deliveries.keys().all(|name| time_of(name).is_some());
        let newest = deliveries
            .iter()
            .max_by(|(a, a_modified), (b, b_modified)| {
                if have_times {
                    (time_of(a), a).cmp(&(time_of(b), b))
                } else {
                    (a_modified, a).cmp(&(b_modified, b))
                }
            });
        if let Some((newest, _)) = newest {
            kept.push(Deliveries {
                folder: folder.clone(),
                newest: newest.clone(),
                count: deliveries.len() - 1,
            });
        }
    }
    files.retain(|file| {
        let Some((month, Some(delivery))) = month_and_delivery(&file.name) else {
            return true;
        };
        let newest = kept.iter().find(|kept| kept.folder == month);
        newest.is_none_or(|kept| kept.newest == delivery)
    });
    kept
}

/// Folder of a file's month, and the delivery below it.
fn month_and_delivery(name: &str) -> Option<(&str, Option<&str>)> {
    let mut end = 0;
    let folders = name.rsplit_once('/')?.0;
    for folder in folders.split('/') {
        end += folder.len();
        if is_month(folder) {
            let below = folders[end..].trim_start_matches('/').split('/').next();
            let delivery = below.filter(|name| time_of(name).is_some() || has_uuid(name));
            return Some((&name[..end], delivery));
        }
        end += 1;
    }
    None
}

/// Returns true for `20261001-20261101` and `billing_period=2026-10`.
fn is_month(folder: &str) -> bool {
    if let Some((key, value)) = folder.split_once('=') {
        let digits = value.bytes().filter(u8::is_ascii_digit).count();
        return key.to_lowercase().contains("period") && digits >= 6;
    }
    let is_day = |text: &str| text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    folder
        .split_once('-')
        .is_some_and(|(start, end)| is_day(start) && is_day(end))
}

/// Digits of the time that a name begins with, to the second.
fn time_of(name: &str) -> Option<String> {
    let is_time = |c: char| c.is_ascii_digit() || matches!(c, '-' | ':' | 'T' | '_');
    let text: String = name.chars().take_while(|c| is_time(*c)).collect();
    let mut digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let is_date = digits.starts_with("20") && digits.len() >= 8 && !has_uuid_at_start(name);
    digits.truncate(14);
    is_date.then(|| format!("{digits:0<14}"))
}

fn has_uuid_at_start(name: &str) -> bool {
    name.get(..36).is_some_and(is_uuid)
}

fn has_uuid(name: &str) -> bool {
    let starts = name.char_indices().map(|(at, _)| at);
    starts.filter_map(|at| name.get(at..at + 36)).any(is_uuid)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::ObjectMeta;
    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::*;
    use crate::query::sources::files::FileType;

    fn files(names: &[(&str, i64)]) -> Vec<SourceFile> {
        let file = |(name, modified): &(&str, i64)| SourceFile {
            store: Arc::new(InMemory::new()),
            object: ObjectMeta {
                location: Path::from(*name),
                last_modified: DateTime::from_timestamp(*modified, 0).unwrap(),
                size: 1,
                e_tag: None,
                version: None,
            },
            name: name.to_string(),
            file_type: FileType::Parquet,
            partition: Vec::new(),
        };
        names.iter().map(file).collect()
    }

    fn kept(names: &[(&str, i64)]) -> Vec<String> {
        let mut files = files(names);
        keep_newest(&mut files);
        files.into_iter().map(|file| file.name).collect()
    }

    #[test]
    fn newest_delivery_of_each_month_is_kept() {
        const A: &str = "0a1b2c3d-0000-4000-8000-0123456789ab";
        const B: &str = "ffffffff-0000-4000-8000-0123456789ab";
        // The time in the name decides, not that of the copy.
        let aws = [
            (
                "data/BILLING_PERIOD=2026-09/2026-10-01T05:00:00.000Z-x/1.parquet",
                1,
            ),
            (
                "data/BILLING_PERIOD=2026-10/2026-10-02T05:00:00.000Z-x/1.parquet",
                9,
            ),
            (
                "data/BILLING_PERIOD=2026-10/2026-10-11T05:00:00.000Z-x/1.parquet",
                1,
            ),
            (
                "data/BILLING_PERIOD=2026-10/2026-10-11T05:00:00.000Z-x/2.parquet",
                1,
            ),
        ];
        assert_eq!(kept(&aws), [aws[0].0, aws[2].0, aws[3].0]);
        // Without times the newest file decides.
        let names = [
            (format!("20261001-20261101/{A}/p.csv"), 5),
            (format!("20261001-20261101/{B}/p.csv"), 3),
        ];
        let names: Vec<_> = names
            .iter()
            .map(|(name, at)| (name.as_str(), *at))
            .collect();
        assert_eq!(kept(&names), [names[0].0]);
        // Partitions and other folders are not deliveries.
        let others = [
            ("20261001-20261101/service=a/p.csv", 1),
            ("20261001-20261101/service=b/p.csv", 2),
            ("2026/10/05/a.csv", 1),
            ("2026/10/06/a.csv", 1),
        ];
        assert_eq!(kept(&others).len(), 4);
    }
}
