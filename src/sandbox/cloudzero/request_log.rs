//! Every request to CloudZero's API in order, and the answers stored under idempotency keys.

use crate::sandbox::cloudzero::response::Reply;
use serde::Serialize;
use std::collections::BTreeMap;

/// One request, as `/sandbox/cloudzero/requests` shows it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Entry {
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// `operation` of a drop.
    pub operation: Option<String>,
    /// Month of a drop, of the body or the path.
    pub month: Option<String>,
    /// Rows in the body.
    pub rows: Option<usize>,
    /// Bytes of the body, uncompressed.
    pub bytes: usize,
    /// Value of `cloudzero-idempotency-key`.
    pub idempotency_key: Option<String>,
    /// Status of the answer; none while there is none, or when the connection was reset.
    pub status: Option<u16>,
    /// Whether the answer is that of an earlier request with the same key.
    pub replayed: bool,
    /// Whether it has been dealt with, by an answer or a reset.
    #[serde(skip)]
    pub closed: bool,
}

/// Requests and stored answers.
#[derive(Debug, Default)]
pub struct Journal {
    entries: Vec<Entry>,
    stored: BTreeMap<String, Reply>,
}

impl Journal {
    /// Notes a request; the number is for [`Journal::close`].
    pub fn open(&mut self, entry: Entry) -> usize {
        self.entries.push(entry);
        self.entries.len() - 1
    }

    /// Notes the answer of a request.
    pub fn close(&mut self, number: usize, reply: &Reply, replayed: bool) {
        if let Some(entry) = self.entries.get_mut(number) {
            entry.status = reply.is_sent().then(|| reply.status.as_u16());
            entry.replayed = replayed;
            entry.closed = true;
        }
    }

    /// Whether a request before number `number` with the same key has no answer yet.
    pub fn awaits(&self, key: &str, number: usize) -> bool {
        let before = self.entries.iter().take(number);
        let mut open = before.filter(|entry| !entry.closed);
        open.any(|entry| entry.idempotency_key.as_deref() == Some(key))
    }

    /// All requests.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The answer stored under a key. It is sent even if the first time it was lost.
    pub fn stored(&self, key: &str) -> Option<Reply> {
        self.stored.get(key).cloned()
    }

    /// Stores the first answer to a key.
    pub fn store(&mut self, key: &str, reply: &Reply) {
        self.stored
            .entry(key.to_owned())
            .or_insert_with(|| reply.clone().sent());
    }
}
