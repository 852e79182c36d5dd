//! Paging of lists.

use super::*;
use std::collections::BTreeSet;

/// Sandbox with additional service accounts.
async fn with_accounts(more: usize) -> Server {
    let server = Server::start(options()).await;
    for number in 0..more {
        account(&server, &format!("account-{number:03}")).await;
    }
    server
}

fn next_path(server: &Server, list: &Value) -> String {
    let path = server.path_of(list["metadata"]["next"].as_str().unwrap());
    assert!(path.starts_with("/iam/v2/service-accounts?page_token="));
    path
}

#[tokio::test]
async fn pages_tile_a_list() {
    let server = with_accounts(104).await;
    let whole = items(&server, ACCOUNTS).await;
    assert_eq!(whole.len(), 105);
    for size in [1, 9, 10, 35, 100] {
        let paged = items(&server, &format!("{ACCOUNTS}?page_size={size}")).await;
        assert_eq!(paged, whole, "{size}");
    }
    let (_, first) = get(&server, ACCOUNTS).await;
    assert_eq!(first["data"].as_array().unwrap().len(), 10);
    let (_, first) = get(&server, &format!("{ACCOUNTS}?page_size=100")).await;
    assert_eq!(first["data"].as_array().unwrap().len(), 100);
    // A page size beside a token is ignored.
    let path = next_path(&server, &first) + "&page_size=2";
    let (_, second) = get(&server, &path).await;
    assert_eq!(second["data"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn rejects_invalid_page_sizes_and_tokens() {
    let server = with_accounts(14).await;
    for size in ["0", "101", "x", "-1", ""] {
        let refused = get(&server, &format!("{ACCOUNTS}?page_size={size}")).await;
        let (status, _, source) = error(&refused);
        assert_eq!(
            (status, &source["parameter"]),
            (400, &json!("page_size")),
            "{size}"
        );
    }
    let (_, first) = get(&server, ACCOUNTS).await;
    let token = text(&first["metadata"], "next");
    let token = token.split('=').next_back().unwrap();
    for path in [
        format!("{ACCOUNTS}?page_token=nonsense"),
        format!("{ACCOUNTS}?page_token={}A", &token[..token.len() - 1]),
        format!("{KEYS}?page_token={token}"),
        format!("{ACCOUNTS}?display_name=other&page_token={token}"),
    ] {
        let refused = get(&server, &path).await;
        let (status, _, source) = error(&refused);
        assert_eq!(
            (status, &source["parameter"]),
            (400, &json!("page_token")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn tokens_continue_with_their_filters() {
    let server = Server::start(options()).await;
    for role in ["OrganizationAdmin", "MetricsViewer", "DataSteward"] {
        bind(&server, "sa-sandbox", role).await;
    }
    let crn: String =
        url::form_urlencoded::byte_serialize(organization(&server).await.as_bytes()).collect();
    let query = format!("crn_pattern={crn}&principal=User%3Asa-sandbox");
    let first = format!("{BINDINGS}?{query}&page_size=2");
    let all = items(&server, &first).await;
    assert_eq!(all.len(), 5);
    assert!(
        all.iter()
            .all(|binding| binding["principal"] == "User:sa-sandbox")
    );
    let (_, list) = get(&server, &first).await;
    let next = server.path_of(&text(&list["metadata"], "next"));
    let token = next.split('=').next_back().unwrap();
    assert!(token.replace("%3D", "=").len() <= 255, "{token}");
    let alone = get(&server, &next).await;
    assert_eq!(get(&server, &format!("{next}&{query}")).await, alone);
    assert_eq!(alone.1["data"].as_array().unwrap()[..], all[2..4]);
}

#[tokio::test]
async fn last_pages_have_all_allowed_forms() {
    let mut ends = BTreeSet::new();
    for accounts in 0..3 {
        let server = with_accounts(accounts).await;
        ends.insert(get(&server, ACCOUNTS).await.1["metadata"].to_string());
    }
    assert_eq!(
        Vec::from_iter(ends),
        [r#"{"next":""}"#, r#"{"next":null}"#, "{}"]
    );
}
