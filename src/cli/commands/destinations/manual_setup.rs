//! Instructions for the steps in CloudZero and AWS that the user completes by hand.

use crate::cloudzero::connections::BucketInfo;
use crate::config::Connection;

/// Returns bucket and path to paste into CloudZero, and the policy that CloudZero's role needs.
pub(super) fn read_policy(info: &BucketInfo) -> String {
    let BucketInfo {
        bucket_name: bucket,
        bucket_path: path,
        ..
    } = info;
    let policy = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": ["s3:Get*", "s3:List*"],
            "Resource": [
                format!("arn:aws:s3:::{bucket}"),
                format!("arn:aws:s3:::{bucket}/{path}/*"),
            ],
        }],
    });
    format!(
        "Bucket Name: {bucket}\nBucket Path: {path}\nRead policy of CloudZero's role:\n{policy:#}\n"
    )
}

/// Returns the steps that create a billing connection: one that reads a bucket, or a stream without `info`.
pub(super) fn steps(name: &str, connection: &Connection, info: Option<&BucketInfo>) -> String {
    let provider = &connection.cloud_provider;
    let create = format!(
        "  1. in CloudZero, choose Settings, Cloud Connections, Create Connection, Custom; name it {name}, with \
         the Cloud Provider {provider}"
    );
    match info {
        Some(_) => format!(
            "{create}\n  2. choose the S3 bucket, and paste the bucket and path below\n  3. give CloudZero's \
             role the policy below"
        ),
        None => format!(
            "{create}\n  2. choose the REST API, and copy the connection id\n  3. set CLOUDZERO_API_KEY, and run \
             `billstream destinations add cloudzero --stream --cloudzero-connection ID`"
        ),
    }
}
