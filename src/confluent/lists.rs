//! Lists of Confluent's API that come in pages: IAM and inventory (docs: Cloud API reference, pagination).

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::confluent::client::{Client, RequestError, TokenGuard, next_token};
use crate::error::Error;

/// Entries a page: at most 100 by the documentation, and clients have seen 100 refused.
const PAGE_SIZE: &str = "99";

#[derive(Deserialize)]
struct Page<T> {
    #[serde(default = "Vec::new")]
    data: Vec<T>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    next: Option<String>,
}

/// All entries of the list at `path`. `asked` is what, in words; `right` is the role that it takes.
///
/// # Errors
/// As [`Client::get`]; class data, for pages that are no list or go round in circles.
pub async fn all<T: DeserializeOwned>(
    client: &Client,
    asked: &str,
    path: &[&str],
    query: &[(&str, &str)],
    right: &str,
) -> Result<Vec<T>, RequestError> {
    let mut entries = Vec::new();
    let mut guard = TokenGuard::default();
    let mut token: Option<String> = None;
    loop {
        let mut query = query.to_vec();
        query.push(("page_size", PAGE_SIZE));
        query.extend(token.iter().map(|token| ("page_token", token.as_str())));
        let page = client.get(asked, path, &query, right).await?;
        let page: Page<T> = read(asked, page)?;
        entries.extend(page.data);
        let wrong = |e: Error| RequestError::of(e.context(asked), None);
        token = next_token(page.metadata.next.as_deref()).map_err(wrong)?;
        match &token {
            None => return Ok(entries),
            Some(token) => guard.check(token).map_err(wrong)?,
        }
    }
}

/// An answer as what it should be.
///
/// # Errors
/// Kind data. The answer is in no error.
pub fn read<T: DeserializeOwned>(asked: &str, answer: Value) -> Result<T, RequestError> {
    // `null` stands for an empty list, as in costs.
    let answer = match answer {
        Value::Object(mut object) => {
            object.retain(|_, value| !value.is_null());
            Value::Object(object)
        }
        other => other,
    };
    serde_json::from_value(answer).map_err(|_| {
        let error = Error::data(format!(
            "{asked}: the answer is not what the documentation says"
        ));
        RequestError::of(error, None)
    })
}
