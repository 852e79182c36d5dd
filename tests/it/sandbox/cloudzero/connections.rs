//! Connections: initial ones, paging, create and update.

use super::*;
use object_store::memory::InMemory;
use std::sync::Arc;

const ALL: &str = "/v2/connections/billing";

async fn server_with_all_connections() -> Server {
    let bucket = billstream::sandbox::Bucket {
        root: Arc::new(InMemory::new()),
        prefix: "drops".into(),
        name: "my-bucket".to_owned(),
        path: "drops".to_owned(),
    };
    Server::start(Options {
        bucket: Some(bucket),
        native_confluent: true,
        ..options()
    })
    .await
}

fn ids(list: &Value) -> Vec<String> {
    let all = list["connections"].as_array().unwrap();
    all.iter()
        .map(|connection| text(connection, "id"))
        .collect()
}

#[tokio::test]
async fn initial_connections_depend_on_the_options() {
    let (_, list) = get(&Server::start(options()).await, ALL).await;
    assert_eq!(ids(&list), ["sandbox-stream"]);
    let stream = &list["connections"][0];
    assert_eq!(stream["name"], "Sandbox Stream");
    assert_eq!(stream["cloud_provider"], "Confluent");
    assert!(stream["s3_bucket_info"].is_null() && stream["expected_ingest_rate"].is_number());
    let server = server_with_all_connections().await;
    let (_, list) = get(&server, ALL).await;
    assert_eq!(
        ids(&list),
        ["sandbox-stream", "sandbox-bucket", "native-confluent"]
    );
    assert_eq!(
        list["connections"][1]["s3_bucket_info"]["bucket_name"],
        "my-bucket"
    );
    assert_eq!(list["connections"][2]["connection_type"], "confluent");
    assert_eq!(list["connections"][2]["name"], "Confluent Cloud");
    for id in ["sandbox-bucket", "native-confluent"] {
        let path = DROPS.replace("sandbox-stream", id);
        let (status, body) = post(&server, &path, &october("sum", &[])).await;
        assert_eq!(status, 400);
        assert!(body["error"]["message"].is_string());
        let path = format!("{ALL}/{id}");
        assert_eq!(get(&server, &path).await.1["connection"]["id"], id);
    }
    let path = format!("{ALL}/native-confluent");
    assert_eq!(
        call(&server, "PATCH", &path, &[], r#"{"name":"x"}"#)
            .await
            .0,
        400
    );
    assert_eq!(
        call(&server, "PATCH", &format!("{ALL}/none"), &[], "{}")
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn pages_and_sorts_connections() {
    let server = server_with_all_connections().await;
    let (mut path, mut found) = (format!("{ALL}?limit=2"), Vec::new());
    loop {
        let (_, list) = get(&server, &path).await;
        found.extend(ids(&list));
        assert_eq!(list["pagination"]["total_count"], 3);
        assert_eq!(list["pagination"]["page_count"], 2);
        let cursor = &list["pagination"]["cursor"];
        let Some(next) = cursor["next_cursor"].as_str() else {
            assert_eq!(
                (&cursor["has_next"], &cursor["has_previous"]),
                (&json!(false), &json!(true))
            );
            break;
        };
        let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        path = format!("{ALL}?limit=2&cursor={next}");
    }
    assert_eq!(
        found,
        ["sandbox-stream", "sandbox-bucket", "native-confluent"]
    );
    let (_, list) = get(&server, &format!("{ALL}?sort_key=name&sort_order=desc")).await;
    assert_eq!(
        ids(&list),
        ["sandbox-stream", "sandbox-bucket", "native-confluent"]
    );
    for wrong in [
        "limit=0",
        "limit=x",
        "cursor=x",
        "sort_key=id",
        "sort_order=up",
    ] {
        assert_eq!(
            get(&server, &format!("{ALL}?{wrong}")).await.0,
            400,
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn creates_and_updates_connections() {
    let server = Server::start(options()).await;
    let stream = json!({ "name": "Mine", "cloud_provider": "Confluent", "s3_bucket_info": null });
    let (status, created) = post(&server, ALL, &stream).await;
    assert_eq!(
        (status, &created["connection"]["id"]),
        (200, &json!("conn-0001"))
    );
    let path = DROPS.replace("sandbox-stream", "conn-0001");
    assert_eq!(post(&server, &path, &october("sum", &[])).await.0, 200);
    let bucket = json!({ "name": "B", "cloud_provider": "C", "expected_ingest_rate": null,
                         "s3_bucket_info": { "bucket_name": "b", "bucket_path": "p" } });
    assert_eq!(
        post(&server, ALL, &bucket).await.1["connection"]["id"],
        "conn-0002"
    );
    for wrong in [
        json!({ "name": "x" }),
        json!({ "name": "", "cloud_provider": "y" }),
        json!({ "name": "x", "cloud_provider": "y", "s3_bucket_info": { "bucket_name": "b" } }),
        json!({ "name": 1, "cloud_provider": "y" }),
    ] {
        assert_eq!(post(&server, ALL, &wrong).await.0, 400, "{wrong}");
    }
    let path = format!("{ALL}/conn-0002");
    let change =
        r#"{"is_enabled":false,"expected_ingest_rate":6,"s3_bucket_info":{"bucket_path":"q"}}"#;
    let (status, _, changed) = call(&server, "PATCH", &path, &[], change).await;
    assert_eq!(
        (status, &changed["connection"]["is_enabled"]),
        (200, &json!(false))
    );
    assert_eq!(
        changed["connection"]["s3_bucket_info"],
        json!({ "bucket_name": "b", "bucket_path": "q" })
    );
    assert_eq!(changed["connection"]["expected_ingest_rate"], 6.0);
    assert_eq!(get(&server, &path).await.1, changed);
}
