//! Resources of the synthetic organization and their meters.

use crate::sandbox::data::catalog::{LINE_TYPES, Measure};
use crate::sandbox::data::money::push_decimal;
use crate::sandbox::data::usage::{Discount, Meter, UsagePattern};

/// Environments: id and name. Costs contain only the id.
pub(crate) const ENVIRONMENTS: [(&str, &str); 5] = [
    ("env-k2m9d", "production"),
    ("env-s4t7q", "staging"),
    ("env-d3v1x", "développement"),
    ("env-an9ly", "analytics, shared"),
    ("env-0ld11", "legacy"),
];

/// Billed resource: the attributes that both costs and inventory contain.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    /// Such as `lkc-7aa01x`; empty for costs without a resource.
    pub(crate) id: String,
    pub(crate) name: String,
    /// Id of the environment.
    pub(crate) environment: String,
    /// `network_access_type` of the costs.
    pub(crate) network: &'static str,
    pub(crate) line_types: Vec<&'static str>,
}

/// Builds the meter of one line type of a resource. `line` is an index into [`LINE_TYPES`].
pub(crate) fn build_meter(
    line: usize,
    price: u64,
    typical: u64,
    discount: Discount,
    pattern: UsagePattern,
    resource: &Resource,
) -> Meter {
    let spec = &LINE_TYPES[line];
    let network = resource.network;
    let mut head = format!(
        r#","granularity":"DAILY","network_access_type":"{network}","product":"{}","line_type":"{}","price":"#,
        spec.product, spec.line_type
    )
    .into_bytes();
    push_decimal(&mut head, price as i64, 10);
    head.extend_from_slice(format!(r#","unit":"{}","quantity":"#, spec.unit).as_bytes());
    let tail = if resource.id.is_empty() {
        "}".to_owned()
    } else {
        let Resource {
            id,
            name,
            environment,
            ..
        } = resource;
        let name = escaped(name);
        format!(
            r#","resource":{{"id":"{id}","display_name":"{name}","environment":{{"id":"{environment}"}}}}}}"#
        )
    };
    Meter {
        line,
        price,
        base: if spec.measure == Measure::Count {
            typical
        } else {
            typical * 100_000_000
        },
        discount,
        pattern,
        has_id: false,
        head: head.into(),
        tail: tail.into_bytes().into(),
    }
}

/// Escapes `text` for a JSON string.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\")
        .replace('"', r#"\""#)
        .replace('\n', r"\n")
}
