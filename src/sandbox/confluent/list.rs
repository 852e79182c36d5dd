//! Lists in pages, as the IAM and inventory endpoints have them (spec: iam/v2, org/v2, cmk/v2).

use crate::sandbox::confluent::request::{Call, Refused};
use crate::sandbox::data::random::fingerprint;
use crate::sandbox::faults::Kind;
use crate::sandbox::server::response::json;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};
use url::form_urlencoded;

const DEFAULT_PAGE_SIZE: usize = 10;
const LARGEST_PAGE_SIZE: usize = 100;

/// What one request for a list asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Filters and scopes with their values, as they were given.
    filters: Vec<(String, String)>,
    /// Items a page.
    page_size: usize,
    /// How many items were on earlier pages.
    offset: usize,
    /// The token that led here, if one did.
    token: Option<String>,
}

impl Query {
    /// Reads the query of a call: pages, and the parameters called `names`. Others are ignored.
    ///
    /// A token stands for the whole query. What is repeated with it must be the same; the page
    /// size counts on the first request only.
    pub fn read(call: &Call, names: &[&str]) -> Result<Query, Refused> {
        let (mut page_size, mut token, mut filters) = (DEFAULT_PAGE_SIZE, None, Vec::new());
        let query = call.uri.query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "page_size" => {
                    page_size = size(&value).ok_or_else(|| {
                        let wrong = format!("must be a number from 1 to {LARGEST_PAGE_SIZE}");
                        call.bad_parameter("page_size", &wrong)
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
            return Ok(Query {
                filters,
                page_size,
                ..Query::default()
            });
        };
        let refused = |wrong| call.bad_parameter("page_token", wrong);
        let query = Query::decode(call.uri.path(), token)
            .ok_or_else(|| refused("is unknown or has expired"))?;
        if filters.iter().any(|filter| !query.filters.contains(filter)) {
            return Err(refused("belongs to another query"));
        }
        if call.fires(|kind| kind == Kind::ExpiredToken) {
            return Err(refused("has expired"));
        }
        Ok(query)
    }

    /// The value of a parameter, unless it is empty or not given.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut filters = self.filters.iter();
        let (_, value) = filters.find(|(given, _)| given == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// The value of a parameter that has to be there.
    pub fn require(&self, call: &Call, name: &str) -> Result<&str, Refused> {
        self.get(name)
            .ok_or_else(|| call.bad_parameter(name, "is required"))
    }

    /// Whether an item with `value` passes the filter called `name`; one that is given several
    /// times takes any of its values.
    pub fn takes(&self, name: &str, value: &str) -> bool {
        let mut given = self.filters.iter().filter(|(given, _)| given == name);
        match given.next() {
            None => true,
            Some((_, first)) => first == value || given.any(|(_, other)| other == value),
        }
    }

    /// The page of `items`, which are all items of the list.
    pub fn answer<T>(
        &self,
        call: &Call,
        api_version: &str,
        kind: &str,
        items: impl Iterator<Item = T>,
        shown: impl Fn(T) -> Value,
    ) -> Response<Body> {
        let mut rest = items.skip(self.offset);
        let data: Vec<Value> = rest.by_ref().take(self.page_size).map(shown).collect();
        let offset = self.offset + data.len();
        let path = call.uri.path();
        let mut next = rest.next().map(|_| self.token_at(path, offset));
        if self.token.is_some() && call.fires(|kind| kind == Kind::RepeatToken) {
            next.clone_from(&self.token);
        }
        let next = next.map(|token| {
            let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
            call.url(&format!("{path}?page_token={token}"))
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

    fn decode(path: &str, token: String) -> Option<Query> {
        let plain = String::from_utf8(BASE64.decode(&token).ok()?).ok()?;
        let parts: Vec<&str> = plain.split('\n').collect();
        let [_, page_size, offset, filters, _] = parts[..] else {
            return None;
        };
        let query = Query {
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

/// A list around its items.
pub fn envelope(api_version: &str, kind: &str, metadata: Value, data: Vec<Value>) -> Value {
    serde_json::json!({
        "api_version": api_version,
        "kind": format!("{kind}List"),
        "metadata": metadata,
        "data": data,
    })
}

/// `metadata` of a list. How it says that it has no next page differs with `variant`: all ways
/// are allowed.
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

fn size(given: &str) -> Option<usize> {
    let size = given.parse().ok()?;
    (1..=LARGEST_PAGE_SIZE).contains(&size).then_some(size)
}
