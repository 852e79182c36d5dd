//! SQL files: built into the binary, each overridable by name from the user's folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use datafusion::common::{DataFusionError, ParamValues, ScalarValue};
use datafusion::dataframe::DataFrame;
use datafusion::prelude::SessionContext;
use twox_hash::XxHash3_128;

use crate::engine;
use crate::engine::permissions::{self, Access};
use crate::error::{Error, Result};

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../sql/", $name, ".sql")))),*]
    };
}

/// Files of `sql/` by name.
const BUILT_IN: &[(&str, &str)] = built_in![
    "models/hourly_line_items",
    "models/line_items",
    "models/resource_facts",
    "names/resource_id",
    "names/service",
    "checks/amortized_costs_settle",
    "checks/costs_match_wire",
    "checks/discount_rows_settle",
    "checks/line_item_ids_unique",
    "checks/line_items_match_wire",
    "checks/negative_types",
    "checks/own_line_items",
    "checks/required_columns",
    "checks/resource_id_one_separator",
    "checks/tags_have_resource",
    "checks/tags_one_value",
    "checks/usage_start_on_hour",
    "views/daily_costs",
    "views/monthly_costs",
    "views/cost_changes",
    "views/costs_by_tag",
    "views/costs_per_day",
    "views/months",
    "views/newest_labels",
    "sources/focus",
    "sources/cur2",
    "sources/cbf",
    "diff/changes",
    "exports/focus",
    "reports/changes",
    "reports/cost_over_time",
    "reports/discounts_and_credits",
    "reports/idle_resources",
    "reports/marketplace_charges",
    "reports/owners",
    "reports/top_resources",
    "reports/unit_prices",
];

/// Folders of SQL files, and whether the user may add files with new names.
const FOLDERS: [(&str, bool); 8] = [
    ("models", false),
    ("names", false),
    ("checks", true),
    ("views", true),
    ("sources", true),
    ("reports", true),
    ("exports", false),
    ("diff", false),
];

/// Model without a built-in file, which a folder may add.
pub(crate) const OWN_LINE_ITEMS: &str = "models/own_line_items";

/// SQL file with its origin.
#[derive(Debug, Clone)]
pub struct SqlFile {
    /// Name with its folder, such as `models/line_items`.
    pub name: String,
    /// Path of the user's file; `None` for the built-in one.
    pub path: Option<PathBuf>,
    /// Text of the file.
    pub text: String,
}

/// Built-in SQL files with the user's overrides.
#[derive(Debug, Clone)]
pub struct SqlFiles {
    files: BTreeMap<String, SqlFile>,
}

impl SqlFiles {
    /// Loads the built-in files, overridden by those of `folder`.
    ///
    /// A file with a new name adds a check, view, source format or report; in `models` (but for own line items), `names`,
    /// `exports` and `diff` it is an error.
    pub fn load(folder: Option<&Path>) -> Result<SqlFiles> {
        let mut files: BTreeMap<String, SqlFile> = BUILT_IN
            .iter()
            .map(|(name, text)| {
                let file = SqlFile {
                    name: name.to_string(),
                    path: None,
                    text: text.to_string(),
                };
                (name.to_string(), file)
            })
            .collect();
        if let Some(folder) = folder {
            load_overrides(folder, &mut files)?;
        }
        expand_names(&mut files)?;
        Ok(SqlFiles { files })
    }

    /// Returns a file by its name.
    pub fn get(&self, name: &str) -> Result<&SqlFile> {
        self.files
            .get(name)
            .ok_or_else(|| Error::bug(format!("no SQL file {name}")))
    }

    /// Returns the file of own line items, if there is one.
    pub(crate) fn own_line_items(&self) -> Option<&SqlFile> {
        self.files.get(OWN_LINE_ITEMS)
    }

    /// Checks, sorted by name.
    pub(crate) fn checks(&self) -> impl Iterator<Item = &SqlFile> {
        self.of_kind("checks").map(|(_, file)| file)
    }

    /// Files of a folder by their names in it, such as `daily_costs` in `views`.
    pub(crate) fn of_kind(&self, kind: &str) -> impl Iterator<Item = (&str, &SqlFile)> {
        let files = self.files.iter();
        files.filter_map(move |(name, file)| {
            Some((name.strip_prefix(kind)?.strip_prefix('/')?, file))
        })
    }
}

/// Replaces files by those of the user's folder, and adds new ones where that is allowed.
fn load_overrides(folder: &Path, files: &mut BTreeMap<String, SqlFile>) -> Result<()> {
    if !folder.is_dir() {
        return Err(
            Error::config(format!("the SQL folder `{}` does not exist", folder.display()))
                .with_hint("create it with models/line_items.sql, checks/NAME.sql, views/NAME.sql, sources/NAME.sql, reports/NAME.sql, exports/focus.sql or names/NAME.sql"),
        );
    }
    let mut overrides = 0;
    for (kind, may_add) in FOLDERS {
        for path in sql_files_in(&folder.join(kind))? {
            let stem = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .to_string();
            let name = format!("{kind}/{stem}");
            if !may_add && !files.contains_key(&name) && name != OWN_LINE_ITEMS {
                let built_in = BUILT_IN.iter().filter(|(name, _)| name.starts_with(kind));
                let built_in: Vec<_> = built_in.map(|(name, _)| format!("{name}.sql")).collect();
                return Err(Error::config(format!(
                    "`{}` overrides no built-in file of sql/{kind}",
                    path.display()
                ))
                .with_hint(format!("rename it to one of {}", built_in.join(", "))));
            }
            let text = read_text(&path)
                .map_err(|e| Error::config(format!("could not read `{}`: {e}", path.display())))?;
            overrides += 1;
            files.insert(
                name.clone(),
                SqlFile {
                    name,
                    path: Some(path),
                    text,
                },
            );
        }
    }
    if overrides == 0 {
        tracing::warn!(folder = %folder.display(), "The SQL folder has no SQL files in models, checks, views, sources, reports, exports, diff or names");
    }
    Ok(())
}

/// Replaces `{{names/…}}` in models by that file's expression, on one line so that line numbers stay.
fn expand_names(files: &mut BTreeMap<String, SqlFile>) -> Result<()> {
    let expressions: BTreeMap<String, String> = files
        .values()
        .filter(|file| file.name.starts_with("names/"))
        .map(|file| (file.name.clone(), file.expression()))
        .collect();
    for file in files.values_mut() {
        if !file.name.starts_with("models/") {
            continue;
        }
        for (name, expression) in &expressions {
            file.text = file.text.replace(&format!("{{{{{name}}}}}"), expression);
        }
        let code = file.text.lines().enumerate();
        let mut code = code.filter(|(_, line)| !line.trim_start().starts_with("--"));
        if let Some((number, line)) = code.find(|(_, line)| line.contains("{{names/")) {
            let known: Vec<String> = expressions.keys().map(|n| format!("{{{{{n}}}}}")).collect();
            return Err(Error::config(format!(
                "could not expand `{}` in {}, line {}: no such expression",
                line.trim(),
                file.display(),
                number + 1
            ))
            .with_hint(format!("use one of {}", known.join(", "))));
        }
    }
    Ok(())
}

fn sql_files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let failed =
        |e: std::io::Error| Error::config(format!("could not list `{}`: {e}", folder.display()));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads an SQL file as editors on any system write it, see [`plain_text`].
///
/// # Errors
/// Those of the file system, and for text that is not UTF-8.
pub(crate) fn read_text(path: &Path) -> std::io::Result<String> {
    plain_text(std::fs::read(path)?)
}

/// Decodes SQL text: without a byte order mark, and with line breaks of one character, so that comments and positions
/// are the same everywhere.
///
/// # Errors
/// Kind invalid data, for bytes that are not UTF-8.
pub(crate) fn plain_text(bytes: Vec<u8>) -> std::io::Result<String> {
    let invalid = |message: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, message);
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(invalid("the text is UTF-16; save it as UTF-8"));
    }
    let text = String::from_utf8(bytes).map_err(|_| invalid("the text is not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// Values of the `$name` parameters that a file may use.
pub type Parameters = Vec<(&'static str, ScalarValue)>;

impl SqlFile {
    /// Path of the file for messages.
    pub(crate) fn display(&self) -> String {
        match &self.path {
            Some(path) => path.display().to_string(),
            None => format!("sql/{}.sql", self.name),
        }
    }

    /// First comment line, which describes the file.
    pub(crate) fn title(&self) -> &str {
        self.text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("--"))
            .map_or(self.name.as_str(), str::trim)
    }

    /// Comment lines before the SQL, without their dashes.
    pub(crate) fn comments(&self) -> impl Iterator<Item = &str> {
        let lines = self.text.lines().map_while(|line| line.strip_prefix("--"));
        lines.map(str::trim)
    }

    /// Items of all comment lines of the form `-- <label>: a, b`.
    pub(crate) fn listed(&self, label: &str) -> Vec<&str> {
        let lists = self
            .comments()
            .filter_map(|line| line.strip_prefix(label)?.strip_prefix(':'));
        let names = lists.flat_map(|list| list.split(','));
        names
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect()
    }

    /// The SQL without comment lines and final semicolon, on one line unless a comment follows code.
    fn expression(&self) -> String {
        let lines = self.text.lines().map(str::trim);
        let code: Vec<&str> = lines.filter(|line| !line.starts_with("--")).collect();
        let separator = if code.iter().any(|line| line.contains("--")) {
            "\n"
        } else {
            " "
        };
        let code = code.join(separator);
        code.trim().trim_end_matches(';').to_string()
    }

    /// Digest of the text.
    pub(crate) fn digest(&self) -> String {
        short_digest(&self.text)
    }

    /// Returns true if the text contains the parameter `$name`.
    pub(crate) fn uses(&self, name: &str) -> bool {
        self.text.contains(&format!("${name}"))
    }

    /// Returns true if the SQL contains a name outside comment lines.
    pub(crate) fn names(&self, name: &str) -> bool {
        let lines = self
            .text
            .lines()
            .filter(|line| !line.trim_start().starts_with("--"));
        lines.into_iter().any(|line| line.contains(name))
    }

    /// Plans the file's single statement with its parameters.
    ///
    /// # Errors
    /// As [`SqlFile::failed`].
    pub async fn plan(
        &self,
        context: &SessionContext,
        parameters: Parameters,
    ) -> Result<DataFrame> {
        let used: Vec<(String, ScalarValue)> = parameters
            .into_iter()
            .filter(|(name, _)| self.uses(name))
            .map(|(name, value)| (name.to_string(), value))
            .collect();
        let sql = self.text.trim_end().trim_end_matches(';');
        let planned = async {
            let plan = permissions::plan(&context.state(), sql, Access::Rows).await?;
            let frame = context.execute_logical_plan(plan).await?;
            if used.is_empty() {
                return Ok(frame);
            }
            frame.with_param_values(ParamValues::from(used))
        };
        planned.await.map_err(|e| self.failed(&e))
    }

    /// Converts an engine error, naming the file and, if known, the line.
    pub(crate) fn failed(&self, error: &DataFusionError) -> Error {
        if let Some(own) = engine::own_error(error) {
            return own.context(self.display());
        }
        let root = error.find_root().strip_backtrace();
        let message = root.lines().next().unwrap_or_default().to_string();
        let place = match line_of(error, &message).or_else(|| self.line_naming(&message)) {
            Some(line) => format!("{}, line {line}", self.display()),
            None => self.display(),
        };
        let error = Error::data(format!("{place}: {message}"));
        match self.path {
            Some(_) => error.with_hint("correct the file, or delete it to use the built-in one"),
            None => error,
        }
    }

    /// First line that contains a name quoted in the message.
    fn line_naming(&self, message: &str) -> Option<usize> {
        let quoted = message.split(['\'', '"', '`']).skip(1).step_by(2);
        quoted
            .filter(|name| name.len() > 1)
            .filter_map(|name| name.rsplit('.').next())
            .find_map(|name| self.text.lines().position(|line| line.contains(name)))
            .map(|line| line + 1)
    }
}

/// First twelve hex digits of the hash of a text.
pub(crate) fn short_digest(text: &str) -> String {
    format!("{:032x}", XxHash3_128::oneshot(text.as_bytes()))[..12].to_string()
}

/// Line of an error: the parser's errors have it in their text only, the planner's as a span.
fn line_of(error: &DataFusionError, message: &str) -> Option<usize> {
    if let Some(span) = error.diagnostic().and_then(|diagnostic| diagnostic.span) {
        return usize::try_from(span.start.line).ok();
    }
    let (_, rest) = message.split_once("Line: ")?;
    rest.split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}
