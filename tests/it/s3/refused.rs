//! S3 stores that cannot be used: the exit code, what is said, and that nothing is given away.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use super::import;
use super::server::on_s3;
use crate::support::*;

/// Where nobody listens.
const NOBODY: &str = "127.0.0.1:1";

#[test]
fn a_bucket_that_is_not_there_is_named_with_what_to_do() {
    let sandbox = Sandbox::start(&[]);
    let billstream = on_s3("s3://no-such-bucket/store").from(&sandbox);
    for command in [&import()[..], &["query", "select count(*) from costs"]] {
        let output = billstream.run(command).code(3);
        assert_clean(output.says(&["s3://no-such-bucket/", "hint: ", "bucket"]));
    }
    assert_eq!(sandbox.requests(), 0, "Confluent is not asked in vain");
}

#[test]
fn an_endpoint_where_nobody_listens_is_an_error_that_says_so() {
    let sandbox = Sandbox::start(&[]);
    let billstream = on_s3("s3://bucket/store")
        .from(&sandbox)
        .env("AWS_ENDPOINT_URL", &format!("http://{NOBODY}"));
    let output = billstream.import(MONTH).code(7);
    assert_clean(output.says(&["s3://bucket/store/", NOBODY, "hint: check endpoint"]));
}

#[test]
fn an_endpoint_without_tls_has_to_be_allowed() {
    let billstream = on_s3("s3://bucket/store").without("AWS_ALLOW_HTTP");
    let output = billstream.run(&["query", "select 1"]).code(3);
    assert_clean(output.says(&["AWS_ALLOW_HTTP=true"]));
}

#[test]
fn refused_credentials_are_a_matter_of_configuration() {
    let sandbox = Sandbox::start(&[]);
    let billstream = on_s3("s3://bucket/store")
        .from(&sandbox)
        .env("AWS_ENDPOINT_URL", &format!("http://{}", refusing_server()));
    let output = billstream.import(MONTH).code(3);
    assert_clean(output.says(&["AccessDenied", "hint: ", "AWS_ACCESS_KEY_ID"]));
}

#[test]
fn missing_credentials_are_a_matter_of_configuration() {
    // Without any, an EC2 machine's own are asked for, which other machines have not.
    for nobody in [NOBODY.to_string(), refusing_server().to_string()] {
        let billstream = on_s3("s3://bucket/store")
            .without("AWS_ACCESS_KEY_ID")
            .without("AWS_SECRET_ACCESS_KEY")
            .env("AWS_METADATA_ENDPOINT", &format!("http://{nobody}"));
        let output = billstream.run(&["query", "select * from costs"]).code(3);
        assert_clean(output.says(&["hint: ", "AWS_ACCESS_KEY_ID"]));
    }
}

/// A server that answers 403, in S3's words, to everything.
fn refusing_server() -> SocketAddr {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in server.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message>\
                        <RequestId>4442587FB7D0A2F9</RequestId></Error>";
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            );
        }
    });
    address
}

/// Asserts that an error shows neither secrets nor the server's raw answer.
#[track_caller]
fn assert_clean(output: Output) {
    for raw in ["test-secret-access-key", "<Error>", "<?xml", "RequestId"] {
        assert!(!output.stderr.contains(raw), "{}", output.stderr);
    }
}
