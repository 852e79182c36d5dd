//! Log of all requests to CloudZero's API, and the replies stored under idempotency keys.

use crate::sandbox::cloudzero::response::Reply;
use serde::Serialize;
use std::collections::BTreeMap;

/// Request in the response of `/sandbox/cloudzero/requests`.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct LoggedRequest {
    pub(crate) method: String,
    /// Path without the query.
    pub(crate) path: String,
    /// `operation` of a drop.
    pub(crate) operation: Option<String>,
    /// Month of a drop, from the body or the path.
    pub(crate) month: Option<String>,
    /// Rows in the body.
    pub(crate) rows: Option<usize>,
    /// Uncompressed bytes of the body.
    pub(crate) bytes: usize,
    /// Value of `cloudzero-idempotency-key`.
    pub(crate) idempotency_key: Option<String>,
    /// Status of the reply; `None` while it is pending, or if the connection was reset.
    pub(crate) status: Option<u16>,
    /// True if the reply is that of an earlier request with the same key.
    pub(crate) replayed: bool,
    #[serde(skip)]
    pub(crate) is_finished: bool,
}

/// Requests in order, and stored replies by idempotency key.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    requests: Vec<LoggedRequest>,
    stored: BTreeMap<String, Reply>,
}

impl RequestLog {
    /// Logs a request; returns its index for [`RequestLog::finish`].
    pub(crate) fn start(&mut self, request: LoggedRequest) -> usize {
        self.requests.push(request);
        self.requests.len() - 1
    }

    /// Logs the reply to a request.
    pub(crate) fn finish(&mut self, index: usize, reply: &Reply, replayed: bool) {
        if let Some(request) = self.requests.get_mut(index) {
            request.status = (!reply.is_reset()).then(|| reply.status.as_u16());
            request.replayed = replayed;
            request.is_finished = true;
        }
    }

    /// Returns whether a request before `index` with the same key is still pending.
    pub(crate) fn has_pending(&self, key: &str, index: usize) -> bool {
        let before = self.requests.iter().take(index);
        let mut pending = before.filter(|request| !request.is_finished);
        pending.any(|request| request.idempotency_key.as_deref() == Some(key))
    }

    pub(crate) fn requests(&self) -> &[LoggedRequest] {
        &self.requests
    }

    /// Reply stored under a key. It is sent even if the first reply was lost.
    pub(crate) fn stored(&self, key: &str) -> Option<Reply> {
        self.stored.get(key).cloned()
    }

    /// Stores the first reply to a key.
    pub(crate) fn store(&mut self, key: &str, reply: &Reply) {
        self.stored
            .entry(key.to_owned())
            .or_insert_with(|| reply.clone().without_reset());
    }
}
