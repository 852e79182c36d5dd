use super::*;

fn generic(text: &str) -> object_store::Error {
    object_store::Error::Generic {
        store: "S3",
        source: text.into(),
    }
}

fn not_found(text: &str) -> object_store::Error {
    object_store::Error::NotFound {
        path: "x".into(),
        source: text.into(),
    }
}

fn storage_error(operation: Operation, error: &object_store::Error) -> StorageError {
    StorageError::new(operation, "s3://b/x".into(), false, error)
}

fn kind(operation: Operation, error: &object_store::Error) -> ErrorKind {
    Error::from(storage_error(operation, error)).kind()
}

#[test]
fn classifies_responses_by_condition() {
    use Operation::{List, Read};
    let denied = generic("403: <Error><Code>AccessDenied</Code><Message>no</Message></Error>");
    assert_eq!(kind(List, &denied), ErrorKind::Config);
    let no_bucket = generic("404: <Error><Code>NoSuchBucket</Code></Error>");
    assert_eq!(kind(List, &no_bucket), ErrorKind::Config);
    assert_eq!(kind(Read, &generic("timed out")), ErrorKind::Remote);
    let role = generic("PUT http://169.254.169.254/latest/api/token failed");
    assert_eq!(kind(Read, &role), ErrorKind::Config);
}

#[test]
fn a_missing_object_is_not_a_missing_bucket() {
    use Operation::{Delete, List, Read, Write};
    let put = "Error performing PUT http://h/b/x in 1ms - Server returned non-2xx status code: 404 Not Found: ";
    for (operation, error, is_bucket) in [
        (Read, not_found("404"), false),
        (Delete, not_found("404"), false),
        // Commits read the log as well.
        (Write, not_found("404"), false),
        (
            Write,
            not_found("Error performing GET http://h/b/x in 1ms - <Code>NoSuchKey</Code>"),
            false,
        ),
        (
            Write,
            not_found(&format!("{put}<Code>NoSuchKey</Code>")),
            false,
        ),
        (Write, not_found(put), true),
        (
            Write,
            not_found(&format!("{put}<Code>NoSuchBucket</Code>")),
            true,
        ),
        (List, not_found("404"), true),
    ] {
        let found = storage_error(operation, &error);
        assert_eq!(
            matches!(found, StorageError::MissingBucket { .. }),
            is_bucket,
            "{found}"
        );
    }
    let ended = not_found("Error performing POST http://h/b/x - <Code>NoSuchUpload</Code>");
    assert!(matches!(
        storage_error(Write, &ended),
        StorageError::UploadEnded { .. }
    ));
}

#[test]
fn names_the_operating_system_s_cause_of_a_local_failure() {
    let failed = |kind: io::ErrorKind| object_store::Error::Generic {
        store: "DurableFolder",
        source: io::Error::from(kind).into(),
    };
    let of = |operation, error: &object_store::Error| {
        Error::from(StorageError::new(operation, "/x".into(), true, error))
    };
    let full = of(Operation::Write, &failed(io::ErrorKind::StorageFull));
    assert_eq!(full.to_string(), "could not write `/x`: no storage space");
    assert!(full.hint().unwrap().contains("free some space"));
    let denied = of(Operation::Write, &failed(io::ErrorKind::PermissionDenied));
    assert!(denied.hint().unwrap().contains("permissions"));
    let missing = of(Operation::Read, &not_found("no such file"));
    assert_eq!(missing.kind(), ErrorKind::Data);
}

#[test]
fn shows_code_and_message_without_the_rest_of_the_response() {
    let error =
        generic("403: <Error><Code>AccessDenied</Code><Message>no</Message><Id>1</Id></Error>");
    assert_eq!(
        storage_error(Operation::Read, &error).to_string(),
        "could not read `s3://b/x`: the credentials are missing or refused (AccessDenied: no)"
    );
    let error = generic(
        "Error performing GET https://h/b/x?secret=1 in 3s, after 5 retries - Server returned non-2xx status code: 503 \
         Service Unavailable: <html>",
    );
    assert_eq!(
        storage_error(Operation::Read, &error).to_string(),
        "could not read `s3://b/x`: HTTP 503 Service Unavailable"
    );
}

#[test]
fn a_refused_deletion_is_a_refusal_though_it_has_no_response_of_its_own() {
    let text = "DeleteObjects request failed for key b/x: Access Denied: s3:DeleteObject (code: AccessDenied)";
    let error = storage_error(Operation::Delete, &generic(text));
    assert!(matches!(error, StorageError::CredentialsRefused { .. }));
    let text = error.to_string();
    assert!(
        text.ends_with("(AccessDenied: Access Denied: s3:DeleteObject)"),
        "{text}"
    );
}

#[tokio::test]
async fn an_unreachable_server_is_named_with_the_cause() {
    use object_store::ObjectStoreExt;
    // A listener that is closed again: its port refuses connections.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for (endpoint, server, cause) in [
        (
            format!("http://{address}"),
            address.to_string(),
            "Connection refused",
        ),
        (
            "http://store.invalid:9".to_string(),
            "store.invalid:9".to_string(),
            "lookup",
        ),
    ] {
        let retry = object_store::RetryConfig {
            max_retries: 0,
            ..object_store::RetryConfig::default()
        };
        let s3 = object_store::aws::AmazonS3Builder::new()
            .with_endpoint(endpoint)
            .with_allow_http(true)
            .with_bucket_name("b")
            .with_region("us-east-1")
            .with_access_key_id("k")
            .with_secret_access_key("s")
            .with_retry(retry)
            .build()
            .unwrap();
        let error = s3.head(&"x".into()).await.unwrap_err();
        let error = Error::from(storage_error(Operation::Read, &error));
        assert_eq!(error.kind(), ErrorKind::Remote);
        let text = error.to_string();
        let expected = format!("could not read `s3://b/x`: no connection to {server}: ");
        assert!(
            text.starts_with(&expected) && text.contains(cause),
            "{text}"
        );
        assert!(error.hint().unwrap().contains("AWS_ENDPOINT_URL"));
    }
}
