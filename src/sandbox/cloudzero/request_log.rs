//! Log of all requests to CloudZero's API, and the replies stored under idempotency keys.

use crate::sandbox::cloudzero::response::Reply;
use serde::Serialize;
use std::collections::BTreeMap;

/// Test key and idempotency key of a request; stored replies belong to a namespace.
pub(crate) type RequestKey = (Option<String>, String);

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
    /// The month as sent, in its form.
    pub(crate) month_sent: Option<String>,
    /// Rows in the body.
    pub(crate) rows: Option<usize>,
    /// Uncompressed bytes of the body.
    pub(crate) bytes: usize,
    /// Value of `cloudzero-idempotency-key`.
    pub(crate) idempotency_key: Option<String>,
    /// Value of `cloudzero-test-key`.
    pub(crate) test_key: Option<String>,
    /// Status of the reply; `None` while it is pending, or if the connection was reset.
    pub(crate) status: Option<u16>,
    /// True if the reply is that of an earlier request with the same key.
    pub(crate) replayed: bool,
    #[serde(skip)]
    pub(crate) is_finished: bool,
}

impl LoggedRequest {
    /// Key under which the reply is stored; `None` without an idempotency key.
    pub(crate) fn key(&self) -> Option<RequestKey> {
        Some((self.test_key.clone(), self.idempotency_key.clone()?))
    }
}

/// Requests in order, and stored replies by idempotency key.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    requests: Vec<LoggedRequest>,
    stored: BTreeMap<RequestKey, Reply>,
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
    pub(crate) fn has_pending(&self, key: &RequestKey, index: usize) -> bool {
        let before = self.requests.iter().take(index);
        let mut pending = before.filter(|request| !request.is_finished);
        pending.any(|request| request.key().as_ref() == Some(key))
    }

    pub(crate) fn requests(&self) -> &[LoggedRequest] {
        &self.requests
    }

    /// Reply stored under a key. It is sent even if the first reply was lost.
    pub(crate) fn stored(&self, key: &RequestKey) -> Option<Reply> {
        self.stored.get(key).cloned()
    }

    /// Stores the first reply to a key.
    pub(crate) fn store(&mut self, key: &RequestKey, reply: &Reply) {
        self.stored
            .entry(key.clone())
            .or_insert_with(|| reply.clone().without_reset());
    }
}
