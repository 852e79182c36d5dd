//! Chains of pages, each of which names the next one: none may go on without end.

use std::collections::HashSet;

use crate::error::{Error, ErrorKind, Result};

/// Most pages of a chain. A page has up to 10,000 costs, or 99 entries of a list: no organization has a billion costs
/// in a window, or ten million resources.
const MAX_PAGES: usize = 100_000;
/// Most pages without an entry, one after the other. A server that filters after it has cut the pages returns a few.
const MAX_EMPTY_PAGES: usize = 100;

/// Chain of pages that does not end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum PageChainError {
    #[error("page {page} repeats the page_token of an earlier page")]
    Repeated { page: usize },
    #[error("{MAX_EMPTY_PAGES} pages in a row are empty, and page {page} names another one")]
    Empty { page: usize },
    #[error("there are more than {MAX_PAGES} pages")]
    TooLong,
}

/// Pages of one list or window that were read so far.
#[derive(Debug, Default)]
pub(crate) struct PageChain {
    tokens: HashSet<String>,
    empty: usize,
}

impl PageChain {
    /// Records a page with `entries` that names the next one by `token`.
    ///
    /// # Errors
    /// Kind data: a page named the same next page before, or the chain is longer than that of any honest answer.
    pub(crate) fn add(&mut self, token: &str, entries: usize) -> Result<()> {
        let page = self.tokens.len() + 1;
        self.empty = if entries == 0 { self.empty + 1 } else { 0 };
        let error = if !self.tokens.insert(token.to_owned()) {
            PageChainError::Repeated { page }
        } else if self.empty >= MAX_EMPTY_PAGES {
            PageChainError::Empty { page }
        } else if page >= MAX_PAGES {
            PageChainError::TooLong
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Data, error)
            .with_hint("try again; this stopped because the pages would go on without end"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds pages until one is refused.
    fn refused(pages: impl IntoIterator<Item = (String, usize)>) -> Option<PageChainError> {
        let mut chain = PageChain::default();
        let mut pages = pages.into_iter();
        let error = pages.find_map(|(token, entries)| chain.add(&token, entries).err())?;
        assert_eq!(error.kind(), ErrorKind::Data);
        error.source_as::<PageChainError>().cloned()
    }

    #[test]
    fn a_cycle_of_any_length_ends_at_its_first_repetition() {
        for length in [1, 2, 7] {
            let cycle = (0..).map(|page| (format!("t{}", page % length), 1));
            let page = length + 1;
            assert_eq!(refused(cycle), Some(PageChainError::Repeated { page }));
        }
    }

    #[test]
    fn empty_pages_with_new_tokens_end_and_single_ones_do_not_count() {
        let page = MAX_EMPTY_PAGES;
        let empty = (0..).map(|page| (page.to_string(), 0));
        assert_eq!(refused(empty), Some(PageChainError::Empty { page }));
        let sparse = (0..10_000).map(|page| (page.to_string(), usize::from(page % 50 == 0)));
        assert_eq!(refused(sparse), None);
    }

    #[test]
    fn a_chain_that_never_repeats_ends_too() {
        let endless = (0..).map(|page| (page.to_string(), 1));
        assert_eq!(refused(endless), Some(PageChainError::TooLong));
        let longest = (1..MAX_PAGES).map(|page| (page.to_string(), 1));
        assert_eq!(refused(longest), None);
    }
}
