//! Page tokens.

use crate::error::{Error, ErrorKind, Result};

/// Invalid `metadata.next` of a page.
#[derive(Debug, thiserror::Error)]
enum TokenError {
    #[error("metadata.next announces another page but contains no page_token")]
    Missing,
}

/// Returns the token of the next page from `metadata.next`: a full or relative address, of which only the query
/// parameter `page_token` is used, never the host. Absent, null and empty mean the last page.
///
/// # Errors
/// Kind data, when there is an address without a token: the rest of the costs would be missing.
pub fn next_token(next: Option<&str>) -> Result<Option<String>> {
    let Some(next) = next.map(str::trim).filter(|next| !next.is_empty()) else {
        return Ok(None);
    };
    let query = next.split_once('?').map_or("", |(_, query)| query);
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    let token = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "page_token")
        .map(|(_, token)| token.into_owned())
        .filter(|token| !token.is_empty());
    match token {
        Some(token) => Ok(Some(token)),
        None => Err(Error::new(ErrorKind::Data, TokenError::Missing)
            .with_hint("try again; the pull stopped because the costs would be incomplete")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_token_comes_from_the_query_only() {
        let token = |next| next_token(next).unwrap();
        assert_eq!(token(None), None);
        assert_eq!(token(Some("")), None);
        assert_eq!(token(Some(" ")), None);
        let expected = Some("a+b/c=".to_owned());
        for next in [
            "https://evil.example/x?page_size=5&page_token=a%2Bb%2Fc%3D#f",
            "/billing/v1/costs?page_token=a%2Bb%2Fc%3D&x=1",
            "?page_token=a%2Bb%2Fc%3D",
        ] {
            assert_eq!(token(Some(next)), expected, "{next}");
        }
        for wrong in [
            "https://api.confluent.cloud/x",
            "abc",
            "?page_token=",
            "?token=a",
            "/x#?page_token",
        ] {
            assert_eq!(
                next_token(Some(wrong)).unwrap_err().kind(),
                ErrorKind::Data,
                "{wrong}"
            );
        }
    }
}
