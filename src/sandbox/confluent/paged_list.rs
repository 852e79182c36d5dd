//! Paging and filtering of the IAM and inventory lists (spec: iam/v2, org/v2, cmk/v2).

use crate::sandbox::confluent::request::{ApiRequest, ErrorResponse};
use crate::sandbox::data::random::fingerprint;
use crate::sandbox::faults::FaultKind;
use crate::sandbox::server::response::json;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};
use url::form_urlencoded;

const DEFAULT_PAGE_SIZE: usize = 10;
const MAX_PAGE_SIZE: usize = 100;

/// Query of one request for a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ListQuery {
    /// Filters and scopes with their values, in the order of the request.
    filters: Vec<(String, String)>,
    /// Items per page.
    page_size: usize,
    /// Number of items on earlier pages.
    offset: usize,
    /// Page token of the request.
    token: Option<String>,
}

impl ListQuery {
    /// Parses page size, page token and the filters in `names`; ignores other parameters.
    ///
    /// A token continues its query. Repeated filters must match it; a repeated page size is ignored.
    pub(crate) fn parse(request: &ApiRequest, names: &[&str]) -> Result<ListQuery, ErrorResponse> {
        let (mut page_size, mut token, mut filters) = (DEFAULT_PAGE_SIZE, None, Vec::new());
        let query = request.uri.query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "page_size" => {
                    page_size = parse_page_size(&value).ok_or_else(|| {
                        let problem = format!("must be a number from 1 to {MAX_PAGE_SIZE}");
                        request.bad_parameter("page_size", &problem)
                    })?;
                }
                "page_token" => token = Some(value.into_owned()),
                name if names.contains(&name) => {
                    filters.push((name.to_owned(), value.into_owned()));
                }
                _ => {}
            }
        }
        let Some(token) = token else {
            return Ok(ListQuery {
                filters,
                page_size,
                ..ListQuery::default()
            });
        };
        let bad_token = |problem| request.bad_parameter("page_token", problem);
        let query = ListQuery::decode(request.uri.path(), token)
            .ok_or_else(|| bad_token("is unknown or has expired"))?;
        if filters.iter().any(|filter| !query.filters.contains(filter)) {
            return Err(bad_token("belongs to another query"));
        }
        if request.takes_fault(|kind| kind == FaultKind::ExpiredToken) {
            return Err(bad_token("has expired"));
        }
        Ok(query)
    }

    /// Value of a parameter that is present and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut filters = self.filters.iter();
        let (_, value) = filters.find(|(given, _)| given == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// Value of a required parameter.
    pub(crate) fn require(&self, request: &ApiRequest, name: &str) -> Result<&str, ErrorResponse> {
        self.get(name)
            .ok_or_else(|| request.bad_parameter(name, "is required"))
    }

    /// Returns whether an item with `value` passes the filter `name`; a repeated filter matches any of
    /// its values.
    pub(crate) fn matches(&self, name: &str, value: &str) -> bool {
        let mut given = self.filters.iter().filter(|(given, _)| given == name);
        match given.next() {
            None => true,
            Some((_, first)) => first == value || given.any(|(_, other)| other == value),
        }
    }

    /// Page of `items`, the complete list.
    pub(crate) fn page<T>(
        &self,
        request: &ApiRequest,
        api_version: &str,
        kind: &str,
        items: impl Iterator<Item = T>,
        to_json: impl Fn(T) -> Value,
    ) -> Response<Body> {
        let mut rest = items.skip(self.offset);
        let data: Vec<Value> = rest.by_ref().take(self.page_size).map(to_json).collect();
        let offset = self.offset + data.len();
        let path = request.uri.path();
        let mut next = rest.next().map(|_| self.token_at(path, offset));
        if self.token.is_some() && request.takes_fault(|kind| kind == FaultKind::RepeatToken) {
            next.clone_from(&self.token);
        }
        let next = next.map(|token| {
            let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
            request.url(&format!("{path}?page_token={token}"))
        });
        let list = envelope(api_version, kind, metadata(next, path.len() + offset), data);
        json(StatusCode::OK, &list)
    }

    fn token_at(&self, path: &str, offset: usize) -> String {
        BASE64.encode(self.plain_token(path, offset))
    }

    fn plain_token(&self, path: &str, offset: usize) -> String {
        let mut filters = form_urlencoded::Serializer::new(String::new());
        let filters = filters.extend_pairs(&self.filters).finish();
        let plain = format!("{path}\n{}\n{offset}\n{filters}", self.page_size);
        let check = fingerprint(&plain) as u32;
        format!("{plain}\n{check:08x}")
    }

    fn decode(path: &str, token: String) -> Option<ListQuery> {
        let plain = String::from_utf8(BASE64.decode(&token).ok()?).ok()?;
        let parts: Vec<&str> = plain.split('\n').collect();
        let [_, page_size, offset, filters, _] = parts[..] else {
            return None;
        };
        let query = ListQuery {
            filters: form_urlencoded::parse(filters.as_bytes())
                .into_owned()
                .collect(),
            page_size: page_size.parse().ok()?,
            offset: offset.parse().ok()?,
            token: Some(token),
        };
        (query.plain_token(path, query.offset) == plain).then_some(query)
    }
}

/// List object around its items.
pub(crate) fn envelope(api_version: &str, kind: &str, metadata: Value, data: Vec<Value>) -> Value {
    serde_json::json!({
        "api_version": api_version,
        "kind": format!("{kind}List"),
        "metadata": metadata,
        "data": data,
    })
}

/// `metadata` of a list. `variant` selects the form of a last page, because Confluent may send any.
fn metadata(next: Option<String>, variant: usize) -> Value {
    let mut metadata = Map::new();
    let next = match (next, variant % 3) {
        (None, 0) => return metadata.into(),
        (None, 1) => Value::Null,
        (next, _) => next.unwrap_or_default().into(),
    };
    metadata.insert("next".to_owned(), next);
    metadata.into()
}

fn parse_page_size(given: &str) -> Option<usize> {
    let page_size = given.parse().ok()?;
    (1..=MAX_PAGE_SIZE)
        .contains(&page_size)
        .then_some(page_size)
}
