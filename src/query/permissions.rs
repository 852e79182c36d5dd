//! Planning of the user's statements with their parameters.

use std::sync::Arc;

use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::engine::permissions::{self, Access};
use crate::error::{Error, Result};
use crate::query::labels::LabelCache;
use crate::query::parameters::Parameters;
use crate::query::statements::Statement;
use crate::query::{binding, diagnostics};

/// Plans an allowed statement with its parameters.
///
/// # Errors
/// Kind data, for invalid SQL (with its position) or a statement that is not allowed; kind usage, for a
/// parameter without a value, or with one that does not fit.
pub(crate) async fn plan(
    context: &SessionContext,
    statement: &Statement,
    parameters: &Parameters,
    allow_write: bool,
    labels: &LabelCache,
) -> Result<DataFrame> {
    refuse_unsupported(statement)?;
    let state = context.state();
    let tables = context
        .catalog("datafusion")
        .and_then(|catalog| catalog.schema("public"))
        .map(|schema| schema.table_names())
        .unwrap_or_default();
    let explain = |e| diagnostics::explain(statement, &e, &tables);
    let access = if allow_write {
        Access::Write
    } else {
        Access::Session
    };
    let plan = permissions::plan(&state, &statement.sql, access)
        .await
        .map_err(explain)?;
    let plan = binding::bind(plan, parameters, explain)?;
    let plan = match plan {
        // Its rows are read right here; those of other statements once they are executed.
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(mut create)) => {
            let input = state.optimize(&create.input).map_err(explain)?;
            create.input = Arc::new(labels.bind(&state, input).await?);
            LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create))
        }
        plan => plan,
    };
    context.execute_logical_plan(plan).await.map_err(explain)
}

/// Refuses INTERSECT ALL and EXCEPT ALL: the engine ignores how often a row occurs.
fn refuse_unsupported(statement: &Statement) -> Result<()> {
    let Ok(mut tokens) = Tokenizer::new(&GenericDialect {}, &statement.sql).tokenize() else {
        return Ok(());
    };
    tokens.retain(|token| !matches!(token, Token::Whitespace(_)));
    let is_keyword = |token: &Token, keywords: &[Keyword]| match token {
        Token::Word(word) => word.quote_style.is_none() && keywords.contains(&word.keyword),
        _ => false,
    };
    let set_operations = [Keyword::INTERSECT, Keyword::EXCEPT, Keyword::MINUS];
    let found = tokens.windows(2).find(|pair| {
        is_keyword(&pair[0], &set_operations) && is_keyword(&pair[1], &[Keyword::ALL])
    });
    match found {
        Some(pair) => Err(Error::data(format!(
            "{} ALL is not supported: it would count duplicate rows wrongly",
            pair[0]
        ))
        .with_hint(
            "leave ALL out, or number duplicate rows with row_number() and compare the numbers too",
        )),
        None => Ok(()),
    }
}
