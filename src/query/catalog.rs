//! The names that SQL may use, opened when a statement first names them.
//!
//! Nothing is read for `select 1`; a question about `line_items` opens that table alone. Between two
//! statements of a shell the catalog forgets what it opened, so that the next one sees what an import
//! has published meanwhile.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::ViewTable;
use datafusion::prelude::SessionContext;

use crate::clock::Clock;
use crate::cloudzero::cbf;
use crate::engine::sql_files::SqlFiles;
use crate::error::{Error, ErrorKind};
use crate::query::names::{ALL, quoted};
use crate::query::sources::Source;
use crate::query::{system_tables, tables};
use crate::store::{Store, TableName};

/// Names that are neither views nor sources, with what they hold.
const OWN: [(&str, &str); 7] = [
    (
        ALL,
        "Published line items and those of the sources, in CloudZero's Common Bill Format",
    ),
    (
        "costs",
        "Costs as received from Confluent, by connection and billing_period",
    ),
    (
        "line_items",
        "Published line items in CloudZero's Common Bill Format, by connection and billing_period",
    ),
    (
        "periods",
        "Months: state, coverage, totals, versions, deliveries",
    ),
    (
        "resources",
        "Environments, clusters and connectors by name and region, with the time for which it was so",
    ),
    ("runs", "Runs: what they did and how they ended"),
    ("versions", "Every version of every month, newest first"),
];

/// The schema `public` of a session.
pub struct Catalog {
    store: Store,
    sql: SqlFiles,
    sources: BTreeMap<String, Source>,
    clock: Clock,
    /// To plan views with. The session holds the catalog in turn; both last as long as the process.
    context: OnceLock<SessionContext>,
    opened: Mutex<HashMap<String, Arc<dyn TableProvider>>>,
    /// Views that the user's own statements made.
    made: Mutex<HashMap<String, Arc<dyn TableProvider>>>,
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Catalog")
    }
}

impl Catalog {
    /// Of a store, with the user's SQL files and sources.
    pub fn new(
        store: Store,
        sql: SqlFiles,
        sources: BTreeMap<String, Source>,
        clock: Clock,
    ) -> Arc<Catalog> {
        Arc::new(Catalog {
            store,
            sql,
            sources,
            clock,
            context: OnceLock::new(),
            opened: Mutex::default(),
            made: Mutex::default(),
        })
    }

    /// Makes the catalog the session's schema `public`.
    pub fn attach(self: &Arc<Catalog>, context: &SessionContext) -> crate::error::Result<()> {
        let _ = self.context.set(context.clone());
        context
            .catalog("datafusion")
            .ok_or_else(|| Error::bug("the engine has no catalog"))?
            .register_schema("public", self.clone())
            .map_err(|e| crate::engine::failed("catalog", &e))?;
        Ok(())
    }

    /// Forgets what was opened.
    pub fn forget(&self) {
        self.opened().clear();
    }

    /// Every name with one line about it, by name.
    pub fn listing(&self) -> Vec<(String, String)> {
        let own = OWN
            .iter()
            .map(|(name, about)| (name.to_string(), about.to_string()));
        let views = self
            .sql
            .of_kind("views")
            .map(|(name, file)| (name.to_string(), file.title().to_string()));
        let sources = self
            .sources
            .iter()
            .map(|(name, source)| (name.clone(), format!("Source: {}", source.location())));
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let made: Vec<_> = made
            .keys()
            .map(|name| (name.clone(), "View of this session".to_string()))
            .collect();
        let mut all: Vec<_> = own.chain(views).chain(sources).chain(made).collect();
        all.sort();
        all
    }

    /// The SQL files.
    pub fn sql(&self) -> &SqlFiles {
        &self.sql
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<dyn TableProvider>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the session made or opened already.
    fn known(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.get(name)
            .cloned()
            .or_else(|| self.opened().get(name).cloned())
    }

    async fn open(&self, name: &str) -> crate::error::Result<Option<Arc<dyn TableProvider>>> {
        let store = &self.store;
        if let Some(published) = tables::PUBLISHED
            .into_iter()
            .find(|table| table.as_str() == name)
        {
            let table = tables::current(store, published).await?;
            return match table {
                Some(table) => Ok(Some(Arc::new(table))),
                None => Err(tables::not_there(store, published).await),
            };
        }
        match name {
            "periods" => Ok(Some(Arc::new(
                system_tables::periods(store, (self.clock)()).await?,
            ))),
            "versions" => Ok(Some(Arc::new(system_tables::versions(store).await?))),
            "resources" => Ok(Some(Arc::new(system_tables::resources(store).await?))),
            "runs" => Ok(Some(Arc::new(system_tables::runs(store).await?))),
            ALL => {
                let sql = self.all_line_items().await?;
                self.view(&sql).await.map(Some)
            }
            name => {
                if let Some(source) = self.sources.get(name) {
                    let table = source.open(self.context()?, &self.sql).await?;
                    return Ok(Some(table));
                }
                match self.sql.get(&format!("views/{name}")) {
                    Ok(file) => match self.view(&file.text).await {
                        Ok(view) => Ok(Some(view)),
                        Err(e) if e.kind() == ErrorKind::Data => Err(e.context(file.display())),
                        Err(e) => Err(e),
                    },
                    Err(_) => Ok(None),
                }
            }
        }
    }

    /// The union of what is published and of the sources, with tags as one column.
    async fn all_line_items(&self) -> crate::error::Result<String> {
        let mut parts = Vec::new();
        if let Some(table) = tables::current(&self.store, TableName::LineItems).await? {
            if let Some(name) = table
                .connections()
                .iter()
                .find(|c| self.sources.contains_key(*c))
            {
                return Err(Error::usage(format!(
                    "the source `{name}` has the name of a connection that was imported"
                ))
                .with_hint("give the source another name, so that their costs stay apart"));
            }
            let columns = TableProvider::schema(&table);
            self.opened()
                .insert("line_items".to_string(), Arc::new(table));
            parts.push(published_part(&cbf::ordered(&columns)));
        }
        let names = crate::query::sources::COLUMNS
            .iter()
            .map(|(name, _)| quoted(name));
        let names = names.collect::<Vec<_>>().join(", ");
        for source in self.sources.keys() {
            parts.push(format!("select {names} from {}", quoted(source)));
        }
        if parts.is_empty() {
            return Err(tables::nothing_imported(&self.store));
        }
        Ok(parts.join("\nunion all\n"))
    }

    async fn view(&self, sql: &str) -> crate::error::Result<Arc<dyn TableProvider>> {
        let sql = sql.trim().trim_end_matches(';');
        let planned = self.context()?.state().create_logical_plan(sql).await;
        let plan = planned.map_err(|e| crate::query::diagnostics::explain(sql, &e, &[]))?;
        Ok(Arc::new(ViewTable::new(plan, Some(sql.to_string()))))
    }

    fn context(&self) -> crate::error::Result<&SessionContext> {
        let context = self.context.get();
        context.ok_or_else(|| Error::bug("the catalog has no session"))
    }
}

/// The published line items in the columns of [`crate::query::sources::COLUMNS`]; `present` are theirs.
fn published_part(present: &[String]) -> String {
    let has = |name: &str| present.iter().any(|column| column == name);
    let tags = present.iter().filter_map(|name| {
        let key = name.strip_prefix(cbf::TAG_PREFIX)?;
        Some(format!("'{}', {}", key.replace('\'', "''"), quoted(name)))
    });
    let tags = tags.collect::<Vec<_>>().join(", ");
    let columns = crate::query::sources::COLUMNS
        .iter()
        .map(|(name, data_type)| match *name {
            "tags" if !tags.is_empty() => format!("tags_json({tags}) as tags"),
            name if has(name) || crate::store::tables::PARTITIONS.contains(&name) => quoted(name),
            name => format!("cast(null as {data_type}) as {}", quoted(name)),
        });
    format!(
        "select {} from line_items",
        columns.collect::<Vec<_>>().join(", ")
    )
}

#[async_trait]
impl SchemaProvider for Catalog {
    fn table_names(&self) -> Vec<String> {
        self.listing().into_iter().map(|(name, _)| name).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(known) = self.known(name) {
            return Ok(Some(known));
        }
        let table = self.open(name).await;
        let table = table.map_err(|e| DataFusionError::External(Box::new(e)))?;
        if let Some(table) = &table {
            self.opened().insert(name.to_string(), table.clone());
        }
        Ok(table)
    }

    fn register_table(
        &self,
        name: String,
        table: Arc<dyn TableProvider>,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        if OWN.iter().any(|(own, _)| *own == name) || self.sources.contains_key(&name) {
            return Err(DataFusionError::Plan(format!("`{name}` is there already")));
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(made.insert(name, table))
    }

    fn deregister_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        match made.remove(name) {
            Some(table) => Ok(Some(table)),
            None => Err(DataFusionError::Plan(format!(
                "`{name}` was not made in this session, so it is not dropped"
            ))),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|known| known == name)
    }
}
