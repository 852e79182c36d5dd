//! Pages of lists.

use super::*;
use std::collections::BTreeSet;

/// A sandbox with service accounts beside the one that is there.
async fn with_accounts(more: usize) -> App {
    let app = App::new(options());
    for number in 0..more {
        account(&app, &format!("account-{number:03}")).await;
    }
    app
}

fn path_of(next: &Value) -> String {
    let next = next.as_str().unwrap();
    assert!(next.starts_with("http://127.0.0.1:8900/iam/v2/service-accounts?page_token="));
    next.replace("http://127.0.0.1:8900", "")
}

#[tokio::test]
async fn pages_tile_a_list() {
    let app = with_accounts(104).await;
    let whole = items(&app, ACCOUNTS).await;
    assert_eq!(whole.len(), 105);
    for size in [1, 9, 10, 35, 100] {
        let paged = items(&app, &format!("{ACCOUNTS}?page_size={size}")).await;
        assert_eq!(paged, whole, "{size}");
    }
    let (_, first) = get(&app, ACCOUNTS).await;
    assert_eq!(first["data"].as_array().unwrap().len(), 10);
    let (_, first) = get(&app, &format!("{ACCOUNTS}?page_size=100")).await;
    assert_eq!(first["data"].as_array().unwrap().len(), 100);
    // The page size counts on the first request only.
    let path = path_of(&first["metadata"]["next"]) + "&page_size=2";
    let (_, second) = get(&app, &path).await;
    assert_eq!(second["data"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn page_sizes_and_tokens_are_checked() {
    let app = with_accounts(14).await;
    for size in ["0", "101", "x", "-1", ""] {
        let refused = get(&app, &format!("{ACCOUNTS}?page_size={size}")).await;
        let (status, _, source) = error(&refused);
        assert_eq!(
            (status, &source["parameter"]),
            (400, &json!("page_size")),
            "{size}"
        );
    }
    let (_, first) = get(&app, ACCOUNTS).await;
    let token = text(&first["metadata"], "next");
    let token = token.split('=').next_back().unwrap();
    for path in [
        format!("{ACCOUNTS}?page_token=nonsense"),
        format!("{ACCOUNTS}?page_token={}A", &token[..token.len() - 1]),
        format!("{KEYS}?page_token={token}"),
        format!("{ACCOUNTS}?display_name=other&page_token={token}"),
    ] {
        let refused = get(&app, &path).await;
        let (status, _, source) = error(&refused);
        assert_eq!(
            (status, &source["parameter"]),
            (400, &json!("page_token")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_token_stands_for_its_filters() {
    let app = App::new(options());
    for role in ["OrganizationAdmin", "MetricsViewer", "DataSteward"] {
        bind(&app, "sa-sandbox", role).await;
    }
    let crn: String =
        url::form_urlencoded::byte_serialize(organization(&app).await.as_bytes()).collect();
    let query = format!("crn_pattern={crn}&principal=User%3Asa-sandbox");
    let first = format!("{BINDINGS}?{query}&page_size=2");
    let all = items(&app, &first).await;
    assert_eq!(all.len(), 5);
    assert!(
        all.iter()
            .all(|binding| binding["principal"] == "User:sa-sandbox")
    );
    let (_, list) = get(&app, &first).await;
    let next = text(&list["metadata"], "next").replace("http://127.0.0.1:8900", "");
    let token = next.split('=').next_back().unwrap();
    assert!(token.replace("%3D", "=").len() <= 255, "{token}");
    let alone = get(&app, &next).await;
    assert_eq!(get(&app, &format!("{next}&{query}")).await, alone);
    assert_eq!(alone.1["data"].as_array().unwrap()[..], all[2..4]);
}

#[tokio::test]
async fn a_list_ends_in_all_three_ways() {
    let mut ends = BTreeSet::new();
    for accounts in 0..3 {
        let app = with_accounts(accounts).await;
        ends.insert(get(&app, ACCOUNTS).await.1["metadata"].to_string());
    }
    assert_eq!(
        Vec::from_iter(ends),
        [r#"{"next":""}"#, r#"{"next":null}"#, "{}"]
    );
}
