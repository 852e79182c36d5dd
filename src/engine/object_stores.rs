//! Object stores of a session, opened when a statement or a source first names them.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::ObjectStore;
use parking_lot::RwLock;
use url::Url;

use crate::store::remote;

/// Object stores by scheme and host.
#[derive(Debug, Default)]
pub(super) struct ObjectStores {
    opened: RwLock<HashMap<String, Arc<dyn ObjectStore>>>,
}

fn key(url: &Url) -> String {
    url[..url::Position::BeforePath].to_string()
}

impl ObjectStoreRegistry for ObjectStores {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        self.opened.write().insert(key(url), store)
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        if let Some(store) = self.opened.read().get(&key(url)) {
            return Ok(store.clone());
        }
        let store = remote::object_store(url)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        self.register_store(url, store.clone());
        Ok(store)
    }
}
