//! Object stores by URL, with credentials from each provider's standard environment variables.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::{ClientConfigKey, ObjectStore, RetryConfig};
use url::Url;

use crate::error::{Error, Result};
use crate::http::proxy;
use crate::store::path_or_url::PathOrUrl;

/// Hint for refused S3 credentials.
pub(crate) const S3_CREDENTIALS: &str = "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION (and, for \
                                  another endpoint, AWS_ENDPOINT_URL) for a key that may read, write, \
                                  list and delete there; profiles (AWS_PROFILE, ~/.aws) are not read: `aws configure \
                                  export-credentials --format env` prints one as variables";

/// Opens the object store of a URL: the bucket, container, host or file system; paths start at its root.
///
/// Schemes are `file`, `s3`, `gs`, `az` (also `abfs` and `abfss`), and `https`, which is read-only.
///
/// # Errors
/// Kind configuration, for another scheme or unusable credentials.
pub(crate) fn object_store(url: &Url) -> Result<Arc<dyn ObjectStore>> {
    let place = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            Error::config(format!("the URL at {place} holds credentials"))
                .with_hint("set credentials in the provider's environment variables, not in a URL"),
        );
    }
    let failed = |hint: &str, e: object_store::Error| {
        Error::config(format!("`{place}`: {e}")).with_hint(hint)
    };
    match url.scheme() {
        "file" => Ok(Arc::new(LocalFileSystem::new())),
        "s3" => s3(url),
        "gs" => {
            check_proxy("https://storage.googleapis.com")?;
            let builder = GoogleCloudStorageBuilder::from_env()
                .with_url(url.as_str())
                .with_retry(retries());
            let built = builder.build();
            let hint = "set GOOGLE_APPLICATION_CREDENTIALS to a service account's file";
            Ok(Arc::new(built.map_err(|e| failed(hint, e))?))
        }
        "az" | "abfs" | "abfss" => {
            check_proxy("https://blob.core.windows.net")?;
            let builder = MicrosoftAzureBuilder::from_env()
                .with_url(url.as_str())
                .with_retry(retries());
            let hint = "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or a service \
                        principal's variables";
            Ok(Arc::new(builder.build().map_err(|e| failed(hint, e))?))
        }
        "https" => {
            // The query, which may be a signature, belongs to every request.
            let mut root = url.clone();
            root.set_path("");
            root.set_fragment(None);
            check_proxy(url.as_str())?;
            let built = HttpBuilder::new()
                .with_url(root)
                .with_retry(retries())
                .build();
            Ok(Arc::new(built.map_err(|e| failed("check the URL", e))?))
        }
        scheme => Err(
            Error::config(format!("`{place}`: the scheme `{scheme}` is not supported"))
                .with_hint("use a path, or an s3://, gs://, az:// or https:// URL"),
        ),
    }
}

fn s3(url: &Url) -> Result<Arc<dyn ObjectStore>> {
    let builder = AmazonS3Builder::from_env()
        .with_url(url.as_str())
        .with_retry(retries());
    let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
    let is_plain_http = endpoint.as_ref().is_some_and(|e| e.starts_with("http://"));
    let allow_http = AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp);
    let is_allowed = builder
        .get_config_value(&allow_http)
        .is_some_and(|allow| allow == "true");
    if is_plain_http && !is_allowed {
        return Err(
            Error::config(format!("store `{url}`: the endpoint is plain http"))
                .with_hint("use https, or set AWS_ALLOW_HTTP=true"),
        );
    }
    check_proxy(endpoint.as_deref().unwrap_or("https://s3.amazonaws.com"))?;
    let built = builder.build();
    let built = built
        .map_err(|e| Error::config(format!("store `{url}`: {e}")).with_hint(S3_CREDENTIALS))?;
    Ok(Arc::new(built))
}

/// Refuses a proxy that would be left out. An endpoint that is no URL is the provider library's to refuse.
fn check_proxy(endpoint: &str) -> Result<()> {
    Url::parse(endpoint).map_or(Ok(()), |endpoint| proxy::check(&endpoint))
}

fn retries() -> RetryConfig {
    RetryConfig {
        max_retries: 5,
        retry_timeout: Duration::from_secs(30),
        ..RetryConfig::default()
    }
}

/// URL of a path or URL; a path is relative to the working folder.
///
/// # Errors
/// Kind configuration, for text that is neither.
pub(crate) fn url_of(location: &str) -> Result<Url> {
    PathOrUrl::parse(location)?.into_url()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_of_a_url_belongs_to_every_request() {
        let url = Url::parse("https://host/folder/a.csv?sig=x%2Fy#top").unwrap();
        let store = format!("{:?}", object_store(&url).unwrap());
        assert!(store.contains("sig=x%2Fy"), "{store}");
        assert!(
            !store.contains("folder") && !store.contains("top"),
            "{store}"
        );
    }

    #[test]
    fn the_hint_for_credentials_names_profiles_as_unread() {
        assert!(S3_CREDENTIALS.contains("AWS_PROFILE"));
    }
}
