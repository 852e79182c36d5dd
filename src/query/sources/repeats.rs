//! Line items that are in several files: deliveries of one month that lie side by side.

use std::collections::HashMap;

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use futures::TryStreamExt;
use twox_hash::XxHash64;

use crate::error::{Error, Result};
use crate::query::diagnostics::explain_without_text;
use crate::query::sources::read::{self, Part};
use crate::query::sources::table::SourceTable;

/// Rows of a file that are looked at.
const MAX_ROWS: usize = 2_000_000;
/// Ids that are remembered; of more, a sample by their hash.
const MAX_IDS: usize = 500_000;
const BATCH_SIZE: usize = 8192;

/// Checks that files do not repeat each other's ids. A few equal ids are no reason to suspect a second delivery.
///
/// # Errors
/// Kind data, for a file of which more than a hundredth of the ids are in another one.
pub(super) async fn check(table: &SourceTable, id_column: &str) -> Result<()> {
    let schema = table.schema();
    let Ok(at) = schema.index_of(id_column) else {
        return Ok(());
    };
    if table.files().len() < 2 || *schema.field(at).data_type() != DataType::Utf8View {
        return Ok(());
    }
    let failed = |e| explain_without_text(&e, &[]);
    let plan = table.read_plan(&[at]).map_err(failed)?;
    let mut first_file: HashMap<u64, usize> = HashMap::new();
    let mut step = 1;
    for (number, file) in table.files().iter().enumerate() {
        let mut batches = read::rows(Part::whole(file), plan.clone(), BATCH_SIZE);
        let (mut rows, mut sampled) = (0, 0);
        let mut repeated: HashMap<usize, (usize, String)> = HashMap::new();
        while let Some(batch) = batches.try_next().await.map_err(failed)? {
            for id in batch.column(0).as_string_view().iter().flatten() {
                let hash = XxHash64::oneshot(0, id.as_bytes());
                if !hash.is_multiple_of(step) {
                    continue;
                }
                sampled += 1;
                match *first_file.entry(hash).or_insert(number) {
                    first if first != number => {
                        let entry = repeated.entry(first).or_insert((0, id.to_string()));
                        entry.0 += 1;
                    }
                    _ => {}
                }
            }
            if first_file.len() > MAX_IDS {
                step *= 2;
                first_file.retain(|hash, _| hash.is_multiple_of(step));
            }
            rows += batch.num_rows();
            if rows > MAX_ROWS {
                break;
            }
        }
        let most = repeated.into_iter().max_by_key(|(_, (count, _))| *count);
        if let Some((first, (count, id))) = most.filter(|(_, (count, _))| count * 100 > sampled) {
            let first = &table.files()[first].file.name;
            let share = count * 100 / sampled.max(1);
            return Err(Error::data(format!(
                "`{}` repeats {share} % of its line items from `{first}`, such as {id_column} `{id}`: they \
                 would count twice",
                file.file.name
            ))
            .with_hint(
                "these are deliveries of the same month: keep the newest one, or pass a pattern that matches it alone",
            ));
        }
    }
    Ok(())
}
