//! All known edge cases of Confluent's records: JSON text and exact amounts. Each occurs several times in
//! every full month.
//!
//! In the JSON text, `<day>` and `<next>` are placeholders for the day of the record and the next one.

use crate::sandbox::data::money::{GroupKey, Units, units};
use chrono::{Datelike, NaiveDate};

pub(crate) struct EdgeCaseRecord {
    pub(crate) key: GroupKey,
    /// `original_amount`.
    pub(crate) original: Units,
    /// `amount`, or original minus discount where the text omits it.
    pub(crate) net: Units,
    /// JSON text with placeholders.
    pub(crate) json: &'static str,
}

/// Records that occur on the same days.
pub(crate) type EdgeCase = &'static [EdgeCaseRecord];

/// Edge cases per day, besides the support record.
const PER_DAY: usize = 7;

/// Upper bound of the records of a day's edge cases.
pub(crate) const MAX_RECORDS_PER_DAY: usize = PER_DAY * 3;

/// Records of the edge cases of a day; the edge cases rotate.
pub(crate) fn of_day(day: NaiveDate) -> impl Iterator<Item = &'static EdgeCaseRecord> {
    let first = day.day0() as usize * PER_DAY;
    (first..first + PER_DAY).flat_map(|at| EDGE_CASES[at % EDGE_CASES.len()])
}

/// JSON text of a record on a day.
pub(crate) fn render(record: &EdgeCaseRecord, day: NaiveDate) -> String {
    let next = day.succ_opt().unwrap_or(day);
    record
        .json
        .replace("<day>", &day.to_string())
        .replace("<next>", &next.to_string())
}

const fn record(
    product: &'static str,
    line_type: &'static str,
    original: (i64, u32),
    net: (i64, u32),
    json: &'static str,
) -> EdgeCaseRecord {
    EdgeCaseRecord {
        key: (Some(product), line_type),
        original: units(original.0, original.1),
        net: units(net.0, net.1),
        json,
    }
}

const fn promo_credit(original: (i64, u32), net: (i64, u32), json: &'static str) -> EdgeCaseRecord {
    EdgeCaseRecord {
        key: (None, "PROMO_CREDIT"),
        original: units(original.0, original.1),
        net: units(net.0, net.1),
        json,
    }
}

/// Daily support plan: no price, unit, quantity, network, resource or discount.
pub(crate) const SUPPORT: EdgeCaseRecord = record(
    "SUPPORT_CLOUD_BUSINESS",
    "SUPPORT",
    (333_333, 4),
    (333_333, 4),
    r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","product":"SUPPORT_CLOUD_BUSINESS","line_type":"SUPPORT","original_amount":33.3333,"amount":33.3333}"#,
);

const TWIN: EdgeCaseRecord = record(
    "KAFKA",
    "KAFKA_NETWORK_READ",
    (4_125, 4),
    (4_125, 4),
    r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"INTERNET","product":"KAFKA","line_type":"KAFKA_NETWORK_READ","price":0.055,"unit":"GB","quantity":7.5,"original_amount":0.4125,"discount_amount":0,"amount":0.4125,"resource":{"id":"lkc-tw1n5","display_name":"twins","environment":{"id":"env-s4t7q"}}}"#,
);

const TRIPLET: EdgeCaseRecord = record(
    "CLUSTER_LINK",
    "CLUSTER_LINKING_READ",
    (18, 1),
    (162, 2),
    r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"PNI","product":"CLUSTER_LINK","line_type":"CLUSTER_LINKING_READ","price":0.02,"unit":"GB","quantity":90,"original_amount":1.8,"discount_amount":0.18,"amount":1.62,"resource":{"id":"lkc-tr1p1","display_name":"triplets","environment":{"id":"env-an9ly"}}}"#,
);

/// All edge cases; the comment before each describes it.
#[rustfmt::skip]
pub(crate) const EDGE_CASES: [EdgeCase; 27] = [
    // Lower plans, one of them free.
    &[
        record("SUPPORT_CLOUD_BASIC", "SUPPORT", (0, 0), (0, 0),
            r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","product":"SUPPORT_CLOUD_BASIC","line_type":"SUPPORT","original_amount":0,"amount":0}"#),
        record("SUPPORT_CLOUD_DEVELOPER", "SUPPORT", (9_667, 4), (9_667, 4),
            r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","product":"SUPPORT_CLOUD_DEVELOPER","line_type":"SUPPORT","original_amount":0.9667,"discount_amount":0,"amount":0.9667,"resource":null}"#),
    ],
    // Discounted plan; a support product outside the published list.
    &[
        record("SUPPORT_CLOUD_PREMIER", "SUPPORT", (100, 0), (90, 0),
            r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","product":"SUPPORT_CLOUD_PREMIER","line_type":"SUPPORT","original_amount":100,"discount_amount":10,"amount":90}"#),
        record("SUPPORT_PREMIER", "SUPPORT", (125, 1), (125, 1),
            r#"{"start_date":"<day> 00:00:00","end_date":"<next> 00:00:00","granularity":"DAILY","product":"SUPPORT_PREMIER","line_type":"SUPPORT","original_amount":12.5,"amount":12.5}"#),
    ],
    // Promo credit: negative, many nulls.
    &[promo_credit((-400, 1), (-400, 1),
        r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","product":null,"line_type":"PROMO_CREDIT","price":null,"unit":"","quantity":null,"original_amount":-40.0,"discount_amount":0,"amount":-40.0,"description":"WELCOME26","resource":null}"#)],
    // Refund booked as a promo credit, with product and negative discount.
    &[record("KAFKA", "PROMO_CREDIT", (-125, 1), (-1_125, 2),
        r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","product":"KAFKA","line_type":"PROMO_CREDIT","unit":"","original_amount":-12.5,"discount_amount":-1.25,"amount":-11.25,"description":"Refund for incident <day>"}"#)],
    // Reversed promo credit; the product is omitted.
    &[promo_credit((5, 0), (5, 0),
        r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","line_type":"PROMO_CREDIT","original_amount":5,"discount_amount":0,"amount":5,"description":"Reversal of WELCOME26"}"#)],
    // Two tiers under one id, the second with many digits.
    &[
        record("CONNECT", "CONNECT_THROUGHPUT", (310, 1), (310, 1),
            r#"{"id":"tier-row-dup","start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"INTERNET","product":"CONNECT","line_type":"CONNECT_THROUGHPUT","price":0.031,"unit":"GB","quantity":1000,"original_amount":31.0,"discount_amount":0,"amount":31.0,"tier_dimensions":{"provider":"aws","region":"eu-west-1","connector_type":"S3_SINK"},"resource":{"id":"lcc-5tt8w","display_name":"lake-sink","environment":{"id":"env-k2m9d"}}}"#),
        record("CONNECT", "CONNECT_THROUGHPUT", (52_565, 4), (52_565, 4),
            r#"{"id":"tier-row-dup","start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"INTERNET","product":"CONNECT","line_type":"CONNECT_THROUGHPUT","price":0.02475,"unit":"GB","quantity":212.38461704552174,"original_amount":5.2565,"discount_amount":0,"amount":5.2565,"tier_dimensions":{"provider":"aws","region":"eu-west-1","connector_type":"S3_SINK"},"resource":{"id":"lcc-5tt8w","display_name":"lake-sink","environment":{"id":"env-k2m9d"}}}"#),
    ],
    // Two identical records, then three.
    &[TWIN, TWIN],
    &[TRIPLET, TRIPLET, TRIPLET],
    // Legacy organization: environment outside the resource, no amount, no discount.
    &[record("KAFKA", "KAFKA_PARTITION", (2_952, 3), (2_952, 3),
        r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"PEERED_VPC","product":"KAFKA","line_type":"KAFKA_PARTITION","price":0.0041,"unit":"Partition-hour","quantity":720,"original_amount":2.952,"resource":{"id":"lkc-old77","display_name":"legacy-std"},"environment":{"id":"env-0ld11"}}"#)],
    // Legacy with a discount: the net amount is omitted.
    &[record("KAFKA", "KAFKA_BASE", (36_241, 3), (326_169, 4),
        r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"PEERED_VPC","product":"KAFKA","line_type":"KAFKA_BASE","price":1.510041667,"unit":"Hour","quantity":24,"original_amount":36.241,"discount_amount":3.6241,"resource":{"id":"lkc-old77","display_name":"legacy-std"},"environment":{"id":"env-0ld11"}}"#)],
    // Net amount and discount present, but null.
    &[record("USM", "USM_CONNECTED_NODE", (45, 1), (45, 1),
        r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":null,"product":"USM","line_type":"USM_CONNECTED_NODE","price":null,"unit":null,"quantity":null,"original_amount":4.5,"discount_amount":null,"amount":null,"description":null,"tier_dimensions":null,"resource":null}"#)],
    // Dates with a time of midnight.
    &[record("KSQL", "KSQL_NUM_CSUS", (55_656, 4), (5_009, 3),
        r#"{"start_date":"<day> 00:00:00","end_date":"<next> 00:00:00","granularity":"DAILY","network_access_type":"INTERNET","product":"KSQL","line_type":"KSQL_NUM_CSUS","price":0.231917,"unit":"CSU-hour","quantity":24,"original_amount":5.5656,"discount_amount":0.5566,"amount":5.009,"resource":{"id":"lksqlc-90qpz","display_name":"enrichment","environment":{"id":"env-k2m9d"}}}"#)],
    // RFC 3339 dates; doubles with 17 digits, so that original - discount differs slightly from the amount.
    &[record("FLINK", "FLINK_NUM_CFUS", (2_891, 3), (26_019_000_000_000_001, 16),
        r#"{"start_date":"<day>T00:00:00Z","end_date":"<next>T00:00:00Z","granularity":"DAILY","network_access_type":"INTERNET","product":"FLINK","line_type":"FLINK_NUM_CFUS","price":0.20999999999999999,"unit":"CFU-hour","quantity":13.766666666666667,"original_amount":2.891,"discount_amount":0.28910000000000002,"amount":2.6019000000000001,"resource":{"id":"lfcp-m31k0","display_name":"stream-etl","environment":{"id":"env-an9ly"}}}"#)],
    // Tiny free usage with exponents; amounts with exponents.
    &[
        record("KAFKA", "KAFKA_STORAGE", (0, 0), (0, 0),
            r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"INTERNET","product":"KAFKA","line_type":"KAFKA_STORAGE","price":0.000109589,"unit":"GB-hour","quantity":3.41e-05,"original_amount":0,"discount_amount":0,"amount":0,"resource":{"id":"lkc-7aa01x","display_name":"orders-prod","environment":{"id":"env-k2m9d"}}}"#),
        record("KAFKA", "KAFKA_NETWORK_WRITE", (1, 7), (1, 7),
            r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"INTERNET","product":"KAFKA","line_type":"KAFKA_NETWORK_WRITE","price":1E-7,"unit":"GB","quantity":1,"original_amount":1E-7,"discount_amount":0.0,"amount":1e-07,"resource":{"id":"lkc-7aa01x","display_name":"orders-prod","environment":{"id":"env-k2m9d"}}}"#),
        record("KAFKA", "KAFKA_NETWORK_WRITE", (25, 0), (225, 1),
            r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"INTERNET","product":"KAFKA","line_type":"KAFKA_NETWORK_WRITE","price":1,"unit":"GB","quantity":2.5e+1,"original_amount":2.5e+1,"discount_amount":2.5E0,"amount":2.25e1,"resource":{"id":"lkc-7aa01x","display_name":"orders-prod","environment":{"id":"env-k2m9d"}}}"#),
    ],
    // Longest fractions of doubles of this size.
    &[record("KAFKA", "KAFKA_STORAGE", (12_345_678_901_234_567, 23), (11_111_111_011_111_111, 23),
        r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"INTERNET","product":"KAFKA","line_type":"KAFKA_STORAGE","price":0.00010958900000000001,"unit":"GB-hour","quantity":0.0011265435997439987,"original_amount":1.2345678901234567e-7,"discount_amount":1.2345678901234560E-8,"amount":0.00000011111111011111111,"resource":{"id":"lkc-st4g1n","display_name":"staging","environment":{"id":"env-s4t7q"}}}"#)],
    // Integers everywhere.
    &[record("CONNECT", "CONNECT_CAPACITY", (24, 0), (24, 0),
        r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"INTERNET","product":"CONNECT","line_type":"CONNECT_CAPACITY","price":1,"unit":"Hour","quantity":24,"original_amount":24,"discount_amount":0,"amount":24,"resource":{"id":"lcc-1nt3g","display_name":"integers","environment":{"id":"env-d3v1x"}}}"#)],
    // Deleted cluster: no environment, no name.
    &[record("CLUSTER_LINK", "CLUSTER_LINKING_WRITE", (1, 2), (1, 2),
        r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"PNI","product":"CLUSTER_LINK","line_type":"CLUSTER_LINKING_WRITE","price":0.02,"unit":"GB","quantity":0.5,"original_amount":0.01,"discount_amount":0,"amount":0.01,"resource":{"id":"lkc-gone1","display_name":"","environment":null}}"#)],
    // Resource without an environment key.
    &[record("TABLEFLOW", "TABLEFLOW_STORAGE", (31_507, 4), (31_507, 4),
        r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"INTERNET","product":"TABLEFLOW","line_type":"TABLEFLOW_STORAGE","price":0.0000315068,"unit":"GB-hour","quantity":100000,"original_amount":3.1507,"discount_amount":0,"amount":3.1507,"resource":{"id":"lkc-n0env","display_name":"drifting"}}"#)],
    // Unknown product, line type, unit, granularity, network; unknown keys with nested JSON.
    &[record("FUTURE_PRODUCT", "FUTURE_LINE", (3, 0), (27, 1),
        r#"{"start_date":"<day>","end_date":"<next>","granularity":"HOURLY_ROLLUP","network_access_type":"QUANTUM_LINK","product":"FUTURE_PRODUCT","line_type":"FUTURE_LINE","price":1,"unit":"Widget-Hour","quantity":3,"original_amount":3,"discount_amount":0.3,"amount":2.7,"new_key":{"a":[1,2,{"b":null}],"original_amount":999,"text":"}],{"},"another":[[],{}],"resource":{"id":"xyz-1","display_name":"équipe \"A\", data\nlake","environment":{"id":"env-k2m9d","tier":"new"},"labels":["x"]}}"#)],
    // Hourly rounding: price times quantity differs from the amount.
    &[record("CONNECT", "CONNECT_NUM_TASKS", (9_888, 4), (9_888, 4),
        r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"INTERNET","product":"CONNECT","line_type":"CONNECT_NUM_TASKS","price":0.04116667,"unit":"Task-hour","quantity":24,"original_amount":0.9888,"discount_amount":0,"amount":0.9888,"resource":{"id":"lcc-5tt8w","display_name":"lake-sink","environment":{"id":"env-k2m9d"}}}"#)],
    // Surcharge: the net is above the original.
    &[record("KAFKA", "KAFKA_NUM_CKUS", (10, 0), (11, 0),
        r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"PRIVATE_LINK","product":"KAFKA","line_type":"KAFKA_NUM_CKUS","price":1.25,"unit":"CKU-hour","quantity":8,"original_amount":10,"discount_amount":-1,"amount":11,"resource":{"id":"lkc-pay3nt","display_name":"payments-prod","environment":{"id":"env-k2m9d"}}}"#)],
    // Correction booked on a usage line type.
    &[record("KAFKA", "KAFKA_NETWORK_READ", (-32, 1), (-288, 2),
        r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"PRIVATE_LINK","product":"KAFKA","line_type":"KAFKA_NETWORK_READ","unit":"GB","original_amount":-3.2,"discount_amount":-0.32,"amount":-2.88,"description":"Adjustment: prior period","resource":{"id":"lkc-7aa01x","display_name":"orders-prod","environment":{"id":"env-k2m9d"}}}"#)],
    // Discount that does not explain the net amount.
    &[record("KAFKA", "KAFKA_REST_PRODUCE", (44_444, 4), (39_999, 4),
        r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"INTERNET","product":"KAFKA","line_type":"KAFKA_REST_PRODUCE","price":0.05,"unit":"GB","quantity":88.888,"original_amount":4.4444,"discount_amount":0.4444,"amount":3.9999,"resource":{"id":"lkc-pay3nt","display_name":"payments-prod","environment":{"id":"env-k2m9d"}}}"#)],
    // Escapes: accents, line break, quote, solidus, backslash, tab, surrogate pair.
    &[record("CONNECT", "CONNECT_NUM_TASKS", (1, 1), (1, 1),
        r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"INTERNET","product":"CONNECT","line_type":"CONNECT_NUM_TASKS","price":0.1,"unit":"Task-hour","quantity":1,"original_amount":0.1,"discount_amount":0,"amount":0.1,"description":"a\/b\tc\\d \"e\" \u2028","resource":{"id":"lcc-esc4p","display_name":"caf\u00e9, \"bar\"\nb\\c \ud83d\ude80 ,original_amount:","environment":{"id":"env-d3v1x"}}}"#)],
    // Units in unusual case.
    &[
        record("STREAM_GOVERNANCE", "SCHEMA_REGISTRY", (48, 2), (48, 2),
            r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"INTERNET","product":"STREAM_GOVERNANCE","line_type":"SCHEMA_REGISTRY","price":0.002,"unit":"schema-hour","quantity":240,"original_amount":0.48,"discount_amount":0,"amount":0.48,"resource":{"id":"lsrc-9x2k1","display_name":"schémas","environment":{"id":"env-k2m9d"}}}"#),
        record("KAFKA", "KAFKA_STORAGE", (11, 2), (11, 2),
            r#"{"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"INTERNET","product":"KAFKA","line_type":"KAFKA_STORAGE","price":0.00011,"unit":"GB-Hour","quantity":1000,"original_amount":0.11,"discount_amount":0,"amount":0.11,"resource":{"id":"lkc-st4g1n","display_name":"staging","environment":{"id":"env-s4t7q"}}}"#),
    ],
    // Spaces and another key order, with keys of the envelope inside the record.
    &[record("AUDIT_LOG", "AUDIT_LOG_READ", (225, 3), (225, 3),
        r#"{ "amount" : 0.225 , "kind" : "Cost" , "api_version" : "billing/v1" , "original_amount" : 0.225 , "line_type" : "AUDIT_LOG_READ" , "product" : "AUDIT_LOG" , "unit" : "GB" , "price" : 0.1 , "quantity" : 2.25 , "granularity" : "DAILY" , "end_date" : "<next>" , "start_date" : "<day>" }"#)],
    // Missing identity: null id, then an empty one.
    &[
        record("KAFKA", "KAFKA_NUM_CKUS", (14, 1), (14, 1),
            r#"{"id":null,"start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"TRANSIT_GATEWAY","product":"KAFKA","line_type":"KAFKA_NUM_CKUS","price":1.4,"unit":"CKU-hour","quantity":1,"original_amount":1.4,"discount_amount":0,"amount":1.4,"resource":{"id":"lkc-bl4nk","display_name":null,"environment":{"id":"env-an9ly"}}}"#),
        record("KAFKA", "KAFKA_NUM_CKUS", (14, 1), (14, 1),
            r#"{"id":"","start_date":"<day>","end_date":"<next>","granularity":"DAILY","network_access_type":"TRANSIT_GATEWAY","product":"KAFKA","line_type":"KAFKA_NUM_CKUS","price":1.4,"unit":"CKU-hour","quantity":1,"original_amount":1.4,"discount_amount":0,"amount":1.4,"resource":{"id":"lkc-bl4nk","display_name":null,"environment":{"id":"env-an9ly"}}}"#),
    ],
];
