//! Object stores that the engine opens when a statement or a source first names them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::ObjectStore;
use url::Url;

use crate::store::remote;

/// Object stores by scheme and host.
#[derive(Debug, Default)]
pub struct Stores {
    opened: RwLock<HashMap<String, Arc<dyn ObjectStore>>>,
}

fn key(url: &Url) -> String {
    url[..url::Position::BeforePath].to_string()
}

impl ObjectStoreRegistry for Stores {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        opened.insert(key(url), store)
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = opened.get(&key(url)) {
            return Ok(store.clone());
        }
        drop(opened);
        let store = remote::object_store(url)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        self.register_store(url, store.clone());
        Ok(store)
    }
}
