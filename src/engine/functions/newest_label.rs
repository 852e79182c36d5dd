//! `newest_label(subject, label, id)`: newest known value of a label, from the labels that a plan is given.
//!
//! A plan is made with the function as [`unbound`], which has no values; before it runs, each call is replaced by one
//! that is [`bound`] to the labels of its subject.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder, UInt32Builder};
use arrow::compute::take;
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Name of the function in SQL.
pub(crate) const NEWEST_LABEL: &str = "newest_label";

/// Estimated bytes of an entry beyond its texts.
const ENTRY_BYTES: usize = 80;
/// Texts that are looked up once per batch, if they do not displace each other.
const CACHED: usize = 1024;
const CACHE_BITS: u32 = CACHED.trailing_zeros();

/// Values of one label by the id of their subject.
#[derive(Debug)]
pub(crate) struct Labels {
    positions: HashMap<Box<str>, u32>,
    values: StringViewArray,
    /// Memory of the session that the values take.
    _memory: Option<MemoryReservation>,
}

impl Labels {
    /// Labels with their values; `memory` is held as long as they are.
    pub(crate) fn new(
        labels: impl IntoIterator<Item = (String, String)>,
        memory: Option<MemoryReservation>,
    ) -> Labels {
        let mut positions = HashMap::new();
        // Labels such as environments repeat.
        let mut values = StringViewBuilder::new().with_deduplicate_strings();
        for (at, (id, value)) in (0..).zip(labels) {
            values.append_value(value);
            positions.insert(id.into_boxed_str(), at);
        }
        Labels {
            positions,
            values: values.finish(),
            _memory: memory,
        }
    }

    /// Estimated memory of a label.
    pub(crate) fn bytes_of(id: &str, value: &str) -> usize {
        id.len() + value.len() + ENTRY_BYTES
    }

    /// Values of ids; NULL for those without one.
    fn of(&self, ids: &StringViewArray) -> Result<ArrayRef> {
        let mut found = UInt32Builder::with_capacity(ids.len());
        // Equal views of an array are equal texts, so most texts are not even read.
        let mut cache: Vec<Option<(u128, Option<u32>)>> = vec![None; CACHED.min(ids.len())];
        for (at, view) in ids.views().iter().enumerate() {
            if ids.is_null(at) {
                found.append_null();
                continue;
            }
            let slot = slot_of(*view) % cache.len();
            let position = match cache[slot] {
                Some((cached, position)) if cached == *view => position,
                _ => {
                    let position = self.positions.get(ids.value(at)).copied();
                    cache[slot] = Some((*view, position));
                    position
                }
            };
            found.append_option(position);
        }
        Ok(take(&self.values, &found.finish(), None)?)
    }
}

fn slot_of(view: u128) -> usize {
    let folded = (view as u64) ^ ((view >> 64) as u64);
    (folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - CACHE_BITS)) as usize
}

/// The function before its values are known.
pub(super) fn unbound() -> ScalarUDF {
    ScalarUDF::new_from_impl(NewestLabel::new(None))
}

/// The function with its values.
pub(crate) fn bound(labels: Arc<Labels>) -> ScalarUDF {
    ScalarUDF::new_from_impl(NewestLabel::new(Some(labels)))
}

#[derive(Debug)]
struct NewestLabel {
    labels: Option<Arc<Labels>>,
    signature: Signature,
}

impl NewestLabel {
    fn new(labels: Option<Arc<Labels>>) -> NewestLabel {
        NewestLabel {
            labels,
            // Stable: values of another statement may differ.
            signature: Signature::exact(vec![DataType::Utf8View; 3], Volatility::Stable),
        }
    }

    fn address(&self) -> Option<*const Labels> {
        self.labels.as_ref().map(Arc::as_ptr)
    }
}

impl PartialEq for NewestLabel {
    fn eq(&self, other: &Self) -> bool {
        self.address() == other.address()
    }
}

impl Eq for NewestLabel {}

impl Hash for NewestLabel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address().hash(state);
    }
}

impl ScalarUDFImpl for NewestLabel {
    fn name(&self) -> &str {
        NEWEST_LABEL
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(labels) = &self.labels else {
            return Err(DataFusionError::Execution(format!(
                "{NEWEST_LABEL} is not available here"
            )));
        };
        let ids = args.args[2].to_array(args.number_rows)?;
        Ok(ColumnarValue::Array(labels.of(ids.as_string_view())?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn values_are_those_of_the_ids(
            known in prop::collection::btree_map("[a-d]{1,14}", "[x-z]{0,20}", 0..30),
            asked in prop::collection::vec(prop::option::of("[a-d]{1,14}"), 0..60),
        ) {
            let labels = Labels::new(known.clone(), None);
            // Known ids too, and each of them twice.
            let known_ids = known.keys().cloned().map(Some);
            let ids: Vec<Option<String>> = asked.into_iter().chain(known_ids.clone()).chain(known_ids).collect();
            let found = labels.of(&ids.iter().map(Option::as_deref).collect()).unwrap();
            let found: Vec<_> = found.as_string_view().iter().collect();
            let expected: Vec<_> = ids
                .iter()
                .map(|id| known.get(id.as_ref()?).map(String::as_str))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
