//! CloudZero's billing connections: list and create (docs: API v2, billing connections).

use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::cloudzero::client::{Client, Idempotency, Pagination};
use crate::error::Error;
use crate::http::page_chain::PageChain;
use crate::http::request_error::RequestError;

const PATH: [&str; 3] = ["v2", "connections", "billing"];

/// Billing connection in CloudZero.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct BillingConnection {
    #[serde(default)]
    id: String,
    /// Field of older responses.
    #[serde(default)]
    connection_id: String,
    #[serde(default)]
    pub(crate) name: String,
    /// Kind of source, such as a vendor or `custom`.
    #[serde(default)]
    connection_type: String,
    /// Bucket that it reads; a stream has none.
    s3_bucket_info: Option<BucketInfo>,
    #[serde(default = "enabled")]
    pub(crate) is_enabled: bool,
}

/// Bucket of a billing connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BucketInfo {
    #[serde(default)]
    pub(crate) bucket_name: String,
    /// Folder in the bucket, without leading and trailing slashes.
    #[serde(default)]
    pub(crate) bucket_path: String,
    /// AWS account of the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud_account_id: Option<String>,
}

impl BucketInfo {
    /// Returns the bucket and path of an `s3://` URL.
    pub(crate) fn from_url(url: &Url, aws_account: Option<String>) -> BucketInfo {
        BucketInfo {
            bucket_name: url.host_str().unwrap_or_default().to_string(),
            bucket_path: url.path().trim_matches('/').to_string(),
            cloud_account_id: aws_account,
        }
    }
}

fn enabled() -> bool {
    true
}

impl BillingConnection {
    pub(crate) fn id(&self) -> &str {
        if self.id.is_empty() {
            &self.connection_id
        } else {
            &self.id
        }
    }

    /// Returns true if it takes requests instead of reading a bucket.
    pub(crate) fn is_stream(&self) -> bool {
        self.s3_bucket_info
            .as_ref()
            .is_none_or(|read| read.bucket_name.is_empty())
    }

    /// Returns true if it reads this folder of this bucket.
    pub(crate) fn reads(&self, bucket: &BucketInfo) -> bool {
        self.s3_bucket_info.as_ref().is_some_and(|read| {
            read.bucket_name == bucket.bucket_name
                && read.bucket_path.trim_matches('/') == bucket.bucket_path.trim_matches('/')
        })
    }

    /// Returns true if it is a stream, without `bucket`, or else reads the bucket.
    pub(crate) fn matches(&self, bucket: Option<&BucketInfo>) -> bool {
        match bucket {
            None => self.is_stream(),
            Some(bucket) => self.reads(bucket),
        }
    }

    /// Returns true for CloudZero's own integration with Confluent, which brings the same costs.
    pub(crate) fn is_native_confluent(&self) -> bool {
        self.connection_type.to_lowercase().contains("confluent")
    }
}

/// Lists all billing connections that are visible to the API key.
///
/// # Errors
/// Those of [`Client::get`], with status 403 if the key lacks the scope, and of [`Pagination::next`].
pub(crate) async fn list(client: &Client) -> Result<Vec<BillingConnection>, RequestError> {
    #[derive(Deserialize)]
    struct ConnectionsPage {
        #[serde(default)]
        connections: Vec<BillingConnection>,
        #[serde(default)]
        pagination: Pagination,
    }
    let operation = "listing CloudZero's billing connections";
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    let mut chain = PageChain::default();
    loop {
        let query: Vec<(&str, &str)> = cursor.iter().map(|c| ("cursor", c.as_str())).collect();
        let response = client.get(operation, &PATH, &query).await?;
        let page: ConnectionsPage =
            serde_json::from_slice(&response).map_err(|e| invalid_response(operation, &e))?;
        cursor = page
            .pagination
            .next(&mut chain, page.connections.len())
            .map_err(|e| RequestError::internal(e.context(operation)))?;
        all.extend(page.connections);
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

/// Creates a custom billing connection: a stream, or one that reads `bucket`. The request is sent once, because
/// CloudZero takes no idempotency key for it and does not refuse a second connection of the same name and bucket.
///
/// # Errors
/// Those of [`Client::post`]: status 403 if the key lacks the scope. See [`may_exist`].
pub(crate) async fn create(
    client: &Client,
    name: &str,
    cloud_provider: &str,
    bucket: Option<&BucketInfo>,
) -> Result<BillingConnection, RequestError> {
    #[derive(Deserialize)]
    struct CreatedConnection {
        connection: BillingConnection,
    }
    let operation = format!("creating CloudZero's billing connection `{name}`");
    let body = serde_json::json!({
        "name": name,
        "cloud_provider": cloud_provider,
        "is_enabled": true,
        "s3_bucket_info": bucket,
    });
    let response = client
        .post(
            &operation,
            &PATH,
            body.to_string().into(),
            Idempotency::Once,
        )
        .await?;
    let created: CreatedConnection = serde_json::from_slice(&response).map_err(|e| {
        RequestError::response(
            invalid_response(&operation, &e).into_error(),
            StatusCode::OK,
        )
    })?;
    Ok(created.connection)
}

/// Returns true if CloudZero may have created the connection although [`create`] failed: there was no response, an
/// ambiguous one, or a success that could not be read.
pub(crate) fn may_exist(failure: &RequestError) -> bool {
    failure.outcome_unknown() || failure.status().is_some_and(|status| status.is_success())
}

/// Names the position only: serde's own text could quote the response.
fn invalid_response(operation: &str, error: &serde_json::Error) -> RequestError {
    let (line, column) = (error.line(), error.column());
    RequestError::internal(Error::data(format!(
        "{operation}: unexpected JSON in the response (line {line}, column {column})"
    )))
}
