//! Paginated lists of Confluent's API: IAM and inventory (docs: Cloud API reference, pagination).

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::confluent::client::{Client, RequestError, next_token};
use crate::error::{Error, ErrorKind};
use crate::http::page_chain::PageChain;

/// Entries per page: at most 100 by the documentation, and clients have seen 100 refused.
const PAGE_SIZE: &str = "99";

/// A response is valid JSON of another shape than documented. Never quotes the response.
#[derive(Debug, thiserror::Error)]
#[error("the response does not have the documented shape")]
struct UnexpectedShape;

#[derive(Deserialize)]
struct ListPage<T> {
    #[serde(default = "Vec::new")]
    data: Vec<T>,
    #[serde(default)]
    metadata: ListMetadata,
}

#[derive(Default, Deserialize)]
struct ListMetadata {
    next: Option<String>,
}

/// Reads all entries of the list at `path`. `operation` describes the request in messages; `role` is the role that it
/// takes.
///
/// # Errors
/// As [`Client::costs_page`]; kind data, for responses that are not lists, and for pages without end.
pub async fn all<T: DeserializeOwned>(
    client: &Client,
    operation: &str,
    path: &[&str],
    query: &[(&str, &str)],
    role: &str,
) -> Result<Vec<T>, RequestError> {
    let mut entries = Vec::new();
    let mut chain = PageChain::default();
    let mut token: Option<String> = None;
    loop {
        let mut query = query.to_vec();
        query.push(("page_size", PAGE_SIZE));
        query.extend(token.iter().map(|token| ("page_token", token.as_str())));
        let response = client.get(operation, path, &query, role).await?;
        let page: ListPage<T> = parse(operation, response)?;
        let count = page.data.len();
        entries.extend(page.data);
        let wrong_page = |e: Error| RequestError::internal(e.context(operation));
        token = next_token(page.metadata.next.as_deref()).map_err(wrong_page)?;
        match &token {
            None => return Ok(entries),
            Some(token) => chain.add(token, count).map_err(wrong_page)?,
        }
    }
}

/// Parses a response.
///
/// # Errors
/// Kind data, without the response.
pub(crate) fn parse<T: DeserializeOwned>(
    operation: &str,
    response: Value,
) -> Result<T, RequestError> {
    // `null` means an empty list, as in costs.
    let response = match response {
        Value::Object(mut object) => {
            object.retain(|_, value| !value.is_null());
            Value::Object(object)
        }
        other => other,
    };
    serde_json::from_value(response).map_err(|_| {
        RequestError::internal(Error::new(ErrorKind::Data, UnexpectedShape).context(operation))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_fields_are_missing_fields() {
        let page: ListPage<u8> = parse("x", json!({"data": null, "metadata": null})).unwrap();
        assert!(page.data.is_empty() && page.metadata.next.is_none());
    }

    #[test]
    fn other_shapes_are_data_errors_that_do_not_quote_the_response() {
        for response in [json!({"data": "s3cret"}), json!("s3cret"), json!([1])] {
            let error = parse::<ListPage<u8>>("clusters", response).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Data);
            assert!(error.to_string().starts_with("clusters: "), "{error}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}
