//! Tables that SQL may name, opened when a statement first names them.
//!
//! `select 1` reads nothing; a query of `line_items` opens that table alone. A shell closes the open tables
//! between statements, so that each one sees the latest import.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::ViewTable;
use datafusion::prelude::SessionContext;
use parking_lot::{Mutex, MutexGuard};

use crate::clock::Clock;
use crate::cloudzero::cbf;
use crate::engine::permissions::{self, Access};
use crate::engine::sql_files::SqlFiles;
use crate::error::{Error, ErrorKind};
use crate::query::labels::LabelCache;
use crate::query::names::{ALL_LINE_ITEMS, BUILTIN_TABLES, quoted};
use crate::query::sources::{COLUMNS, CURRENCY, DEFAULT_CURRENCY, Source};
use crate::query::statements::Statement;
use crate::query::{diagnostics, system_tables, tables};
use crate::store::tables::PARTITIONS;
use crate::store::{Store, TableName};

/// Schema `public` of a session.
pub(crate) struct Catalog {
    store: Store,
    sql: SqlFiles,
    sources: BTreeMap<String, Source>,
    /// Currencies of configured connections.
    currencies: BTreeMap<String, String>,
    clock: Clock,
    /// Plans views. The session refers back to the catalog; both live as long as the process.
    context: OnceLock<SessionContext>,
    opened: Mutex<HashMap<String, Arc<dyn TableProvider>>>,
    /// Labels of the open tables.
    labels: LabelCache,
    /// Views that statements of this session created.
    session_views: Mutex<HashMap<String, Arc<dyn TableProvider>>>,
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Catalog")
    }
}

impl Catalog {
    pub(super) fn new(
        store: Store,
        sql: SqlFiles,
        sources: BTreeMap<String, Source>,
        currencies: BTreeMap<String, String>,
        clock: Clock,
    ) -> Arc<Catalog> {
        Arc::new(Catalog {
            store,
            sql,
            sources,
            currencies,
            clock,
            context: OnceLock::new(),
            opened: Mutex::default(),
            labels: LabelCache::default(),
            session_views: Mutex::default(),
        })
    }

    /// Registers the catalog as the session's schema `public`.
    pub(super) fn attach(
        self: &Arc<Catalog>,
        context: &SessionContext,
    ) -> crate::error::Result<()> {
        let _ = self.context.set(context.clone());
        context
            .catalog("datafusion")
            .ok_or_else(|| Error::bug("the engine has no catalog"))?
            .register_schema("public", self.clone())
            .map_err(|e| crate::engine::failed("catalog", &e))?;
        Ok(())
    }

    /// Closes the open tables, so that the next statement reads their latest versions.
    pub(super) fn close_tables(&self) {
        self.opened().clear();
        self.labels.clear();
    }

    pub(super) fn labels(&self) -> &LabelCache {
        &self.labels
    }

    /// All tables with a one-line description, by name.
    pub(crate) fn listing(&self) -> Vec<(String, String)> {
        let builtin = BUILTIN_TABLES
            .iter()
            .map(|(name, description)| (name.to_string(), description.to_string()));
        let views = self
            .sql
            .of_kind("views")
            .map(|(name, file)| (name.to_string(), file.title().to_string()));
        let sources = self
            .sources
            .iter()
            .map(|(name, source)| (name.clone(), format!("Source: {}", source.location())));
        let session_views: Vec<_> = self
            .session_views()
            .keys()
            .map(|name| (name.clone(), "View of this session".to_string()))
            .collect();
        let mut all: Vec<_> = builtin
            .chain(views)
            .chain(sources)
            .chain(session_views)
            .collect();
        all.sort();
        all
    }

    /// Returns the currency of all amounts if that is known without reading any.
    pub(super) fn only_currency(&self) -> Option<&'static str> {
        let mut configured = self.currencies.values();
        let is_default = configured.all(|currency| currency == DEFAULT_CURRENCY);
        (self.sources.is_empty() && is_default).then_some(DEFAULT_CURRENCY)
    }

    pub(crate) fn sql(&self) -> &SqlFiles {
        &self.sql
    }

    fn opened(&self) -> MutexGuard<'_, HashMap<String, Arc<dyn TableProvider>>> {
        self.opened.lock()
    }

    fn session_views(&self) -> MutexGuard<'_, HashMap<String, Arc<dyn TableProvider>>> {
        self.session_views.lock()
    }

    /// A session view or open table.
    fn open_table(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        let view = self.session_views().get(name).cloned();
        view.or_else(|| self.opened().get(name).cloned())
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
                None => Err(tables::missing_table(store, published).await),
            };
        }
        match name {
            "periods" => Ok(Some(Arc::new(
                system_tables::periods(store, (self.clock)()).await?,
            ))),
            "versions" => Ok(Some(Arc::new(system_tables::versions(store).await?))),
            "resources" => Ok(Some(Arc::new(system_tables::resources(store).await?))),
            "runs" => Ok(Some(Arc::new(system_tables::runs(store).await?))),
            ALL_LINE_ITEMS => {
                let sql = self.all_line_items().await?;
                self.view(&sql).await.map(Some)
            }
            name => {
                if let Some(source) = self.sources.get(name) {
                    let table = source.open(self.context()?, &self.sql).await?;
                    return Ok(Some(table));
                }
                match self.sql.get(&format!("views/{name}")) {
                    Ok(file) => match self.view(&self.with_today(&file.text)).await {
                        Ok(view) => Ok(Some(view)),
                        Err(e) if e.kind() == ErrorKind::Data => Err(e.context(file.display())),
                        Err(e) => Err(e),
                    },
                    Err(_) => Ok(None),
                }
            }
        }
    }

    /// SQL of the union of published line items and sources, with tags as one column.
    async fn all_line_items(&self) -> crate::error::Result<String> {
        let mut parts = Vec::new();
        if let Some(table) = tables::current(&self.store, TableName::LineItems).await? {
            if let Some(name) = table
                .connections()
                .iter()
                .find(|c| self.sources.contains_key(*c))
            {
                return Err(Error::usage(format!(
                    "the source `{name}` has the same name as an imported connection"
                ))
                .with_hint("rename the source, so that their costs stay separate"));
            }
            let columns = TableProvider::schema(&table);
            self.opened()
                .insert("line_items".to_string(), Arc::new(table));
            parts.push(published_part(&cbf::ordered(&columns), &self.currencies));
        }
        let names = COLUMNS.iter().map(|(name, _)| quoted(name));
        let names = names.collect::<Vec<_>>().join(", ");
        for source in self.sources.keys() {
            parts.push(format!("select {names} from {}", quoted(source)));
        }
        if parts.is_empty() {
            return Err(tables::nothing_imported(&self.store));
        }
        Ok(parts.join("\nunion all\n"))
    }

    /// The SQL of a view with `$today` as a literal: a view has no parameters, and the engine's own clock is not ours.
    fn with_today(&self, sql: &str) -> String {
        let today = (self.clock)().date_naive();
        sql.replace("$today", &format!("date '{today}'"))
    }

    async fn view(&self, sql: &str) -> crate::error::Result<Arc<dyn TableProvider>> {
        let statement = Statement::from_file(sql);
        let state = self.context()?.state();
        let planned = permissions::plan(&state, &statement.sql, Access::Rows).await;
        let plan = planned.map_err(|e| diagnostics::explain(&statement, &e, &[]))?;
        Ok(Arc::new(ViewTable::new(plan, Some(statement.sql))))
    }

    fn context(&self) -> crate::error::Result<&SessionContext> {
        let context = self.context.get();
        context.ok_or_else(|| Error::bug("the catalog has no session"))
    }
}

/// SQL of the currency of a published line item: that of its connection.
fn currency_of_connection(currencies: &BTreeMap<String, String>) -> String {
    let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let others = currencies
        .iter()
        .filter(|(_, currency)| *currency != DEFAULT_CURRENCY);
    let cases: String = others
        .map(|(name, currency)| format!(" when {} then {}", text(name), text(currency)))
        .collect();
    let default = text(DEFAULT_CURRENCY);
    if cases.is_empty() {
        return format!("cast({default} as varchar) as {CURRENCY}");
    }
    format!("cast(case connection{cases} else {default} end as varchar) as {CURRENCY}")
}

/// SQL that gives the published line items the columns [`COLUMNS`]; `present` are the columns they have.
fn published_part(present: &[String], currencies: &BTreeMap<String, String>) -> String {
    let has = |name: &str| present.iter().any(|column| column == name);
    let tags = present.iter().filter_map(|name| {
        let key = name.strip_prefix(cbf::TAG_PREFIX)?;
        Some(format!("'{}', {}", key.replace('\'', "''"), quoted(name)))
    });
    let tags = tags.collect::<Vec<_>>().join(", ");
    let columns = COLUMNS.iter().map(|(name, data_type)| match *name {
        "tags" if !tags.is_empty() => format!("tags_json({tags}) as tags"),
        CURRENCY => currency_of_connection(currencies),
        name if has(name) || PARTITIONS.contains(&name) => quoted(name),
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
        if let Some(table) = self.open_table(name) {
            return Ok(Some(table));
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
        let is_builtin = BUILTIN_TABLES.iter().any(|(builtin, _)| *builtin == name);
        if is_builtin || self.sources.contains_key(&name) {
            return Err(DataFusionError::Plan(format!("`{name}` already exists")));
        }
        Ok(self.session_views().insert(name, table))
    }

    fn deregister_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match self.session_views().remove(name) {
            Some(table) => Ok(Some(table)),
            None => Err(DataFusionError::Plan(format!(
                "could not drop `{name}`: it was not created in this session"
            ))),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|known| known == name)
    }
}
