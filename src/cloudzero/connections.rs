//! CloudZero's billing connections: which there are, and making one (docs: API v2, billing connections).

use serde::{Deserialize, Serialize};
use url::Url;

use crate::cloudzero::client::{Client, Idempotency, Pagination};
use crate::error::Error;
use crate::http::request_error::RequestError;

const PATH: [&str; 3] = ["v2", "connections", "billing"];

/// A billing connection as CloudZero tells of it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Connection {
    /// Its id.
    #[serde(default)]
    pub id: String,
    /// Its id, in the spelling of older answers.
    #[serde(default)]
    connection_id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// What feeds it.
    #[serde(default)]
    pub connection_type: String,
    /// Label in the Cloud Provider dimension.
    #[serde(default)]
    pub cloud_provider: String,
    /// The bucket that it reads; a stream has none.
    pub s3_bucket_info: Option<BucketInfo>,
    /// Whether it is on.
    #[serde(default = "on")]
    pub is_enabled: bool,
}

/// The bucket of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketInfo {
    /// The bucket.
    #[serde(default)]
    pub bucket_name: String,
    /// The folder in it, without slashes at the ends.
    #[serde(default)]
    pub bucket_path: String,
    /// The AWS account of the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud_account_id: Option<String>,
}

impl BucketInfo {
    /// The bucket and path of an `s3://` URL.
    pub fn of(url: &Url, account: Option<String>) -> BucketInfo {
        BucketInfo {
            bucket_name: url.host_str().unwrap_or_default().to_string(),
            bucket_path: url.path().trim_matches('/').to_string(),
            cloud_account_id: account,
        }
    }
}

fn on() -> bool {
    true
}

impl Connection {
    /// Its id.
    pub fn id(&self) -> &str {
        if self.id.is_empty() {
            &self.connection_id
        } else {
            &self.id
        }
    }

    /// Whether it takes requests: it reads no bucket.
    pub fn is_stream(&self) -> bool {
        self.s3_bucket_info
            .as_ref()
            .is_none_or(|read| read.bucket_name.is_empty())
    }

    /// Whether it reads this bucket.
    pub fn reads(&self, bucket: &BucketInfo) -> bool {
        self.s3_bucket_info.as_ref().is_some_and(|read| {
            (&read.bucket_name, &read.bucket_path) == (&bucket.bucket_name, &bucket.bucket_path)
        })
    }

    /// Whether it brings Confluent's costs by CloudZero's own means.
    pub fn is_native_confluent(&self) -> bool {
        self.connection_type.to_lowercase().contains("confluent")
    }
}

/// All billing connections that the key may see.
///
/// # Errors
/// As [`Client::get`]: 403 when the key has no such scope.
pub async fn list(client: &Client) -> Result<Vec<Connection>, RequestError> {
    #[derive(Deserialize)]
    struct Page {
        #[serde(default)]
        connections: Vec<Connection>,
        #[serde(default)]
        pagination: Pagination,
    }
    let asked = "CloudZero's billing connections";
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let query: Vec<(&str, &str)> = cursor.iter().map(|c| ("cursor", c.as_str())).collect();
        let answer = client.get(asked, &PATH, &query).await?;
        let page: Page = serde_json::from_slice(&answer).map_err(|_| unreadable(asked))?;
        all.extend(page.connections);
        cursor = page.pagination.next(cursor);
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

/// Makes a custom connection: a stream, or one that reads a bucket.
///
/// # Errors
/// As [`Client::post`]: 403 when the key has no such scope.
pub async fn create(
    client: &Client,
    name: &str,
    cloud_provider: &str,
    bucket: Option<&BucketInfo>,
) -> Result<Connection, RequestError> {
    #[derive(Deserialize)]
    struct Answer {
        connection: Connection,
    }
    let asked = format!("making CloudZero's billing connection `{name}`");
    let body = serde_json::json!({
        "name": name,
        "cloud_provider": cloud_provider,
        "is_enabled": true,
        "s3_bucket_info": bucket,
    });
    let answer = client
        .post(&asked, &PATH, body.to_string().into(), Idempotency::Safe)
        .await?;
    let answer: Answer = serde_json::from_slice(&answer).map_err(|_| unreadable(&asked))?;
    Ok(answer.connection)
}

fn unreadable(asked: &str) -> RequestError {
    RequestError::internal(Error::data(format!("{asked}: the answer is unreadable")))
}
