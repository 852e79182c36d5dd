//! The sandbox's CloudZero: content of its stream and poller, and its request log.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::Value;

use super::{Billstream, Exact, Row, Sandbox, Totals, assert_costs_are, assert_line_items_are};

/// CloudZero's id of the sandbox's predefined stream.
pub const STREAM: &str = "sandbox-stream";
/// CloudZero's id of the connection that reads the sandbox's bucket.
pub const BUCKET: &str = "sandbox-bucket";
/// API key that the sandbox accepts.
pub const CLOUDZERO_KEY: &str = "sandbox-cloudzero-key";

/// Totals of a group of line items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    pub rows: u64,
    pub cost: Exact,
    pub discounted: Exact,
    pub on_demand: Exact,
}

impl Sum {
    fn add(&mut self, other: &Sum) {
        self.rows += other.rows;
        self.cost += other.cost;
        self.discounted += other.discounted;
        self.on_demand += other.on_demand;
    }

    fn has_zero_costs(&self) -> bool {
        let none = Exact::default();
        (self.cost, self.discounted, self.on_demand) == (none, none, none)
    }
}

/// Totals of a month in exact decimals, by day and line item type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holding(pub BTreeMap<(String, String), Sum>);

impl Holding {
    /// Sums line items of the store or of a drop.
    pub fn from_line_items(items: &[Row]) -> Holding {
        let mut sums: BTreeMap<(String, String), Sum> = BTreeMap::new();
        for item in items {
            let day = item["time/usage_start"][..10].to_string();
            let sum = Sum {
                rows: 1,
                cost: Exact::of(&item["cost/cost"]),
                discounted: Exact::of(&item["cost/discounted_cost"]),
                on_demand: Exact::of(&item["cost/on_demand_cost"]),
            };
            let key = (day, item["lineitem/type"].clone());
            sums.entry(key).or_default().add(&sum);
        }
        Holding(sums)
    }

    /// Reads the response of `/sandbox/cloudzero/holds`.
    pub fn from_json(json: &Value) -> Holding {
        let text = |value: &Value| value.as_str().unwrap().to_string();
        let sum = |value: &Value| Sum {
            rows: value["rows"].as_u64().unwrap(),
            cost: Exact::of(&text(&value["cost"])),
            discounted: Exact::of(&text(&value["discounted_cost"])),
            on_demand: Exact::of(&text(&value["on_demand_cost"])),
        };
        let groups = json["by_day_type"].as_array().unwrap();
        let groups = groups
            .iter()
            .map(|group| ((text(&group["day"]), text(&group["type"])), sum(group)));
        let holding = Holding(groups.collect());
        assert_eq!(holding.total(), sum(json), "the sandbox sums its groups");
        holding
    }

    /// Returns the totals of the month.
    pub fn total(&self) -> Sum {
        let mut total = Sum::default();
        self.0.values().for_each(|sum| total.add(sum));
        total
    }

    /// Returns true if a day has line items.
    pub fn has_day(&self, day: &str) -> bool {
        self.0.keys().any(|(other, _)| other == day)
    }

    /// Sets the counts of line items to zero, which leaves the costs.
    pub fn without_rows(mut self) -> Holding {
        self.0.values_mut().for_each(|sum| sum.rows = 0);
        self
    }

    /// Removes the adjustments without costs that clear lost hours, and returns their number. `expected` has none.
    pub fn take_cleared_hours(&mut self, expected: &Holding) -> u64 {
        let mut cleared = 0;
        self.0.retain(|key, sum| {
            let is = key.1 == "Adjustment" && sum.has_zero_costs() && !expected.0.contains_key(key);
            cleared += if is { sum.rows } else { 0 };
            !is
        });
        cleared
    }

    /// Asserts that two months are equal to the last digit.
    #[track_caller]
    pub fn assert_is(&self, expected: &Holding, what: &str) {
        for key in self.0.keys().chain(expected.0.keys()) {
            assert_eq!(self.0.get(key), expected.0.get(key), "{what}: {key:?}");
        }
    }
}

/// Returns the expected content of CloudZero: the published line items, after checking them against the totals.
#[track_caller]
pub fn expected(billstream: &Billstream, totals: &Totals) -> Holding {
    let costs = billstream.costs(&totals.month);
    assert_costs_are(&costs, totals);
    let items = billstream.line_items(&totals.month);
    assert_line_items_are(&items, &costs, totals);
    let expected = Holding::from_line_items(&items);
    let total = expected.total();
    assert_eq!(total.cost.to_string(), totals.net);
    assert_eq!(total.discounted.to_string(), totals.net);
    expected
}

/// Result of a poll of the bucket.
#[derive(Debug)]
pub struct Poll(Value);

impl Poll {
    /// Asserts that exactly this drop was ingested without errors, and returns its description.
    #[track_caller]
    pub fn ingested(&self, drop_id: &str) -> &Value {
        assert_eq!(self.0["errors"], serde_json::json!([]), "{self:?}");
        let ingested = self.0["ingested"].as_array().unwrap();
        assert_eq!(ingested.len(), 1, "{self:?}");
        assert_eq!(ingested[0]["drop_id"], drop_id, "{self:?}");
        &ingested[0]
    }

    /// Returns the number of ingested months; asserts that there were no errors.
    #[track_caller]
    pub fn months(&self) -> usize {
        assert_eq!(self.0["errors"], serde_json::json!([]), "{self:?}");
        self.0["ingested"].as_array().unwrap().len()
    }
}

impl Sandbox {
    /// Polls the bucket like CloudZero.
    pub fn poll(&self) -> Poll {
        Poll(self.get("/sandbox/cloudzero/poll"))
    }

    /// Returns the totals that CloudZero holds for a month of a connection.
    pub fn holds(&self, connection: &str, month: &str) -> Holding {
        let path = format!("/sandbox/cloudzero/holds?month={month}&connection={connection}");
        Holding::from_json(&self.get(&path))
    }

    /// Returns the number of hours of a month with line items in CloudZero.
    pub fn hours(&self, connection: &str, month: &str) -> u64 {
        let path = format!("/sandbox/cloudzero/holds?month={month}&connection={connection}");
        self.get(&path)["hours"].as_u64().unwrap()
    }

    /// Returns all requests to CloudZero's API, in order.
    pub fn cloudzero_requests(&self) -> Vec<Value> {
        let requests = self.get("/sandbox/cloudzero/requests");
        requests.as_array().unwrap().clone()
    }

    /// Returns the requests with this method and path ending.
    pub fn cloudzero_requests_to(&self, method: &str, ending: &str) -> Vec<Value> {
        let mut asked = self.cloudzero_requests();
        asked.retain(|request| {
            request["method"] == method && request["path"].as_str().unwrap().ends_with(ending)
        });
        asked
    }

    /// Returns the requests that send line items to a stream.
    pub fn sent(&self) -> Vec<Value> {
        self.cloudzero_requests_to("POST", "/billing_drops")
    }

    /// Returns the requests that validate line items.
    pub fn validated(&self) -> Vec<Value> {
        self.cloudzero_requests_to("POST", "/validate_billing_drop")
    }

    /// Sends line items to the stream without billstream.
    pub fn send(&self, body: &Value) {
        let path = format!("/v2/connections/billing/anycost/{STREAM}/billing_drops");
        self.send_request("POST", &path, &body.to_string());
    }

    /// Returns the line items of a month in the stream, as they were sent.
    pub fn rows(&self, month: &str) -> Vec<Value> {
        let path = format!("/v2/connections/billing/anycost/{STREAM}/billing_drops/{month}");
        let answer: Value = serde_json::from_str(&self.send_request("GET", &path, "")).unwrap();
        answer["billing_drop"].as_array().unwrap().clone()
    }

    /// Returns the status of a read of a month of the stream in a test namespace.
    pub fn status_in_namespace(&self, test_key: &str, month: &str) -> u16 {
        let path = format!("/v2/connections/billing/anycost/{STREAM}/billing_drops/{month}");
        let header = format!("cloudzero-test-key: {test_key}\r\n");
        let answer = self.exchange("GET", &path, &header, "");
        let status = answer.split(' ').nth(1).unwrap();
        status.parse().unwrap()
    }

    /// Returns names and ids of the billing connections.
    pub fn connections(&self) -> Vec<(String, String)> {
        let answer = self.send_request("GET", "/v2/connections/billing", "");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_string();
        let connections = answer["connections"].as_array().unwrap();
        let named = connections
            .iter()
            .map(|c| (text(&c["name"]), text(&c["id"])));
        named.collect()
    }

    /// Creates a billing connection without billstream, and returns its id.
    pub fn create_connection(&self, body: &Value) -> String {
        let answer = self.send_request("POST", "/v2/connections/billing", &body.to_string());
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer["connection"]["id"].as_str().unwrap().to_string()
    }

    /// Sends a request to CloudZero's API, asserts status 200, and returns the body.
    fn send_request(&self, method: &str, path: &str, body: &str) -> String {
        let answer = self.exchange(method, path, "", body);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.lines().next().unwrap().contains(" 200 "), "{answer}");
        body.to_string()
    }

    /// Sends a request with more headers to CloudZero's API, and returns the response.
    fn exchange(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let address = self.url().trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("the sandbox listens");
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: {CLOUDZERO_KEY}\r\n{headers}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Billstream {
    /// Uses a sandbox as CloudZero's API, without waiting for late application.
    pub fn with_cloudzero(self, sandbox: &Sandbox) -> Self {
        self.env("CLOUDZERO_API_URL", sandbox.url())
            .env("CLOUDZERO_API_KEY", CLOUDZERO_KEY)
            .env("BILLSTREAM_READ_BACK_SECS", "0")
    }

    /// Delivers to a sandbox's stream.
    pub fn on_stream(self, sandbox: &Sandbox) -> Self {
        self.with_cloudzero(sandbox)
            .env("CLOUDZERO_CONNECTION_ID", STREAM)
    }

    /// Delivers to a folder.
    pub fn on_bucket(self, folder: &Path) -> Self {
        self.env("BILLSTREAM_BUCKET", &folder.display().to_string())
    }
}

impl super::Output {
    /// Returns the only delivery of a report, which must have this status.
    #[track_caller]
    pub fn delivery(&self, status: &str) -> Value {
        let deliveries = self.json()["deliveries"].clone();
        let deliveries = deliveries.as_array().unwrap();
        assert_eq!(deliveries.len(), 1, "{deliveries:?}\n{}", self.stderr);
        assert_eq!(deliveries[0]["status"], status, "{}", self.stderr);
        deliveries[0].clone()
    }
}
