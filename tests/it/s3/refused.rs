//! Unusable S3 stores: exit code, message, and no leaked secrets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use super::import;
use super::server::on_s3;
use crate::support::*;

/// Address without a server.
const UNREACHABLE: &str = "127.0.0.1:1";

#[test]
fn names_a_missing_bucket_with_a_hint() {
    let sandbox = Sandbox::start(&[]);
    let billstream = on_s3("s3://no-such-bucket/store").from(&sandbox);
    for command in [&import()[..], &["query", "select count(*) from costs"]] {
        let output = billstream.run(command).code(3);
        assert_clean(output.says(&["s3://no-such-bucket/", "hint: ", "bucket"]));
    }
    assert_eq!(sandbox.requests(), 0, "no request to Confluent");
}

#[test]
fn names_an_unreachable_endpoint() {
    let sandbox = Sandbox::start(&[]);
    let billstream = on_s3("s3://bucket/store")
        .from(&sandbox)
        .env("AWS_ENDPOINT_URL", &format!("http://{UNREACHABLE}"));
    let output = billstream.import(MONTH).code(7);
    assert!(!output.stderr.contains("Error performing"));
    let no_connection = format!("no connection to {UNREACHABLE}: Connection refused");
    assert_clean(output.says(&[
        "s3://bucket/store/",
        &no_connection,
        "hint: check AWS_ENDPOINT_URL",
    ]));
}

#[test]
fn requires_permission_for_an_endpoint_without_tls() {
    let billstream = on_s3("s3://bucket/store").without("AWS_ALLOW_HTTP");
    let output = billstream.run(&["query", "select 1"]).code(3);
    assert_clean(output.says(&["AWS_ALLOW_HTTP=true"]));
}

#[test]
fn refused_credentials_are_a_configuration_error() {
    let sandbox = Sandbox::start(&[]);
    let billstream = on_s3("s3://bucket/store").from(&sandbox).env(
        "AWS_ENDPOINT_URL",
        &endpoint(&refusing_server("AccessDenied")),
    );
    let output = billstream.import(MONTH).code(3);
    assert_clean(output.says(&["AccessDenied", "hint: ", "AWS_ACCESS_KEY_ID"]));
    let expired = endpoint(&refusing_server("ExpiredToken"));
    let billstream = billstream.env("AWS_ENDPOINT_URL", &expired);
    let output = billstream.import(MONTH).code(3);
    assert_clean(output.says(&["ExpiredToken", "hint: ", "get new credentials"]));
}

fn endpoint(address: &SocketAddr) -> String {
    format!("http://{address}")
}

#[test]
fn missing_credentials_are_a_configuration_error() {
    // Without keys the client asks for an EC2 machine's own, which other machines lack.
    for metadata_server in [
        UNREACHABLE.to_string(),
        refusing_server("AccessDenied").to_string(),
    ] {
        let billstream = on_s3("s3://bucket/store")
            .without("AWS_ACCESS_KEY_ID")
            .without("AWS_SECRET_ACCESS_KEY")
            .env(
                "AWS_METADATA_ENDPOINT",
                &format!("http://{metadata_server}"),
            );
        let output = billstream.run(&["query", "select * from costs"]).code(3);
        assert_clean(output.says(&["hint: ", "AWS_ACCESS_KEY_ID"]));
    }
}

/// Server that answers every request with S3's 403 and this code.
fn refusing_server(code: &'static str) -> SocketAddr {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in server.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let body = format!(
                "<Error><Code>{code}</Code><Message>Access Denied</Message>\
                 <RequestId>4442587FB7D0A2F9</RequestId></Error>"
            );
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            );
        }
    });
    address
}

/// Asserts that an error shows neither secrets nor the raw response.
#[track_caller]
fn assert_clean(output: Output) {
    for raw in ["test-secret-access-key", "<Error>", "<?xml", "RequestId"] {
        assert!(!output.stderr.contains(raw), "{}", output.stderr);
    }
}
