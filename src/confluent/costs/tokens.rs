//! The way from page to page.

use std::collections::HashSet;

use crate::error::{Error, Result};

/// The token of the next page, from `metadata.next`: a full or relative address, of which only the
/// query parameter `page_token` is used, never the host. Absent, null and empty mean the last page.
///
/// # Errors
/// A data error when there is an address without a token: the rest of the costs can't be had.
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
        None => Err(
            Error::data("metadata.next announces another page but holds no page_token")
                .with_hint("the pull stopped, because the costs would be incomplete; try again"),
        ),
    }
}

/// Remembers the tokens of one window, so that pages that point back at each other end the pull.
#[derive(Debug, Clone, Default)]
pub struct TokenGuard {
    seen: HashSet<String>,
}

impl TokenGuard {
    /// Takes note of the token of the next page.
    ///
    /// # Errors
    /// A data error when the window had that token before.
    pub fn check(&mut self, token: &str) -> Result<()> {
        if self.seen.insert(token.to_owned()) {
            return Ok(());
        }
        Err(Error::data(format!(
            "metadata.next of page {} repeats the page_token of an earlier page",
            self.seen.len() + 1
        ))
        .with_hint("the pull stopped, because the pages would go round in circles; try again"))
    }
}
